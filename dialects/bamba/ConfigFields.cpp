// The one table from ops to the fields of a config.json, for diagnostics about sizes that fit nowhere.
#include "dialects/bamba/Bamba.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bambac {

StringRef getConfigFields(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<LinearOp>([](auto) { return "hidden_size, intermediate_size, mamba_expand or vocab_size"; })
      .Case<AttentionOp, KvAppendOp, RopeOp>([](auto) {
        return "head_dim (hidden_size / num_attention_heads), num_attention_heads or num_key_value_heads";
      })
      .Case<SsmScanOp, SsmStepOp, SsmFoldOp>(
          [](auto) { return "mamba_d_head, mamba_d_state, mamba_n_heads or mamba_n_groups"; })
      .Case<CausalConv1dOp>([](auto) { return "mamba_d_conv, mamba_d_state or mamba_n_groups"; })
      .Case<EmbeddingOp, ArgmaxOp, SampleOp>([](auto) { return "hidden_size or vocab_size"; })
      .Default([](auto) { return "hidden_size or intermediate_size"; });
}

} // namespace bambac
