// Sessions on a CUDA device, with a driver that only records and computes on the host.

#include "tests/runtime/cuda_toy.h"
#include "tests/runtime/session_checks.h"

#if __has_include(<cuda.h>)
#include <cuda.h>
static_assert(sizeof(CUlaunchConfig) == sizeof(bambac::rt::cuda::LaunchConfig));
static_assert(offsetof(CUlaunchConfig, hStream) == offsetof(bambac::rt::cuda::LaunchConfig, stream));
static_assert(offsetof(CUlaunchConfig, numAttrs) == offsetof(bambac::rt::cuda::LaunchConfig, numAttributes));
static_assert(sizeof(CUlaunchAttribute) == sizeof(bambac::rt::cuda::LaunchAttribute));
static_assert(offsetof(CUlaunchAttribute, value) == offsetof(bambac::rt::cuda::LaunchAttribute, value));
static_assert(sizeof(CUDA_MEMCPY2D) == sizeof(bambac::rt::cuda::Copy2d));
static_assert(offsetof(CUDA_MEMCPY2D, dstPitch) == offsetof(bambac::rt::cuda::Copy2d, targetPitch));
static_assert(sizeof(CUtensorMap) == sizeof(bambac::rt::cuda::TensorMap));
static_assert(CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION == bambac::rt::cuda::launchClusterDimension);
static_assert(CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION ==
              bambac::rt::cuda::launchProgrammaticSerialization);
static_assert(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 == bambac::rt::cuda::tensorBfloat16);
static_assert(CU_TENSOR_MAP_DATA_TYPE_FLOAT32 == bambac::rt::cuda::tensorFloat32);
static_assert(CU_EVENT_RECORD_EXTERNAL == bambac::rt::cuda::eventRecordExternal);
static_assert(CU_TENSOR_MAP_SWIZZLE_128B == 3);
static_assert(CU_TENSOR_MAP_L2_PROMOTION_L2_256B == bambac::rt::cuda::tensorPromote256);
static_assert(CU_DEVICE_ATTRIBUTE_MAX_PITCH == bambac::rt::cuda::attributeMaxPitch);
static_assert(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN == bambac::rt::cuda::attributeSharedBytesOptin);
static_assert(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES == bambac::rt::cuda::functionMaxDynamicShared);
static_assert(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED == bambac::rt::cuda::functionNonPortableCluster);
#endif

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

using Bytes = std::vector<std::byte>;

/// Destroys its stream before the machine is looked at.
Bytes save(const Session &session, bamba_sequence sequence) {
  Bytes blob(session.savedBytes(sequence));
  session.save(sequence, blob);
  return blob;
}

} // namespace

TEST_F(CudaTest, TellsWhereItRuns) {
  std::unique_ptr<Model> model = toy.load();
  bamba_model_info info = {};
  model->describe(info);
  EXPECT_STREQ(info.target, "sm_90a");
  EXPECT_STREQ(info.device, "cuda:0");
  EXPECT_STREQ(info.device_name, "Fake Card");
}

TEST_F(CudaTest, AnswersTheSameInOnePieceInChunksAndTokenByToken) {
  std::unique_ptr<Model> model = toy.load();
  Numbers tokens = someTokens(1, 39);
  auto expected = expectedLogits(tokens);
  Session session(*model, {.slots = 1});
  for (bamba_logits which : {BAMBA_LOGITS_ALL, BAMBA_LOGITS_LAST})
    for (size_t piece : {39u, 23u, 10u, 8u, 3u, 1u}) {
      bamba_sequence sequence = session.create();
      for (size_t first = 0; first < tokens.size(); first += piece) {
        size_t count = std::min(piece, tokens.size() - first);
        bamba_batch_item next = item(sequence, std::span(tokens).subspan(first, count), which);
        session.run({&next, 1});
        size_t rows = which == BAMBA_LOGITS_ALL ? count : 1;
        EXPECT_EQ(session.greedy(0), argmax(expected[first + count - 1]));
        ASSERT_EQ(session.logits(0).size(), rows * vocab);
        for (size_t r = 0; r < rows; ++r)
          EXPECT_EQ(row(session.logits(0), r), expected[first + count - rows + r]) << piece << " " << first << " " << r;
      }
      session.free(sequence);
    }
}

