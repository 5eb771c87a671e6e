// Pools of equal items share a block of memory: each keeps its own bytes, and all of a block are one call of the
// device.

#include "runtime/host/cpu_device.h"
#include "runtime/model/model.h"
#include "runtime/session/state_pool.h"
#include "runtime/support/memory.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

using Bytes = std::vector<std::byte>;

/// The processor; counts what it is told to do.
class CountingDevice final : public Device {
public:
  void expectUsable() const override {}
  bool isHost() const override { return true; }
  bool isAsynchronous() const override { return false; }
  DeviceMemory allocate(size_t bytes, const char *what) override {
    ++allocations;
    return cpu.allocate(bytes, what);
  }
  DeviceMemory allocateHost(size_t bytes, const char *what) override { return cpu.allocateHost(bytes, what); }
  void clear(std::byte *to, size_t bytes) override { clearRows(to, bytes, bytes, 1); }
  void copy(std::byte *to, const std::byte *from, size_t bytes) override { copyRows(to, bytes, from, bytes, bytes, 1); }
  void upload(std::byte *to, const std::byte *from, size_t bytes) override { copy(to, from, bytes); }
  void download(std::byte *to, const std::byte *from, size_t bytes) override { copy(to, from, bytes); }
  void clearRows(std::byte *to, size_t pitch, size_t bytes, size_t rows) override {
    ++calls;
    cpu.clearRows(to, pitch, bytes, rows);
  }
  void copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                size_t rows) override {
    ++calls;
    cpu.copyRows(to, toPitch, from, fromPitch, bytes, rows);
  }
  void uploadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                  size_t rows) override {
    copyRows(to, toPitch, from, fromPitch, bytes, rows);
  }
  void downloadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                    size_t rows) override {
    copyRows(to, toPitch, from, fromPitch, bytes, rows);
  }
  void mark(unsigned) override {}
  void waitFor(unsigned) override {}
  void finish() override {}
  std::unique_ptr<Executor> makeExecutor(const bamba_rt_model &, const Buffers &) override { return nullptr; }

  int calls = 0, allocations = 0;

private:
  CpuDevice cpu{2};
};

/// A model of nothing but states: pairs of a kind and the bytes of an item.
struct States {
  explicit States(const std::vector<std::pair<bamba_rt_state_kind, uint64_t>> &wanted) {
    for (auto [kind, bytes] : wanted)
      states.push_back({"s", static_cast<uint32_t>(kind), BAMBA_RT_F32, bytes});
    for (size_t i = 0; i < states.size(); ++i)
      names.push_back("state." + std::to_string(i));
    for (size_t i = 0; i < states.size(); ++i)
      states[i].name = names[i].c_str();
    model.num_states = static_cast<uint32_t>(states.size());
    model.states = states.data();
  }
  States(const States &) = delete;

  std::vector<bamba_rt_state> states;
  std::vector<std::string> names;
  bamba_rt_model model = {};
};

constexpr bamba_rt_state_kind slotState = BAMBA_RT_STATE_SLOT, pageState = BAMBA_RT_STATE_PAGE;

constexpr uint32_t slots = 3, pages = 5;

class StatePoolTest : public testing::Test {
protected:
  /// Equal and unequal sizes, odd ones, one of both kinds, at even and at uneven distances.
  StatePoolTest() {
    for (uint32_t i = 0; i < model.num_states; ++i) {
      uint64_t bytes = pool.items(i) * model.states[i].item_bytes;
      for (uint64_t b = 0; b < bytes; ++b)
        at(i)[b] = static_cast<std::byte>(1 + (i * uint64_t{31} + b * 7) % 255);
    }
    before = all();
  }

  std::byte *at(uint32_t state, uint64_t item = 0) const {
    return static_cast<std::byte *>(pool.bases()[state]) + item * model.states[state].item_bytes;
  }
  Bytes item(uint32_t state, uint64_t number) const {
    return {at(state, number), at(state, number) + model.states[state].item_bytes};
  }
  /// The items of each state.
  std::vector<std::vector<Bytes>> all() const {
    std::vector<std::vector<Bytes>> items(model.num_states);
    for (uint32_t i = 0; i < model.num_states; ++i)
      for (uint64_t number = 0; number < pool.items(i); ++number)
        items[i].push_back(item(i, number));
    return items;
  }
  /// Item `number` of all states of a kind, as they were at first.
  Bytes saved(bamba_rt_state_kind kind, uint64_t number) const {
    Bytes bytes;
    for (uint32_t i = 0; i < model.num_states; ++i)
      if (model.states[i].kind == static_cast<uint32_t>(kind))
        bytes.insert(bytes.end(), before[i][number].begin(), before[i][number].end());
    return bytes;
  }
  /// What there must be where item `to` of all states of a kind has become what `become` makes of a state's items.
  template <typename Become> auto changed(bamba_rt_state_kind kind, uint32_t to, const Become &become) const {
    std::vector<std::vector<Bytes>> items = before;
    for (uint32_t i = 0; i < model.num_states; ++i)
      if (model.states[i].kind == static_cast<uint32_t>(kind))
        items[i][to] = become(items[i]);
    return items;
  }

