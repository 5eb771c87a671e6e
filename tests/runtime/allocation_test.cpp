// A step that decodes must not allocate: every operator new of the test program is counted.

#include "runtime/session/session.h"
#include "tests/runtime/toy_model.h"
#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<uint64_t> allocations{0};
} // namespace

void *operator new(std::size_t size) {
  ++allocations;
  if (void *memory = std::malloc(size))
    return memory;
  throw std::bad_alloc();
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

using namespace bambac::rt;
using namespace bambac::rt::toy;

TEST(Allocation, StepsTakeNoMemory) {
  std::unique_ptr<Model> model = loadToy();
  Session session(*model, {.slots = 5, .threads = 2, .pages = 0});
  const int32_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<bamba_batch_item> items;
  items.reserve(5);
  for (int i = 0; i < 5; ++i)
    items.push_back({session.create(), 1, tokens, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr});
  bamba_sequence last = items.back().sequence;
  uint64_t before = allocations;
  for (int step = 0; step < 20; ++step) {
    session.run(items);
    session.greedy(0);
  }
  bamba_batch_item prompt = {last, 9, tokens, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
  session.run({&prompt, 1});
  session.reset(last);
  session.free(last);
  session.free(session.fork(items[0].sequence));
  EXPECT_EQ(allocations, before);
}
