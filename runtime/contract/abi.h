/* The contract between generated code and the runtime: the read-only tables that bambac writes into a library.
 *
 * bambac emits one constant `bamba_rt_library` (and all that it points to) with a model for each target; the runtime
 * linked into the same library reads it. Plain C, so that both sides agree byte for byte; every size is asserted below.
 * Nothing here is public: the runtime and the tables travel in the same file and always have the same version.
 */
#ifndef BAMBA_RUNTIME_CONTRACT_ABI_H
#define BAMBA_RUNTIME_CONTRACT_ABI_H

#include "runtime/contract/entry_points.h"
#include "runtime/contract/launch.h"
#include "runtime/contract/weight_piece.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BAMBA_RT_ABI_VERSION 13

/* Where an argument of a kernel lives. */
enum bamba_rt_space {
  BAMBA_RT_SPACE_WEIGHT = 0, /* index into the weights */
  BAMBA_RT_SPACE_STATE = 1,  /* index into the states; the pool's base address */
  BAMBA_RT_SPACE_ARENA = 2,  /* byte offset into the session's arena */
  BAMBA_RT_SPACE_INPUT = 3,  /* a bamba_rt_input (entry_points.h) */
  BAMBA_RT_SPACE_OUTPUT = 4  /* a bamba_rt_output */
};

typedef struct bamba_rt_arg {
  uint32_t space;  /* bamba_rt_space */
  uint32_t index;  /* of the weight, state, input or output; 0 for the arena */
  uint64_t offset; /* bytes from the buffer's start */
} bamba_rt_arg;

/* One workgroup of a CPU kernel: `args` as in the launch, `scratch` private to the calling thread, 64-byte aligned. */
typedef void (*bamba_rt_cpu_kernel)(void *const *args, void *scratch, uint64_t workgroup);

/* What a parameter of a CUDA kernel is made of. */
enum bamba_rt_param_kind {
  BAMBA_RT_PARAM_POINTER = 0,    /* the address of a launch argument */
  BAMBA_RT_PARAM_TENSOR_MAP = 1, /* a tiled CUtensorMap over a launch argument */
  BAMBA_RT_PARAM_WORKSPACE = 2,  /* the session's workspace: counters, then what launches ask for */
  BAMBA_RT_PARAM_PIECE = 3,      /* a bamba_rt_piece by value, the one parameter of a kernel that packs weights */
  BAMBA_RT_PARAM_SIZE = 4        /* an int: a size in which launches of one kernel differ */
};

/* One parameter of a CUDA kernel. */
typedef struct bamba_rt_param {
  uint32_t kind;           /* bamba_rt_param_kind */
  uint32_t arg;            /* number of the launch argument; of a size its value */
  bamba_rt_tensor_map map; /* of a tensor map; else zero */
} bamba_rt_param;

/* The code of a kernel on a CUDA device and its launch. */
typedef struct bamba_rt_cuda_kernel {
  const void *cubin; /* kernels may share one, as a pointer */
  uint64_t cubin_bytes;
  const char *symbol; /* the function in it */
  bamba_rt_cuda_launch launch;
  uint32_t num_params;
  const bamba_rt_param *params;
} bamba_rt_cuda_kernel;

/* A kernel of a CPU model has `cpu`, one of a CUDA model `cuda`; the other is null. */
typedef struct bamba_rt_kernel {
  const char *name;
  const char *schedule; /* for people */
  bamba_rt_cpu_kernel cpu;
  const bamba_rt_cuda_kernel *cuda;
  uint64_t scratch_bytes; /* of one workgroup of a CPU kernel; 0 for CUDA, whose launch says it */
} bamba_rt_kernel;

/* One kernel call: all workgroups of a launch are finished before the next launch starts. (`num_workgroups` is 0 for a
 * CUDA kernel: its grid says it.) */
typedef struct bamba_rt_launch {
  uint32_t kernel;
  uint32_t num_workgroups;
  uint32_t first_arg; /* into args */
  uint32_t num_args;
} bamba_rt_launch;

enum bamba_rt_entry_kind {
  BAMBA_RT_DECODE = 0, /* a row of each sequence, logits of every row */
  BAMBA_RT_PREFILL = 1 /* rows of pieces, logits of the rows that the input `kept` lists */
};

typedef struct bamba_rt_entry {
  const char *name;
  uint32_t kind;  /* bamba_rt_entry_kind */
  uint32_t batch; /* sequences or pieces, at most */
  uint32_t chunk; /* rows at most, of all pieces; 1 where each sequence has one */
  uint32_t first_launch;
  uint32_t num_launches;
  uint32_t kept; /* rows of logits at most, which may be more than `chunk`; `batch` for decode */
  uint64_t arena_bytes;
} bamba_rt_entry;

/* Rows of a checkpoint tensor that a weight is made of: the tensor, seen as a matrix [shape[0], product of the rest],
 * gives num_rows rows from first_row on (a tensor of rank 0 has one row). With repeat > 1 each of its rows counts as
 * many times, one after another, before rows are counted. With rotary_dim > 0 those rows are put in another order
 * before anything else (rotaryPlaceOf in weight_layout.h); rotary_dim is even and at most head_dim, which divides
 * num_rows. */
typedef struct bamba_rt_source {
  const char *name;
  uint32_t rank;
  uint32_t head_dim;   /* 0 where rotary_dim is */
  uint32_t rotary_dim; /* 0: rows keep their order */
  uint32_t repeat;     /* 0: as 1 */
  uint64_t shape[4]; /* of the whole tensor, as it must be in the checkpoint, but for dimensions of 1; unused dimensions
                        are 0 */
  uint64_t first_row, num_rows;
} bamba_rt_source;

