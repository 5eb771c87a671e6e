// Scans the text, telling strings from the rest, for LLVM's JSON parser.
#include "compiler/text/JsonText.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Regex.h"

using namespace llvm;

namespace bambac {

/// Nesting that no file needs and that the recursive parser still bears.
static constexpr unsigned kMaxDepth = 64;

namespace {
/// Copies JSON text, replaces Python's names of special numbers outside strings where there may be any, and finds
/// numbers that LLVM's parser takes although JSON has none like them.
class TextScanner {
public:
  TextScanner(StringRef text, JsonNumbers kind) : rest(text), kind(kind) { plain.reserve(text.size()); }

  /// False where the text nests too deeply.
  bool run() {
    while (!rest.empty()) {
      if (rest.front() == '"')
        copyString();
      else if (isAlpha(rest.front()))
        copyWord();
      else if (isDigit(rest.front()) || StringRef("+-.").contains(rest.front()))
        copyNumber();
      else
        copyPunctuation();
      if (depth > kMaxDepth)
        return false;
    }
    return true;
  }

  std::string plain;
  StringRef wrongNumber; ///< the first one; empty: none

private:
  void copy(size_t count) {
    plain += rest.take_front(count);
    rest = rest.drop_front(count);
  }

  void copyString() {
    size_t end = 1;
    while (end < rest.size() && rest[end] != '"')
      end += rest[end] == '\\' ? 2 : 1;
    copy(std::min(end + 1, rest.size()));
  }

  void copyWord() {
    StringRef word = rest.take_while([](char c) { return isAlnum(c); });
    if (kind == JsonNumbers::Standard)
      return copy(word.size());
    // Too large for a double: it reads as infinity.
    plain += word == "Infinity" ? "1e999999" : word == "NaN" ? "\"NaN\"" : word;
    rest = rest.drop_front(word.size());
  }

  /// Up to a name such as that of infinity, of which a sign is left.
  void copyNumber() {
    StringRef number = rest.take_while([](char c) { return isDigit(c) || StringRef("+-.eE").contains(c); });
    if (wrongNumber.empty() && number != "-" && !numbers.match(number))
      wrongNumber = number;
    copy(number.size());
  }

  void copyPunctuation() {
    char c = rest.front();
    if (c == '[' || c == '{')
      ++depth;
    else if ((c == ']' || c == '}') && depth > 0)
      --depth;
    copy(1);
  }

  /// JSON's grammar of numbers (RFC 8259, section 6).
  const Regex numbers{R"(^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$)"};
  StringRef rest;
  JsonNumbers kind;
  unsigned depth = 0;
};
} // namespace

Expected<json::Value> parseJson(StringRef text, StringRef path, JsonNumbers numbers) {
  TextScanner scanner(text, numbers);
  if (!scanner.run())
    return createStringError(path + ": expected JSON nested at most " + Twine(kMaxDepth) + " deep");
  Expected<json::Value> value = json::parse(scanner.plain);
  if (!value)
    return createStringError(path + ": expected JSON: " + toString(value.takeError()));
  if (!scanner.wrongNumber.empty())
    return createStringError(path + ": expected JSON, whose numbers are such as -1 or 0.5e-3, found '" +
                             scanner.wrongNumber + "'");
  return value;
}

Expected<std::unique_ptr<MemoryBuffer>> openText(StringRef path, StringRef what) {
  // Far more than anything that people write; what is larger is another file, given by mistake.
  constexpr uint64_t largest = 16 << 20;
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(path, status))
    return createStringError(code, path + ": " + code.message());
  if (status.type() == sys::fs::file_type::character_file || status.type() == sys::fs::file_type::block_file)
    return createStringError(path + ": expected " + what + ", found a device");
  if (status.getSize() > largest)
    return createStringError(path + ": expected " + what + " of at most " + Twine(largest) + " bytes, found " +
                             Twine(status.getSize()));
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return createStringError(buffer.getError(), path + ": " + buffer.getError().message());
  return std::move(*buffer);
}

} // namespace bambac
