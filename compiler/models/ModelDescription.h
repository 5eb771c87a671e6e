// A model in terms that no family owns: its layers as lists of blocks, and for each weight the checkpoint tensors that
// it is made of. A family fills it in (BambaModel.h), a check says what cannot be built (DescriptionCheck.h), and
// compiler/build makes IR of it.
#ifndef BAMBAC_COMPILER_MODELS_MODELDESCRIPTION_H
#define BAMBAC_COMPILER_MODELS_MODELDESCRIPTION_H

#include "compiler/models/CheckpointRules.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace bambac {

/// A tensor of the checkpoint, seen as a matrix [shape[0], product of the rest], or consecutive rows of it.
struct TensorRows {
  std::string tensor;                            ///< the name in the checkpoint
  std::vector<int64_t> shape;                    ///< of the whole tensor
  int64_t firstRow = 0;                          ///< counted after the repetition
  std::optional<int64_t> numRows = std::nullopt; ///< all from firstRow on where it does not say
  /// True where rows of the tensor may be in no weight at all. Otherwise such a row is taken for a mistake.
  bool leavesRows = false;
  int64_t repeat = 1; ///< how often each row stands, as scales of blocks of rows do

  int64_t countAllRows() const { return (shape.empty() ? 1 : shape.front()) * repeat; }
  int64_t countRows() const { return numRows.value_or(countAllRows() - firstRow); }
  int64_t countColumns() const;
};

/// How a weight is kept in memory.
enum class Precision {
  Chosen, ///< in the type that the user asks for: what linears multiply, and the embedding
  Full,   ///< f32: norms, biases, scales, what a state space op reads
  Codes   ///< e4m3, to be multiplied by scales
};

/// A weight as the model's ops read it.
struct Weight {
  std::string name; ///< in the IR; blocks that name the same weight share it
  std::vector<int64_t> shape;
  std::vector<TensorRows> sources; ///< stacked by rows
  bool transposed = false;         ///< the stacked rows are the weight's columns
  Precision precision = Precision::Full;
  std::string scales;    ///< of codes: the name of the weight with their scales
  bool positive = false; ///< its numbers, scales, must be greater than zero and finite
  bool optional = false; ///< tensors that a checkpoint does not have are ones
  /// Scales of codes for which a checkpoint of this configuration has numbers: both are computed while it is loaded.
  bool computed = false;
};

/// What goes with a matrix of codes.
struct Quantization {
  /// [groups, outputs]; made of as many sources as the matrix, each the scales of that source's rows. Where a
  /// checkpoint has numbers in place of codes, the runtime computes both.
  Weight scales;
  int64_t group = 0; ///< columns that share a scale, in the matrix and in what it multiplies; 0: all
  /// Static scales of what is multiplied, of which the largest counts; none: each row, or group of it, has its own.
  std::optional<Weight> inputScales;

  /// Whether a row, of the matrix and of what it multiplies, has one scale for all of its columns.
  bool hasScalesOfRows() const { return scales.shape.front() == 1; }
};

struct Linear {
  Weight matrix; ///< [outputs, inputs]
  std::optional<Weight> bias;
  std::optional<Quantization> quantization; ///< none: the matrix holds numbers

  int64_t outputs() const { return matrix.shape.front(); }
  int64_t inputs() const { return matrix.shape.back(); }
};

using WeightVisitor = llvm::function_ref<void(const Weight &)>;

/// Neighbouring columns of a matrix.
struct Columns {
  int64_t first = 0, count = 0;
  int64_t end() const { return first + count; }
};

/// What a Mamba2 mixer projects its input to, in this order.
struct Mamba2Columns {
  Columns gate, x, b, c, dt;

  Mamba2Columns(int64_t heads, int64_t headDim, int64_t groups, int64_t stateSize)
      : gate{0, heads * headDim}, x{gate.end(), gate.count}, b{x.end(), groups * stateSize}, c{b.end(), b.count},
        dt{c.end(), heads} {}

  /// Those that go through the convolution.
  Columns convolved() const { return {x.first, c.end() - x.first}; }
  int64_t total() const { return dt.end(); }
};

