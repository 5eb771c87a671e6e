// Looks linears up, and writes the one recipe that no file says.
#include "compiler/models/QuantizationRecipe.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace bambac {

std::optional<QuantizationScheme> QuantizationRecipe::find(StringRef linear) const {
  if (auto entry = overrides.find(linear); entry != overrides.end())
    return entry->second;
  if (any_of(ignored, [&](const ModulePattern &pattern) { return pattern.match(linear) != ModuleMatch::None; }))
    return std::nullopt;
  const Group *found = nullptr;
  ModuleMatch best = ModuleMatch::None;
  for (const Group &group : groups)
    for (const ModulePattern &target : group.targets)
      if (ModuleMatch match = target.match(linear); match > best) {
        best = match;
        found = &group;
      }
  return found ? std::optional(found->scheme) : std::nullopt;
}

std::optional<QuantizationScheme> QuantizationRecipe::findOnlyScheme() const {
  if (groups.empty() || !all_of(groups, [&](const Group &group) { return group.scheme == groups.front().scheme; }))
    return std::nullopt;
  return groups.front().scheme;
}

std::vector<StringRef> QuantizationRecipe::findUnmatched(ArrayRef<std::string> modules) const {
  std::vector<StringRef> unmatched;
  auto check = [&](const ModulePattern &pattern) {
    bool isClass = pattern.match("") == ModuleMatch::Class;
    if (!isClass && none_of(modules, [&](const std::string &module) { return pattern.matchesName(module); }))
      unmatched.push_back(pattern.getText());
  };
  for (const Group &group : groups)
    llvm::for_each(group.targets, check);
  llvm::for_each(ignored, check);
  return unmatched;
}

QuantizationRecipe makeDynamicRecipe(ArrayRef<std::string> others) {
  QuantizationRecipe recipe;
  recipe.groups.push_back({{ModulePattern::makeName("Linear")}, QuantizationScheme()});
  json::Array ignore;
  for (const std::string &name : others) {
    recipe.ignored.push_back(ModulePattern::makeName(name));
    ignore.push_back(name);
  }
  auto arguments = [](StringRef strategy, bool isDynamic) {
    return json::Object{
        {"num_bits", 8}, {"type", "float"}, {"symmetric", true}, {"strategy", strategy}, {"dynamic", isDynamic}};
  };
  json::Object group{{"targets", json::Array{"Linear"}},
                     {"weights", arguments("channel", false)},
                     {"input_activations", arguments("token", true)}};
  recipe.config = json::Object{{"quant_method", "compressed-tensors"},
                               {"format", "float-quantized"},
                               {"quantization_status", "compressed"},
                               {"ignore", std::move(ignore)},
                               {"config_groups", json::Object{{"group_0", std::move(group)}}}};
  return recipe;
}

} // namespace bambac
