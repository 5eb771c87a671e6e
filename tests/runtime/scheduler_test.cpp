// How batches are split into steps.

#include "runtime/session/scheduler.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// The steps of a batch in words: "decode_b2 0[0+1] 3[0+1] ->0" are the tokens of items 0 and 3, logits from row 0 on.
std::vector<std::string> steps(const bamba_rt_model &model, const std::vector<bamba_batch_item> &items) {
  Scheduler scheduler(model, 16);
  scheduler.begin(items);
  std::vector<std::string> all;
  Step step;
  while (scheduler.next(step)) {
    std::string &text = all.emplace_back(step.entry->name);
    for (const Lane &lane : step.lanes)
      text += fmt::format(" {}[{}+{}]", lane.item, lane.first, lane.count);
    text += fmt::format(" ->{}", step.logitsRow);
    if (step.logitsRows == 0)
      text += " none";
    else if (step.logitsRows != 1)
      text += fmt::format("..{}", step.logitsRow + step.logitsRows - 1);
  }
  return all;
}

bamba_batch_item item(uint32_t tokens, bamba_logits logits = BAMBA_LOGITS_LAST) {
  return {0, tokens, nullptr, logits, 0};
}

using Steps = std::vector<std::string>;

} // namespace

TEST(Scheduler, DecodesInTheSmallestBucketThatFits) {
  const bamba_rt_model &toy = toyTable;
  EXPECT_EQ(steps(toy, {item(1)}), (Steps{"decode_b1 0[0+1] ->0"}));
  EXPECT_EQ(steps(toy, {item(1), item(1)}), (Steps{"decode_b2 0[0+1] 1[0+1] ->0..1"}));
  EXPECT_EQ(steps(toy, {item(1), item(1), item(1)}), (Steps{"decode_b4 0[0+1] 1[0+1] 2[0+1] ->0..2"}));
}

TEST(Scheduler, SplitsMoreThanTheLargestBucket) {
  std::vector<bamba_batch_item> items(7, item(1));
  EXPECT_EQ(steps(toyTable, items),
            (Steps{"decode_b4 0[0+1] 1[0+1] 2[0+1] 3[0+1] ->0..3", "decode_b4 4[0+1] 5[0+1] 6[0+1] ->4..6"}));
}

TEST(Scheduler, SplitsPromptsIntoChunks) {
  const bamba_rt_model &toy = toyTable;
  EXPECT_EQ(steps(toy, {item(2)}), (Steps{"prefill_t4 0[0+2] ->0"}));
  EXPECT_EQ(steps(toy, {item(8)}), (Steps{"prefill_t8 0[0+8] ->0"}));
  EXPECT_EQ(steps(toy, {item(19)}),
            (Steps{"prefill_t8 0[0+8] ->0", "prefill_t8 0[8+8] ->0", "prefill_t4 0[16+3] ->0"}));
  EXPECT_EQ(steps(toy, {item(9)}), (Steps{"prefill_t8 0[0+8] ->0", "decode_b1 0[8+1] ->0"}));
  EXPECT_EQ(steps(toy, {item(11, BAMBA_LOGITS_ALL)}), (Steps{"score_t8 0[0+8] ->0..7", "score_t4 0[8+3] ->8..10"}));
  EXPECT_EQ(steps(toy, {item(9, BAMBA_LOGITS_ALL)}), (Steps{"score_t8 0[0+8] ->0..7", "decode_b1 0[8+1] ->8"}));
}

TEST(Scheduler, MixesDecodesAndPrompts) {
  std::vector<bamba_batch_item> items = {item(10), item(1), item(3, BAMBA_LOGITS_ALL), item(1, BAMBA_LOGITS_ALL),
                                         item(2)};
  EXPECT_EQ(steps(toyTable, items),
            (Steps{"decode_b2 1[0+1] 3[0+1] ->0..1", "prefill_t8 0[0+8] ->2", "prefill_t4 0[8+2] ->2",
                   "score_t4 2[0+3] ->3..5", "prefill_t4 4[0+2] ->6"}));
  EXPECT_EQ(Scheduler::countRows(items), 7u);
}

TEST(Scheduler, KeepsNoLogitsWhereNoneAreWanted) {
  std::vector<bamba_batch_item> items = {item(10, BAMBA_LOGITS_NONE), item(1), item(1, BAMBA_LOGITS_NONE), item(2)};
  // The rows of a decode step are neighbours; a chunk that keeps none writes where the next row will be.
  EXPECT_EQ(steps(toyTable, items), (Steps{"decode_b2 1[0+1] 2[0+1] ->0..1", "prefill_t8 0[0+8] ->2 none",
                                           "prefill_t4 0[8+2] ->2 none", "prefill_t4 3[0+2] ->2"}));
  EXPECT_EQ(Scheduler::countRows(items), 3u);
  Scheduler scheduler(toyTable, 16);
  scheduler.begin(items);
  EXPECT_EQ(scheduler.numRows(0), 0u);
  EXPECT_EQ(scheduler.numRows(2), 0u);
  EXPECT_EQ(scheduler.numRows(3), 1u);
  EXPECT_EQ(scheduler.firstRow(3), 2u);
}

TEST(Scheduler, DecodesTokenByTokenWithoutChunkEntries) {
  bamba_rt_model small = toyTable;
  small.num_entries = 3; // the decode entries
  EXPECT_EQ(steps(small, {item(2)}), (Steps{"decode_b1 0[0+1] ->0", "decode_b1 0[1+1] ->0"}));
  EXPECT_EQ(steps(small, {item(2, BAMBA_LOGITS_ALL)}), (Steps{"decode_b1 0[0+1] ->0", "decode_b1 0[1+1] ->1"}));
}
