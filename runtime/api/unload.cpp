// What a library gives back when it is closed. Only the prelinked runtime has this: it owns its copy of libstdc++,
// which a program that shares one does not.

namespace __gnu_cxx { // NOLINT: libstdc++'s own name, declared in none of its headers
/// Frees the memory that libstdc++ holds ready for exceptions when there is no other.
void __freeres(); // NOLINT
} // namespace __gnu_cxx

/// Runs after the library's other destructors; without it each dlopen and dlclose would leak 72 KiB.
[[gnu::destructor(101)]] static void freeExceptionPool() { __gnu_cxx::__freeres(); }
