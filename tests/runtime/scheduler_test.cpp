// How batches are split into steps.

#include "runtime/model/model.h"
#include "runtime/session/scheduler.h"
#include "tests/runtime/toy_model.h"
#include <fmt/ranges.h>
#include <ranges>

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
      text += fmt::format(" of {}", fmt::join(step.kept | std::views::transform(&KeptRow::row), ","));
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

TEST(Scheduler, PacksPieces) {
  // The third fits beside the first, the fourth beside the second.
  EXPECT_EQ(steps(toyTable, {item(5), item(6), item(3), item(2)}),
            (Steps{"prefill_t8 0[0+5] 2[0+3] ->0..1 of 4,7", "prefill_t8 1[0+6] 3[0+2] ->2..3 of 5,7"}));
  // A prompt is cut as if it were alone: the rests share a step, no piece is cut to fill one.
  EXPECT_EQ(steps(toyTable, {item(11), item(6), item(9)}),
            (Steps{"prefill_t8 0[0+8] ->0 none", "prefill_t4 0[8+3] ->0 of 2", "prefill_t8 1[0+6] ->1 of 5",
                   "prefill_t8 2[0+8] ->2 none", "decode_b1 2[8+1] ->2"}));
  // As many pieces as the entry point has, and of single tokens all or none.
  EXPECT_EQ(steps(toyTable, {item(1), item(1), item(2), item(1)}),
            (Steps{"prefill_t8 0[0+1] 1[0+1] 3[0+1] 2[0+2] ->0..3 of 0,1,2,4"}));
  bamba_rt_model few = toyTable;
  std::vector<bamba_rt_entry> entries(toyTable.entries, toyTable.entries + toyTable.num_entries);
  few.entries = entries.data();
  entries[4].batch = 4; // of prefill_t8
  EXPECT_EQ(steps(few, {item(1), item(1), item(2), item(1), item(1)}),
            (Steps{"prefill_t4 2[0+2] ->0 of 1", "decode_b4 0[0+1] 1[0+1] 3[0+1] 4[0+1] ->1..4"}));
  // The fewest rows that hold the step.
  EXPECT_EQ(steps(toyTable, {item(1), item(2), item(1)}), (Steps{"prefill_t4 0[0+1] 2[0+1] 1[0+2] ->0..2 of 0,1,3"}));
}

TEST(Scheduler, SinglesJoinWhereThatIsCheaper) {
  bamba_rt_entry large = {"prefill_t512", BAMBA_RT_PREFILL, 512, 512, 0, 0, 512, 0};
  std::vector<bamba_rt_entry> entries = {toyTable.entries[0], large};
  entries[0].batch = 512;
  bamba_rt_model model = toyTable;
  model.entries = entries.data();
  model.num_entries = 2;
  model.row_tile = 64;
  model.weight_rows = 100;
  auto countSteps = [&](uint32_t prompt, size_t singles) {
    std::vector<bamba_batch_item> items(singles, item(1));
    items.push_back(item(prompt));
    Scheduler scheduler(model, 512);
    scheduler.begin(items);
    Step step;
    size_t steps = 0;
    while (scheduler.next(step))
      ++steps;
    return steps;
  };
  model.state_ring = 1;
  EXPECT_EQ(countSteps(20, 172), 1u) << "192 rows for 100 and 172";
  EXPECT_EQ(countSteps(20, 236), 1u) << "256 rows for 100 and 236";
  EXPECT_EQ(countSteps(256, 64), 1u) << "320 rows for 256 and 100";
  EXPECT_EQ(countSteps(256, 65), 2u) << "384 rows for 256 and 100";
  EXPECT_EQ(countSteps(450, 63), 2u) << "a row more than the step has";
  // With a ring a decode step writes fewer states: each of the toy's 3 * 4 floats, of its weights' bytes.
  model.state_ring = 3;
  bamba_rt_weight weight = toyTable.weights[0];
  weight.bytes = 100 * stateBytes(model, BAMBA_RT_STATE_SLOT);
  model.weights = &weight;
  model.num_weights = 1; // a state counts a row
  EXPECT_EQ(countSteps(20, 8), 1u) << "100 rows and 8 states for twice 100";
  EXPECT_EQ(countSteps(256, 36), 1u) << "320 rows and 36 states for 256 and 100";
  EXPECT_EQ(countSteps(256, 37), 2u) << "320 rows and 37 states for 256 and 100";
}

TEST(Scheduler, MixesDecodesAndPrompts) {
  std::vector<bamba_batch_item> items = {item(10), item(1), item(3, BAMBA_LOGITS_ALL), item(1, BAMBA_LOGITS_ALL),
                                         item(2)};
  // A chunk that keeps other logits than the last has a step of its own.
  EXPECT_EQ(steps(toyTable, items),
            (Steps{"prefill_t8 0[0+8] ->0 none", "prefill_t8 1[0+1] 3[0+1] 0[8+2] 4[0+2] ->0..3 of 0,1,3,5",
                   "prefill_t4 2[0+3] ->4..6 of 0,1,2"}));
  EXPECT_EQ(Scheduler::countRows(items), 7u);
}

TEST(Scheduler, KeepsNoLogitsWhereNoneAreWanted) {
  std::vector<bamba_batch_item> items = {item(10, BAMBA_LOGITS_NONE), item(1), item(1, BAMBA_LOGITS_NONE), item(2)};
  EXPECT_EQ(steps(toyTable, items),
            (Steps{"prefill_t8 0[0+8] ->0 none", "prefill_t8 1[0+1] 2[0+1] 0[8+2] 3[0+2] ->0..1 of 0,5"}));
  EXPECT_EQ(Scheduler::countRows(items), 2u);
  Scheduler scheduler(toyTable, 16);
  scheduler.begin(items);
  for (Step step; scheduler.next(step);) {
  }
  EXPECT_EQ(scheduler.numRows(0), 0u);
  EXPECT_EQ(scheduler.numRows(2), 0u);
  EXPECT_EQ(scheduler.numRows(3), 1u);
  EXPECT_EQ(scheduler.firstRow(3), 1u);
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
  EXPECT_EQ(steps(small, {item(2), item(3), item(1)}),
            (Steps{"decode_b4 2[0+1] 0[0+1] 1[0+1] ->0", "decode_b2 0[1+1] 1[1+1] ->1", "decode_b1 1[2+1] ->2"}));
  EXPECT_EQ(steps(small, {item(2, BAMBA_LOGITS_ALL)}), (Steps{"decode_b1 0[0+1] ->0", "decode_b1 0[1+1] ->1"}));
}
