// What the handles of the C interface stand for, and the check that one is there.
#ifndef BAMBA_RUNTIME_API_HANDLES_H
#define BAMBA_RUNTIME_API_HANDLES_H

#include "runtime/model/model.h"
#include "runtime/support/error.h"

struct bamba_model {
  bambac::rt::Model impl;
};

namespace bambac::rt {

template <typename Pointee> void expectPointer(Pointee *pointer, const char *name) {
  if (!pointer)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected an address, found NULL", name);
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_API_HANDLES_H
