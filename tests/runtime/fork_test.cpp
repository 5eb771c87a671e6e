// Children that a process forks: what they can do with the models and sessions that they inherit.

#include "runtime/support/own_process.h"
#include "tests/runtime/cuda_toy.h"
#include "tests/runtime/session_checks.h"
#include <sys/wait.h>
#include <unistd.h>

using namespace bambac::rt;
using namespace bambac::rt::toy;

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/// By default ThreadSanitizer ends a child of a process with threads that starts threads of its own.
extern "C" const char *__tsan_default_options() { return "die_after_fork=0"; } // NOLINT(bugprone-reserved-identifier)
#endif
#endif

namespace {

/// Runs `work` in a forked child. Returns true where it says true and ends as it should; a child that hangs is ended.
template <typename Work> bool inChild(const Work &work) {
  pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(work() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// The greedy token after `tokens` of a new sequence.
int32_t greedyAfter(Session &session, const Numbers &tokens) {
  bamba_sequence sequence = session.create();
  bamba_batch_item next = item(sequence, tokens);
  session.run({&next, 1});
  int32_t token = session.greedy(0);
  session.free(sequence);
  return token;
}

} // namespace

TEST(Fork, AProcessIsToldFromItsChildren) {
  OwnProcess process;
  EXPECT_TRUE(process.isCurrent());
  EXPECT_TRUE(inChild([&] {
    OwnProcess child;
    return !process.isCurrent() && child.isCurrent() &&
           inChild([&] { return !process.isCurrent() && !child.isCurrent(); });
  }));
  EXPECT_TRUE(process.isCurrent());
}

TEST(Fork, AThreadPoolStartsNewHelpersInAChild) {
  ThreadPool pool(4);
  auto sum = [&] {
    std::atomic<uint64_t> sum{0};
    pool.forEach(1000, [&](uint64_t i, unsigned) { sum += i; });
    return sum == 1000 * 999 / 2;
  };
  EXPECT_TRUE(sum());
  EXPECT_TRUE(inChild([&] { return sum() && sum() && inChild(sum); }));
  EXPECT_TRUE(sum());
}

TEST(Fork, HelpersOfAChildRunToo) {
  ThreadPool pool(2);
  EXPECT_TRUE(inChild([&] {
    std::atomic<int> inside{0};
    // Neither index ends before both have begun: the second needs a helper.
    pool.forEach(2, [&](uint64_t, unsigned) {
      ++inside;
      spinUntil([&] { return inside == 2; });
    });
    return true;
  }));
}

TEST(Fork, AChildDestroysWhatItInherits) {
  std::unique_ptr<Model> model = loadToy();
  auto session = std::make_unique<Session>(*model, SessionSize{.slots = 2, .threads = 4});
  Numbers tokens = someTokens(1, 9);
  int32_t expected = argmax(expectedLogits(tokens).back());
  EXPECT_EQ(greedyAfter(*session, tokens), expected);
  EXPECT_TRUE(inChild([&] {
    session.reset();
    model.reset();
    return true;
  }));
  EXPECT_EQ(greedyAfter(*session, tokens), expected);
}

TEST(Fork, AChildGoesOnAndSoDoesItsParent) {
  std::unique_ptr<Model> model = loadToy();
  auto session = std::make_unique<Session>(*model, SessionSize{.slots = 3, .threads = 4});
  Numbers first = someTokens(1, 9), second = someTokens(2, 5), both = first;
  both.insert(both.end(), second.begin(), second.end());
  bamba_sequence sequence = session->create();
  bamba_batch_item start = item(sequence, first), next = item(sequence, second);
  session->run({&start, 1});
  auto goOn = [&] {
    session->run({&next, 1});
    bool right = session->greedy(0) == argmax(expectedLogits(both).back());
    Session another(*model, {.slots = 1, .threads = 3});
    right = right && greedyAfter(another, first) == argmax(expectedLogits(first).back());
    session.reset();
    return right;
  };
  EXPECT_TRUE(inChild(goOn));
  EXPECT_TRUE(goOn());
}

class CudaForkTest : public CudaTest {};

TEST_F(CudaForkTest, AChildOnlyClosesWhatIsOnADevice) {
  std::unique_ptr<Model> model = toy.load();
  auto session = std::make_unique<Session>(*model, SessionSize{.slots = 2});
  Numbers tokens = someTokens(1, 5);
  bamba_sequence sequence = session->create();
  bamba_batch_item next = item(sequence, tokens);
  session->run({&next, 1});
  EXPECT_TRUE(inChild([&] {
    FakeCuda before = fake;
    bool refused = true;
    auto refuse = [&](auto call) {
      Failure failure = failureOf(call);
      refused = refused && failure.status == BAMBA_UNSUPPORTED && failure.message.find("forked") != std::string::npos;
    };
    std::vector<std::byte> blob(1000);
    refuse([&] { session->run({&next, 1}); });
    refuse([&] { session->greedy(0); });
    refuse([&] { session->logits(0); });
    refuse([&] { session->create(); });
    refuse([&] { session->fork(sequence); });
    refuse([&] { session->reset(sequence); });
    refuse([&] { session->free(sequence); });
    refuse([&] { session->length(sequence); });
    refuse([&] { session->save(sequence, blob); });
    refuse([&] { session->restore(sequence, blob); });
    refuse([&] { Session another(*model, {.slots = 1}); });
    session.reset();
    model.reset();
    return refused && fake.liveBytes == before.liveBytes && fake.liveObjects == before.liveObjects;
  }));
  EXPECT_EQ(session->greedy(0), argmax(expectedLogits(tokens).back()));
}
