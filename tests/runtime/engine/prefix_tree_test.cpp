// The tree of prefixes against a list of them.

#include "runtime/engine/prefix_cache.h"
#include "tests/runtime/engine/engine_checks.h"
#include <list>
#include <random>
#include <set>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// A tree and the prefixes that it should have.
class CheckedTree {
public:
  void add(const Numbers &tokens) {
    PrefixTree::Node *node = tree.insert(tokens);
    EXPECT_EQ(node->length, tokens.size());
    entries.push_back({node, std::nullopt, {}});
    node->entry = &entries.back();
    stored.insert(tokens);
  }
  void remove(const Numbers &tokens) {
    tree.remove(tree.find(tokens).node);
    stored.erase(tokens);
  }
  bool has(const Numbers &tokens) const { return stored.contains(tokens); }

  void check(const Numbers &tokens) const {
    uint32_t longest = 0, common = 0;
    for (const Numbers &prefix : stored) {
      auto shared = static_cast<uint32_t>(std::ranges::mismatch(prefix, tokens).in1 - prefix.begin());
      common = std::max(common, shared);
      if (shared == prefix.size())
        longest = std::max(longest, shared);
    }
    PrefixTree::Match match = tree.find(tokens);
    EXPECT_EQ(match.common, common);
    EXPECT_EQ(match.node ? match.node->length : 0, longest);
  }

  PrefixTree tree;
  std::set<Numbers> stored;

private:
  std::list<PrefixEntry> entries;
};

} // namespace

TEST(PrefixTreeTest, FindsWhatAListOfPrefixesHas) {
  CheckedTree checked;
  std::minstd_rand random(1);
  auto tokens = [&] {
    Numbers numbers(1 + random() % 9);
    for (int32_t &number : numbers)
      number = static_cast<int32_t>(random() % 2);
    return numbers;
  };
  for (int i = 0; i < 3000; ++i) {
    Numbers changed = tokens();
    if (checked.has(changed))
      checked.remove(changed);
    else if (random() % 4 > 0)
      checked.add(changed);
    checked.check(tokens());
  }
  while (!checked.stored.empty())
    checked.remove(Numbers(*checked.stored.begin()));
  EXPECT_TRUE(checked.tree.isEmpty()) << "nodes that nobody needs";
}