TEST_F(CudaTest, MixedBatches) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 7});
  checkMixedBatches(session);
}

TEST_F(CudaTest, RecordsEachEntryOnce) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 4});
  EXPECT_EQ(fake.captures, static_cast<int>(toyTable.num_entries));
  EXPECT_EQ(fake.kernelLaunches, static_cast<int>(toyTable.num_launches));
  EXPECT_EQ(fake.programmaticLaunches, static_cast<int>(toyTable.num_launches - toyTable.num_entries));
  bamba_sequence sequence = session.create();
  Numbers tokens = someTokens(1, 20);
  for (int32_t &token : tokens) {
    bamba_batch_item next = item(sequence, {&token, 1});
    session.run({&next, 1});
  }
  EXPECT_EQ(fake.graphLaunches, 20);
  EXPECT_EQ(fake.captures, static_cast<int>(toyTable.num_entries));
}

TEST_F(CudaTest, AStepCostsTwoTransfersAndOneWait) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 1});
  bamba_sequence sequence = session.create();
  Numbers tokens = {1, 2};
  bamba_batch_item first = item(sequence, tokens);
  session.run({&first, 1});
  FakeCuda before = fake;
  bamba_batch_item next = item(sequence, std::span(tokens).first(1));
  session.run({&next, 1});
  session.greedy(0);
  session.greedy(0);
  EXPECT_EQ(fake.uploadsOfRows - before.uploadsOfRows, 1) << "all inputs but the page table together";
  EXPECT_EQ(fake.uploads, before.uploads) << "the page table has not changed";
  EXPECT_EQ(fake.downloads - before.downloads, 1) << "greedy tokens, no logits";
  EXPECT_EQ(fake.copies, before.copies);
  EXPECT_EQ(fake.synchronizations - before.synchronizations, 1);
}

TEST_F(CudaTest, ChunksOfAPromptFollowEachOtherWithoutAWait) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 1});
  Numbers tokens = someTokens(3, maxContext); // more chunks than staging blocks
  bamba_batch_item prompt = item(session.create(), tokens);
  FakeCuda before = fake;
  session.run({&prompt, 1});
  EXPECT_EQ(fake.graphLaunches - before.graphLaunches, 5);
  EXPECT_EQ(fake.synchronizations - before.synchronizations, 1);
  EXPECT_EQ(fake.uploads - before.uploads, 1) << "the page table once";
  EXPECT_EQ(fake.copies, before.copies);
  EXPECT_EQ(row(session.logits(0), 0), expectedLogits(tokens).back());
}

TEST_F(CudaTest, SequencesAreForkedSavedAndRestored) {
  std::unique_ptr<Model> model = toy.load(), onCpu = loadToy();
  Session session(*model, {.slots = 3, .pages = 30}), host(*onCpu, {.slots = 3, .threads = 1, .pages = 30});
  Numbers past = someTokens(1, 10), more = someTokens(2, 9), all = past;
  all.insert(all.end(), more.begin(), more.end());
  auto append = [](Session &to, bamba_sequence sequence, const Numbers &tokens) {
    bamba_batch_item next = item(sequence, tokens);
    to.run({&next, 1});
    return row(to.logits(0), 0);
  };
  bamba_sequence a = session.create(), onHost = host.create();
  append(session, a, past);
  append(host, onHost, past);
  Bytes blob = save(session, a);
  EXPECT_EQ(blob, save(host, onHost)) << "the same bytes on every device";
  bamba_sequence b = session.fork(a);
  EXPECT_EQ(append(session, b, more), expectedLogits(all).back());
  EXPECT_EQ(append(session, a, more), expectedLogits(all).back());
  session.restore(b, blob);
  EXPECT_EQ(append(session, b, more), expectedLogits(all).back());
  session.reset(b);
  EXPECT_EQ(append(session, b, past), expectedLogits(past).back());
  EXPECT_EQ(save(session, b), blob) << "whatever was in slot and pages before";
  session.free(a);
  bamba_sequence c = session.create();
  EXPECT_EQ(append(session, c, past), expectedLogits(past).back());
  EXPECT_EQ(save(session, c), blob);
}

