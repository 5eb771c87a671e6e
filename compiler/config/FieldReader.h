// Reads typed fields of a JSON object and remembers the first mistake.
#ifndef BAMBAC_COMPILER_CONFIG_FIELDREADER_H
#define BAMBAC_COMPILER_CONFIG_FIELDREADER_H

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>
#include <vector>

namespace bambac {

/// A value as it is shown in messages: short, on one line.
std::string describe(const llvm::json::Value &value);

/// Reads fields by name. The first mistake is kept and later ones are dropped, so that callers read all fields in a row
/// and look once. A reader of a nested object shares the mistake of the outer one.
class FieldReader {
public:
  /// `error` is empty until a mistake is found; `prefix` stands before field names in messages.
  FieldReader(const llvm::json::Object &object, llvm::StringRef path, std::string &error, llvm::StringRef prefix = "")
      : object(object), path(path), error(error), prefix(prefix) {}

  /// A reader of an object that stands in a field, or in a field of a field.
  FieldReader nested(llvm::StringRef name, const llvm::json::Object &inner) const {
    return {inner, path, error, (prefix + name + ".").str()};
  }

  /// The value of a field, or null where it is absent or JSON null. Marks the field as known.
  const llvm::json::Value *get(llvm::StringRef name);
  bool isNull(llvm::StringRef name) const;

  /// Overwrite `result` where the field is there. A null counts as a wrong type, or as false: so Python takes it.
  void readInteger(llvm::StringRef name, int64_t &result, int64_t min, int64_t max);
  void readNumber(llvm::StringRef name, double &result, double min, double max);
  void readBool(llvm::StringRef name, bool &result);

  /// The same where null means absent.
  std::optional<int64_t> optionalInteger(llvm::StringRef name, int64_t min, int64_t max);
  std::optional<double> optionalNumber(llvm::StringRef name, double min, double max);
  /// An array, or a tuple of Python as its encoders write it: {"__tuple__": [...]} or {"__tuple__": true, "items":
  /// [...]}.
  const llvm::json::Array *optionalArray(llvm::StringRef name);
  const llvm::json::Object *optionalObject(llvm::StringRef name);

  /// The same where the field must be there; after a mistake, the least value.
  int64_t requiredInteger(llvm::StringRef name, int64_t min, int64_t max);
  double requiredNumber(llvm::StringRef name, double min, double max);
  /// An array of numbers.
  std::vector<double> requiredNumbers(llvm::StringRef name, double min, double max);

  std::optional<int64_t> integer(llvm::StringRef name, const llvm::json::Value &value, int64_t min, int64_t max);
  /// Infinity may also be a text, "Infinity" or "inf", or an object that holds one, {"__float__": "Infinity"}.
  std::optional<double> number(llvm::StringRef name, const llvm::json::Value &value, double min, double max);

  /// "path: field 'name'", the beginning of a message.
  std::string describeField(llvm::StringRef name) const;
  /// "path: field 'name': expected <expected>, found <found>".
  void fail(llvm::StringRef name, const llvm::Twine &expected, const llvm::Twine &found);
  /// fail() with the value that stands there.
  void fail(llvm::StringRef name, const llvm::Twine &expected);
  bool failed() const { return !error.empty(); }

  /// Adds a line for each field of the object that holds something and that nobody asked for, in alphabetical order.
  void listUnknown(std::vector<std::string> &warnings) const;

private:
  const llvm::json::Object &object;
  llvm::StringRef path;
  std::string &error;
  std::string prefix;
  llvm::StringSet<> known;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_CONFIG_FIELDREADER_H
