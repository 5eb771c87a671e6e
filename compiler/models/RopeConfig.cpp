// Reads both spellings: rope_scaling with rope_theta at its side, and rope_parameters with everything inside, which may
// be one object for each type of layer.
#include "compiler/models/RopeConfig.h"
#include "compiler/models/ConfigLimits.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <limits>

using namespace llvm;

namespace bambac {

namespace {
struct TypeName {
  StringLiteral name;
  RopeType type;
};
} // namespace

static constexpr TypeName kTypes[] = {{"default", RopeType::Default},
                                      {"linear", RopeType::Linear},
                                      {"llama3", RopeType::Llama3},
                                      {"yarn", RopeType::Yarn},
                                      {"longrope", RopeType::LongRope}};

/// Bounds of what multiplies or divides something. No model comes close to them, and all products stay finite.
static constexpr double kLeast = 1e-6, kMost = 1e6;
static constexpr double kMostFactor = limits::kPositions;
/// With the longest position, the angle is still a finite number of type float.
static constexpr double kFastest = 1e28;

static constexpr StringLiteral kOriginal = "original_max_position_embeddings";

StringRef nameOf(RopeType type) {
  return llvm::find_if(kTypes, [&](const TypeName &row) { return row.type == type; })->name;
}

namespace {
/// Reads the object that describes the rotation.
class ParameterReader {
public:
  ParameterReader(FieldReader &top, FieldReader &reader, const RopeDefaults &defaults, RopeConfig &rope)
      : top(top), reader(reader), defaults(defaults), rope(rope) {}

  void read() {
    rope.type = readType();
    switch (rope.type) {
    case RopeType::Default:
      break;
    case RopeType::Linear:
      rope.factor = reader.requiredNumber("factor", 1.0, kMostFactor);
      break;
    case RopeType::Llama3:
      readLlama3();
      break;
    case RopeType::Yarn:
      readYarn();
      break;
    case RopeType::LongRope:
      readLongRope();
      break;
    }
  }

private:
  /// Older files call it "type". A file that names none has the plain rotation, unless it has fields of another.
  RopeType readType() {
    const json::Value *older = reader.get("type"), *type = reader.get("rope_type");
    StringRef name = older && !type ? "type" : "rope_type";
    if (older && type && *older != *type)
      reader.fail("type", "the value of rope_type, which is " + describe(*type));
    if (!type)
      type = older;
    if (!type && !reader.get("factor") && !reader.get("short_factor") && !reader.get("long_factor"))
      return RopeType::Default;
    for (const TypeName &row : kTypes)
      if (type && type->getAsString() == StringRef(row.name))
        return row.type;
    auto quote = [](const TypeName &row) { return ("\"" + row.name + "\"").str(); };
    std::string expected = join(map_range(kTypes, quote), ", ");
    if (type && type->getAsString() == StringRef("dynamic"))
      expected += " (the frequencies of \"dynamic\" change with the length of a sequence, its cached keys do not)";
    reader.fail(name, expected);
    return RopeType::Default;
  }

  /// What stands at the top wins here.
  void readOriginalPositions() {
    std::optional<int64_t> outer = top.optionalInteger(kOriginal, 2, limits::kPositions);
    std::optional<int64_t> inner = reader.optionalInteger(kOriginal, 2, limits::kPositions);
    rope.originalPositions = outer.value_or(inner.value_or(defaults.maxPositions));
    if (rope.originalPositions < 2)
      top.fail("max_position_embeddings", "at least 2 positions for a rotation of type " + nameOf(rope.type),
               Twine(rope.originalPositions));
  }

  /// Where the file does not say, it is how many times the model's context is longer than the original one.
  void readFactorOrRatio() {
    if (std::optional<double> factor = reader.optionalNumber("factor", 1.0, kMostFactor)) {
      rope.factor = *factor;
      return;
    }
    if (defaults.maxPositions < rope.originalPositions)
      top.fail("max_position_embeddings",
               "at least original_max_position_embeddings = " + Twine(rope.originalPositions) + " where " +
                   nameOf(rope.type) + " has no factor",
               Twine(defaults.maxPositions));
    rope.factor = static_cast<double>(defaults.maxPositions) / static_cast<double>(rope.originalPositions);
  }

  void readLlama3() {
    rope.factor = reader.requiredNumber("factor", 1.0, kMostFactor);
    rope.lowFrequencyFactor = reader.requiredNumber("low_freq_factor", kLeast, kMost);
    rope.highFrequencyFactor = reader.requiredNumber("high_freq_factor", kLeast, kMost);
    if (rope.highFrequencyFactor <= rope.lowFrequencyFactor)
      reader.fail("high_freq_factor", "more than low_freq_factor");
    readOriginalPositions();
  }

