// C++ objects that live as long as a memory context.
//
// The context's reset callback destroys the object on commit, error, cancel and termination alike: RAII that a longjmp
// cannot skip.
#pragma once

#include <utility>

#include "pg/guard.h"
#include "pg/pg.h"

template <class T>
struct OwnedSlot {
  MemoryContextCallback callback;
  T* object;
};

// Makes T(args...) owned by `context`. May ereport; the object is then already gone or was never made.
template <class T, class Make>
T* make_owned(MemoryContext context, Make&& make) {
  auto* slot = static_cast<OwnedSlot<T>*>(MemoryContextAllocZero(context, sizeof(OwnedSlot<T>)));
  slot->callback.func = [](void* arg) { delete static_cast<OwnedSlot<T>*>(arg)->object; };
  slot->callback.arg = slot;
  MemoryContextRegisterResetCallback(context, &slot->callback);
  GuardError error;
  if (!Guard(error, [&] { slot->object = make(); })) report_guard_error(error);
  return slot->object;
}
