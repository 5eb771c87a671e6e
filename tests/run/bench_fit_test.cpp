// The search for the largest batch that fits.

#include "runtime/run/bench/fit.h"
#include <gtest/gtest.h>

using namespace bambac::run;

namespace {

TEST(FindLargest, FindsEveryNumber) {
  for (uint32_t most : {1u, 2u, 3u, 256u, 1000u})
    for (uint32_t limit = 0; limit <= most; ++limit) {
      uint32_t asked = 0;
      EXPECT_EQ(findLargest(most,
                            [&](uint32_t number) {
                              ++asked;
                              EXPECT_GE(number, 1u);
                              EXPECT_LE(number, most);
                              return number <= limit;
                            }),
                limit);
      EXPECT_LE(asked, 11u) << "a search by halves";
    }
}

} // namespace