  void readYarn() {
    // The number of a pair is a logarithm to this base.
    if (rope.theta <= 1)
      (reader.get("rope_theta") ? reader : top)
          .fail("rope_theta", "a number greater than 1 for yarn", describe(json::Value(rope.theta)));
    readOriginalPositions();
    readFactorOrRatio();
    rope.betaSlow = reader.optionalNumber("beta_slow", kLeast, kMost).value_or(rope.betaSlow);
    rope.betaFast = reader.optionalNumber("beta_fast", kLeast, kMost).value_or(rope.betaFast);
    if (rope.betaFast < rope.betaSlow)
      reader.fail("beta_fast", "at least beta_slow");
    reader.readBool("truncate", rope.truncate);
    constexpr double largest = 1000.0;
    double scale = reader.optionalNumber("mscale", 0.0, largest).value_or(0.0);
    double scaleAll = reader.optionalNumber("mscale_all_dim", 0.0, largest).value_or(0.0);
    auto stretch = [&](double share) { return 0.1 * share * std::log(rope.factor) + 1.0; };
    readAttentionFactor(scale != 0 && scaleAll != 0 ? stretch(scale) / stretch(scaleAll) : stretch(1.0));
  }

  void readLongRope() {
    readOriginalPositions();
    readFactorOrRatio();
    rope.shortFactors = readFactors("short_factor");
    rope.longFactors = readFactors("long_factor");
    readAttentionFactor(std::sqrt(1.0 + std::log(rope.factor) / std::log(static_cast<double>(rope.originalPositions))));
  }

  std::vector<double> readFactors(StringRef name) {
    std::vector<double> factors = reader.requiredNumbers(name, kLeast, kMost);
    if (static_cast<int64_t>(factors.size()) != rope.width / 2)
      reader.fail(name, "a factor for each of the " + Twine(rope.width / 2) + " pairs of rotary dimensions");
    return factors;
  }

  void readAttentionFactor(double otherwise) {
    rope.attentionFactor = reader.optionalNumber("attention_factor", kLeast, kMost).value_or(otherwise);
  }

  FieldReader &top, &reader;
  const RopeDefaults &defaults;
  RopeConfig &rope;
};
} // namespace

static const json::Object *optionalFilledObject(FieldReader &reader, StringRef name) {
  const json::Object *object = reader.optionalObject(name);
  return object && !object->empty() ? object : nullptr;
}

/// The object that describes the rotation; `none` where there is none.
static FieldReader findParameters(FieldReader &top, const json::Object &none, std::vector<std::string> &warnings) {
  const json::Object *scaling = optionalFilledObject(top, "rope_scaling");
  const json::Object *parameters = optionalFilledObject(top, "rope_parameters");
  StringRef name = scaling ? "rope_scaling" : "rope_parameters";
  if (scaling && parameters && *scaling != *parameters)
    warnings.push_back(top.describeField("rope_parameters") + " is ignored, since rope_scaling says something else");
  FieldReader reader = top.nested(name, scaling ? *scaling : parameters ? *parameters : none);
  // One for each type of layer: only attention turns anything.
  for (StringRef layers : {"full_attention", "attention"})
    if (const json::Object *object = reader.optionalObject(layers)) {
      for (StringRef others : {"linear_attention", "mamba"})
        (void)reader.get(others);
      reader.listUnknown(warnings);
      return reader.nested(layers, *object);
    }
  return reader;
}

/// What stands in the object, else at the top.
static std::optional<double> innerOrOuter(FieldReader &inner, FieldReader &top, StringRef name, double min,
                                          double max) {
  std::optional<double> outside = top.optionalNumber(name, min, max), inside = inner.optionalNumber(name, min, max);
  return inside ? inside : outside;
}

RopeConfig readRope(FieldReader &top, const RopeDefaults &defaults, std::vector<std::string> &warnings) {
  json::Object none;
  FieldReader reader = findParameters(top, none, warnings);
  RopeConfig rope;
  constexpr double smallest = std::numeric_limits<float>::min(), largest = std::numeric_limits<float>::max();
  rope.theta = innerOrOuter(reader, top, "rope_theta", smallest, largest).value_or(rope.theta);
  std::optional<double> fraction = innerOrOuter(reader, top, "partial_rotary_factor", 0.0, 1.0);
  // Hugging Face truncates the product.
  rope.width = static_cast<int64_t>(static_cast<double>(defaults.headDim) * fraction.value_or(defaults.fraction));
  if (!defaults.widthName.empty())
    if (std::optional<int64_t> width = top.optionalInteger(defaults.widthName, 0, limits::kWidth)) {
      if (fraction && rope.width != *width)
        top.fail(defaults.widthName,
                 "the " + Twine(rope.width) +
                     " dimensions that partial_rotary_factor says of head_dim = " + Twine(defaults.headDim),
                 Twine(*width));
      rope.width = *width;
    }
  (void)top.get(kOriginal); // known also where the type does not use it
  ParameterReader(top, reader, defaults, rope).read();
  reader.listUnknown(warnings);
  return rope;
}

void checkRope(FieldReader &top, const RopeConfig &rope, const RopeDefaults &defaults) {
  bool namesWidth = !defaults.widthName.empty() && top.get(defaults.widthName);
  if (rope.width > defaults.headDim || rope.width % 2 != 0)
    return top.fail(namesWidth ? defaults.widthName : "partial_rotary_factor",
                    "an even number of rotary dimensions, at most head_dim = " + Twine(defaults.headDim),
                    Twine(rope.width));
  Rotary rotary = makeRotary(rope);
  for (const std::vector<double> &frequencies : {rotary.frequencies, rotary.longFrequencies})
    for (double frequency : frequencies)
      if (frequency > kFastest)
        return top.fail("rope_theta", "pairs that turn by at most " + describe(json::Value(kFastest)) + " a position",
                        describe(json::Value(frequency)));
}

} // namespace bambac
