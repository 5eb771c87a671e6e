// Patterns over the names of a model's modules, in the two ways in which quantization configurations write them.
#ifndef BAMBAC_COMPILER_MODELS_MODULEPATTERN_H
#define BAMBAC_COMPILER_MODELS_MODULEPATTERN_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/Regex.h"
#include <memory>
#include <string>

namespace bambac {

/// How a pattern names a module. A later one is more specific.
enum class ModuleMatch { None, Class, Pattern, Name };

/// A module is named as the checkpoint names its tensors, without ".weight".
class ModulePattern {
public:
  /// A name, a class such as "Linear", or "re:" and what Python's re.match takes, which is anchored at the start only.
  static llvm::Expected<ModulePattern> parseTarget(llvm::StringRef text);

  /// A pattern of Python's fnmatch for the whole name. A text without wildcards stands for the modules that have it in
  /// their names as whole parts: "layers.1" and "mamba" name model.layers.1.mamba.in_proj, "layers.10" does not.
  static llvm::Expected<ModulePattern> parseWildcard(llvm::StringRef text);

  /// A name and nothing else.
  static ModulePattern makeName(llvm::StringRef name) { return ModulePattern(name.str(), nullptr); }

  /// How it names a linear.
  ModuleMatch match(llvm::StringRef linear) const;
  /// Whether it names a module by its name, whatever the class.
  bool matchesName(llvm::StringRef module) const;

  llvm::StringRef getText() const { return text; }

private:
  ModulePattern(std::string text, std::shared_ptr<const llvm::Regex> regex)
      : text(std::move(text)), regex(std::move(regex)) {}

  static llvm::Expected<ModulePattern> make(llvm::StringRef text, llvm::StringRef regex);

  std::string text;
  std::shared_ptr<const llvm::Regex> regex; ///< null: the text is a name or a class
};

} // namespace bambac

#endif // BAMBAC_COMPILER_MODELS_MODULEPATTERN_H
