#include "runtime/support/json.h"
#include "runtime/support/error.h"
#include <set>

namespace bambac::rt {

Json parseJson(std::string_view what, std::span<const std::byte> text) {
  // The parser keeps the last of several equal keys and says nothing, so they are looked for while it runs.
  std::set<std::string> outer, inner;
  auto noteKey = [&](int depth, Json::parse_event_t event, Json &parsed) {
    if (event != Json::parse_event_t::key || depth > 2)
      return true;
    const auto &key = parsed.get_ref<const std::string &>();
    if (!(depth == 1 ? outer : inner).insert(key).second)
      fail(BAMBA_BAD_CHECKPOINT, "{}: expected unique names, found '{}' twice", what, key);
    if (depth == 1)
      inner.clear();
    return true;
  };
  const char *begin = reinterpret_cast<const char *>(text.data());
  Json json;
  try {
    json = Json::parse(begin, begin + text.size(), noteKey);
  } catch (const Json::parse_error &e) {
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected JSON, found a syntax error at byte {}", what, e.byte);
  } catch (const Json::exception &) {
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected JSON, found a number that is too large", what);
  }
  if (!json.is_object())
    fail(BAMBA_BAD_CHECKPOINT, "{}: expected an object, found {}", what, jsonKind(json));
  return json;
}

std::string jsonKind(const Json &value) {
  switch (value.type()) {
  case Json::value_t::object:
    return "an object";
  case Json::value_t::array:
    return "an array";
  case Json::value_t::null:
    return "null";
  default:
    return fmt::format("a {}", value.type_name());
  }
}

} // namespace bambac::rt