TEST_F(CudaTest, SlotsAreClearedWhenABatchUsesThemAndNeighboursTogether) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 4});
  Numbers tokens = someTokens(5, pageTokens); // no page needs to be cleared, since they fill it
  auto runAll = [&] {
    bamba_batch_item items[] = {item(0, tokens), item(1, tokens), item(2, tokens), item(3, tokens)};
    int before = fake.clears;
    session.run(items);
    for (size_t i = 0; i < std::size(items); ++i)
      EXPECT_EQ(session.greedy(i), argmax(expectedLogits(tokens).back()));
    return fake.clears - before;
  };
  auto again = [&](std::initializer_list<bamba_sequence> gone) {
    for (bamba_sequence sequence : gone)
      session.free(sequence);
    int before = fake.clears;
    for (size_t i = 0; i < gone.size(); ++i)
      session.create();
    EXPECT_EQ(fake.clears, before);
  };
  for (int i = 0; i < 4; ++i)
    session.create();
  EXPECT_EQ(runAll(), 0) << "new memory is zero";
  again({0, 1, 2, 3});
  EXPECT_EQ(runAll(), 1);
  session.reset(2);
  again({0, 1, 3});
  EXPECT_EQ(runAll(), 1);
  Bytes blob = save(session, 1);
  again({3, 1, 0, 2});
  session.restore(1, blob); // in place of what was there
  bamba_batch_item items[] = {item(0, tokens), item(1, tokens), item(3, tokens)};
  int before = fake.clears;
  session.run(items);
  EXPECT_EQ(fake.clears - before, 2) << "0 and 3, which are no neighbours";
}

TEST_F(CudaTest, ACallersStreamIsNotWaitedFor) {
  std::unique_ptr<Model> model = toy.load();
  {
    std::shared_ptr<const cuda::Context> context = openFakeDevice();
    cuda::Stream stream = context->makeStream();
    Session session(*model, {.slots = 1, .threads = 0, .pages = 0, .stream = stream.get()});
    Numbers tokens = someTokens(3, 13);
    bamba_batch_item prompt = item(session.create(), tokens);
    int before = fake.synchronizations;
    session.run({&prompt, 1});
    EXPECT_EQ(fake.synchronizations, before);
    std::fill(tokens.begin(), tokens.end(), 0); // the caller's array is free again
    EXPECT_EQ(session.greedy(0), argmax(expectedLogits(someTokens(3, 13)).back()));
    EXPECT_EQ(row(session.logits(0), 0), expectedLogits(someTokens(3, 13)).back());
  }
}

TEST_F(CudaTest, FailuresAreTold) {
  {
    std::unique_ptr<Model> model = toy.load();
    Session session(*model, {.slots = 1});
    Numbers tokens = {1};
    bamba_batch_item next = item(session.create(), tokens);
    fake.failLaunch = 700;
    expectFailure(failureOf([&] { session.run({&next, 1}); }), BAMBA_DEVICE_ERROR,
                  {"cuda:0 (Fake Card)", "decode_b1", "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access"});
    expectFailure(failureOf([&] { session.greedy(0); }), BAMBA_NOT_READY, {});
    fake.failLaunch = 0;
    fake.deviceBytes = fake.liveBytes + 1000;
    expectFailure(failureOf([&] { Session another(*model, {.slots = 1000}); }), BAMBA_OUT_OF_MEMORY,
                  {"out of memory: state of 48048 bytes on cuda:0 (Fake Card), which has 1000 of"});
  }
  fake.deviceBytes = 100;
  expectFailure(failureOf([&] { toy.load(); }), BAMBA_OUT_OF_MEMORY, {"the weights of", "bytes on cuda:0"});
  fake.failLoad = 222;
  expectFailure(failureOf([&] { toy.load(); }), BAMBA_UNSUPPORTED,
                {"kernel embed", "sm_90a", "found one for CUDA 12.4"});
}

