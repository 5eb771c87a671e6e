// A radix tree over tokens: finds the longest stored prefix of a prompt.
#ifndef BAMBA_RUNTIME_ENGINE_PREFIX_TREE_H
#define BAMBA_RUNTIME_ENGINE_PREFIX_TREE_H

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace bambac::rt {

/// What is stored at a node; the tree only keeps it.
struct PrefixEntry;

/// An edge is a block of tokens of any length, so that a long prompt which nobody else shares is one node. Nodes with
/// neither an entry nor two children do not stay. Used by one thread at a time.
class PrefixTree {
public:
  struct Node {
    Node *parent = nullptr;
    std::vector<int32_t> edge; ///< from the parent to here
    uint32_t length = 0;       ///< tokens from the root to here
    PrefixEntry *entry = nullptr;
    std::map<int32_t, std::unique_ptr<Node>> children; ///< by the first token of their edges
  };

  struct Match {
    Node *node;      ///< the deepest with an entry, or null
    uint32_t common; ///< tokens that some stored prefix shares, at least those of the node
  };

  /// Looks for `tokens`, all of them or the first of them.
  Match find(std::span<const int32_t> tokens) const;

  /// The node of exactly `tokens`, which are not none; made where it is missing, and then without an entry: the caller
  /// sets one. Throws std::bad_alloc.
  Node *insert(std::span<const int32_t> tokens);

  /// Takes a node's entry away, and the nodes that nobody needs any more.
  void remove(Node *node) noexcept;

  bool isEmpty() const { return root.children.empty(); }

private:
  static Node *split(Node *node, size_t tokens);
  static void joinOnlyChild(Node *node) noexcept;

  Node root;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_PREFIX_TREE_H
