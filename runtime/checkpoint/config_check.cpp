// Puts each value into one form, in which infinity is a text, and looks for it among those that are expected.
#include "runtime/checkpoint/config_check.h"
#include "runtime/contract/checkpoint_rules.h"
#include "runtime/support/error.h"
#include "runtime/support/input_file.h"
#include <algorithm>
#include <filesystem>
#include <vector>

namespace bambac::rt {
namespace {

namespace key = contract::rules_key;

constexpr std::string_view kBareWords[] = {"-Infinity", "Infinity", "NaN"};

/// JSON has no infinity and no NaN; Python writes them as bare words. They become texts.
std::string quoteBareWords(std::string_view text) {
  std::string strict;
  bool inText = false;
  for (size_t i = 0; i < text.size();) {
    std::string_view rest = text.substr(i);
    const auto *word = std::ranges::find_if(kBareWords, [&](std::string_view name) { return rest.starts_with(name); });
    if (!inText && word != std::end(kBareWords)) {
      strict += fmt::format("\"{}\"", *word);
      i += word->size();
      continue;
    }
    if (rest.front() == '"')
      inText = !inText;
    size_t taken = inText && rest.front() == '\\' ? std::min<size_t>(2, rest.size()) : 1;
    strict += rest.substr(0, taken);
    i += taken;
  }
  return strict;
}

/// Infinity as the text "Infinity" in whichever way it is written, and a marked tuple as its items.
Json normalize(const Json &value) {
  if (value == "inf" || value == "+inf" || value == "+Infinity")
    return "Infinity";
  if (value.is_array()) {
    Json items = Json::array();
    for (const Json &item : value)
      items.push_back(normalize(item));
    return items;
  }
  if (value.is_object() && value.contains("__float__"))
    return normalize(value["__float__"]);
  if (value.is_object() && value.contains("__tuple__"))
    for (const Json &item : value)
      if (item.is_array())
        return normalize(item);
  return value;
}

/// 4096 and 4096.0 are equal for the library, too.
bool fits(const Json &value, const Json &expected) {
  if (!expected.is_object())
    return normalize(value) == normalize(expected);
  return value.is_number() && value.get<double>() >= expected.value(key::kFrom, 0.0) &&
         value.get<double>() < expected.value(key::kBelow, 0.0);
}

/// The value at a path of names with dots; null where there is none.
const Json *find(const Json &config, std::string_view path) {
  const Json *place = &config;
  while (!path.empty()) {
    size_t dot = std::min(path.find('.'), path.size());
    auto found = place->is_object() ? place->find(path.substr(0, dot)) : place->end();
    if (!place->is_object() || found == place->end())
      return nullptr;
    place = &*found;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return place;
}

/// One line of a value, for messages.
std::string show(const Json &value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr size_t longest = 60;
  return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

std::string describe(const ExpectedField &field) {
  const Json &first = field.values.front();
  if (!first.is_object())
    return show(first);
  return fmt::format("a number from {} to less than {}", show(first.at(key::kFrom)), show(first.at(key::kBelow)));
}

void checkField(const Json &config, const ExpectedField &field, std::string_view path) {
  bool takesNull = std::ranges::any_of(field.values, &Json::is_null);
  for (const std::string &name : field.names) {
    const Json *value = find(config, name);
    if (!value || (value->is_null() && !takesNull))
      continue;
    if (std::ranges::any_of(field.values, [&](const Json &expected) { return fits(*value, expected); }))
      return;
    fail(BAMBA_BAD_CHECKPOINT, "{}: field '{}': expected {}, as the library was compiled for, found {}", path, name,
         describe(field), show(*value));
  }
  if (!field.optional)
    fail(BAMBA_BAD_CHECKPOINT, "{}: field '{}': expected {}, as the library was compiled for, found no such field",
         path, field.names.back(), describe(field));
}

} // namespace

void checkConfig(const CheckpointRules &rules, std::string_view path, std::span<const std::byte> text) {
  std::string strict = quoteBareWords({reinterpret_cast<const char *>(text.data()), text.size()});
  Json config = parseJson(path, std::as_bytes(std::span(strict)));
  for (const ExpectedField &field : rules.fields())
    checkField(config, field, path);
}

void checkConfigNextTo(const Checkpoint &checkpoint, const CheckpointRules &rules) {
  std::filesystem::path path(checkpoint.path());
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored))
    path = path.parent_path();
  path /= "config.json";
  if (!std::filesystem::exists(path, ignored))
    return;
  InputFile file(path.string());
  std::vector<std::byte> text(file.size());
  file.read(0, text);
  checkConfig(rules, file.path(), text);
}

} // namespace bambac::rt