TEST_F(CudaTest, FailuresOfTheDeviceTakeNoSlotAndNoPage) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 2, .pages = 4});
  Numbers tokens = someTokens(1, 7), more = someTokens(2, 8);
  bamba_sequence a = session.create();
  bamba_batch_item prompt = item(a, tokens); // 2 of 4 pages
  session.run({&prompt, 1});
  auto failing = [&](int &result, auto call) {
    result = 700;
    for (int i = 0; i < 3; ++i) // more often than there are slots
      expectFailure(failureOf(call), BAMBA_DEVICE_ERROR, {"CUDA_ERROR_ILLEGAL_ADDRESS"});
    result = 0;
  };
  failing(fake.failCopy, [&] { session.fork(a); });
  bamba_sequence b = session.fork(a); // needs the other slot and the other pages
  session.free(b);
  b = session.create();

  bamba_batch_item next = item(b, more);
  failing(fake.failClear, [&] { session.run({&next, 1}); }); // the slot was used
  failing(fake.failLaunch, [&] { session.run({&next, 1}); });
  EXPECT_EQ(session.length(b), 0u);
  session.reset(b);
  session.run({&next, 1});
  EXPECT_EQ(session.greedy(0), argmax(expectedLogits(more).back()));

  std::vector<std::byte> blob(session.savedBytes(a));
  session.save(a, blob);
  failing(fake.failUpload, [&] { session.restore(b, blob); });
  session.restore(b, blob);
  bamba_batch_item one = item(b, std::span(more).first(1));
  session.run({&one, 1});
  tokens.push_back(more[0]);
  EXPECT_EQ(session.greedy(0), argmax(expectedLogits(tokens).back()));
}

TEST_F(CudaTest, ASessionReservesLogitsForItsSlots) {
  toy.model.vocab_size = 1 << 16;
  constexpr int64_t rowBytes = int64_t{4} << 16;
  std::unique_ptr<Model> model = toy.load();
  for (int64_t slots : {1, 2, 4}) { // a batch of each is decoded at once
    int64_t before = fake.liveBytes;
    Session session(*model, {.slots = static_cast<uint32_t>(slots), .pages = 3});
    // Of the step, which may be a chunk that keeps some of its eight rows, and of the results.
    int64_t bytes = fake.liveBytes - before, rows = 8 + slots;
    EXPECT_GE(bytes, rows * rowBytes);
    EXPECT_LT(bytes, (rows + 1) * rowBytes) << "states, inputs and the workspace take less than a row";
  }
}

TEST_F(CudaTest, LogitsOfAllTokensTakeTheirMemoryWhenTheyAreWanted) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 1});
  int64_t before = fake.liveBytes;
  Numbers tokens = someTokens(1, 9);
  bamba_sequence sequence = session.create();
  bamba_batch_item last = item(sequence, tokens), all = item(sequence, tokens, BAMBA_LOGITS_ALL);
  session.run({&last, 1});
  EXPECT_EQ(fake.liveBytes, before);
  session.reset(sequence);
  session.run({&all, 1});
  EXPECT_GT(fake.liveBytes, before);
  auto expected = expectedLogits(tokens);
  for (size_t i = 0; i < tokens.size(); ++i)
    EXPECT_EQ(row(session.logits(0), i), expected[i]);
  EXPECT_EQ(session.greedy(0), argmax(expected.back()));
  before = fake.liveBytes;
  session.reset(sequence);
  session.run({&all, 1});
  EXPECT_EQ(fake.liveBytes, before) << "once";
  // Where there is no memory for them, the batch is refused and nothing has changed.
  Session other(*model, {.slots = 1});
  bamba_batch_item refused = item(other.create(), tokens, BAMBA_LOGITS_ALL);
  fake.deviceBytes = fake.liveBytes + 100;
  expectFailure(failureOf([&] { other.run({&refused, 1}); }), BAMBA_OUT_OF_MEMORY, {"the logits of"});
  EXPECT_EQ(other.length(refused.sequence), 0u);
  fake.deviceBytes = int64_t{1} << 30;
  other.run({&refused, 1});
  EXPECT_EQ(other.greedy(0), argmax(expected.back()));
}

TEST_F(CudaTest, PageTablesAreAsLargeAsTheSessionsPages) {
  toy.model.max_context = 1 << 26; // a table of 64 MiB for each sequence
  toy.model.max_pages = toy.model.max_context / pageTokens;
  std::unique_ptr<Model> model = toy.load();
  int64_t before = fake.liveBytes;
  Session session(*model, {.slots = 1, .pages = 100});
  EXPECT_LT(fake.liveBytes - before, 65 << 20) << "one table on the device, and lists of 100 pages on the host";
}