/// A Mamba2 mixer: projection, causal convolution, selective state space, gated norm, projection.
struct Mamba2 {
  int64_t heads = 0, headDim = 0, groups = 0, stateSize = 0;
  int64_t chunkSize = 0; ///< tokens of a chunk of the scan, at most
  double dtMin = 0.0, dtMax = 0.0;
  Linear inProj, outProj;
  Weight convTaps; ///< [taps, channels]
  std::optional<Weight> convBias;
  Weight aLog, d, dtBias; ///< one number a head
  Weight norm;            ///< of the gated norm
  int64_t normGroups = 1; ///< the gated norm takes the mean of each of as many runs of channels

  Mamba2Columns columns() const { return {heads, headDim, groups, stateSize}; }
  void forEachWeight(WeightVisitor visit) const;
  int64_t widestRow() const { return inProj.outputs(); }
};

/// Rotary embedding of the first dimensions of a head, in halves: a position turns pair j by frequencies[j] radians and
/// makes it `scale` times as long. Without frequencies nothing turns.
struct Rotary {
  std::vector<double> frequencies;
  std::vector<double> longFrequencies; ///< in their place where the context is longer; none: the same
  int64_t shortContext = 0;            ///< tokens of the longest context that has no others
  double scale = 1.0;

  int64_t width() const { return 2 * static_cast<int64_t>(frequencies.size()); }
  bool isLong(int64_t maxContext) const { return !longFrequencies.empty() && maxContext > shortContext; }
  const std::vector<double> &frequenciesFor(int64_t maxContext) const {
    return isLong(maxContext) ? longFrequencies : frequencies;
  }
};

/// An attention mixer with a KV cache.
struct Attention {
  int64_t heads = 0, kvHeads = 0, headDim = 0;
  Rotary rotary;
  double scale = 0.0; ///< of the products of queries and keys
  /// [2]: what keys and values are divided by in a cache of codes; 1 where a checkpoint has no such tensor. With it,
  /// the cache holds codes.
  std::optional<Weight> cacheScales;
  Linear query, key, value, output;

  void forEachWeight(WeightVisitor visit) const;
  int64_t widestRow() const { return query.outputs() + key.outputs() + value.outputs(); }
};

/// down(silu(gate(h)) * up(h))
struct SwigluMlp {
  Linear gate, up, down;

  void forEachWeight(WeightVisitor visit) const;
  int64_t widestRow() const { return gate.outputs() + up.outputs(); }
};

/// One step along the residual stream: x += body(rms_norm(x)). Another kind of mixer or MLP is another alternative;
/// where one is missing, std::visit does not compile.
struct ResidualBlock {
  Weight norm;
  std::variant<Mamba2, Attention, SwigluMlp> body;
};

/// Blocks that share a number. States are named after it, so a layer has at most one mixer of each kind.
struct Layer {
  std::vector<ResidualBlock> blocks;
};

struct ModelDescription {
  int64_t vocabSize = 0, hiddenSize = 0;
  int64_t maxPositions = 0; ///< that the model was made for
  double normEps = 0.0;     ///< of all norms
  Weight embedding;         ///< [vocabSize, hiddenSize]
  std::vector<Layer> layers;
  Weight finalNorm;
  Linear head;
  std::optional<int32_t> bosToken; ///< begins a text
  std::vector<int32_t> eosTokens;  ///< end a text
  std::string
      config; ///< what all this was read from, as one line of JSON; for people and for a checkpoint's config.json

  CheckpointRules checkpoint;

  /// Visits a weight as often as it is used, in the order of the computation.
  void forEachWeight(WeightVisitor visit) const;
  /// Elements of all tensors of the checkpoint, at most 2^64 - 1.
  uint64_t countParameters() const;
  /// Columns of the widest intermediate, projections of the same input counted as one.
  int64_t widestRow() const;
  /// Whether a linear multiplies codes whose rows have one scale each.
  bool hasCodesOfRows() const;
  /// The first rotation with other frequencies in such a context than in a short one; null where there is none.
  const Rotary *findLongRotary(int64_t maxContext) const;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_MODELDESCRIPTION_H
