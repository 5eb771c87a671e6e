// Typed access to JSON fields, with one message for each way in which a field can be wrong.
#include "compiler/config/FieldReader.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <charconv>
#include <cmath>

using namespace llvm;

namespace bambac {

/// The shortest text that reads back as the number.
static std::string describeNumber(double value) {
  char text[32];
  return {text, std::to_chars(text, std::end(text), value).ptr};
}

std::string describe(const json::Value &value) {
  std::optional<double> number = value.getAsNumber();
  if (number && !std::isfinite(*number))
    return *number > 0 ? "Infinity" : "-Infinity";
  if (const json::Array *array = value.getAsArray())
    return formatv("an array of {0}", array->size());
  if (value.getAsObject())
    return "an object";
  constexpr size_t longest = 60;
  std::string text = formatv("{0}", value);
  if (number && StringRef(text).find_first_of(".e") != StringRef::npos)
    return describeNumber(*number);
  if (text.size() <= longest)
    return text;
  // Cut before a character, not inside one.
  size_t end = longest;
  while (end > 0 && (text[end] & 0xC0) == 0x80)
    --end;
  return text.substr(0, end) + "...";
}

const json::Value *FieldReader::get(StringRef name) {
  known.insert(name);
  const json::Value *value = object.get(name);
  return value && value->kind() != json::Value::Null ? value : nullptr;
}

bool FieldReader::isNull(StringRef name) const {
  const json::Value *value = object.get(name);
  return value && value->kind() == json::Value::Null;
}

std::string FieldReader::describeField(StringRef name) const {
  return (path + ": field '" + prefix + name + "'").str();
}

void FieldReader::fail(StringRef name, const Twine &expected, const Twine &found) {
  if (error.empty())
    error = (describeField(name) + ": expected " + expected + ", found " + found).str();
}

void FieldReader::fail(StringRef name, const Twine &expected) {
  const json::Value *value = object.get(name);
  fail(name, expected, value ? describe(*value) : "no such field");
}

static std::string describeRange(int64_t min, int64_t max) { return formatv("an integer from {0} to {1}", min, max); }

std::optional<int64_t> FieldReader::integer(StringRef name, const json::Value &value, int64_t min, int64_t max) {
  // Every bound is far below the doubles that no longer fit an integer, so that the conversion is safe.
  std::optional<double> wide = value.getAsNumber();
  if (wide && *wide >= static_cast<double>(min) && *wide <= static_cast<double>(max))
    if (std::optional<int64_t> result = value.getAsInteger())
      return result;
  fail(name, describeRange(min, max), describe(value));
  return std::nullopt;
}

static std::string describeRange(double min, double max) {
  return std::isinf(max) ? "a number of at least " + describeNumber(min)
                         : "a number from " + describeNumber(min) + " to " + describeNumber(max);
}

/// A number in any of the ways in which those that are not finite are written: Hugging Face uses the object, since JSON
/// must be strict there.
static std::optional<double> numberOf(const json::Value &value) {
  if (const json::Object *wrapped = value.getAsObject(); wrapped && wrapped->size() == 1)
    if (const json::Value *inner = wrapped->get("__float__"); inner && !inner->getAsObject())
      return numberOf(*inner);
  std::optional<StringRef> text = value.getAsString();
  if (!text)
    return value.getAsNumber();
  bool isNegative = text->consume_front("-");
  if (!isNegative)
    text->consume_front("+");
  if (!text->equals_insensitive("inf") && !text->equals_insensitive("infinity"))
    return std::nullopt;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return isNegative ? -infinity : infinity;
}

std::optional<double> FieldReader::number(StringRef name, const json::Value &value, double min, double max) {
  std::optional<double> result = numberOf(value);
  // The sum turns -0 into 0: one value, one way to write it.
  if (result && *result >= min && *result <= max)
    return *result + 0.0;
  fail(name, describeRange(min, max), describe(value));
  return std::nullopt;
}

void FieldReader::readInteger(StringRef name, int64_t &result, int64_t min, int64_t max) {
  known.insert(name);
  if (const json::Value *value = object.get(name))
    result = integer(name, *value, min, max).value_or(result);
}

void FieldReader::readNumber(StringRef name, double &result, double min, double max) {
  known.insert(name);
  if (const json::Value *value = object.get(name))
    result = number(name, *value, min, max).value_or(result);
}

void FieldReader::readBool(StringRef name, bool &result) {
  known.insert(name);
  const json::Value *value = object.get(name);
  if (!value)
    return;
  if (std::optional<bool> found = value->kind() == json::Value::Null ? false : value->getAsBoolean())
    result = *found;
  else
    fail(name, "true or false");
}

std::optional<int64_t> FieldReader::optionalInteger(StringRef name, int64_t min, int64_t max) {
  const json::Value *value = get(name);
  return value ? integer(name, *value, min, max) : std::nullopt;
}

std::optional<double> FieldReader::optionalNumber(StringRef name, double min, double max) {
  const json::Value *value = get(name);
  return value ? number(name, *value, min, max) : std::nullopt;
}

int64_t FieldReader::requiredInteger(StringRef name, int64_t min, int64_t max) {
  if (const json::Value *value = get(name))
    return integer(name, *value, min, max).value_or(min);
  fail(name, describeRange(min, max));
  return min;
}

double FieldReader::requiredNumber(StringRef name, double min, double max) {
  if (const json::Value *value = get(name))
    return number(name, *value, min, max).value_or(min);
  fail(name, describeRange(min, max));
  return min;
}

std::vector<double> FieldReader::requiredNumbers(StringRef name, double min, double max) {
  std::vector<double> numbers;
  const json::Array *array = optionalArray(name);
  if (!array)
    fail(name, "an array of numbers");
  else
    for (const json::Value &value : *array)
      numbers.push_back(number(name, value, min, max).value_or(min));
  return numbers;
}

const json::Array *FieldReader::optionalArray(StringRef name) {
  const json::Value *value = get(name);
  if (!value)
    return nullptr;
  const json::Array *array = value->getAsArray();
  if (const json::Object *wrapped = value->getAsObject())
    for (StringRef holder : {"__tuple__", "items", "values"})
      if (!array && wrapped->get("__tuple__"))
        array = wrapped->getArray(holder);
  if (!array)
    fail(name, "an array");
  return array;
}

const json::Object *FieldReader::optionalObject(StringRef name) {
  const json::Value *value = get(name);
  if (value && !value->getAsObject())
    fail(name, "an object");
  return value ? value->getAsObject() : nullptr;
}

void FieldReader::listUnknown(std::vector<std::string> &warnings) const {
  std::vector<std::string> unknown;
  for (const auto &[key, value] : object) {
    StringRef name = key;
    // A null says nothing, and Hugging Face's own notes start with an underscore.
    if (known.contains(name) || value.kind() == json::Value::Null || name.starts_with("_"))
      continue;
    std::string quoted = describe(json::Value(name.str()));
    unknown.push_back(describeField(StringRef(quoted).drop_front().drop_back()) + " is unknown and ignored");
  }
  llvm::sort(unknown);
  llvm::append_range(warnings, unknown);
}

} // namespace bambac
