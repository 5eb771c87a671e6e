// The load of engine-bench: lengths, times and tokens that follow from the seed.

#include "runtime/run/bench/load.h"
#include "runtime/run/failure.h"

#include <gtest/gtest.h>

using namespace bambac::run;

TEST(BenchLoad, ArrivalsAreThoseOfAPoissonProcess) {
  LoadSizes sizes;
  sizes.requests = 20000;
  sizes.rate = 50;
  sizes.prompt = {3, 6};
  sizes.answer = {2, 2};
  sizes.shared = 2;
  std::vector<LoadRequest> load = makeLoad(sizes, 100, 64);
  ASSERT_EQ(load.size(), 20000u);
  EXPECT_EQ(load[0].seconds, 0);
  // The gaps have the mean 1 / rate and the same standard deviation: the bounds are five standard errors.
  double mean = load.back().seconds / 19999, square = 0, length = 0;
  for (size_t i = 1; i < load.size(); ++i) {
    double gap = load[i].seconds - load[i - 1].seconds;
    square += gap * gap / 19999;
    length += static_cast<double>(load[i].prompt.size()) / 19999;
    EXPECT_EQ(load[i].prompt[0], load[0].prompt[0]);
    EXPECT_EQ(load[i].prompt[1], load[0].prompt[1]);
  }
  EXPECT_NEAR(mean, 0.02, 5 * 0.02 / 141);
  EXPECT_NEAR(square, 2 * 0.0004, 5 * 0.0004 * 4.5 / 141); // the fourth moment is 24 times the mean to the fourth
  EXPECT_NEAR(length, 4.5, 5 * 1.12 / 141);
}

TEST(BenchLoad, TheSameSeedGivesTheSameLoad) {
  LoadSizes sizes;
  sizes.prompt = {1, 30};
  sizes.answer = {1, 30};
  std::vector<LoadRequest> first = makeLoad(sizes, 1000, 64), again = makeLoad(sizes, 1000, 64);
  ++sizes.seed;
  std::vector<LoadRequest> other = makeLoad(sizes, 1000, 64);
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_TRUE(first[i].prompt == again[i].prompt && first[i].answer == again[i].answer);
  EXPECT_NE(first[5].prompt, other[5].prompt);
}

TEST(BenchLoad, LengthsOfAFileAreTakenInTurn) {
  LoadSizes sizes;
  sizes.requests = 3;
  sizes.lengths = "4 5\n 6  7 \n";
  std::vector<LoadRequest> load = makeLoad(sizes, 10, 64);
  EXPECT_EQ(load[0].prompt.size(), 4u);
  EXPECT_EQ(load[1].answer, 7u);
  EXPECT_EQ(load[2].prompt.size(), 4u);
  for (const char *wrong : {"\n", "4\n", "4 x\n", "0 3\n", "1 2 3\n"}) {
    sizes.lengths = wrong;
    EXPECT_THROW(makeLoad(sizes, 10, 64), Failure) << wrong;
  }
}
