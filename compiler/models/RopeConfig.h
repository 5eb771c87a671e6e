// The rotary embedding of a configuration: the rule that it names, as Hugging Face's transformers define it, and the
// table of frequencies that comes of it.
#ifndef BAMBAC_COMPILER_MODELS_ROPECONFIG_H
#define BAMBAC_COMPILER_MODELS_ROPECONFIG_H

#include "compiler/config/FieldReader.h"
#include "compiler/models/ModelDescription.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <vector>

namespace bambac {

/// How the frequencies are changed for a context that is longer than the one of the training.
enum class RopeType : uint8_t { Default, Linear, Llama3, Yarn, LongRope };

/// The name in a config.json.
llvm::StringRef nameOf(RopeType type);

/// Every field that shapes the rotation, nothing left to be derived. Those that the type does not use keep their
/// initial values.
struct RopeConfig {
  RopeType type = RopeType::Default;
  int64_t width = 0; // how many dimensions of each head turn
  double theta = 10000.0;
  double factor = 1.0;           // how many times longer the context has become
  double attentionFactor = 1.0;  // of cosines and sines
  int64_t originalPositions = 0; // the context before
  double lowFrequencyFactor = 1.0, highFrequencyFactor = 4.0;
  double betaFast = 32.0, betaSlow = 1.0;
  bool truncate = true;
  std::vector<double> shortFactors, longFactors;
};

/// What a family knows of its rotations.
struct RopeDefaults {
  int64_t headDim = 0, maxPositions = 0;
  double fraction = 1.0;     ///< of the head that turns where the file does not say
  llvm::StringRef widthName; ///< the field that says how many dimensions turn; none where empty
};

/// Reads rope_scaling or rope_parameters and the fields at the top that go with them. Lines about fields that mean
/// nothing are added to `warnings`.
RopeConfig readRope(FieldReader &top, const RopeDefaults &defaults, std::vector<std::string> &warnings);

/// Finds values that do not fit together or the heads.
void checkRope(FieldReader &top, const RopeConfig &rope, const RopeDefaults &defaults);

/// The table, computed in f64.
Rotary makeRotary(const RopeConfig &rope);

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_ROPECONFIG_H
