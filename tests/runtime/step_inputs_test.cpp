// The page table on a device has the pages of a step's sequences, and goes there in few transfers.

#include "runtime/cuda/cuda_device.h"
#include "runtime/session/step_inputs.h"
#include "tests/runtime/cuda_toy.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

constexpr uint32_t slots = 6;
constexpr uint64_t numPages = 8000;

class PageTableTest : public CudaTest {
protected:
  PageTableTest() {
    for (uint32_t i = 0; i < slots; ++i)
      sequences.create();
  }
  ~PageTableTest() override { device.finish(); }

  /// The sequence takes more pages.
  void grow(bamba_sequence sequence, size_t pages) {
    for (size_t i = 0; i < pages; ++i)
      sequences.addPage(sequence);
  }

  /// Fills a step with a token of each sequence and expects their pages in its rows. Returns the transfers of pages.
  int transfersFor(const std::vector<bamba_sequence> &batch) {
    std::vector<bamba_batch_item> items;
    std::vector<Lane> lanes;
    const int32_t token = 1;
    for (bamba_sequence sequence : batch) {
      lanes.push_back({static_cast<uint32_t>(items.size()), 0, 1});
      items.push_back({sequence, 1, &token, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr});
    }
    int before = fake.uploads + fake.uploadsOfRows;
    inputs.fill({&decode, lanes, {}, 0, static_cast<uint32_t>(batch.size())}, items, sequences);
    int transfers = fake.uploads + fake.uploadsOfRows - before - 1; // the other inputs go together
    std::vector<int32_t> row(table.max_pages);
    for (size_t i = 0; i < batch.size(); ++i) {
      auto *from = static_cast<int32_t *>(inputs.address(BAMBA_RT_INPUT_PAGES)) + i * row.size();
      device.download(reinterpret_cast<std::byte *>(row.data()), reinterpret_cast<const std::byte *>(from),
                      row.size() * sizeof(int32_t));
      device.finish();
      std::vector<int32_t> expected(row.size(), -1);
      std::ranges::copy(sequences.pages(batch[i]), expected.begin());
      EXPECT_EQ(row, expected) << "row " << i;
    }
    return transfers;
  }

  /// The toy with longer sequences, a decode step for all slots, and no kernels.
  void lengthen() {
    decode = toyTable.entries[0];
    decode.batch = decode.kept = slots;
    table.entries = &decode;
    table.num_entries = 1;
    table.num_kernels = 0;
    table.max_pages = 2000;
    table.max_context = table.max_pages * pageTokens;
  }

  bamba_rt_entry decode;
  bamba_rt_model table = toyTable;
  cuda::CudaDevice device = [&] {
    lengthen();
    return cuda::CudaDevice(std::make_shared<const cuda::Kernels>(openFakeDevice(), table), nullptr);
  }();
  SequenceTable sequences{table, slots, numPages};
  StepInputs inputs{table, slots, slots, numPages, device};
};

} // namespace

TEST_F(PageTableTest, RowsThatChangeTogetherAreOneTransfer) {
  for (bamba_sequence sequence = 0; sequence < slots; ++sequence)
    grow(sequence, sequence + 1);
  EXPECT_EQ(transfersFor({0, 1, 2, 3, 4, 5}), 1);
  EXPECT_EQ(transfersFor({0, 1, 2, 3, 4, 5}), 0) << "nothing has changed";
  EXPECT_EQ(transfersFor({0, 2, 3, 4, 5}), 1) << "one has left, and others took its place";
  EXPECT_EQ(transfersFor({5, 2, 3, 4, 0}), 1) << "those between the first and the last stay";
}

TEST_F(PageTableTest, LongRowsThatDoNotChangeAreLeftOut) {
  for (bamba_sequence sequence = 0; sequence < slots; ++sequence)
    grow(sequence, sequence == 0 ? 1500 : 1);
  EXPECT_EQ(transfersFor({0, 1, 2, 3, 4, 5}), 1);
  grow(0, 1);
  grow(5, 1);
  EXPECT_EQ(transfersFor({0, 1, 2, 3, 4, 5}), 2) << "four rows of 6 KB between them";
  grow(0, 1);
  grow(2, 1);
  EXPECT_EQ(transfersFor({0, 1, 2, 3, 4, 5}), 1) << "one row of 6 KB between them";
}

TEST_F(PageTableTest, WhatALongerSequenceLeftIsGone) {
  grow(0, 900);
  grow(1, 2);
  grow(2, 1700);
  grow(3, 1);
  EXPECT_EQ(transfersFor({0, 1, 2, 3}), 1);
  EXPECT_EQ(transfersFor({1, 0, 2, 3}), 1);
  sequences.dropPages(2, 3);
  EXPECT_EQ(transfersFor({3, 0, 2, 1}), 1);
}

/// Between two short rows that change lies a long one that does not.
TEST_F(PageTableTest, ALongRowBetweenShortOnesStaysAsItIs) {
  grow(0, 1);
  grow(1, 1800);
  grow(2, 1);
  EXPECT_EQ(transfersFor({0, 1, 2}), 1);
  EXPECT_EQ(transfersFor({2, 1, 0}), 1);
}
