// What compiler, runtime and device code must agree on of codes of e4m3 and their scales. C++ for the host and for
// NVRTC.
#ifndef BAMBA_RUNTIME_CONTRACT_QUANTIZATION_H
#define BAMBA_RUNTIME_CONTRACT_QUANTIZATION_H

namespace bambac::contract {

/// The largest number of e4m3, which has no infinities. The scale of some numbers is their largest magnitude over it.
inline constexpr float kLargestE4m3 = 448.0f;

/// The least scale of what a linear multiplies: what is smaller than 1/512 of it would be a subnormal code.
inline constexpr float kLeastInputScale = 1.0f / (kLargestE4m3 * 512.0f);

/// The places of the scales of keys and of values among those of a KV cache of codes.
enum CacheScale { kScaleOfKeys, kScaleOfValues, kNumCacheScales };

} // namespace bambac::contract

#endif // BAMBA_RUNTIME_CONTRACT_QUANTIZATION_H
