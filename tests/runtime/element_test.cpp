// Elements of 16 and of 8 bits: rounding, conversion to f32 and back.

#include "runtime/support/element.h"
#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace bambac::rt;

TEST(Element, RoundsToBf16) {
  auto bits = [](float value) { return fromF32<Bf16>(value).bits; };
  EXPECT_EQ(bits(1.0f), 0x3F80);
  EXPECT_EQ(bits(-2.0f), 0xC000);
  EXPECT_EQ(bits(std::bit_cast<float>(0x3F808000u)), 0x3F80) << "a tie goes to the even neighbour";
  EXPECT_EQ(bits(std::bit_cast<float>(0x3F818000u)), 0x3F82) << "a tie goes to the even neighbour";
  EXPECT_EQ(bits(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(bits(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(bits(std::numeric_limits<float>::infinity()), 0x7F80);
  EXPECT_TRUE(std::isnan(toF32(fromF32<Bf16>(std::bit_cast<float>(0x7F800001u)))));
  for (uint32_t i = 0; i < 0x10000; ++i) {
    if (float value = toF32(Bf16{static_cast<uint16_t>(i)}); !std::isnan(value)) {
      ASSERT_EQ(bits(value), i);
    }
  }
}

TEST(Element, ConvertsHalves) {
  EXPECT_EQ(toF32(F16{0x3C00}), 1.0f);
  EXPECT_EQ(toF32(F16{0xFBFF}), -65504.0f);
  EXPECT_EQ(toF32(F16{0x0001}), 0x1p-24f);
  EXPECT_EQ(toF32(F16{0x7C00}), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(toF32(F16{0x7E01})));
  EXPECT_EQ(fromF32<F16>(65519.0f).bits, 0x7BFF);
  EXPECT_EQ(fromF32<F16>(65520.0f).bits, 0x7BFF);
  EXPECT_EQ(fromF32<F16>(-std::numeric_limits<float>::max()).bits, 0xFBFF);
  EXPECT_EQ(fromF32<F16>(std::numeric_limits<float>::infinity()).bits, 0x7BFF) << "as the device saturates";
  EXPECT_EQ(fromF32<F16>(0x1p-25f).bits, 0x0000) << "a tie goes to the even neighbour";
  EXPECT_EQ(fromF32<F16>(0x1.8p-24f).bits, 0x0002) << "a tie goes to the even neighbour";
  EXPECT_EQ(fromF32<F16>(-0.0f).bits, 0x8000);
  EXPECT_TRUE(std::isnan(toF32(fromF32<F16>(std::nanf("")))));
  for (uint32_t i = 0; i < 0x10000; ++i) {
    if (float value = toF32(F16{static_cast<uint16_t>(i)}); std::isfinite(value)) {
      ASSERT_EQ(fromF32<F16>(value).bits, i);
    }
  }
}

TEST(Element, ConvertsCodes) {
  auto bits = [](float value) { return fromF32<E4m3>(value).bits; };
  EXPECT_EQ(toF32(E4m3{0x38}), 1.0f);
  EXPECT_EQ(toF32(E4m3{0x7E}), 448.0f);
  EXPECT_EQ(toF32(E4m3{0x81}), -0x1p-9f);
  EXPECT_TRUE(std::isnan(toF32(E4m3{0x7F})) && std::isnan(toF32(E4m3{0xFF})));
  EXPECT_EQ(bits(464.0f), 0x7E) << "halfway to where 480 would be";
  EXPECT_EQ(bits(-std::numeric_limits<float>::infinity()), 0xFE);
  EXPECT_EQ(bits(0x1p-10f), 0x00) << "a tie goes to the even neighbour";
  EXPECT_EQ(bits(0x1.8p-9f), 0x02) << "a tie goes to the even neighbour";
  EXPECT_EQ(bits(std::nextafter(0x1p-10f, 1.0f)), 0x01);
  EXPECT_EQ(bits(-0.0f), 0x80);
  EXPECT_EQ(bits(std::nanf("")), 0x7F);
  for (uint8_t code = 0; code < 0x7E; ++code) {
    float value = toF32(E4m3{code}), next = toF32(E4m3{static_cast<uint8_t>(code + 1)}), middle = (value + next) / 2;
    ASSERT_EQ(bits(value), code);
    ASSERT_EQ(bits(-value), code | 0x80);
    ASSERT_EQ(bits(middle), code + code % 2) << "a tie goes to the even neighbour";
    ASSERT_EQ(bits(std::nextafter(middle, 0.0f)), code);
    ASSERT_EQ(bits(std::nextafter(middle, 500.0f)), code + 1);
  }
}
