// Checks that involve more than one field.
#include "compiler/models/BambaConfigCheck.h"
#include "compiler/models/BambaModel.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace bambac {

bool BambaConfig::hasAttention() const { return is_contained(isAttention, true); }
bool BambaConfig::hasMamba() const { return is_contained(isAttention, false); }

RopeDefaults ropeDefaults(const BambaConfig &config) {
  return {config.headDim, config.maxPositions, /*fraction=*/0.5, "attn_rotary_emb"};
}

static void checkMamba(FieldReader &reader, const BambaConfig &config) {
  int64_t expanded = config.expand * config.hiddenSize;
  if (config.mambaHeadDim == 0 || config.mambaHeads * config.mambaHeadDim != expanded)
    reader.fail("mamba_n_heads", "mamba_n_heads * mamba_d_head = mamba_expand * hidden_size = " + Twine(expanded),
                Twine(config.mambaHeads) + " * " + Twine(config.mambaHeadDim));
  if (config.mambaHeads % config.mambaGroups != 0)
    reader.fail("mamba_n_groups", "a divisor of mamba_n_heads = " + Twine(config.mambaHeads),
                Twine(config.mambaGroups));
}

static void checkAttention(FieldReader &reader, const BambaConfig &config) {
  if (!reader.get("head_dim") && config.hiddenSize % config.attentionHeads != 0)
    reader.fail("num_attention_heads", "a divisor of hidden_size = " + Twine(config.hiddenSize),
                Twine(config.attentionHeads));
  if (config.attentionHeads % config.kvHeads != 0)
    reader.fail("num_key_value_heads", "a divisor of num_attention_heads = " + Twine(config.attentionHeads),
                Twine(config.kvHeads));
  checkRope(reader, config.rope, ropeDefaults(config));
}

void checkConsistency(FieldReader &reader, const BambaConfig &config) {
  if (config.hasMamba())
    checkMamba(reader, config);
  if (config.hasAttention())
    checkAttention(reader, config);
  if (reader.failed()) // such a model cannot be described
    return;
  if (uint64_t parameters = describeBamba(config).countParameters(); parameters >= limits::kParameters)
    reader.fail("hidden_size", "a model of fewer than " + Twine(limits::kParameters) + " parameters",
                Twine(parameters));
  uint64_t state = SaturatingMultiply<uint64_t>(config.mambaHeads * config.mambaHeadDim,
                                                config.stateSize * sizeof(float) * config.numLayers);
  if (config.hasMamba() && state >= limits::kStateBytes)
    reader.fail("mamba_d_state", "an SSM state of fewer than " + Twine(limits::kStateBytes) + " bytes", Twine(state));
}

} // namespace bambac
