// Sessions: batches against the toy's formula, what kernels are given, limits, and refused batches.

#include "runtime/host/cpu_device.h"
#include "tests/runtime/session_checks.h"
#include <cstring>
#include <limits>
#include <thread>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// The inputs of every step that ran while it lives.
class Recorder {
public:
  struct Record {
    int batch, chunk;
    std::vector<int32_t> tokens, positions, slots, starts, pieces, pages;
  };

  Recorder() {
    records.clear();
    observer = [](int batch, int chunk, const int32_t *tokens, const int32_t *positions, const int32_t *slots,
                  const int32_t *starts, const int32_t *pieces, const int32_t *pages) {
      auto copy = [](const int32_t *from, int count) { return std::vector<int32_t>(from, from + count); };
      int rows = chunk == 1 ? batch : chunk;
      records.push_back({batch, chunk, copy(tokens, rows), copy(positions, rows), copy(slots, batch),
                         copy(starts, batch + 1), copy(pieces, rows), copy(pages, batch * maxPages)});
    };
  }
  ~Recorder() { observer = nullptr; }

  static std::vector<Record> records; // one workgroup of a step writes it, steps follow one another
};

std::vector<Recorder::Record> Recorder::records;

class SessionTest : public testing::Test {
protected:
  std::unique_ptr<Model> model = loadToy();
};

} // namespace

TEST_F(SessionTest, AnswersTheSameInOnePieceInChunksAndTokenByToken) {
  Numbers tokens = someTokens(1, 23);
  auto expected = expectedLogits(tokens);
  Session session(*model, {.slots = 1, .threads = 2, .pages = 0});
  for (size_t piece : {23u, 10u, 8u, 7u, 4u, 3u, 1u}) {
    bamba_sequence sequence = session.create();
    for (size_t first = 0; first < tokens.size(); first += piece) {
      size_t count = std::min(piece, tokens.size() - first);
      bamba_batch_item all = item(sequence, std::span(tokens).subspan(first, count), BAMBA_LOGITS_ALL);
      session.run({&all, 1});
      ASSERT_EQ(session.logits(0).size(), count * vocab);
      for (size_t t = 0; t < count; ++t)
        EXPECT_EQ(row(session.logits(0), t), expected[first + t]) << "piece " << piece << " token " << first + t;
      EXPECT_EQ(session.greedy(0), argmax(expected[first + count - 1]));
    }
    EXPECT_EQ(session.length(sequence), tokens.size());
    session.free(sequence);
  }
}

TEST_F(SessionTest, LogitsOfTheLastToken) {
  Session session(*model, {});
  Numbers tokens = someTokens(2, 13);
  bamba_batch_item last = item(session.create(), tokens);
  session.run({&last, 1});
  ASSERT_EQ(session.logits(0).size(), size_t{vocab});
  EXPECT_EQ(row(session.logits(0), 0), expectedLogits(tokens).back());
  EXPECT_EQ(session.greedy(0), argmax(expectedLogits(tokens).back()));
}

TEST_F(SessionTest, MixedBatches) {
  for (unsigned threads : {1u, 2u, 3u}) {
    Session session(*model, {.slots = 7, .threads = threads, .pages = 0});
    ASSERT_NO_FATAL_FAILURE(checkMixedBatches(session));
  }
}

TEST_F(SessionTest, AStepHasMorePiecesThanADecodeStep) {
  Session session(*model, {.slots = 7, .threads = 1, .pages = 0});
  std::vector<Numbers> texts, last;
  std::vector<bamba_batch_item> items;
  for (size_t i = 0; i < 7; ++i) {
    texts.push_back(someTokens(static_cast<unsigned>(20 + i), 5));
    size_t rest = i == 3 ? 2 : 1;
    Numbers first(texts[i].begin(), texts[i].end() - static_cast<ptrdiff_t>(rest));
    last.emplace_back(texts[i].end() - static_cast<ptrdiff_t>(rest), texts[i].end());
    bamba_batch_item begin = item(session.create(), first);
    session.run({&begin, 1});
    items.push_back(begin);
  }
  for (size_t i = 0; i < items.size(); ++i)
    items[i] = item(items[i].sequence, last[i]);
  Recorder recorder;
  session.run(items);
  ASSERT_EQ(Recorder::records.size(), 1u);
  for (size_t i = 0; i < items.size(); ++i)
    EXPECT_EQ(row(session.logits(i), 0), expectedLogits(texts[i]).back()) << i;
}

