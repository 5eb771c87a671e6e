// Patterns of quantization configurations: what they name, and what is refused. What Python's re.match and fnmatch say
// of the same texts was looked up with Python.
#include "compiler/models/ModulePattern.h"
#include "gtest/gtest.h"

using namespace bambac;

static const char *const kInProj = "model.layers.1.mamba.in_proj";

static ModuleMatch matchTarget(llvm::StringRef text, llvm::StringRef module = kInProj) {
  return llvm::cantFail(ModulePattern::parseTarget(text)).match(module);
}

static bool matchesWildcard(llvm::StringRef text, llvm::StringRef module = kInProj) {
  return llvm::cantFail(ModulePattern::parseWildcard(text)).match(module) != ModuleMatch::None;
}

static std::string errorOf(llvm::StringRef target) {
  llvm::Expected<ModulePattern> pattern = ModulePattern::parseTarget(target);
  return pattern ? "" : llvm::toString(pattern.takeError());
}

TEST(ModulePattern, NamesLinearsBySpecificity) {
  EXPECT_EQ(matchTarget(kInProj), ModuleMatch::Name);
  EXPECT_EQ(matchTarget("re:.*in_proj"), ModuleMatch::Pattern);
  EXPECT_EQ(matchTarget("Linear"), ModuleMatch::Class);
  EXPECT_EQ(matchTarget("Embedding"), ModuleMatch::None);
  EXPECT_EQ(matchTarget("model.layers.1.mamba"), ModuleMatch::None);
  EXPECT_FALSE(llvm::cantFail(ModulePattern::parseTarget("Linear")).matchesName(kInProj));
}

TEST(ModulePattern, ReadsExpressionsOfPython) {
  for (const char *text :
       {"re:.*mamba.*", "re:model", "re:^model\\.layers\\.\\d+\\.mamba\\.(in|out)_proj$", "re:.*?(?:in|out)_proj",
        "re:model[.]layers[.][0-9]+?[.]\\w+", "re:x|model", "re:[^x]*", "re:[\\w.]*in_proj$", "re:[]m]odel"})
    EXPECT_EQ(matchTarget(text), ModuleMatch::Pattern) << text;
  // The match begins at the start of the name, in each alternative, and need not reach its end.
  for (const char *text : {"re:mamba", "re:x|mamba", "re:model\\.layers\\.1$", "re:[^m]*x"})
    EXPECT_EQ(matchTarget(text), ModuleMatch::None) << text;
}

TEST(ModulePattern, RefusesWhatItDoesNotRead) {
  EXPECT_EQ(errorOf("re:(?!lm_head).*"), "a group such as '(?!'");
  EXPECT_EQ(errorOf("re:(?i)LM_HEAD"), "a group such as '(?i'");
  EXPECT_EQ(errorOf("re:layers\\.\\D"), "the escape '\\D'");
  EXPECT_EQ(errorOf("re:layers\\"), "a backslash at the end");
  EXPECT_EQ(errorOf("re:a{3}"), "a repetition in braces");
  EXPECT_EQ(errorOf("re:a++"), "a possessive repetition");
  EXPECT_EQ(errorOf("re:[abc"), "a '[' without its ']'");
  EXPECT_EQ(errorOf("re:[[:alpha:]]*"), "a set with '[:'");
  EXPECT_EQ(errorOf("re:(abc"), "parentheses not balanced");
}

TEST(ModulePattern, ReadsWildcards) {
  for (const char *text : {"*", "*in_proj", "model.layers.[0-3].*", "model.layers.?.mamba.in_proj", "*[!x]n_proj"})
    EXPECT_TRUE(matchesWildcard(text)) << text;
  for (const char *text : {"*in_pro", "layers.*", "model.layers.[!0-3].*", "model.layers.??.*", "*[", "model?layers"})
    EXPECT_FALSE(matchesWildcard(text)) << text;
  EXPECT_TRUE(matchesWildcard("model[.]*"));
}

TEST(ModulePattern, TakesPlainTextForPartsOfTheName) {
  for (const char *text : {kInProj, "mamba", "layers.1", "model.layers.1.mamba", "in_proj", "mamba.in_proj"})
    EXPECT_TRUE(matchesWildcard(text)) << text;
  for (const char *text : {"layers.1.mam", "proj", "model.layers.1.mambaXin_proj", ""})
    EXPECT_FALSE(matchesWildcard(text)) << text;
  EXPECT_FALSE(matchesWildcard("layers.1", "model.layers.10.mamba.in_proj"));
}
