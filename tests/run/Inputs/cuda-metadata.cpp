// A library with the metadata of a small CUDA model, and nothing else.
#include "bamba/bamba.h"

static const char *const metadata = R"({"schema_version": 1, "models": [{
  "compiler": {"name": "bambac", "version": "0.1.0", "flags": []},
  "config": {"hidden_size": 64}, "vocab_size": 64,
  "dtype": "bf16",
  "target": {"name": "sm_90a", "device": "cuda", "arch": "sm_90a", "features": []},
  "limits": {"max_batch": 1, "max_context": 64, "prefill_chunk": 16, "page_tokens": 64},
  "entry_points": [{"name": "decode_b1", "kind": "decode", "batch": 1, "chunk": 1, "launches": 2, "arena_bytes": 256,
    "weight_bytes": 8192, "state_bytes": 0, "activation_bytes": 512, "flops": 8192, "context_bytes": 0,
    "context_flops": 0}],
  "kernels": [{"name": "linear_1x64x64", "target": "sm_90a", "count": 2, "schedule":
    "wgmma/linear_skinny, stages 12", "scratch_bytes": 0,
    "cost": {"weight_bytes": 8192, "state_bytes": 0, "activation_bytes": 256, "flops": 8192, "context_bytes": 0,
    "context_flops": 0}, "grid": [132, 2, 1], "threads": 320, "cluster": 2, "registers": 92, "shared_bytes": 207872,
    "spill_bytes": 0, "code_bytes": 28672},
    {"name": "spilling_1x64", "target": "sm_90a", "count": 1, "schedule": "", "scratch_bytes": 1024,
    "cost": {"weight_bytes": 0, "state_bytes": 0, "activation_bytes": 256, "flops": 0, "context_bytes": 0,
    "context_flops": 0}, "grid": [1, 1, 1], "threads": 32, "cluster": 1, "registers": 255, "shared_bytes": 0,
    "spill_bytes": 24, "code_bytes": 4096},
    {"name": "pack_weights_bf16_8x8", "target": "sm_90a", "count": 0, "schedule": "panels of 8 rows, groups of 8",
    "scratch_bytes": 0,
    "cost": {"weight_bytes": 0, "state_bytes": 0, "activation_bytes": 0, "flops": 0, "context_bytes": 0,
    "context_flops": 0}, "grid": [1, 1, 1], "threads": 256, "cluster": 1, "registers": 32, "shared_bytes": 0,
    "spill_bytes": 0, "code_bytes": 4096}],
  "weights": [{"name": "q_proj", "dtype": "bf16", "shape": [64, 64], "panel": 8, "panel_group": 8, "panel_align": 64,
    "interleaved": false, "bytes": 8192, "pack_kernel": "pack_weights_bf16_8x8",
    "sources": [{"name": "qkv.weight", "shape": [192, 64], "rows": [64, 64], "head_dim": 32, "rotary_dim": 16}]}],
  "states": [],
  "memory": {"weight_bytes": 8192, "arena_bytes": 256, "scratch_bytes": 1024, "slot_bytes": 0, "page_bytes": 0}
}]})";

const bamba_api *bamba_get_api(uint32_t version) {
  static bamba_api api = {};
  api.struct_size = sizeof(api);
  api.abi_version = BAMBA_ABI_VERSION;
  api.metadata = [] { return metadata; };
  return version == BAMBA_ABI_VERSION ? &api : nullptr;
}
