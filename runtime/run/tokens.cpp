#include "runtime/run/tokens.h"
#include "runtime/run/failure.h"
#include "runtime/run/input.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace bambac::run {

static constexpr std::string_view blanks = " \t\r\n";
static constexpr std::string_view separators = " \t\r\n,";

static int32_t parseToken(std::string_view text, size_t number, const std::string &where) {
  int32_t token = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), token);
  if (error == std::errc() && end == text.data() + text.size() && token >= 0)
    return token;
  constexpr size_t shown = 40;
  fail("{}: token {}: expected a number from 0 to {}, found '{}'", where, number, INT32_MAX, text.substr(0, shown));
}

std::vector<int32_t> parseTokens(const std::string &text) {
  bool fromFile = text.starts_with('@');
  std::string where = fromFile ? text.substr(1) : "--tokens";
  std::string contents = fromFile ? readFile(where, "tokens from") : text;

  // Blanks separate tokens, and so does one comma with any blanks around it; hence two commas hold an empty token.
  std::vector<int32_t> tokens;
  std::string_view rest = contents;
  auto skipBlanks = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size())); };
  skipBlanks();
  while (!rest.empty()) {
    size_t length = std::min(rest.find_first_of(separators), rest.size());
    tokens.push_back(parseToken(rest.substr(0, length), tokens.size() + 1, where));
    rest.remove_prefix(length);
    skipBlanks();
    if (!rest.starts_with(','))
      continue;
    rest.remove_prefix(1);
    skipBlanks();
    if (rest.empty())
      parseToken(rest, tokens.size() + 1, where);
  }
  if (tokens.empty())
    fail("{}: expected at least one token, found none", where);
  return tokens;
}

} // namespace bambac::run
