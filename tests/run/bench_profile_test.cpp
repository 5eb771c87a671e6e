// From the times of launches to a table of kernels.

#include "runtime/run/bench/profile.h"
#include "runtime/run/failure.h"
#include <gtest/gtest.h>

using namespace bambac::run;

namespace {

class BenchProfile : public testing::Test {
protected:
  BenchProfile() {
    machine.threads = 1;
    machine.memory = {1, 1e6};
    machine.matrixRate = 1e9;
    KernelInfo matrix, attention;
    matrix.name = "matrix";
    matrix.cost.weightBytes = 1000;
    matrix.cost.activationBytes = 200;
    matrix.cost.flops = 1000;
    attention.name = "attention";
    attention.cost.stateBytes = 40;
    attention.cost.contextBytes = 2;
    attention.cost.contextFlops = 3;
    metadata.kernels = {matrix, attention};
    run.sequences = 2;
    run.sequenceShare = run.rowShare = 0.5;
    run.context = 100;
  }

  static bamba_launch_time launch(const char *kernel, double seconds) {
    return {sizeof(bamba_launch_time), 0, 0, "entry", kernel, seconds};
  }

  Metadata metadata;
  Machine machine;
  PlannedRun run;
};

} // namespace

TEST_F(BenchProfile, AKernelsWorkScalesWithWhatIsNoPadding) {
  KernelWork matrix = workOf(metadata.kernels[0].cost, run);
  EXPECT_EQ(matrix.streamBytes, 1000 + 100);
  EXPECT_EQ(matrix.flops, 500);
  KernelWork attention = workOf(metadata.kernels[1].cost, run);
  EXPECT_EQ(attention.streamBytes, 2 * 2 * 100);
  EXPECT_EQ(attention.stateBytes, 20);
  EXPECT_EQ(attention.flops, 3 * 2 * 100);
  EXPECT_DOUBLE_EQ(attention.floorSeconds(machine), 420e-6);
  machine.matrixRate = 1e6;
  EXPECT_DOUBLE_EQ(attention.floorSeconds(machine), 600e-6);
}

TEST_F(BenchProfile, SumsByKernelAndSortsByTimeLost) {
  std::vector<bamba_launch_time> times = {launch("matrix", 1.2e-3), launch("attention", 1e-3),
                                          launch("matrix", 1.2e-3)};
  std::vector<KernelProfile> profile = makeProfile(times, metadata, {run}, machine);
  ASSERT_EQ(profile.size(), 2u);
  EXPECT_EQ(profile[0].name, "attention");
  EXPECT_NEAR(profile[0].lost(), 580e-6, 1e-9);
  EXPECT_EQ(profile[1].name, "matrix");
  EXPECT_EQ(profile[1].launches, 2u);
  EXPECT_DOUBLE_EQ(profile[1].seconds, 2.4e-3);
  EXPECT_DOUBLE_EQ(profile[1].bytes, 2 * 1100);
  EXPECT_NEAR(profile[1].lost(), 200e-6, 1e-9);
}

TEST_F(BenchProfile, NamesAKernelThatIsNotInTheMetadata) {
  EXPECT_THROW(makeProfile({launch("other", 1)}, metadata, {run}, machine), Failure);
  EXPECT_THROW(makeProfile({launch("matrix", 1)}, metadata, {}, machine), Failure);
}

TEST_F(BenchProfile, SaysWhatTheKernelsComeTo) {
  std::vector<KernelProfile> profile = makeProfile({launch("matrix", 2e-3)}, metadata, {run}, machine);
  std::string text = makeProfileText(profile, 1.5e-3, machine);
  EXPECT_NE(text.find("kernels one at a time 2.000 ms, in one go 1.500 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("0.500 ms saved"), std::string::npos) << text;
  text = makeProfileText(profile, 2.25e-3, machine);
  EXPECT_NE(text.find("0.250 ms more"), std::string::npos) << text;
}
