// Areas that all connections of the server share: of its own memory when the library is preloaded, else dynamic ones.
#pragma once

#include <cstdint>

struct SharedArea {
  const char* name;
  uint64_t (*size)();                          // bytes; 0: no such area is wanted
  void (*init)(void* pointer, uint64_t size);  // fills fresh memory of that size, once
  void* pointer;                               // null until it is known
  bool refused = false;                        // the server had none left when this process asked
};

// To be called in _PG_init(), after the settings exist, once, with every area there is.
void shared_memory_init(SharedArea* const* areas, int n);

// The area's memory, or null where none is wanted or the server has none left. Its size is the one that was wanted when the
// server first made it.
void* shared_memory(SharedArea* area);
