// Puts the processor's floating-point mode to its default while kernels run.
#ifndef BAMBA_RUNTIME_HOST_FLOAT_ENVIRONMENT_H
#define BAMBA_RUNTIME_HOST_FLOAT_ENVIRONMENT_H

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace bambac::rt {

/// A host may have set its threads to flush denormals or to round otherwise (-ffast-math does); results must not depend
/// on which thread ran a workgroup. Sets the default in the constructor and puts the old mode back in the destructor.
class FloatEnvironment {
public:
  FloatEnvironment(const FloatEnvironment &) = delete;
  FloatEnvironment &operator=(const FloatEnvironment &) = delete;
#if defined(__x86_64__)
  FloatEnvironment() : before(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FloatEnvironment() { _mm_setcsr(before); }

private:
  unsigned before;
#else
  FloatEnvironment() = default;
  ~FloatEnvironment() {}
#endif
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_FLOAT_ENVIRONMENT_H
