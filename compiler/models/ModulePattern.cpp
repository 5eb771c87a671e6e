// Rewrites what Python writes as POSIX regular expressions, which LLVM matches in linear time.
#include "compiler/models/ModulePattern.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace bambac {

namespace {
/// Copies a regular expression of Python. Whether a name matches does not depend on which groups are kept or how greedy
/// a repetition is, so those marks fall away.
class PythonRegex {
public:
  explicit PythonRegex(StringRef text) : rest(text) {}

  Expected<std::string> run() {
    while (!rest.empty())
      if (Error error = copyOne())
        return error;
    return posix;
  }

private:
  char take() {
    char c = rest.front();
    rest = rest.drop_front();
    return c;
  }

  Error copyOne() {
    char c = take();
    if (c == '\\')
      return copyEscape(/*inSet=*/false);
    if (c == '[')
      return copySet();
    posix += c;
    if (c == '(' && rest.consume_front("?") && !rest.consume_front(":"))
      return createStringError("a group such as '(?" + rest.take_front(1) + "'");
    if (c == '{') // the matcher writes such repetitions out
      return createStringError("a repetition in braces");
    if (StringRef("*+?").contains(c)) {
      rest.consume_front("?"); // the same, but as short as possible
      if (rest.starts_with("+"))
        return createStringError("a possessive repetition");
    }
    return Error::success();
  }

  Error copyEscape(bool inSet) {
    if (rest.empty())
      return createStringError("a backslash at the end");
    char c = take();
    StringRef members = c == 'd' ? "0-9" : c == 'w' ? "a-zA-Z0-9_" : c == 's' ? " \t\n\r\f\v" : "";
    if (!members.empty())
      posix += inSet ? members.str() : ("[" + members + "]").str();
    else if (isAlnum(c) || (inSet && StringRef("]^-").contains(c)))
      return createStringError(Twine("the escape '\\") + Twine(c) + "'");
    else
      posix += inSet ? std::string(1, c) : std::string{'\\', c};
    return Error::success();
  }

  Error copySet() {
    posix += '[';
    if (rest.consume_front("^"))
      posix += '^';
    for (bool isFirst = true; !rest.empty(); isFirst = false) {
      char c = take();
      if (c == '\\') {
        if (Error error = copyEscape(/*inSet=*/true))
          return error;
        continue;
      }
      if (c == '[' && !rest.empty() && StringRef(":.=").contains(rest.front())) // POSIX has classes there
        return createStringError(Twine("a set with '[") + Twine(rest.front()) + "'");
      posix += c;
      if (c == ']' && !isFirst)
        return Error::success();
    }
    return createStringError("a '[' without its ']'");
  }

  StringRef rest;
  std::string posix;
};
} // namespace

/// A set of fnmatch, [abc] or [!a-c], at the start of `rest`, which it leaves. Without its end, the bracket stands for
/// itself.
static std::string takeSet(StringRef &rest) {
  size_t first = rest.starts_with("[!") ? 2 : 1;
  size_t end = rest.find(']', first + 1);
  if (end == StringRef::npos) {
    rest = rest.drop_front();
    return "\\[";
  }
  std::string set = (first == 2 ? "[^" : "[") + rest.slice(first, end + 1).str();
  rest = rest.drop_front(end + 1);
  return set;
}

static std::string toPosix(StringRef wildcard) {
  std::string posix = "^";
  while (!wildcard.empty()) {
    if (wildcard.front() == '[') {
      posix += takeSet(wildcard);
      continue;
    }
    StringRef one = wildcard.take_front();
    posix += one == "*" ? ".*" : one == "?" ? "." : Regex::escape(one);
    wildcard = wildcard.drop_front();
  }
  return posix + "$";
}

Expected<ModulePattern> ModulePattern::make(StringRef text, StringRef regex) {
  auto compiled = std::make_shared<Regex>(regex);
  std::string error;
  if (!compiled->isValid(error))
    return createStringError(error);
  return ModulePattern(text.str(), std::move(compiled));
}

Expected<ModulePattern> ModulePattern::parseTarget(StringRef text) {
  StringRef expression = text;
  if (!expression.consume_front("re:"))
    return makeName(text);
  Expected<std::string> posix = PythonRegex(expression).run();
  if (!posix)
    return posix.takeError();
  return make(text, "^(" + *posix + ")");
}

Expected<ModulePattern> ModulePattern::parseWildcard(StringRef text) {
  if (text.find_first_of("*?[") != StringRef::npos)
    return make(text, toPosix(text));
  return make(text, "(^|\\.)" + Regex::escape(text) + "($|\\.)");
}

ModuleMatch ModulePattern::match(StringRef linear) const {
  if (text == linear)
    return ModuleMatch::Name;
  if (regex)
    return regex->match(linear) ? ModuleMatch::Pattern : ModuleMatch::None;
  return text == "Linear" ? ModuleMatch::Class : ModuleMatch::None;
}

bool ModulePattern::matchesName(StringRef module) const { return regex ? regex->match(module) : text == module; }

} // namespace bambac
