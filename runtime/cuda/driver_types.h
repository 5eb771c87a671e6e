// The types and numbers of CUDA's driver interface that the runtime uses, declared here so that it builds without a
// toolkit. Names follow cuda.h without its prefixes.
#ifndef BAMBA_RUNTIME_CUDA_DRIVER_TYPES_H
#define BAMBA_RUNTIME_CUDA_DRIVER_TYPES_H

#include <cstddef>
#include <cstdint>

namespace bambac::rt::cuda {

using Result = int;       ///< CUresult
using DeviceNumber = int; ///< CUdevice
using Address = uint64_t; ///< CUdeviceptr

using ContextHandle = struct ContextTag *;
using StreamHandle = struct StreamTag *;
using EventHandle = struct EventTag *;
using ModuleHandle = struct ModuleTag *;
using FunctionHandle = struct FunctionTag *;
using GraphHandle = struct GraphTag *;
using GraphExecHandle = struct GraphExecTag *;

inline constexpr Result success = 0, errorOutOfMemory = 2, errorInvalidContext = 201;

inline constexpr int attributeMajor = 75, attributeMinor = 76; ///< CUdevice_attribute: compute capability
inline constexpr int attributeMaxPitch = 11;         ///< CUdevice_attribute: bytes between rows of a copy or a clear
inline constexpr int attributeSharedBytesOptin = 97; ///< CUdevice_attribute: shared memory that a block can ask for
inline constexpr int functionMaxDynamicShared = 8, functionNonPortableCluster = 14; ///< CUfunction_attribute
inline constexpr unsigned streamNonBlocking = 1, eventDisableTiming = 2;
inline constexpr unsigned eventRecordExternal = 1;     ///< in a capture: a node that records the event in each launch
inline constexpr int captureRelaxed = 2;               ///< CUstreamCaptureMode
inline constexpr int memoryHost = 1, memoryDevice = 2; ///< CUmemorytype

/// CUDA_MEMCPY2D_v2
struct Copy2d {
  size_t sourceX, sourceY;
  int sourceType;
  const void *sourceHost;
  Address sourceDevice;
  void *sourceArray;
  size_t sourcePitch;
  size_t targetX, targetY;
  int targetType;
  void *targetHost;
  Address targetDevice;
  void *targetArray;
  size_t targetPitch;
  size_t width, height;
};

inline constexpr int launchClusterDimension = 4, launchProgrammaticSerialization = 6; ///< CUlaunchAttributeID

/// CUlaunchAttribute
struct LaunchAttribute {
  int id;
  int padding;
  union {
    unsigned cluster[3];
    int programmaticSerialization;
    char bytes[64];
  } value;
};

/// CUlaunchConfig
struct LaunchConfig {
  unsigned grid[3], block[3];
  unsigned sharedBytes;
  StreamHandle stream;
  LaunchAttribute *attributes;
  unsigned numAttributes;
};

/// CUtensorMap
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

inline constexpr int tensorFloat32 = 7, tensorBfloat16 = 9; ///< CUtensorMapDataType
inline constexpr int tensorNotInterleaved = 0, tensorPromote256 = 3, tensorFillZero = 0;

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_DRIVER_TYPES_H
