/* How a CUDA kernel is launched. The kernel states it, the compiler reads it out of the cubin, and the runtime follows
 * it.
 *
 * Each kernel NAME defines the constants NAME_launch (bamba_rt_cuda_launch) and, for its parameter number I where that
 * is a tensor map, NAME_map_I (bamba_rt_tensor_map). Device code, compiler and runtime include this header, so that all
 * of them agree on the bytes.
 */
#ifndef BAMBA_RUNTIME_CONTRACT_LAUNCH_H
#define BAMBA_RUNTIME_CONTRACT_LAUNCH_H

#include "runtime/contract/integers.h"

/* 32-bit counters at the start of a workspace. They are zero when a kernel starts, and it leaves them zero. */
#define BAMBA_RT_WORKSPACE_COUNTERS 16384

/* Grid, block and memory of a launch. */
typedef struct bamba_rt_cuda_launch {
  uint32_t grid[3];
  uint32_t threads;      /* of a block, one-dimensional */
  uint32_t cluster;      /* blocks of a cluster along x; 1: none */
  uint32_t shared_bytes; /* dynamic shared memory of a block */
  uint32_t dependent;    /* 1: may be launched before its predecessor has ended (programmatic dependent launch); the
                            kernel itself waits (griddepcontrol.wait). The first launch of an entry point starts when
                            all before it has ended: kernels may read what no launch before theirs in the entry point
                            has written, before they wait */
  uint32_t workspace;    /* bytes of device memory, after the workspace's counters, that the kernel uses for itself */
} bamba_rt_cuda_launch;

/* A tiled CUtensorMap over one argument. Dimensions from the innermost; sizes in elements, strides in bytes. A size of
 * 0 in the outermost dimension is the number of items of a state pool. */
typedef struct bamba_rt_tensor_map {
  uint32_t element_bytes; /* 2: bf16 or f16, 4: f32 */
  uint32_t rank;
  uint32_t swizzle_bytes; /* 0, 32, 64 or 128 */
  uint32_t dims[5];
  uint32_t box[5];
  uint32_t reserved;
  uint64_t strides[4]; /* of dimensions 1 to rank - 1 */
} bamba_rt_tensor_map;

#ifdef __cplusplus
static_assert(sizeof(bamba_rt_cuda_launch) == 32, "constants of cubins have this layout");
static_assert(sizeof(bamba_rt_tensor_map) == 88, "constants of cubins have this layout");
#endif

#endif /* BAMBA_RUNTIME_CONTRACT_LAUNCH_H */
