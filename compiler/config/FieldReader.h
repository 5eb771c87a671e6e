// Reads typed fields of a JSON object and remembers the first mistake.
#ifndef BAMBAC_COMPILER_CONFIG_FIELDREADER_H
#define BAMBAC_COMPILER_CONFIG_FIELDREADER_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>

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

  /// The value of a field, or null where it is absent or JSON null. Marks the field as known.
  const llvm::json::Value *get(llvm::StringRef name);
  bool isNull(llvm::StringRef name) const;

  /// Overwrite `result` where the field is there. A null counts as a wrong type.
  void readInteger(llvm::StringRef name, int64_t &result, int64_t min, int64_t max);
  void readNumber(llvm::StringRef name, double &result, double min, double max);
  void readBool(llvm::StringRef name, bool &result);

  /// The same where null means absent.
  std::optional<int64_t> optionalInteger(llvm::StringRef name, int64_t min, int64_t max);
  std::optional<double> optionalNumber(llvm::StringRef name, double min, double max);
  const llvm::json::Array *optionalArray(llvm::StringRef name);
  const llvm::json::Object *optionalObject(llvm::StringRef name);

  std::optional<int64_t> integer(llvm::StringRef name, const llvm::json::Value &value, int64_t min, int64_t max);
  std::optional<double> number(llvm::StringRef name, const llvm::json::Value &value, double min, double max);

  /// "path: field 'name': expected <expected>, found <found>".
  void fail(llvm::StringRef name, const llvm::Twine &expected, const llvm::Twine &found);
  /// fail() with the value that stands there.
  void fail(llvm::StringRef name, const llvm::Twine &expected);
  bool failed() const { return !error.empty(); }

  /// Fields of the object that nobody asked for, in alphabetical order.
  llvm::SmallVector<std::string> unknownFields() const;

private:
  const llvm::json::Object &object;
  llvm::StringRef path;
  std::string &error;
  std::string prefix;
  llvm::StringSet<> known;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_CONFIG_FIELDREADER_H
