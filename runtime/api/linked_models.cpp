// Looks for the other model while the program starts, when only what it is linked to is loaded: models that it opens
// later have functions of their own, whatever they are called.

#include "runtime/api/linked_models.h"
#include "runtime/include/bamba/bamba.h"
#include "runtime/support/error.h"

#include <array>
#include <cstdio>
#include <dlfcn.h>

namespace {

/// The file of the other model; empty where there is none.
std::array<char, 256> otherModel = {};

[[gnu::constructor]] void findOtherModel() {
  auto *own = reinterpret_cast<void *>(&bamba_get_api);
  Dl_info self = {};
  // Without a name it is a function of the program itself, as in tests.
  if (!dladdr(own, &self) || !self.dli_sname)
    return;
  void *program = dlopen(nullptr, RTLD_LAZY);
  if (!program)
    return;
  // Only the first of several models is called, so it is the one that has to know. A library that was opened for itself
  // is not found here.
  if (dlsym(program, self.dli_sname) == own) {
    void *next = dlsym(RTLD_NEXT, self.dli_sname);
    Dl_info other = {};
    if (next && next != own && dladdr(next, &other) && other.dli_fname)
      static_cast<void>(std::snprintf(otherModel.data(), otherModel.size(), "%s", other.dli_fname));
  }
  dlclose(program);
}

} // namespace

void bambac::rt::expectNoOtherModel() {
  if (otherModel[0] == '\0')
    return;
  Dl_info self = {};
  dladdr(reinterpret_cast<void *>(&bamba_get_api), &self);
  fail(BAMBA_UNSUPPORTED,
       "expected a program that is linked to one model whose functions are called {}, found '{}' and '{}': compile one "
       "with another --symbol-prefix",
       self.dli_sname, self.dli_fname, otherModel.data());
}
