#include "tests/runtime/session_checks.h"
#include "gtest/gtest.h"
#include <array>

namespace bambac::rt::toy {

std::vector<float> row(std::span<const float> logits, size_t index) {
  std::span<const float> one = logits.subspan(index * vocab, vocab);
  return {one.begin(), one.end()};
}

bamba_batch_item item(bamba_sequence sequence, std::span<const int32_t> tokens, bamba_logits logits) {
  return {sequence, static_cast<uint32_t>(tokens.size()), tokens.data(), logits, 0, nullptr, 0, 0, nullptr};
}

void checkMixedBatches(Session &session) {
  std::vector<Numbers> history(7);
  std::vector<bamba_sequence> sequences;
  sequences.reserve(7);
  for (int i = 0; i < 7; ++i)
    sequences.push_back(session.create());
  const std::array<uint32_t, 9> chosen = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const size_t lengths[] = {1, 9, 1, 1, 5, 1, 1}; // five are decoded: one batch of four and one alone
  for (unsigned round = 0; round < 4; ++round) {
    std::vector<Numbers> tokens;
    std::vector<bamba_batch_item> items;
    tokens.reserve(7);
    items.reserve(7);
    for (unsigned i = 0; i < 7; ++i)
      tokens.push_back(someTokens(i + round, lengths[(i + round) % 7]));
    auto wanted = [&](unsigned i) {
      return std::array{BAMBA_LOGITS_LAST, BAMBA_LOGITS_ALL, BAMBA_LOGITS_NONE, BAMBA_LOGITS_CHOSEN}[(i + round) % 4];
    };
    auto rowsOf = [&](unsigned i) -> uint32_t {
      auto all = static_cast<uint32_t>(tokens[i].size());
      return wanted(i) == BAMBA_LOGITS_LAST ? 1 : wanted(i) == BAMBA_LOGITS_CHOSEN && all > 1 ? all - 1 : all;
    };
    for (unsigned i = 0; i < 7; ++i) {
      items.push_back(item(sequences[i], tokens[i], wanted(i)));
      if (wanted(i) == BAMBA_LOGITS_CHOSEN) // all but the first of a prompt
        items.back().chosen = chosen.data() + (tokens[i].size() > 1), items.back().num_chosen = rowsOf(i);
      history[i].insert(history[i].end(), tokens[i].begin(), tokens[i].end());
    }
    session.run(items);
    for (unsigned i = 0; i < 7; ++i) {
      if (wanted(i) == BAMBA_LOGITS_NONE) {
        expectFailure(failureOf([&] { session.greedy(i); }), BAMBA_NOT_READY, {"BAMBA_LOGITS_NONE"});
        expectFailure(failureOf([&] { session.logits(i); }), BAMBA_NOT_READY, {"BAMBA_LOGITS_NONE"});
        continue;
      }
      auto expected = expectedLogits(history[i]);
      size_t rows = rowsOf(i);
      EXPECT_EQ(session.greedy(i), argmax(expected.back()));
      ASSERT_EQ(session.logits(i).size(), rows * vocab);
      for (size_t r = 0; r < rows; ++r)
        EXPECT_EQ(row(session.logits(i), r), expected[expected.size() - rows + r]) << round << " " << i << " " << r;
    }
  }
}

} // namespace bambac::rt::toy
