// What an H100 gives the blocks of a kernel, for the tests of geometry.
#ifndef BAMBAC_TESTS_UNIT_HOPPERLIMITS_H
#define BAMBAC_TESTS_UNIT_HOPPERLIMITS_H

#include "geometry/geometry.h"

namespace bambac::test {

inline constexpr geometry::Limits kLimits = {232448, 132, /*counters=*/16384};

} // namespace bambac::test

#endif // BAMBAC_TESTS_UNIT_HOPPERLIMITS_H
