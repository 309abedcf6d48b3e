// Areas that all connections of the server share, where it has any: the library is preloaded, or PostgreSQL is 17 or later.
#pragma once

#include <cstdint>

struct SharedArea {
  const char* name;
  uint64_t (*size)();                          // bytes; 0: no such area is wanted
  void (*init)(void* pointer, uint64_t size);  // fills fresh memory of that size, once
  void* pointer;                               // null until it is known
};

// To be called in _PG_init(), after the settings exist, once, with every area there is.
void shared_memory_init(SharedArea* const* areas, int n);

// The area's memory, or null where this server has none. Its size is the one that was wanted when the server first made it.
void* shared_memory(SharedArea* area);
