// Fork, save, restore: a sequence goes on bit for bit, and damaged bytes are refused.

#include "runtime/session/session.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

using Numbers = std::vector<int32_t>;
using Bytes = std::vector<std::byte>;

class StateTest : public testing::Test {
protected:
  void append(Session &session, bamba_sequence sequence, const Numbers &tokens) {
    bamba_batch_item item = {
        sequence, static_cast<uint32_t>(tokens.size()), tokens.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
    session.run({&item, 1});
  }

  /// Appends tokens and compares the answer with that of a sequence that had them all at once.
  void expectContinues(Session &session, bamba_sequence sequence, Numbers past, const Numbers &next) {
    append(session, sequence, next);
    past.insert(past.end(), next.begin(), next.end());
    std::span<const float> logits = session.logits(0);
    EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), expectedLogits(past).back());
  }

  Bytes save(const Session &session, bamba_sequence sequence) {
    Bytes blob(session.savedBytes(sequence));
    session.save(sequence, blob);
    return blob;
  }

  std::unique_ptr<Model> model = loadToy();
  Session session{*model, {.slots = 3, .threads = 2, .pages = 12}};
  Numbers past = someTokens(1, 10), one = {3}, more = someTokens(2, 9);
};

} // namespace

TEST_F(StateTest, ForksGoTheirOwnWays) {
  bamba_sequence a = session.create();
  append(session, a, past);
  bamba_sequence b = session.fork(a);
  EXPECT_EQ(session.length(b), past.size());
  expectContinues(session, b, past, more);
  expectContinues(session, a, past, one);
  session.free(a);
  Numbers pastOfB = past;
  pastOfB.insert(pastOfB.end(), more.begin(), more.end());
  expectContinues(session, b, pastOfB, one);
}

TEST_F(StateTest, AForkNeedsASlotAndPages) {
  bamba_sequence a = session.create();
  append(session, a, someTokens(1, 30)); // 8 of 12 pages, the last one not full
  bamba_sequence b = session.create();
  append(session, b, someTokens(2, 16));
  expectFailure(failureOf([&] { session.fork(a); }), BAMBA_EXHAUSTED, {"1 free KV pages", "0 of 12"});
  session.fork(b); // all of its pages are full, and shared
  expectFailure(failureOf([&] { session.fork(b); }), BAMBA_EXHAUSTED, {"slot"});
  expectFailure(failureOf([&] { session.fork(77); }), BAMBA_NOT_FOUND, {"77"});
}

TEST_F(StateTest, ForksShareFullPages) {
  bamba_sequence a = session.create();
  append(session, a, someTokens(1, 14));
  bamba_sequence b = session.fork(a), c = session.fork(b);
  EXPECT_EQ(session.freePages(), 12u - 4 - 1 - 1);
  Bytes blob = save(session, a);
  EXPECT_EQ(save(session, c), blob);
  expectContinues(session, b, someTokens(1, 14), {4});
  session.free(a);
  EXPECT_EQ(session.freePages(), 12u - 3 - 2);
  session.restore(b, blob); // pages that another sequence has stay as they are
  EXPECT_EQ(session.freePages(), 12u - 4 - 4) << "neither has pages of the other any more";
  expectContinues(session, c, someTokens(1, 14), {5});
  expectContinues(session, b, someTokens(1, 14), {6});
  session.free(b);
  session.free(c);
  EXPECT_EQ(session.freePages(), 12u);
}

TEST_F(StateTest, WhoGoesOnInASharedPageTakesACopy) {
  Numbers start = someTokens(1, 6);
  bamba_sequence a = session.create();
  append(session, a, start);
  append(session, a, {3}); // one at a time, so that they can be dropped
  append(session, a, {4});
  bamba_sequence b = session.fork(a); // at the end of a page
  session.truncate(a, 1);
  EXPECT_EQ(session.newPages(a, 1), 1u);
  EXPECT_EQ(session.newPages(b, 1), 1u);
  Numbers ofA = start, ofB = start;
  ofA.push_back(3);
  ofB.insert(ofB.end(), {3, 4});
  expectContinues(session, a, ofA, {9, 8});
  expectContinues(session, b, ofB, {7});
  session.free(a);
  session.free(b);
  EXPECT_EQ(session.freePages(), 12u);
}

TEST_F(StateTest, SavedSequencesGoOnInAnotherSession) {
  bamba_sequence a = session.create();
  append(session, a, past);
  Bytes blob = save(session, a);
  expectContinues(session, a, past, more);

  Session other(*model, {.slots = 1, .threads = 1, .pages = 0});
  bamba_sequence b = other.create();
  append(other, b, someTokens(7, 20)); // what was there before is replaced
  other.restore(b, blob);
  EXPECT_EQ(other.length(b), past.size());
  EXPECT_EQ(save(other, b), blob);
  expectContinues(other, b, past, more);
  other.restore(b, blob);
  expectContinues(other, b, past, one);
}