TEST_F(CudaTest, ProfilesOneKernelAtATime) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 1});
  bamba_sequence sequence = session.create();
  Numbers tokens = someTokens(1, 5);
  bamba_batch_item next = item(sequence, tokens);
  int programmatic = fake.programmaticLaunches;
  std::vector<bamba_launch_time> times;
  session.profile({&next, 1}, 3, [&](const bamba_launch_time &time) { times.push_back(time); });
  ASSERT_FALSE(times.empty());
  EXPECT_EQ(fake.programmaticLaunches, programmatic); // each waits for the one before
  EXPECT_EQ(fake.graphLaunches % 4, 0);               // once to warm up, three times to measure
  // The fake device takes 1 ms for an event and 10 ms for a launch; the events are taken off.
  for (const bamba_launch_time &time : times)
    EXPECT_NEAR(time.seconds, 0.010, 1e-6);
  EXPECT_EQ(session.length(sequence), 5u);

  // The graphs of every day are as they were.
  session.reset(sequence);
  session.run({&next, 1});
  EXPECT_EQ(session.greedy(0), argmax(expectedLogits(tokens).back()));
}

TEST_F(CudaTest, FallsBackToTheProcessor) {
  fake.major = 8;
  bamba_rt_library both = toy.library(true), cudaOnly = toy.library();
  Model model = openModel(both, nullptr, fakeCudaLibrary);
  EXPECT_STREQ(model.table().target, "cpu");
  expectFailure(failureOf([&] { openModel(cudaOnly, nullptr, fakeCudaLibrary); }), BAMBA_UNSUPPORTED,
                {"expected a CUDA device of compute capability 9.0, found cuda:0 (Fake Card) of 8.0"});
  expectFailure(failureOf([&] { openModel(cudaOnly, nullptr, "/nonexistent/libcuda.so.1"); }), BAMBA_UNSUPPORTED,
                {"capability 9.0, found none: no CUDA driver: /nonexistent/libcuda.so.1: cannot open"});
}

TEST_F(CudaTest, LaunchesOfOneFunctionHaveSharedMemoryOfTheirOwn) {
  fake.sharedBytes = 2000;
  toy.code[0].launch.shared_bytes = 2000;
  bamba_rt_cuda_kernel smaller = toy.code[0];
  smaller.launch.shared_bytes = 1000;
  std::vector<bamba_rt_kernel> kernels(toy.model.kernels, toy.model.kernels + toy.model.num_kernels);
  kernels.push_back(kernels[0]);
  kernels.back().cuda = &smaller;
  toy.model.kernels = kernels.data();
  toy.model.num_kernels = static_cast<uint32_t>(kernels.size());
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 1});
  Numbers tokens = someTokens(3, 13);
  bamba_batch_item prompt = item(session.create(), tokens);
  session.run({&prompt, 1});
  EXPECT_EQ(session.greedy(0), argmax(expectedLogits(tokens).back()));
}

TEST_F(CudaTest, CodeThatDoesNotFitIsNotOpened) {
  toy.model.target = "sm_80";
  toy.model.compute = 80;
  toy.model.exact = 0;
  toy.code[1].launch.shared_bytes = 162816;
  fake.major = 8;
  fake.minor = 9;
  fake.sharedBytes = 101376;
  bamba_rt_library both = toy.library(true), cudaOnly = toy.library();
  EXPECT_STREQ(openModel(both, nullptr, fakeCudaLibrary).table().target, "cpu");
  const std::vector<std::string> why = {"found cuda:0 (Fake Card) of 8.9", "the code for sm_80 does not fit",
                                        std::string("kernel ") + toy.model.kernels[1].name,
                                        "162816 bytes of shared memory in a block, the device has 101376",
                                        "compile for sm_89"};
  for (const char *device : {"cuda", "cuda:0"})
    expectFailure(failureOf([&] { openModel(both, device, fakeCudaLibrary); }), BAMBA_UNSUPPORTED, why);
  expectFailure(failureOf([&] { openModel(cudaOnly, nullptr, fakeCudaLibrary); }), BAMBA_UNSUPPORTED, why);
  fake.minor = 0;
  fake.sharedBytes = 166912;
  EXPECT_STREQ(openModel(both, nullptr, fakeCudaLibrary).table().target, "sm_80");
}
