// Writes the rules under the keys that the runtime reads.
#include "compiler/models/CheckpointRules.h"
#include "runtime/contract/checkpoint_rules.h"
#include "llvm/ADT/StringRef.h"

using namespace llvm;

namespace bambac {

namespace key = contract::rules_key;

static json::Array toArray(const std::vector<std::string> &names) {
  json::Array array;
  for (const std::string &name : names)
    array.push_back(name);
  return array;
}

static json::Value toJson(const ConfigField &field) {
  json::Object object{{key::kNames, toArray(field.names)}, {key::kValues, json::Array(field.values)}};
  if (field.optional)
    object[key::kOptional] = true;
  return object;
}

std::string toJsonText(const CheckpointRules &rules) {
  json::Object copies;
  for (const auto &[copy, original] : rules.copies)
    copies[copy] = original;
  json::Array fields;
  for (const ConfigField &field : rules.fields)
    fields.push_back(toJson(field));
  std::string text;
  raw_string_ostream(text) << json::Value(json::Object{{key::kIgnored, toArray(rules.ignored)},
                                                       {key::kCopies, std::move(copies)},
                                                       {key::kPadded, toArray(rules.padded)},
                                                       {key::kFields, std::move(fields)}});
  return text;
}

} // namespace bambac
