#include "runtime/checkpoint/rules.h"
#include "runtime/contract/checkpoint_rules.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt {

namespace key = contract::rules_key;

namespace {

template <typename T> T valueOr(const Json &object, const char *name, T missing) {
  auto found = object.find(name);
  return found == object.end() ? std::move(missing) : found->get<T>();
}

ExpectedField readField(const Json &field) {
  return {field.at(key::kNames).get<std::vector<std::string>>(), field.at(key::kValues).get<std::vector<Json>>(),
          valueOr(field, key::kOptional, false)};
}

} // namespace

CheckpointRules::CheckpointRules(const char *text) {
  try {
    Json rules = Json::parse(text ? text : "{}");
    (void)rules.get_ref<const Json::object_t &>(); // throws for what is no object
    ignored = valueOr(rules, key::kIgnored, ignored);
    copies = valueOr(rules, key::kCopies, copies);
    padded = valueOr(rules, key::kPadded, padded);
    for (const Json &field : valueOr(rules, key::kFields, Json::array()))
      expected.push_back(readField(field));
  } catch (const Json::exception &) {
    fail(BAMBA_INTERNAL, "the library's tables are damaged: expected rules for checkpoints, found '{:.60}'", text);
  }
}

bool CheckpointRules::isIgnored(std::string_view tensor) const {
  return std::ranges::any_of(ignored, [&](const std::string &end) { return tensor.ends_with(end); });
}

std::string_view CheckpointRules::originalOf(std::string_view tensor) const {
  auto found = copies.find(tensor);
  return found == copies.end() ? std::string_view() : found->second;
}

} // namespace bambac::rt
