// A Bamba model's configuration: what a Hugging Face config.json says, read, checked and made explicit.
#ifndef BAMBAC_COMPILER_MODELS_BAMBACONFIG_H
#define BAMBAC_COMPILER_MODELS_BAMBACONFIG_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bambac {

/// Every field that shapes the computation. The initial values are what a missing field means.
struct BambaConfig {
  int64_t vocabSize = 128000;
  int64_t hiddenSize = 4096;
  int64_t intermediateSize = 14336;
  int64_t numLayers = 32;
  double rmsNormEps = 1e-5;
  bool tieWordEmbeddings = false;
  int64_t maxPositions = 262144;

  int64_t attentionHeads = 32;
  int64_t kvHeads = 8;
  int64_t headDim = 0;   // hiddenSize / attentionHeads where the file does not say
  int64_t rotaryDim = 0; // how many dimensions of each head turn
  double ropeTheta = 10000.0;
  bool attentionBias = false;
  bool mlpBias = false;

  int64_t mambaHeads = 128;
  int64_t mambaHeadDim = 0; // expand * hiddenSize / mambaHeads where the file says "auto"
  int64_t mambaGroups = 1;
  int64_t stateSize = 256;
  int64_t convTaps = 4;
  int64_t expand = 2;
  int64_t chunkSize = 256;
  bool convBias = true;
  bool projBias = false;
  double dtMin = 0.0;
  double dtMax = 0.0; // infinity where the file does not say

  /// For each layer, true where it is attention and false where it is mamba.
  std::vector<bool> isAttention;

  /// What describes the model without shaping its computation, kept as it stood: token ids and the checkpoint's dtype.
  std::vector<std::pair<std::string, llvm::json::Value>> notes;

  /// Channels of a mamba mixer (E), those of its convolution (C), and the outputs of its in_proj.
  int64_t innerSize() const { return mambaHeads * mambaHeadDim; }
  int64_t groupColumns() const { return mambaGroups * stateSize; }
  int64_t convChannels() const { return innerSize() + 2 * groupColumns(); }
  int64_t inProjSize() const { return innerSize() + convChannels() + mambaHeads; }

  bool hasAttention() const;
  bool hasMamba() const;
  /// Elements of all tensors of the checkpoint.
  uint64_t countParameters() const;
};

/// Called with each warning, one line without a newline.
using WarningHandler = llvm::function_ref<void(const std::string &)>;

/// Reads the text of a config.json; `path` names it in messages. Bad input is an error of one line,
/// "path: field 'x': expected ..., found ...". A field that means nothing to us is a warning.
llvm::Expected<BambaConfig> parseBambaConfig(llvm::StringRef text, llvm::StringRef path, WarningHandler warn);

/// Reads a config.json, or the one in the folder `path`.
llvm::Expected<BambaConfig> loadBambaConfig(llvm::StringRef path, WarningHandler warn);

/// The configuration with every field spelled out, in the form of a config.json that reads back as the same.
llvm::json::Value toJson(const BambaConfig &config);

/// toJson as text; infinity is written as Hugging Face does.
std::string toJsonText(const BambaConfig &config);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_BAMBACONFIG_H
