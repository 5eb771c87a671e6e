// bamba.hpp, on the toy model that this program is linked to.

#include "bamba/bamba.hpp"
#include "tests/runtime/toy_model.h"
#include <optional>
#include <type_traits>

using namespace bambac::rt::toy;

namespace {

class HppTest : public testing::Test {
protected:
  HppTest() { model.load_random(1); }

  bamba::Library library{bamba_get_api};
  bamba::Model model{library, "cpu"};
};

/// What a call threw: its status and its text.
template <typename Body> bamba::Error errorOf(const Body &body) {
  try {
    body();
  } catch (const bamba::Error &error) {
    return error;
  }
  return {BAMBA_OK, ""};
}

template <typename Owner>
constexpr bool isMoveOnly = std::is_nothrow_move_constructible_v<Owner> && std::is_nothrow_move_assignable_v<Owner> &&
                            !std::is_copy_constructible_v<Owner> && !std::is_copy_assignable_v<Owner>;
static_assert(isMoveOnly<bamba::Session> && isMoveOnly<bamba::Sequence>);
static_assert(std::is_move_constructible_v<bamba::Model> && !std::is_copy_constructible_v<bamba::Model>);

} // namespace

TEST_F(HppTest, RunsAPrompt) {
  bamba::Session session(model);
  bamba::Sequence sequence(session);
  session.run(sequence, {1, 2, 3}, BAMBA_LOGITS_ALL);
  EXPECT_EQ(sequence.length(), 3u);
  bamba::Logits logits = session.logits();
  ASSERT_EQ(logits.rows(), 3u);
  ASSERT_EQ(logits.columns(), model.info().vocab_size);
  std::vector<float> last(logits.row(2), logits.row(2) + logits.columns());
  EXPECT_EQ(session.greedy(), argmax(last));
}

TEST_F(HppTest, SeveralSequencesInOneRun) {
  bamba::Session session(model);
  bamba::Sequence first(session), second(session);
  std::vector<int32_t> tokens = {4, 5};
  session.run({first.item(tokens.data(), 2), second.item(tokens.data(), 1)});
  EXPECT_EQ(first.length(), 2u);
  EXPECT_EQ(second.length(), 1u);
  session.run(second, {5});
  int32_t next = session.greedy();
  bamba::Sequence fork = first.fork();
  session.run(first, {6});
  session.run(fork, {6});
  EXPECT_EQ(fork.length(), 3u);
  first.reset();
  EXPECT_EQ(first.length(), 0u);
  session.run(first, tokens);
  EXPECT_EQ(session.greedy(), next);
}

TEST_F(HppTest, SequencesGiveTheirSlotsBack) {
  bamba::SessionOptions sizes;
  sizes.slots = 1;
  bamba::Session session(model, sizes);
  {
    bamba::Sequence sequence(session);
    EXPECT_EQ(errorOf([&] { bamba::Sequence another(session); }).status(), BAMBA_EXHAUSTED);
    bamba::Sequence moved = std::move(sequence);
    session.run(moved, {1});
    EXPECT_EQ(moved.length(), 1u);
  }
  std::optional<bamba::Sequence> sequence(std::in_place, session);
  bamba::Session movedSession = std::move(session);
  movedSession.run(*sequence, {1});
  EXPECT_EQ(sequence->length(), 1u);
  sequence.reset(); // before its session
}

TEST_F(HppTest, StatesAreRestored) {
  bamba::Session session(model);
  bamba::Sequence source(session), copy(session);
  session.run(source, {1, 2, 3});
  std::vector<unsigned char> state = source.save();
  copy.restore(state);
  session.run(source, {7});
  int32_t next = session.greedy();
  session.run(copy, {7});
  EXPECT_EQ(session.greedy(), next);
  state.resize(state.size() / 2);
  EXPECT_EQ(errorOf([&] { copy.restore(state); }).status(), BAMBA_BAD_STATE);
}

TEST_F(HppTest, TheLastTokensAreDropped) {
  bamba::Session session(model);
  bamba::Sequence kept(session), cut(session);
  session.run(kept, {1, 2, 3});
  session.run(cut, {1, 2, 3});
  EXPECT_EQ(cut.rollback(), 0u);
  session.run(cut, {5});
  EXPECT_EQ(cut.rollback(), 1u);
  EXPECT_EQ(errorOf([&] { cut.truncate(2); }).status(), BAMBA_OUT_OF_RANGE);
  cut.truncate(1);
  EXPECT_EQ(cut.length(), 3u);
  session.run(kept, {7});
  int32_t next = session.greedy();
  session.run(cut, {7});
  EXPECT_EQ(session.greedy(), next);
}

TEST_F(HppTest, AnOlderLibraryLacksFunctions) {
  bamba_api old = *bamba_get_api(BAMBA_ABI_VERSION);
  old.struct_size = offsetof(bamba_api, sequence_truncate);
  old.version = BAMBA_VERSION_MAJOR << 16;
  EXPECT_TRUE(bamba::detail::laterFunction(old, &bamba_api::sequence_get_rollback));
  bamba::Error error = errorOf([&] { bamba::detail::laterFunction(old, &bamba_api::sequence_truncate); });
  EXPECT_EQ(error.status(), BAMBA_UNSUPPORTED);
  EXPECT_NE(std::string(error.what()).find("found 2.0"), std::string::npos) << error.what();
}

TEST_F(HppTest, ErrorsCarryTheStatusAndTheText) {
  bamba::Session session(model);
  bamba::Sequence sequence(session);
  bamba::Error error = errorOf([&] { session.run(sequence, {1000}); });
  EXPECT_EQ(error.status(), BAMBA_OUT_OF_RANGE);
  EXPECT_NE(std::string(error.what()).find("1000"), std::string::npos) << error.what();
  EXPECT_EQ(errorOf([&] { bamba::Model(library, "abacus"); }).status(), BAMBA_UNSUPPORTED);
  EXPECT_EQ(errorOf([] { bamba::Library::open("/no/such/model.so"); }).status(), BAMBA_NOT_FOUND);
  auto other = [](uint32_t) -> const bamba_api * { return nullptr; };
  EXPECT_EQ(errorOf([&] { bamba::Library wrong(other); }).status(), BAMBA_UNSUPPORTED);
}

TEST_F(HppTest, ProgressMayStopALoadOrThrow) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  bamba::Model fresh(library, "cpu");
  EXPECT_EQ(errorOf([&] { fresh.load(folder.path(), [](uint64_t, uint64_t) { return false; }); }).status(),
            BAMBA_IO_ERROR);
  auto fail = [](uint64_t, uint64_t) -> bool { throw std::logic_error("enough"); };
  EXPECT_THROW(fresh.load(folder.path(), fail), std::logic_error);
  uint64_t done = 0, total = 1;
  fresh.load(folder.path(), [&](uint64_t bytes, uint64_t all) {
    done = bytes;
    total = all;
    return true;
  });
  EXPECT_EQ(done, total);
}