enum bamba_rt_weight_flags {
  BAMBA_RT_WEIGHT_TRANSPOSE = 1,  /* the rows of the stacked sources become the columns */
  BAMBA_RT_WEIGHT_INTERLEAVE = 2, /* the sources, of as many rows each, are not stacked but take turns row by row */
  BAMBA_RT_WEIGHT_POSITIVE = 4,   /* its numbers, scales, are greater than zero and finite */
  BAMBA_RT_WEIGHT_OPTIONAL = 8    /* tensors that a checkpoint does not have are ones */
};

/* A weight as the kernels read it.
 *
 * The sources (bamba_rt_source), matrices of as many columns each, are stacked by rows to [rows, cols], converted to
 * `dtype` (rounded to nearest; what is beyond f16 becomes +-65504) and, where asked, transposed. With panel = 0 the
 * result is stored row-major, else in panels of `panel` rows and groups of `panel_group` columns, with columns padded
 * to a multiple of `panel_align` (panelOffset in weight_layout.h) and zeros in the padding. */
typedef struct bamba_rt_weight {
  const char *name;
  uint32_t dtype; /* bamba_rt_dtype */
  uint32_t panel;
  uint32_t flags; /* bamba_rt_weight_flags */
  uint32_t num_sources;
  uint32_t first_source;
  uint32_t panel_group; /* divides panel_align; 1 without a panel */
  uint32_t panel_align; /* 1 without a panel */
  uint32_t pack_kernel; /* the kernel that packs it on a CUDA device; 0 on the processor, where the runtime packs */
  uint32_t scales;      /* of codes (a type that is scaled): 1 + the weight with their scales, f32, which has as many
                           sources; else 0 */
  uint32_t reserved;
  uint64_t rows, cols; /* of the stacked sources, before a transposition */
  uint64_t bytes;      /* in memory, padding included */
} bamba_rt_weight;

enum bamba_rt_state_kind {
  BAMBA_RT_STATE_SLOT = 0, /* one item a sequence: pool[slot]; zero for an empty sequence */
  BAMBA_RT_STATE_PAGE = 1  /* one item a KV page: pool[page] */
};

typedef struct bamba_rt_state {
  const char *name;
  uint32_t kind;       /* bamba_rt_state_kind */
  uint32_t dtype;      /* bamba_rt_dtype */
  uint64_t item_bytes; /* of one slot or page */
} bamba_rt_state;

/* The sort of device that a model runs on. */
enum bamba_rt_device { BAMBA_RT_CPU = 0, BAMBA_RT_CUDA = 1 };

/* The model compiled for one target. */
typedef struct bamba_rt_model {
  const char *target; /* "cpu", "sm_80", "sm_90a" */
  uint32_t device;    /* bamba_rt_device */
  uint32_t compute;   /* CUDA: 10 * major + minor of the architecture; else 0 */
  uint32_t exact;     /* CUDA: 1 where the code runs on that very architecture only (sm_90a), 0 where on later
                         minors of the same major too */
  uint32_t vocab_size;
  uint32_t max_batch;
  uint32_t max_context;
  uint32_t prefill_chunk;
  uint32_t page_tokens; /* 0 without attention */
  uint32_t max_pages;   /* of one sequence: ceil(max_context / page_tokens); at least 1 */
  uint32_t num_entries;
  uint32_t num_launches;
  uint32_t num_args;
  uint32_t num_kernels;
  uint32_t num_weights;
  uint32_t num_sources;
  uint32_t num_states;
  uint32_t num_features;
  uint32_t num_eos_tokens;
  uint64_t fingerprint;          /* of config, types and state layout: a saved state fits only a model with the same */
  const char *metadata;          /* JSON of this target */
  const char *checkpoint;        /* JSON: what its checkpoints may look like (checkpoint_rules.h) */
  const char *const *features;   /* processor features that the kernels use, by LLVM's names ("avx512f") */
  const bamba_rt_entry *entries; /* sorted by kind, then batch, then chunk */
  const bamba_rt_launch *launches;
  const bamba_rt_arg *args;
  const bamba_rt_kernel *kernels;
  const bamba_rt_weight *weights;
  const bamba_rt_source *sources;
  const bamba_rt_state *states;
  const int32_t *eos_tokens; /* tokens that end a text; null where there are none */
  int32_t bos_token;         /* the token that begins a text, or -1 */
  uint32_t state_ring;       /* every so many decode steps a sequence's SSM states are written, the tokens in between
                                wait in rings; at least 1 */
  /* The cost of a step's products, in rows: those that it has, rounded up to row_tile, but at least weight_rows, which
   * cost as much as reading the weights. Both at least 1. */
  uint32_t row_tile;
  uint32_t weight_rows;
} bamba_rt_model;

typedef struct bamba_rt_library {
  uint32_t abi_version; /* BAMBA_RT_ABI_VERSION */
  uint32_t num_models;
  const bamba_rt_model *const *models; /* in the order of --target; no target twice */
  const char *metadata;                /* JSON: {"models": [the metadata of each]} */
} bamba_rt_library;

/* The one table of a library. */
extern const bamba_rt_library bamba_rt_library_table;

#ifdef __cplusplus
}
static_assert(sizeof(bamba_rt_arg) == 16, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_kernel) == 40, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_launch) == 16, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_entry) == 40, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_source) == 72, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_weight) == 72, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_state) == 24, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_param) == 96, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_cuda_kernel) == 72, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_library) == 24, "tables are laid out by bambac");
static_assert(sizeof(bamba_rt_model) == 192, "tables are laid out by bambac");
#endif
#endif /* BAMBA_RUNTIME_CONTRACT_ABI_H */
