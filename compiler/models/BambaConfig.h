// A Bamba model's configuration: what a Hugging Face config.json says, read, checked and made explicit.
#ifndef BAMBAC_COMPILER_MODELS_BAMBACONFIG_H
#define BAMBAC_COMPILER_MODELS_BAMBACONFIG_H

#include "compiler/config/WarningHandler.h"
#include "compiler/models/QuantizationRecipe.h"
#include "compiler/models/RopeConfig.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bambac {

/// Every field that shapes the computation. The initial values are what a missing field means, but for those that size
/// the model: a file must say them, as transformers always does. Its defaults for them are those of one model of 9
/// billion parameters, and would make another model of one that says too little.
struct BambaConfig {
  int64_t vocabSize = 1;        // must be there
  int64_t hiddenSize = 1;       // must be there
  int64_t intermediateSize = 1; // must be there
  int64_t numLayers = 1;        // must be there
  double rmsNormEps = 1e-5;
  bool tieWordEmbeddings = false;
  int64_t maxPositions = 262144;

  int64_t attentionHeads = 1; // must be there where a layer is attention
  int64_t kvHeads = 1;        // the same; null means all heads
  int64_t headDim = 0;        // hiddenSize / attentionHeads where the file does not say
  RopeConfig rope;
  bool attentionBias = false;
  bool mlpBias = false;

  int64_t mambaHeads = 1;   // must be there where a layer is mamba
  int64_t mambaHeadDim = 0; // expand * hiddenSize / mambaHeads where the file says "auto"
  int64_t mambaGroups = 1;
  int64_t stateSize = 1; // the same
  int64_t convTaps = 4;
  int64_t expand = 2;
  int64_t chunkSize = 256;
  bool convBias = true;
  bool projBias = false;
  double dtMin = 0.0;
  double dtMax = 0.0; // infinity where the file does not say

  /// For each layer, true where it is attention and false where it is mamba.
  std::vector<bool> isAttention;

  std::optional<QuantizationRecipe> quantization; ///< none: all weights are numbers
  std::optional<CacheScaleNames> cacheScales;     ///< of keys and values that are codes; none: they are numbers

  std::optional<int32_t> bosToken;
  std::vector<int32_t> eosTokens;

  /// What describes the model without shaping its computation, kept as it stood: token ids and the checkpoint's dtype.
  std::vector<std::pair<std::string, llvm::json::Value>> notes;

  bool hasAttention() const;
  bool hasMamba() const;
};

/// Reads the object of a config.json; `path` names the file in messages. A field that means nothing here is a warning.
llvm::Expected<BambaConfig> parseBambaConfig(const llvm::json::Object &object, llvm::StringRef path,
                                             WarningHandler warn);

/// The configuration with every field spelled out, as the text of a config.json that reads back as the same. Infinity
/// is written as Hugging Face does.
std::string toJsonText(const BambaConfig &config);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_BAMBACONFIG_H
