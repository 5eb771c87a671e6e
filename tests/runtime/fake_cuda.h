// A CUDA driver for tests: its device is the host, and a stream does nothing until somebody waits for it.
#ifndef BAMBA_TESTS_RUNTIME_FAKE_CUDA_H
#define BAMBA_TESTS_RUNTIME_FAKE_CUDA_H

#include "runtime/contract/abi.h"

extern "C" {

/// What takes the place of a cubin: the CPU kernel that does the work, or the function that packs weights.
struct FakeCubin {
  uint32_t magic;
  uint32_t workgroups;
  bamba_rt_cpu_kernel kernel;
  uint32_t num_args;
  uint64_t scratch_bytes;
  void (*pack)(const FakeCubin *cubin, const bamba_rt_piece *piece); // with host addresses; null: a kernel
  uint32_t dtype, panel, group;                                      // of the weights that it packs
};

/// What the driver was asked to do, and what it is to get wrong.
struct FakeCuda {
  int captures, instantiations, graphLaunches, kernelLaunches, programmaticLaunches;
  int uploads, uploadsOfRows, downloads, downloadsOfRows, copies, clears, clearsOfWords, synchronizations;
  int waitsThatLeaveWork;  // that did something, and left something to do
  int contextDepth;        // pushed and not popped
  int callsWithoutContext; // that need one
  int64_t liveBytes;       // of device and host memory
  int liveObjects;         // streams, events, modules, graphs, contexts
  int major, minor;        // compute capability
  int sharedBytes;         // that a block can ask for
  int multiprocessors = 2;
  int maxPitch = INT32_MAX; // bytes between rows
  int64_t deviceBytes;      // memory that the device has
  int failLaunch;           // the result of graph launches; 0: they work
  int failCopy;             // the result of copies on the device
  int failClear;            // the result of clearing memory
  int failUpload;           // the result of copies to the device
  int failLoad;             // the result of loading a module
  int failPack;             // the result of launches that pack weights
  int packLaunches;         // not among the kernelLaunches
  int64_t uploadedBytes;
};
}

inline constexpr uint32_t fakeCubinMagic = 0xC0B1;

/// Device addresses are host addresses with this bit: whoever mixes them up crashes.
inline constexpr uint64_t fakeDeviceTag = uint64_t{1} << 62;

#endif // BAMBA_TESTS_RUNTIME_FAKE_CUDA_H
