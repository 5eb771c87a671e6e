#include "runtime/host/cpu_features.h"
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bambac::rt {
namespace {

enum Register { EAX, EBX, ECX, EDX };

/// The bits of XCR0 that the operating system sets for the registers that it saves.
enum State : uint64_t { None = 0, Avx = 0x6, Avx512 = 0xE6, Amx = 0x60000 };

struct Feature {
  std::string_view name;
  uint32_t leaf, subleaf;
  Register reg;
  uint32_t bit;
  State state;
};

constexpr Feature features[] = {
#define BAMBA_CPU_FEATURE(name, leaf, subleaf, reg, bit, state) {name, leaf, subleaf, reg, bit, state},
#include "runtime/contract/cpu_features.def"
#undef BAMBA_CPU_FEATURE
};

#if defined(__x86_64__)

/// XCR0, or 0 where the operating system does not use xsave.
uint64_t savedState() {
  uint32_t a, b, c, d;
  constexpr uint32_t osxsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

bool present(const Feature &feature) {
  uint32_t registers[4];
  if (feature.subleaf > 0) { // subleaves exist up to the number in EAX of the first
    if (!__get_cpuid_count(feature.leaf, 0, registers, registers + 1, registers + 2, registers + 3) ||
        registers[EAX] < feature.subleaf)
      return false;
  }
  if (!__get_cpuid_count(feature.leaf, feature.subleaf, registers, registers + 1, registers + 2, registers + 3))
    return false;
  return (registers[feature.reg] >> feature.bit & 1) && (savedState() & feature.state) == feature.state;
}

#else

bool present(const Feature &) { return false; }

#endif

const Feature *find(std::string_view name) {
  for (const Feature &feature : features)
    if (feature.name == name)
      return &feature;
  return nullptr;
}

} // namespace

bool cpuHasFeature(std::string_view name) {
  const Feature *feature = find(name);
  return feature && present(*feature);
}

bool cpuFeatureNeedsTiles(std::string_view name) {
  const Feature *feature = find(name);
  return feature && feature->state == Amx;
}

bool allowTiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long request = 0x1023; // ARCH_REQ_XCOMP_PERM of <asm/prctl.h>, which older systems lack
  constexpr long tileData = 18;    // the bit of XCR0
  return syscall(SYS_arch_prctl, request, tileData) == 0;
#else
  return false;
#endif
}

} // namespace bambac::rt
