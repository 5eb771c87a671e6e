// The floors that bench sets its measurements against, from hand-made plans.

#include "runtime/run/bench/ceilings.h"
#include <gtest/gtest.h>

using namespace bambac::run;

namespace {

EntryPoint makeEntry(const char *name, const char *kind, uint64_t batch, uint64_t chunk, Cost cost) {
  EntryPoint entry;
  entry.name = name;
  entry.kind = kind;
  entry.batch = batch;
  entry.chunk = chunk;
  entry.cost = cost;
  return entry;
}

/// Two decode buckets and two chunks; a token costs 10 operations, a state 4 bytes, a token of context 2 bytes and 3
/// operations.
Metadata makePlan() {
  Metadata metadata;
  metadata.entryPoints = {
      makeEntry("decode_b1", "decode", 1, 1, {1000, 4, 0, 10, 2, 3}),
      makeEntry("decode_b4", "decode", 4, 1, {1000, 16, 0, 40, 2, 3}),
      makeEntry("prefill_t8", "prefill", 1, 8, {1000, 4, 0, 80, 2, 24}),
      makeEntry("prefill_t32", "prefill", 1, 32, {1000, 4, 0, 320, 2, 96}),
  };
  return metadata;
}

/// Rates at which every number above is a number of seconds.
Machine makeMachine() {
  Machine machine;
  machine.memory = {1, 1};
  machine.matrixRate = 1;
  return machine;
}

/// The rates of one H200.
Machine makeH200() {
  Machine machine;
  machine.memory = {1, 4.47e12};
  machine.copy = {1, 4.27e12};
  machine.matrixRate = 690e12;
  return machine;
}

} // namespace

TEST(BenchFloor, DecodeCountsEverySequence) {
  std::vector<PlannedRun> plan = planDecode(makePlan(), 4, 100);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].entry, "decode_b4");
  EXPECT_EQ(plan[0].weightBytes, 1000);
  EXPECT_EQ(plan[0].stateBytes, 16);
  EXPECT_EQ(plan[0].contextBytes, 4 * 100 * 2);
  EXPECT_EQ(plan[0].flops, 40 + 4 * 100 * 3);
}

TEST(BenchFloor, PaddingIsNotCounted) {
  std::vector<PlannedRun> plan = planDecode(makePlan(), 3, 100);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].entry, "decode_b4");
  EXPECT_EQ(plan[0].weightBytes, 1000);
  EXPECT_EQ(plan[0].stateBytes, 12);
  EXPECT_EQ(plan[0].contextBytes, 3 * 100 * 2);
  EXPECT_EQ(plan[0].flops, 30 + 3 * 100 * 3);
}

TEST(BenchFloor, ALargeBatchTakesSeveralRuns) {
  std::vector<PlannedRun> plan = planDecode(makePlan(), 9, 0);
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].entry, "decode_b4");
  EXPECT_EQ(plan[1].entry, "decode_b4");
  EXPECT_EQ(plan[2].entry, "decode_b1");
}

TEST(BenchFloor, APromptIsReadInChunks) {
  std::vector<PlannedRun> plan = planPrefill(makePlan(), 37);
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].entry, "prefill_t32");
  EXPECT_EQ(plan[0].context, 15.5); // tokens 0 to 31 see 0 to 31 tokens before them
  EXPECT_EQ(plan[0].flops, 320 + 96 * 15.5);
  EXPECT_EQ(plan[1].entry, "prefill_t8");
  EXPECT_EQ(plan[1].context, 32 + 2);
  EXPECT_EQ(plan[1].stateBytes, 4);
  EXPECT_DOUBLE_EQ(plan[1].flops, 5 * 10 + 5 * 3 * 34);
}

TEST(BenchFloor, ATokenThatIsLeftAloneIsDecoded) {
  std::vector<PlannedRun> plan = planPrefill(makePlan(), 33);
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[1].entry, "decode_b1");
  EXPECT_EQ(plan[1].context, 32);
}

TEST(BenchFloor, TakesTheLongerOfWeightsAndArithmeticAndAddsTheRest) {
  Machine machine = makeMachine();
  PlannedRun run = planDecode(makePlan(), 1, 100)[0];
  EXPECT_EQ(run.floor(machine).seconds(), 1000 + 4 + 200);
  EXPECT_STREQ(run.floor(machine).mostly(), "weights");
  machine.matrixRate = 0.1;
  EXPECT_DOUBLE_EQ(run.floor(machine).seconds(), 3100 + 4 + 200);
  EXPECT_STREQ(run.floor(machine).mostly(), "arithmetic");
  machine.matrixRate = 0; // not measured
  EXPECT_EQ(run.floor(machine).seconds(), 1000 + 4 + 200);
  machine.copy = {1, 0.001};
  EXPECT_DOUBLE_EQ(run.floor(machine).seconds(), 1000 + 4000 + 200);
  EXPECT_STREQ(run.floor(machine).mostly(), "states");
}

