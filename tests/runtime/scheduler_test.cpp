// How batches are split into steps.

#include "runtime/session/scheduler.h"
#include "tests/runtime/toy_model.h"
#include <fmt/ranges.h>

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
    if (!step.kept.empty())
      text += fmt::format(" of {}", fmt::join(step.kept, ","));
  }
  return all;
}

bamba_batch_item item(uint32_t tokens, bamba_logits logits = BAMBA_LOGITS_LAST) {
  return {0, tokens, nullptr, logits, 0, nullptr, 0, 0, nullptr};
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
  EXPECT_EQ(steps(toy, {item(2)}), (Steps{"prefill_t4 0[0+2] ->0 of 1"}));
  EXPECT_EQ(steps(toy, {item(8)}), (Steps{"prefill_t8 0[0+8] ->0 of 7"}));
  EXPECT_EQ(steps(toy, {item(19)}),
            (Steps{"prefill_t8 0[0+8] ->0 none", "prefill_t8 0[8+8] ->0 none", "prefill_t4 0[16+3] ->0 of 2"}));
  EXPECT_EQ(steps(toy, {item(9)}), (Steps{"prefill_t8 0[0+8] ->0 none", "decode_b1 0[8+1] ->0"}));
  EXPECT_EQ(steps(toy, {item(11, BAMBA_LOGITS_ALL)}),
            (Steps{"prefill_t8 0[0+8] ->0..7 of 0,1,2,3,4,5,6,7", "prefill_t4 0[8+3] ->8..10 of 0,1,2"}));
  EXPECT_EQ(steps(toy, {item(9, BAMBA_LOGITS_ALL)}),
            (Steps{"prefill_t8 0[0+8] ->0..7 of 0,1,2,3,4,5,6,7", "decode_b1 0[8+1] ->8"}));
}

TEST(Scheduler, MixesDecodesAndPrompts) {
  std::vector<bamba_batch_item> items = {item(10), item(1), item(3, BAMBA_LOGITS_ALL), item(1, BAMBA_LOGITS_ALL),
                                         item(2)};
  EXPECT_EQ(steps(toyTable, items),
            (Steps{"decode_b2 1[0+1] 3[0+1] ->0..1", "prefill_t8 0[0+8] ->2 none", "prefill_t4 0[8+2] ->2 of 1",
                   "prefill_t4 2[0+3] ->3..5 of 0,1,2", "prefill_t4 4[0+2] ->6 of 1"}));
  EXPECT_EQ(Scheduler::countRows(items), 7u);
}

TEST(Scheduler, KeepsNoLogitsWhereNoneAreWanted) {
  std::vector<bamba_batch_item> items = {item(10, BAMBA_LOGITS_NONE), item(1), item(1, BAMBA_LOGITS_NONE), item(2)};
  // The rows of a decode step are neighbours.
  EXPECT_EQ(steps(toyTable, items), (Steps{"decode_b2 1[0+1] 2[0+1] ->0..1", "prefill_t8 0[0+8] ->2 none",
                                           "prefill_t4 0[8+2] ->2 none", "prefill_t4 3[0+2] ->2 of 1"}));
  EXPECT_EQ(Scheduler::countRows(items), 3u);
  Scheduler scheduler(toyTable, 16);
  scheduler.begin(items);
  EXPECT_EQ(scheduler.numRows(0), 0u);
  EXPECT_EQ(scheduler.numRows(2), 0u);
  EXPECT_EQ(scheduler.numRows(3), 1u);
  EXPECT_EQ(scheduler.firstRow(3), 2u);
}

TEST(Scheduler, KeepsTheLogitsOfChosenTokens) {
  const uint32_t first[] = {0, 7, 8, 10}, second[] = {1};
  std::vector<bamba_batch_item> items = {item(11, BAMBA_LOGITS_CHOSEN), item(9, BAMBA_LOGITS_CHOSEN)};
  items[0].chosen = first, items[0].num_chosen = 4;
  items[1].chosen = second, items[1].num_chosen = 1;
  // The last token of the second item is decoded, and its logits go where nothing is kept.
  EXPECT_EQ(steps(toyTable, items), (Steps{"prefill_t8 0[0+8] ->0..1 of 0,7", "prefill_t4 0[8+3] ->2..3 of 0,2",
                                           "prefill_t8 1[0+8] ->4 of 1", "decode_b1 1[8+1] ->5 none"}));
  EXPECT_EQ(Scheduler::countRows(items), 5u);
}

TEST(Scheduler, AChunkEndsBeforeATokenThatItCannotKeep) {
  std::vector<bamba_rt_entry> entries(toyTable.entries, toyTable.entries + toyTable.num_entries);
  bamba_rt_model few = toyTable;
  few.entries = entries.data();
  entries[3].kept = entries[4].kept = 3; // of prefill_t4 and prefill_t8
  const uint32_t chosen[] = {0, 1, 5, 6, 7};
  std::vector<bamba_batch_item> some = {item(8, BAMBA_LOGITS_CHOSEN)}, all = {item(8, BAMBA_LOGITS_ALL)};
  some[0].chosen = chosen, some[0].num_chosen = 5;
  EXPECT_EQ(steps(few, some), (Steps{"prefill_t8 0[0+6] ->0..2 of 0,1,5", "prefill_t4 0[6+2] ->3..4 of 0,1"}));
  EXPECT_EQ(steps(few, all), (Steps{"prefill_t4 0[0+3] ->0..2 of 0,1,2", "prefill_t4 0[3+3] ->3..5 of 0,1,2",
                                    "prefill_t4 0[6+2] ->6..7 of 0,1"}));
  Scheduler scheduler(few, 16);
  EXPECT_EQ(scheduler.mostStepRows(all), 3u);
}

TEST(Scheduler, ReservesForTheRowsThatStepsKeep) {
  std::vector<bamba_rt_entry> entries(toyTable.entries, toyTable.entries + toyTable.num_entries);
  bamba_rt_model large = toyTable;
  large.entries = entries.data();
  entries[4].chunk = entries[4].kept = 512;
  Scheduler scheduler(large, 16);
  EXPECT_EQ(scheduler.mostStepRows(std::vector{item(500), item(500, BAMBA_LOGITS_NONE)}), 32u);
  EXPECT_EQ(scheduler.mostStepRows(std::vector{item(40, BAMBA_LOGITS_ALL)}), 64u);
  EXPECT_EQ(scheduler.mostStepRows(std::vector{item(5000, BAMBA_LOGITS_ALL)}), 512u);
  EXPECT_EQ(scheduler.leastStepRows(4), 32u);
}

TEST(Scheduler, DecodesTokenByTokenWithoutChunkEntries) {
  bamba_rt_model small = toyTable;
  small.num_entries = 3; // the decode entries
  EXPECT_EQ(steps(small, {item(2)}), (Steps{"decode_b1 0[0+1] ->0 none", "decode_b1 0[1+1] ->0"}));
  EXPECT_EQ(steps(small, {item(2, BAMBA_LOGITS_ALL)}), (Steps{"decode_b1 0[0+1] ->0", "decode_b1 0[1+1] ->1"}));
}