  States states{{{slotState, 12},
                 {slotState, 4096},
                 {slotState, 12},
                 {pageState, 12},
                 {slotState, 7},
                 {slotState, 12},
                 {pageState, 20},
                 {pageState, 20},
                 {slotState, 12},
                 {slotState, 7},
                 {slotState, size_t{1} << 20}}};
  const bamba_rt_model &model = states.model;
  CountingDevice device;
  StatePool pool{model, slots, pages, device};
  std::vector<std::vector<Bytes>> before;
};

Bytes zeros(const std::vector<Bytes> &items) { return Bytes(items[0].size()); }

} // namespace

TEST_F(StatePoolTest, EachStateHasItemsOfItsOwn) {
  EXPECT_EQ(pool.items(0), slots + 1) << "and the spare one";
  EXPECT_EQ(pool.items(3), pages);
  EXPECT_EQ(all(), before) << "no pool was filled over another";
  for (void *base : pool.bases())
    EXPECT_EQ(reinterpret_cast<uintptr_t>(base) % deviceAlignment, 0u) << "as if it were allocated alone";
}

TEST_F(StatePoolTest, ClearsAnItemOfAllStatesOfAKind) {
  pool.clearSlots(0, 1);
  EXPECT_EQ(all(), changed(slotState, 0, zeros));
  before = all();
  pool.clearSlots(slots - 1, 2); // to the end of a pool
  before = changed(slotState, slots - 1, zeros);
  EXPECT_EQ(all(), changed(slotState, slots, zeros));
  before = all();
  pool.clearPage(pages - 1);
  EXPECT_EQ(all(), changed(pageState, pages - 1, zeros));
}

TEST_F(StatePoolTest, CopiesAnItemOfAllStatesOfAKind) {
  pool.copySlot(2, 0);
  EXPECT_EQ(all(), changed(slotState, 2, [](const auto &items) { return items[0]; }));
  before = all();
  pool.copyPage(0, 4);
  EXPECT_EQ(all(), changed(pageState, 0, [](const auto &items) { return items[4]; }));
}

TEST_F(StatePoolTest, SavesStatesInTheOrderOfTheModel) {
  for (auto [kind, from, to] : {std::tuple(slotState, 1u, 3u), std::tuple(pageState, 4u, 2u)}) {
    Bytes bytes(stateBytes(model, kind) + 8, std::byte{0x5A});
    EXPECT_EQ(pool.save(kind, from, bytes.data()), bytes.data() + bytes.size() - 8);
    Bytes expected = saved(kind, from);
    expected.resize(bytes.size(), std::byte{0x5A});
    EXPECT_EQ(bytes, expected);
    EXPECT_EQ(pool.restore(kind, to, bytes.data()), bytes.data() + bytes.size() - 8);
    EXPECT_EQ(all(), changed(kind, to, [from = from](const auto &items) { return items[from]; }));
    before = all();
  }
}

TEST(StatePool, ABlockOfStatesIsOneCall) {
  std::vector<std::pair<bamba_rt_state_kind, uint64_t>> layers;
  for (int layer = 0; layer < 12; ++layer) {
    if (layer % 4 == 1) {
      layers.insert(layers.end(), {{pageState, 160}, {pageState, 160}});
      continue;
    }
    layers.insert(layers.end(), {{slotState, 24}, {slotState, 48}, {slotState, 36}, {slotState, 20}});
  }
  States states(layers);
  CountingDevice device;
  StatePool pool(states.model, slots, pages, device);
  EXPECT_EQ(device.allocations, 5);
  auto callsOf = [&](const auto &act) {
    device.calls = 0;
    act();
    return device.calls;
  };
  Bytes bytes(stateBytes(states.model, slotState));
  EXPECT_EQ(callsOf([&] { pool.clearSlots(1, 1); }), 4);
  EXPECT_EQ(callsOf([&] { pool.clearSlots(0, 3); }), 4);
  EXPECT_EQ(callsOf([&] { pool.copySlot(1, 2); }), 4);
  EXPECT_EQ(callsOf([&] { pool.clearPage(1); }), 1);
  EXPECT_EQ(callsOf([&] { pool.copyPage(1, 2); }), 1);
  EXPECT_EQ(callsOf([&] { pool.save(slotState, 1, bytes.data()); }), 4) << "the layers of attention have none";
  EXPECT_EQ(callsOf([&] { pool.restore(slotState, 1, bytes.data()); }), 4);
}

TEST(StatePool, NamesWhatDoesNotFit) {
  CountingDevice device;
  constexpr uint64_t tooMuch = uint64_t{1} << 50;
  States one({{slotState, tooMuch}}), three({{slotState, 4},
                                             {pageState, 16},
                                             {pageState, tooMuch},
                                             {pageState, 16},
                                             {pageState, tooMuch},
                                             {pageState, tooMuch}});
  expectFailure(failureOf([&] { StatePool(one.model, slots, pages, device); }), BAMBA_OUT_OF_MEMORY,
                {"out of memory: state.0 of 4503599627370496 bytes"});
  expectFailure(failureOf([&] { StatePool(three.model, slots, pages, device); }), BAMBA_OUT_OF_MEMORY,
                {"out of memory: state.2 and 2 more states in one block of 16888498602639360 bytes"});
  States beyond({{slotState, uint64_t{1} << 63}, {slotState, uint64_t{1} << 63}});
  expectFailure(failureOf([&] { StatePool(beyond.model, slots, pages, device); }), BAMBA_OUT_OF_MEMORY,
                {"state.0 and 1 more states in one block of", "beyond what can be addressed"});
}
