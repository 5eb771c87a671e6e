// The tokens of a path are those of its edges; nodes are split and joined so that they keep their addresses.

#include "runtime/engine/prefix_tree.h"
#include <algorithm>
#include <utility>

namespace bambac::rt {
namespace {

/// How many tokens two lists share at their start.
size_t commonTokens(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

} // namespace

PrefixTree::Match PrefixTree::find(std::span<const int32_t> tokens) const {
  Match match = {nullptr, 0};
  const Node *node = &root;
  while (match.common < tokens.size()) {
    auto child = node->children.find(tokens[match.common]);
    if (child == node->children.end())
      break;
    size_t common = commonTokens(child->second->edge, tokens.subspan(match.common));
    match.common += static_cast<uint32_t>(common);
    if (common < child->second->edge.size())
      break;
    node = child->second.get();
    if (node->entry)
      match.node = child->second.get();
  }
  return match;
}

/// Puts a new node on the edge to `node`, after some of its tokens, and returns it.
PrefixTree::Node *PrefixTree::split(Node *node, size_t tokens) {
  auto middle = std::make_unique<Node>();
  Node *parent = node->parent;
  middle->parent = parent;
  middle->edge.assign(node->edge.begin(), node->edge.begin() + static_cast<ptrdiff_t>(tokens));
  middle->length = parent->length + static_cast<uint32_t>(tokens);
  std::vector<int32_t> rest(node->edge.begin() + static_cast<ptrdiff_t>(tokens), node->edge.end());
  std::unique_ptr<Node> &place = parent->children.at(node->edge.front());
  std::unique_ptr<Node> &below = middle->children[rest.front()];
  below = std::move(place);
  place = std::move(middle);
  node->edge = std::move(rest);
  node->parent = place.get();
  return place.get();
}

PrefixTree::Node *PrefixTree::insert(std::span<const int32_t> tokens) {
  Node *node = &root;
  while (node->length < tokens.size()) {
    std::span<const int32_t> rest = tokens.subspan(node->length);
    auto child = node->children.find(rest.front());
    if (child == node->children.end()) {
      auto leaf = std::make_unique<Node>();
      leaf->parent = node;
      leaf->edge.assign(rest.begin(), rest.end());
      leaf->length = static_cast<uint32_t>(tokens.size());
      return (node->children[rest.front()] = std::move(leaf)).get();
    }
    size_t common = commonTokens(child->second->edge, rest);
    node = common < child->second->edge.size() ? split(child->second.get(), common) : child->second.get();
  }
  return node;
}

/// Puts the only child in the place of its parent. Where there is no memory for that, both stay.
void PrefixTree::joinOnlyChild(Node *node) noexcept {
  std::vector<int32_t> &edge = node->children.begin()->second->edge;
  try {
    edge.insert(edge.begin(), node->edge.begin(), node->edge.end());
  } catch (const std::bad_alloc &) {
    return;
  }
  std::unique_ptr<Node> child = std::move(node->children.begin()->second);
  child->parent = node->parent;
  std::unique_ptr<Node> &place = node->parent->children.at(node->edge.front());
  place = std::move(child); // the end of `node`
}

void PrefixTree::remove(Node *node) noexcept {
  node->entry = nullptr;
  while (node->parent && !node->entry && node->children.empty()) {
    Node *parent = node->parent;
    parent->children.erase(node->edge.front()); // the end of `node`
    node = parent;
  }
  if (node->parent && !node->entry && node->children.size() == 1)
    joinOnlyChild(node);
}

} // namespace bambac::rt