TEST(BenchFloor, ProductsOfCodesCountAtTheirOwnRate) {
  Metadata metadata = makePlan();
  metadata.entryPoints[2].cost.codeFlops = 60; // of 80, of 8 tokens
  PlannedRun run = planPrefill(metadata, 4)[0];
  EXPECT_EQ(run.flops, 40 + 4 * 3 * 1.5);
  EXPECT_EQ(run.codeFlops, 30);
  Machine machine = makeMachine();
  machine.matrixRate = 0.5;
  EXPECT_DOUBLE_EQ(run.floor(machine).arithmetic, 2 * run.flops); // theirs is not known
  machine.codeRate = 2;
  EXPECT_DOUBLE_EQ(run.floor(machine).arithmetic, 2 * (run.flops - 30) + 15);
  KernelWork work = workOf(metadata.entryPoints[2].cost, run);
  machine.memory = {1, 1e6};
  EXPECT_DOUBLE_EQ(work.floorSeconds(machine), 2 * (work.flops - 30) + 15);
  machine.matrixRate = 0; // nothing is said without that of bf16
  EXPECT_EQ(run.floor(machine).arithmetic, 0);
}

TEST(BenchFloor, RunsThatFollowEachOtherAddUp) {
  Floor sum;
  sum += {10, 1, 2, 3};
  sum += {1, 8, 2, 3};
  EXPECT_EQ(sum.seconds(), 10 + 8 + 2 * 2 + 2 * 3);
  EXPECT_STREQ(sum.mostly(), "weights");
}

TEST(BenchFloor, TheBetterReadRateCounts) {
  Machine machine = makeMachine();
  machine.weights = {1, 5};
  EXPECT_EQ(machine.readRate(), 5);
  EXPECT_EQ(machine.copyRate(), 5);
}

// Bamba-9B in bf16 with f32 states, by the numbers of its plan.
TEST(BenchFloor, Bamba9B) {
  Metadata metadata;
  metadata.entryPoints = {
      makeEntry("decode_b1", "decode", 1, 1, {18513285632, 247201792, 0, 18666231808, 12288, 49152}),
      makeEntry("decode_b32", "decode", 32, 1, {18513539584, 7910457344, 0, 597319417856, 12288, 49152}),
      makeEntry("decode_b64", "decode", 64, 1, {18513801728, 15820914688, 0, 1194638835712, 12288, 49152}),
      makeEntry("decode_b256", "decode", 256, 1, {18515374592, 63283658752, 0, 4778555342848, 12288, 49152}),
      makeEntry("prefill_t4096", "prefill", 1, 4096, {18546831872, 300461056, 0, 72777082093568, 12288, 201326592}),
  };
  auto milliseconds = [](const std::vector<PlannedRun> &plan) { return plan[0].floor(makeH200()).seconds() * 1e3; };
  EXPECT_NEAR(milliseconds(planDecode(metadata, 1, 1024)), 4.20, 0.01);
  EXPECT_NEAR(milliseconds(planDecode(metadata, 32, 16384)), 7.44, 0.01);
  EXPECT_NEAR(milliseconds(planDecode(metadata, 64, 1024)), 8.03, 0.01);
  EXPECT_NEAR(milliseconds(planDecode(metadata, 256, 1024)), 22.5, 0.1);
  EXPECT_NEAR(milliseconds(planPrefill(metadata, 4096)), 106.2, 0.2);
}

TEST(BenchFloor, MatrixProductsAreThoseOfThePackedWeights) {
  Metadata metadata = makePlan();
  metadata.vocabSize = 100;
  auto add = [&](std::vector<uint64_t> shape, uint64_t panel) {
    WeightInfo weight;
    weight.shape = std::move(shape);
    weight.panel = panel;
    metadata.weights.push_back(std::move(weight));
  };
  add({100, 16}, 0); // the embedding is looked up, not multiplied
  add({100, 16}, 8); // the head
  add({32, 16}, 8);
  add({32, 16}, 8);
  add({16}, 0);
  add({64, 16}, 8);
  metadata.weights.back().scales = "scales"; // of codes
  std::vector<bambac::measure::Gemm> gemms = listGemms(metadata, planPrefill(metadata, 24)[0]);
  ASSERT_EQ(gemms.size(), 3u);
  EXPECT_EQ(gemms[0].rows, 24u);
  EXPECT_EQ(gemms[0].columns, 32u);
  EXPECT_EQ(gemms[0].depth, 16u);
  EXPECT_EQ(gemms[0].count, 2u);
  EXPECT_FALSE(gemms[0].isCodes);
  EXPECT_EQ(gemms[1].columns, 64u);
  EXPECT_TRUE(gemms[1].isCodes);
  EXPECT_EQ(gemms[2].rows, 1u); // of the last token alone
  EXPECT_EQ(gemms[2].columns, 100u);
  EXPECT_EQ(gemms[0].flops(), 2.0 * 24 * 32 * 16 * 2);
}