TEST_F(StateTest, SavesTheSameBytesWhateverWasThereBefore) {
  bamba_sequence a = session.create();
  append(session, a, past);
  Bytes blob = save(session, a);
  append(session, a, more);
  session.reset(a);
  append(session, a, someTokens(9, 30));
  session.free(a);
  bamba_sequence b = session.create();
  append(session, b, past);
  EXPECT_EQ(save(session, b), blob);
}

TEST_F(StateTest, AnEmptySequenceIsSavedToo) {
  bamba_sequence a = session.create();
  Bytes blob = save(session, a);
  append(session, a, past);
  session.restore(a, blob);
  EXPECT_EQ(session.length(a), 0u);
  expectContinues(session, a, {}, more);
}

/// A slot in which another sequence was is zeroed when it is used, and counts as zero before.
TEST_F(StateTest, EmptySequencesAreEmptyInUsedSlotsToo) {
  bamba_sequence fresh = session.create();
  Bytes empty = save(session, fresh);
  session.free(fresh);
  for (bamba_sequence used : {session.create(), session.create(), session.create()})
    append(session, used, past);
  for (bamba_sequence used : {0U, 1U, 2U})
    session.free(used);
  bamba_sequence a = session.create();
  EXPECT_EQ(save(session, a), empty);
  bamba_sequence b = session.fork(a);
  EXPECT_EQ(save(session, b), empty);
  expectContinues(session, b, {}, past);
  expectContinues(session, a, {}, more);
  session.reset(b);
  EXPECT_EQ(save(session, b), empty);
  session.free(session.fork(b));
  expectContinues(session, b, {}, more);
  bamba_sequence c = session.create();
  session.restore(c, save(session, b));
  expectContinues(session, c, more, one);
}

TEST_F(StateTest, RestoreNeedsPages) {
  bamba_sequence a = session.create(), b = session.create();
  append(session, a, someTokens(1, 30)); // 8 of 12 pages
  Bytes blob = save(session, a);
  append(session, b, someTokens(2, 4));
  expectFailure(failureOf([&] { session.restore(b, blob); }), BAMBA_EXHAUSTED, {"7 free KV pages", "3 of 12"});
  expectContinues(session, b, someTokens(2, 4), one);
  session.restore(a, blob); // in place of its own pages
  expectContinues(session, a, someTokens(1, 30), one);
}

TEST_F(StateTest, RefusesDamagedBytes) {
  bamba_sequence a = session.create(), b = session.create();
  append(session, a, past);
  append(session, b, one);
  const Bytes blob = save(session, a);
  auto refuse = [&](const Bytes &damaged) {
    Failure failure = failureOf([&] { session.restore(b, damaged); });
    EXPECT_EQ(failure.status, BAMBA_BAD_STATE) << failure.message;
    EXPECT_EQ(failure.message.find("saved state: "), 0u);
    EXPECT_EQ(session.length(b), 1u);
  };
  for (size_t i = 0; i < blob.size(); ++i) {
    Bytes flipped = blob;
    flipped[i] ^= std::byte{0x10};
    refuse(flipped);
  }
  for (size_t size : {size_t{0}, stateHeaderBytes - 1, stateHeaderBytes, blob.size() - 1})
    refuse(Bytes(blob.begin(), blob.begin() + static_cast<std::ptrdiff_t>(size)));
  Bytes longer = blob;
  longer.push_back(std::byte{0});
  refuse(longer);
  expectContinues(session, b, one, more);
}

TEST_F(StateTest, RefusesAnotherModelsBytes) {
  bamba_sequence a = session.create();
  append(session, a, past);
  bamba_rt_model table = toyTable;
  table.fingerprint = 99;
  std::unique_ptr<Model> other = loadToy(table);
  Session stranger(*other, {});
  bamba_sequence b = stranger.create();
  Failure failure = failureOf([&] { stranger.restore(b, save(session, a)); });
  expectFailure(failure, BAMBA_BAD_STATE, {"fingerprint of the model", "expected 99", "1311768467294899695"});
}

TEST_F(StateTest, RefusesBytesOfOtherWeights) {
  bamba_sequence a = session.create();
  append(session, a, past);
  Bytes blob = save(session, a);
  Model other = openToy();
  other.loadRandom(1);
  Session stranger(other, {});
  bamba_sequence b = stranger.create();
  expectFailure(failureOf([&] { stranger.restore(b, blob); }), BAMBA_BAD_STATE, {"fingerprint of the weights"});
  EXPECT_EQ(stranger.length(b), 0u);

  // The same weights, loaded once more.
  std::unique_ptr<Model> again = loadToy();
  Session friendly(*again, {});
  bamba_sequence c = friendly.create();
  friendly.restore(c, blob);
  expectContinues(friendly, c, past, more);
}