TEST_F(SessionTest, GivesKernelsWhatTheContractSays) {
  Session session(*model, {.slots = 5, .threads = 1, .pages = 0});
  bamba_sequence a = session.create(), b = session.create(), c = session.create();
  Numbers six = someTokens(1, 6), two = {3, 4}, three = {3, 4, 8}, one = {5};
  Recorder recorder;
  bamba_batch_item first[] = {item(a, six), item(b, one), item(c, two)};
  session.run(first);
  bamba_batch_item second[] = {item(a, one), item(b, three), item(c, one)};
  session.run(second);
  auto &steps = Recorder::records;
  ASSERT_EQ(steps.size(), 3u);

  auto padded = [](Numbers start, size_t size) {
    start.resize(size, -1);
    return start;
  };
  // Pages are handed out in the order of the items: a has 0 and 1, b has 2, c has 3.
  auto pagesOf = [](const Recorder::Record &step, int piece) {
    return Numbers(step.pages.begin() + ptrdiff_t{piece} * maxPages,
                   step.pages.begin() + ptrdiff_t{piece + 1} * maxPages);
  };
  auto number = [](bamba_sequence sequence) { return static_cast<int>(sequence); };
  EXPECT_EQ(steps[0].chunk, 8);
  EXPECT_EQ(Numbers(steps[0].tokens.begin(), steps[0].tokens.begin() + 6), six);
  EXPECT_EQ(Numbers(steps[0].tokens.begin() + 6, steps[0].tokens.end()), two);
  EXPECT_EQ(steps[0].positions, (Numbers{0, 1, 2, 3, 4, 5, 0, 1}));
  EXPECT_EQ(steps[0].pieces, (Numbers{0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(steps[0].starts, (Numbers{0, 6, 8, 8, 8, 8, 8, 8, 8}));
  EXPECT_EQ(steps[0].slots, (Numbers{number(a), number(c), 5, 5, 5, 5, 5, 5}));
  EXPECT_EQ(pagesOf(steps[0], 0), padded({0, 1}, maxPages));
  EXPECT_EQ(pagesOf(steps[0], 1), padded({3}, maxPages));

  EXPECT_EQ(steps[1].tokens, Numbers{5});
  EXPECT_EQ(steps[1].starts, (Numbers{0, 1}));
  EXPECT_EQ(steps[1].pages, padded({2}, maxPages)) << "nothing of a longer row is left";

  // Single tokens come first.
  EXPECT_EQ(steps[2].chunk, 8);
  EXPECT_EQ(steps[2].tokens, (Numbers{5, 5, 3, 4, 8, 0, 0, 0}));
  EXPECT_EQ(steps[2].positions, (Numbers{6, 2, 1, 2, 3, -1, -1, -1}));
  EXPECT_EQ(steps[2].pieces, (Numbers{0, 1, 2, 2, 2, 0, 0, 0}));
  EXPECT_EQ(steps[2].starts, (Numbers{0, 1, 2, 5, 5, 5, 5, 5, 5}));
  EXPECT_EQ(steps[2].slots, (Numbers{number(a), number(c), number(b), 5, 5, 5, 5, 5}));
}

TEST_F(SessionTest, DecodesWithPadding) {
  Session session(*model, {.slots = 5, .threads = 1, .pages = 0});
  Numbers one = {5};
  bamba_batch_item items[] = {item(session.create(), one), item(session.create(), one), item(session.create(), one)};
  Recorder recorder;
  session.run(items);
  ASSERT_EQ(Recorder::records.size(), 1u);
  const Recorder::Record &step = Recorder::records.front();
  EXPECT_EQ(step.batch, 4);
  EXPECT_EQ(step.tokens, (Numbers{5, 5, 5, 0}));
  EXPECT_EQ(step.positions, (Numbers{0, 0, 0, -1}));
  EXPECT_EQ(step.slots.back(), 5);
  EXPECT_EQ(step.starts, (Numbers{0, 1, 2, 3, 3}));
}

TEST_F(SessionTest, PagesAreHandedOutAndGivenBack) {
  Session session(*model, {.slots = 3, .threads = 1, .pages = 5});
  bamba_sequence a = session.create(), b = session.create();
  Numbers twelve = someTokens(1, 12), five = someTokens(2, 5), four = someTokens(3, 4), one = {1};
  bamba_batch_item batch[] = {item(a, twelve), item(b, five)}; // 3 pages and 2
  session.run(batch);

  bamba_batch_item more = item(a, one);
  expectFailure(failureOf([&] { session.run({&more, 1}); }), BAMBA_EXHAUSTED, {"1 free KV pages", "0 of 5"});
  EXPECT_EQ(session.length(a), 12u);
  bamba_batch_item fits = item(b, std::span(four).first(3)); // to the end of b's second page
  session.run({&fits, 1});

  session.free(b);
  bamba_sequence c = session.create();
  bamba_batch_item tooMany = item(c, twelve);
  expectFailure(failureOf([&] { session.run({&tooMany, 1}); }), BAMBA_EXHAUSTED, {"expected 3 free", "found 2 of 5"});
  EXPECT_EQ(session.length(c), 0u);
  bamba_batch_item again[] = {item(c, four), item(a, one)};
  session.run(again);
  EXPECT_EQ(row(session.logits(0), 0), expectedLogits(four).back()) << "a page that was used before";
  Numbers all = twelve;
  all.push_back(1);
  EXPECT_EQ(row(session.logits(1), 0), expectedLogits(all).back()) << "after a batch that was refused";
}

TEST_F(SessionTest, ABatchThatIsRefusedChangesNothing) {
  Session session(*model, {.slots = 2, .threads = 1, .pages = 0});
  bamba_sequence a = session.create(), b = session.create();
  Numbers start = someTokens(4, 6), next = {7};
  bamba_batch_item good = item(a, start);
  session.run({&good, 1});
  auto refuse = [&](std::vector<bamba_batch_item> items, bamba_status status, const std::vector<std::string> &parts) {
    expectFailure(failureOf([&] { session.run(items); }), status, parts);
    EXPECT_EQ(session.length(a), 6u);
    EXPECT_EQ(session.length(b), 0u);
    EXPECT_EQ(row(session.logits(0), 0), expectedLogits(start).back());
  };
  Numbers tooLarge = {1, vocab}, negative = {1, 2, -1}, tooLong = someTokens(1, maxContext - 5);
  refuse({}, BAMBA_INVALID_ARGUMENT, {"at least one item"});
  refuse({item(a, next), item(b, next), item(a, next)}, BAMBA_INVALID_ARGUMENT, {"at most 2 items", "found 3"});
  refuse({item(b, next), item(b, next)}, BAMBA_INVALID_ARGUMENT, {"item 1", "sequence 1 again"});
  refuse({item(a, next), item(9, next)}, BAMBA_NOT_FOUND, {"found the number 9"});
  refuse({item(a, {})}, BAMBA_INVALID_ARGUMENT, {"item 0", "at least one token", "none"});
  bamba_batch_item unknownLogits = item(a, next); // a C caller can pass any number
  std::memset(&unknownLogits.logits, 3, sizeof(unknownLogits.logits));
  auto choose = [&](const std::vector<uint32_t> &chosen) {
    bamba_batch_item some = item(a, start, BAMBA_LOGITS_CHOSEN);
    some.chosen = chosen.data(), some.num_chosen = static_cast<uint32_t>(chosen.size());
    return some;
  };
  const std::vector<uint32_t> descending = {1, 3, 3}, beyond = {0, 6}, none;
  bamba_batch_item unasked = choose(beyond);
  unasked.logits = BAMBA_LOGITS_ALL;
  refuse({choose(descending)}, BAMBA_INVALID_ARGUMENT, {"chosen 2", "4 to 5", "found 3"});
  refuse({choose(beyond)}, BAMBA_INVALID_ARGUMENT, {"chosen 1", "1 to 5", "found 6"});
  refuse({choose(none)}, BAMBA_INVALID_ARGUMENT, {"chosen", "at least one token", "none"});
  refuse({unasked}, BAMBA_INVALID_ARGUMENT, {"chosen", "without BAMBA_LOGITS_CHOSEN", "2 tokens"});
  refuse({{a, 1, nullptr, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr}}, BAMBA_INVALID_ARGUMENT, {"item 0", "null"});
  refuse({unknownLogits}, BAMBA_INVALID_ARGUMENT, {"item 0", "logits", "50529027"});
  refuse({item(b, next), item(a, tooLarge)}, BAMBA_OUT_OF_RANGE, {"item 1", "token 1", "0 to 10", "found 11"});
  refuse({item(a, negative)}, BAMBA_OUT_OF_RANGE, {"item 0", "token 2", "found -1"});
  refuse({item(a, tooLong)}, BAMBA_OUT_OF_RANGE, {"item 0", "at most 34", "6 of 40", "found 35"});

  bamba_batch_item both[] = {item(a, next), item(b, next)};
  session.run(both);
  start.push_back(7);
  EXPECT_EQ(row(session.logits(0), 0), expectedLogits(start).back());
  EXPECT_EQ(row(session.logits(1), 0), expectedLogits(next).back());
}

TEST_F(SessionTest, HoldsExactlyMaxContextTokens) {
  Session session(*model, {});
  Numbers tokens = someTokens(5, maxContext);
  bamba_batch_item full = item(session.create(), tokens);
  session.run({&full, 1});
  EXPECT_EQ(row(session.logits(0), 0), expectedLogits(tokens).back());
}

TEST_F(SessionTest, ReusedSlotsStartEmpty) {
  Session session(*model, {.slots = 1, .threads = 1, .pages = 0});
  Numbers tokens = someTokens(6, 9);
  for (int i = 0; i < 3; ++i) {
    bamba_sequence sequence = session.create();
    bamba_batch_item run = item(sequence, tokens);
    session.run({&run, 1});
    EXPECT_EQ(row(session.logits(0), 0), expectedLogits(tokens).back());
    session.reset(sequence);
    EXPECT_EQ(session.length(sequence), 0u);
    session.run({&run, 1});
    EXPECT_EQ(row(session.logits(0), 0), expectedLogits(tokens).back());
    session.free(sequence);
  }
}

TEST_F(SessionTest, SlotsRunOut) {
  Session session(*model, {.slots = 2, .threads = 1, .pages = 0});
  bamba_sequence a = session.create();
  session.create();
  expectFailure(failureOf([&] { session.create(); }), BAMBA_EXHAUSTED, {"all 2 in use"});
  session.free(a);
  expectFailure(failureOf([&] { session.free(a); }), BAMBA_NOT_FOUND, {});
  expectFailure(failureOf([&] { session.length(a); }), BAMBA_NOT_FOUND, {});
  EXPECT_EQ(session.create(), a);
}

TEST_F(SessionTest, ResultsNeedARun) {
  Session session(*model, {});
  expectFailure(failureOf([&] { session.logits(0); }), BAMBA_NOT_READY, {"run none"});
  Numbers tokens = {1};
  bamba_batch_item run = item(session.create(), tokens);
  session.run({&run, 1});
  expectFailure(failureOf([&] { session.logits(1); }), BAMBA_INVALID_ARGUMENT, {"from 0 to 0, found 1"});
  expectFailure(failureOf([&] { session.greedy(1); }), BAMBA_INVALID_ARGUMENT, {"from 0 to 0, found 1"});
}

TEST_F(SessionTest, SizesThatCannotBe) {
  auto create = [&](SessionSize size) { return failureOf([&] { Session session(*model, size); }); };
  expectFailure(create({.slots = 0xFFFFFFFF, .threads = 1, .pages = 1}), BAMBA_INVALID_ARGUMENT, {"slots"});
  expectFailure(create({.slots = 1, .threads = 1, .pages = uint64_t{1} << 40}), BAMBA_INVALID_ARGUMENT, {"pages"});
  expectFailure(create({.slots = 1, .threads = 100000, .pages = 1}), BAMBA_INVALID_ARGUMENT, {"threads"});

  bamba_rt_state huge[] = {toyTable.states[0], toyTable.states[1]};
  bamba_rt_model table = toyTable;
  table.states = huge;
  std::unique_ptr<Model> large = loadToy(table);
  for (uint64_t bytes : {uint64_t{1} << 60, uint64_t{1} << 63}) {
    huge[0].item_bytes = bytes;
    Failure failure = failureOf([&] { Session session(*large, {.slots = 3, .threads = 1, .pages = 1}); });
    expectFailure(failure, BAMBA_OUT_OF_MEMORY, {"out of memory", "state"});
  }
}

TEST_F(SessionTest, TwoSessionsOfAModelRunInParallel) {
  auto work = [&](unsigned seed) {
    Session session(*model, {.slots = 2, .threads = 2, .pages = 0});
    Numbers tokens = someTokens(seed, 30);
    auto expected = expectedLogits(tokens);
    for (int i = 0; i < 20; ++i) {
      bamba_sequence sequence = session.create();
      for (size_t t = 0; t < tokens.size(); ++t) {
        bamba_batch_item next = item(sequence, std::span(tokens).subspan(t, 1));
        session.run({&next, 1});
        ASSERT_EQ(row(session.logits(0), 0), expected[t]);
      }
      session.free(sequence);
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
}

TEST(Results, PaddingRowsHaveRoom) {
  // A row of this vocabulary is whole pages, and what follows the rows cannot be touched.
  bamba_rt_model table = toyTable;
  table.vocab_size = 1 << 14;
  CpuDevice device(1);
  Results results(table, 1, maxRows, device);
  auto *rows = const_cast<float *>(results.logits(0, 1));
  for (size_t i = 0; i < size_t{maxRows} * table.vocab_size; ++i)
    rows[i] = 1;
  EXPECT_EQ(results.logits(0, 1)[table.vocab_size], 1);
}

TEST(NotANumber, IsFoundAndOtherSequencesGoOn) {
  TemporaryFolder folder;
  std::vector<TestTensor> tensors = toyTensors();
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::memcpy(tensors[0].bytes.data() + size_t{3} * dim * sizeof(float), &nan, sizeof(nan)); // of token 3
  std::memcpy(tensors[0].bytes.data() + size_t{4} * dim * sizeof(float), &infinity, sizeof(infinity));
  folder.write("model.safetensors", safetensors(tensors));
  Model model = openToy();
  model.load(folder.path(), {});
  Session session(model, {.slots = 4, .threads = 1});
  Numbers bad = {1, 3}, good = {1, 2}, one = {3}, large = {1, 4};
  bamba_batch_item items[] = {item(session.create(), bad), item(session.create(), good), item(session.create(), one),
                              item(session.create(), large)};
  session.run(items);
  expectFailure(failureOf([&] { session.greedy(0); }), BAMBA_NOT_A_NUMBER, {"item 0", "numbers"});
  expectFailure(failureOf([&] { session.greedy(2); }), BAMBA_NOT_A_NUMBER, {"item 2"});
  EXPECT_EQ(session.greedy(1), argmax(expectedLogits(good).back()));
  session.logits(0); // can be read
  session.run({&items[1], 1});
  good.insert(good.end(), {1, 2});
  EXPECT_EQ(session.greedy(0), argmax(expectedLogits(good).back()));
}
