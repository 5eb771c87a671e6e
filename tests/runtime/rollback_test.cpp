// Tokens that wait in a state ring: a sequence goes on bit for bit wherever its ring stands, and its last tokens can be
// dropped as long as they wait.

#include "runtime/session/session.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

using Numbers = std::vector<int32_t>;

class RollbackTest : public testing::Test {
protected:
  /// Appends tokens to the sequence and compares the answer with that of a sequence that had them all at once.
  void append(bamba_sequence sequence, const Numbers &tokens) {
    bamba_batch_item item = {
        sequence, static_cast<uint32_t>(tokens.size()), tokens.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
    session.run({&item, 1});
    Numbers &past = pasts[sequence];
    past.insert(past.end(), tokens.begin(), tokens.end());
    std::span<const float> logits = session.logits(0);
    EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), expectedLogits(past).back());
  }

  /// A sequence of 5 tokens in a prompt and `waiting` that were decoded since.
  bamba_sequence makeSequence(uint32_t waiting) {
    bamba_sequence sequence = session.create();
    pasts[sequence].clear();
    append(sequence, someTokens(1, 5));
    decode(sequence, waiting);
    return sequence;
  }

  void decode(bamba_sequence sequence, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
      append(sequence, {static_cast<int32_t>(i) + 3});
  }

  void drop(bamba_sequence sequence, uint32_t tokens) {
    session.truncate(sequence, tokens);
    pasts[sequence].resize(pasts[sequence].size() - tokens);
    EXPECT_EQ(session.length(sequence), pasts[sequence].size());
  }

  std::unique_ptr<Model> model = loadToy();
  Session session{*model, {.slots = 3, .threads = 2, .pages = 12}};
  std::map<bamba_sequence, Numbers> pasts;
};

} // namespace

TEST_F(RollbackTest, AsManyTokensCanBeDroppedAsWait) {
  bamba_sequence a = makeSequence(0);
  for (uint32_t decoded = 0; decoded < 2 * stateRing; ++decoded) {
    EXPECT_EQ(session.mostDropped(a), decoded % stateRing) << decoded;
    decode(a, 1);
  }
  decode(a, 1);
  append(a, someTokens(2, 4)); // a prompt writes the state
  EXPECT_EQ(session.mostDropped(a), 0u);
}

TEST_F(RollbackTest, ASequenceGoesOnWithoutWhatWasDropped) {
  for (uint32_t waiting = 0; waiting < stateRing; ++waiting)
    for (uint32_t dropped = 0; dropped <= waiting; ++dropped) {
      bamba_sequence a = makeSequence(waiting);
      drop(a, dropped);
      EXPECT_EQ(session.mostDropped(a), waiting - dropped);
      decode(a, 1 + 2 * stateRing);
      session.free(a);

      bamba_sequence b = makeSequence(waiting);
      drop(b, dropped);
      append(b, someTokens(8, 7));
      decode(b, 1);
      session.free(b);
    }
}

TEST_F(RollbackTest, MoreThanWaitIsRefused) {
  bamba_sequence a = makeSequence(1);
  expectFailure(failureOf([&] { session.truncate(a, 2); }), BAMBA_OUT_OF_RANGE,
                {"at most 1 tokens to drop from sequence 0 that holds 6, found 2"});
  expectFailure(failureOf([&] { session.truncate(7, 0); }), BAMBA_NOT_FOUND, {"7"});
  decode(a, 2);
}

TEST_F(RollbackTest, PagesAreGivenBack) {
  bamba_sequence a = makeSequence(2); // 7 tokens in 2 pages of 4
  append(a, {1});
  append(a, {2}); // the ninth token, in a third page, waits
  bamba_sequence b = session.create(), c = session.create();
  pasts[b] = pasts[c] = {};
  append(b, someTokens(3, 36)); // 9 pages
  expectFailure(failureOf([&] { append(c, {1}); }), BAMBA_EXHAUSTED, {"1 free KV pages", "0 of 12"});
  drop(a, 1);
  append(c, {1});
}

TEST_F(RollbackTest, ForkSaveRestoreAndResetWhereverTheRingStands) {
  for (uint32_t waiting = 0; waiting < stateRing; ++waiting) {
    bamba_sequence a = makeSequence(waiting);
    std::vector<std::byte> blob(session.savedBytes(a));
    session.save(a, blob);

    bamba_sequence fork = session.fork(a);
    pasts[fork] = pasts[a];
    EXPECT_EQ(session.mostDropped(fork), waiting);
    decode(fork, stateRing);
    drop(fork, session.mostDropped(fork));
    decode(fork, 1);

    bamba_sequence restored = session.create();
    session.restore(restored, blob);
    pasts[restored] = pasts[a];
    EXPECT_EQ(session.mostDropped(restored), waiting);
    drop(restored, waiting);
    decode(restored, stateRing);

    decode(a, 1);
    session.reset(a);
    pasts[a].clear();
    EXPECT_EQ(session.mostDropped(a), 0u);
    decode(a, stateRing + 1);
    for (bamba_sequence sequence : {a, fork, restored})
      session.free(sequence);
  }
}

TEST(Rollback, AllCanBeDroppedWhereNoStateHoldsThem) {
  bamba_rt_model pagesOnly = toyTable;
  pagesOnly.states = toyTable.states + 1;
  pagesOnly.num_states = 1;
  ASSERT_EQ(pagesOnly.states->kind, uint32_t{BAMBA_RT_STATE_PAGE});
  SequenceTable table(pagesOnly, 1, 8);
  bamba_sequence sequence = table.create();
  for (int page = 0; page < 3; ++page)
    table.addPage(sequence);
  table.appendRun(sequence, 11);
  EXPECT_EQ(table.mostDropped(sequence), 11u);
  table.drop(sequence, 7);
  EXPECT_EQ(table.length(sequence), 4u);
  EXPECT_EQ(table.pages(sequence).size(), 1u);
  table.drop(sequence, 4);
  EXPECT_EQ(table.freePages(), 8u);
}
