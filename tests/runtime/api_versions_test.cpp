// Callers that were built with an earlier or a later version of bamba.h than the library's.

#include "runtime/include/bamba/bamba.h"
#include "tests/runtime/toy_model.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace bambac::rt::toy;

namespace {

/// Bytes that end where the next page cannot be touched: a library that reads or writes beyond them is stopped.
class ExactBytes {
public:
  explicit ExactBytes(size_t size) : page(static_cast<size_t>(sysconf(_SC_PAGESIZE))), bytes(size) {
    base =
        static_cast<std::byte *>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(mprotect(base + page, page, PROT_NONE), 0);
  }
  ~ExactBytes() { munmap(base, 2 * page); }
  ExactBytes(const ExactBytes &) = delete;
  ExactBytes &operator=(const ExactBytes &) = delete;

  std::byte *data() const { return base + page - bytes; }
  size_t size() const { return bytes; }

  /// The bytes as a struct, of which the first size() are there.
  template <typename Struct> Struct *as() const { return reinterpret_cast<Struct *>(data()); }

  /// Copies what fits of a struct.
  template <typename Struct> Struct *take(const Struct &value) const {
    std::memcpy(data(), &value, std::min(bytes, sizeof(value)));
    return as<Struct>();
  }

private:
  size_t page, bytes;
  std::byte *base;
};

/// As messages name the interface.
std::string version() { return std::to_string(BAMBA_VERSION_MAJOR) + "." + std::to_string(BAMBA_VERSION_MINOR); }

/// The first versions of the structs by their bytes, as programs that were built with them have them.
constexpr size_t oldModelOptions = 16, oldModelInfo = 56, oldSessionOptions = 24, oldItem = 24;

class ApiVersions : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(bamba_model_open(nullptr, &model, &error), BAMBA_OK) << error.message;
    ASSERT_EQ(bamba_model_load_random(model, 1, &error), BAMBA_OK) << error.message;
    bamba_session_options options = {};
    options.struct_size = sizeof(options);
    options.slots = 3;
    options.threads = 1;
    ASSERT_EQ(bamba_session_create(model, &options, &session, &error), BAMBA_OK) << error.message;
    for (bamba_sequence &sequence : sequences)
      ASSERT_EQ(bamba_sequence_create(session, &sequence, &error), BAMBA_OK) << error.message;
  }
  void TearDown() override {
    bamba_session_destroy(session);
    bamba_model_close(model);
  }

  void expectRefused(bamba_status status, const char *message) {
    EXPECT_EQ(status, BAMBA_INVALID_ARGUMENT) << bamba_status_name(status);
    EXPECT_STREQ(error.message, message);
  }

  bamba_batch_item itemOf(int sequence) const {
    return {sequences[sequence],
            static_cast<uint32_t>(tokens.size()),
            tokens.data(),
            BAMBA_LOGITS_LAST,
            0,
            nullptr,
            0,
            0,
            nullptr};
  }

  bamba_error error = {sizeof(bamba_error), {}};
  bamba_model *model = nullptr;
  bamba_session *session = nullptr;
  bamba_sequence sequences[3] = {};
  std::vector<int32_t> tokens = someTokens(1, 5);
};

} // namespace

TEST_F(ApiVersions, TheVersionOfHeaderAndLibrary) {
  EXPECT_EQ(bamba_version(), uint32_t{BAMBA_VERSION});
  EXPECT_EQ(bamba_version() >> 16, bamba_abi_version());
  EXPECT_EQ(bamba_get_api(BAMBA_ABI_VERSION)->version, uint32_t{BAMBA_VERSION});
  EXPECT_EQ(bamba_get_api(1), nullptr) << "its bamba_session_run has other arguments";
}

TEST_F(ApiVersions, AnOlderCallersOptions) {
  ExactBytes modelBytes(oldModelOptions), sessionBytes(oldSessionOptions);
  bamba_model_options modelOptions = {oldModelOptions, "cpu"};
  bamba_model *other = nullptr;
  ASSERT_EQ(bamba_model_open(modelBytes.take(modelOptions), &other, &error), BAMBA_OK) << error.message;
  bamba_model_close(other);

  bamba_session_options options = {};
  options.struct_size = oldSessionOptions;
  options.slots = options.threads = 1;
  bamba_session *small = nullptr;
  ASSERT_EQ(bamba_session_create(model, sessionBytes.take(options), &small, &error), BAMBA_OK) << error.message;
  bamba_sequence first = 0, second = 0;
  EXPECT_EQ(bamba_sequence_create(small, &first, &error), BAMBA_OK);
  EXPECT_EQ(bamba_sequence_create(small, &second, &error), BAMBA_EXHAUSTED) << "slots were read";
  bamba_session_destroy(small);
}

TEST_F(ApiVersions, AnOlderCallersInfo) {
  ExactBytes bytes(oldModelInfo);
  bamba_model_info *info = bytes.as<bamba_model_info>();
  info->struct_size = oldModelInfo;
  ASSERT_EQ(bamba_model_get_info(model, info, &error), BAMBA_OK) << error.message;
  EXPECT_EQ(info->struct_size, oldModelInfo);
  EXPECT_EQ(info->vocab_size, uint32_t{vocab});
  EXPECT_EQ(info->page_bytes, 64u);
}

TEST_F(ApiVersions, AnOlderCallersItems) {
  ExactBytes bytes(3 * oldItem);
  for (int i = 0; i < 3; ++i) {
    bamba_batch_item item = itemOf(i);
    std::memcpy(bytes.data() + i * oldItem, &item, oldItem);
  }
  ASSERT_EQ(bamba_session_run(session, bytes.as<bamba_batch_item>(), 3, oldItem, &error), BAMBA_OK) << error.message;
  int32_t token = -1;
  EXPECT_EQ(bamba_session_get_greedy(session, 2, &token, &error), BAMBA_OK);
  // Nothing is left of what a newer caller's items said.
  constexpr size_t more = 8;
  const uint32_t chosen[] = {0};
  ExactBytes newer(3 * (sizeof(bamba_batch_item) + more));
  for (int i = 0; i < 3; ++i) {
    bamba_batch_item item = itemOf(i);
    item.logits = BAMBA_LOGITS_CHOSEN;
    item.chosen = chosen;
    item.num_chosen = 1;
    std::memcpy(newer.data() + i * (sizeof(item) + more), &item, sizeof(item));
  }
  ASSERT_EQ(bamba_session_run(session, newer.as<bamba_batch_item>(), 3, sizeof(bamba_batch_item) + more, &error),
            BAMBA_OK)
      << error.message;
  ASSERT_EQ(bamba_session_run(session, bytes.as<bamba_batch_item>(), 3, oldItem, &error), BAMBA_OK) << error.message;
}

TEST_F(ApiVersions, ANewerCallersStructsAreTakenWhereWhatIsNewIsZero) {
  constexpr size_t more = 40;
  ExactBytes modelBytes(sizeof(bamba_model_options) + more), sessionBytes(sizeof(bamba_session_options) + more);
  bamba_model_options modelOptions = {modelBytes.size(), nullptr};
  bamba_model *other = nullptr;
  ASSERT_EQ(bamba_model_open(modelBytes.take(modelOptions), &other, &error), BAMBA_OK) << error.message;
  bamba_model_close(other);
  bamba_session_options options = {};
  options.struct_size = sessionBytes.size();
  options.threads = 1;
  bamba_session *larger = nullptr;
  ASSERT_EQ(bamba_session_create(model, sessionBytes.take(options), &larger, &error), BAMBA_OK) << error.message;
  bamba_session_destroy(larger);

  constexpr size_t itemSize = sizeof(bamba_batch_item) + more;
  ExactBytes itemBytes(3 * itemSize);
  for (int i = 0; i < 3; ++i) {
    bamba_batch_item item = itemOf(i);
    std::memcpy(itemBytes.data() + i * itemSize, &item, sizeof(item));
  }
  ASSERT_EQ(bamba_session_run(session, itemBytes.as<bamba_batch_item>(), 3, itemSize, &error), BAMBA_OK)
      << error.message;
  int32_t greedy[3] = {-1, -2, -3};
  for (size_t i = 0; i < 3; ++i)
    ASSERT_EQ(bamba_session_get_greedy(session, i, &greedy[i], &error), BAMBA_OK) << error.message;
  EXPECT_EQ(greedy[0], greedy[1]);
  EXPECT_EQ(greedy[0], greedy[2]);
  auto ignore = [](void *, const bamba_launch_time *) {};
  EXPECT_EQ(bamba_session_profile(session, itemBytes.as<bamba_batch_item>(), 3, itemSize, 1, ignore, nullptr, &error),
            BAMBA_OK);
}

TEST_F(ApiVersions, WhatTheLibraryDoesNotKnowIsRefused) {
  struct {
    bamba_session_options known;
    uint64_t unknown[3];
  } options = {{.struct_size = sizeof(options), .slots = 1, .threads = 1, .pages = 0, .stream = nullptr}, {0, 0, 1}};
  bamba_session *other = nullptr;
  expectRefused(bamba_session_create(model, &options.known, &other, &error),
                ("options: expected zeros after the " + std::to_string(sizeof(bamba_session_options)) +
                 " bytes that version " + version() + " of the interface knows, found byte " +
                 std::to_string(sizeof(bamba_session_options) + 16) + " set")
                    .c_str());
  EXPECT_EQ(other, nullptr);

  struct Item {
    bamba_batch_item known;
    float temperature;
    uint32_t seed;
  } items[2] = {{itemOf(0), 0, 0}, {itemOf(1), 0, 7}};
  expectRefused(bamba_session_run(session, &items[0].known, 2, sizeof(Item), &error),
                ("item 1: expected zeros after the 48 bytes that version " + version() +
                 " of the interface knows, found byte 52 set")
                    .c_str());
  uint32_t length = 9;
  EXPECT_EQ(bamba_sequence_get_length(session, sequences[0], &length, &error), BAMBA_OK);
  EXPECT_EQ(length, 0u);
}

TEST_F(ApiVersions, ANewerCallerFindsZerosInWhatTheLibraryDoesNotKnow) {
  ExactBytes bytes(sizeof(bamba_model_info) + 16);
  std::memset(bytes.data(), 0xAA, bytes.size());
  bamba_model_info *info = bytes.as<bamba_model_info>();
  info->struct_size = bytes.size();
  ASSERT_EQ(bamba_model_get_info(model, info, &error), BAMBA_OK) << error.message;
  EXPECT_EQ(info->struct_size, bytes.size());
  for (size_t i = sizeof(bamba_model_info); i < bytes.size(); ++i)
    EXPECT_EQ(bytes.data()[i], std::byte{0}) << i;
}

TEST_F(ApiVersions, SizesThatNoVersionHas) {
  bamba_batch_item item = itemOf(0);
  expectRefused(bamba_session_run(session, &item, 1, 0, &error), "item_size: expected at least 24, found 0");
  expectRefused(bamba_session_run(session, &item, 1, 20, &error), "item_size: expected at least 24, found 20");
  expectRefused(bamba_session_run(session, &item, 1, 28, &error), "item_size: expected a multiple of 8, found 28");
  expectRefused(bamba_session_run(session, &item, 1, size_t{1} << 40, &error),
                "item_size: expected at most 4096, found 1099511627776");
  bamba_model_info info = {};
  info.struct_size = SIZE_MAX;
  expectRefused(bamba_model_get_info(model, &info, &error),
                "info: struct_size: expected at most 4096, found 18446744073709551615");
}

TEST_F(ApiVersions, ReservedFieldsAreZero) {
  bamba_batch_item item = itemOf(0);
  item.reserved = 1;
  expectRefused(bamba_session_run(session, &item, 1, sizeof(item), &error), "item 0: reserved: expected 0, found 1");
}

TEST_F(ApiVersions, TokensThatBeginAndEndAText) {
  bamba_model_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(bamba_model_get_info(model, &info, &error), BAMBA_OK) << error.message;
  ASSERT_EQ(info.num_eos_tokens, 2u);
  EXPECT_EQ(info.eos_tokens[0], eosTokens[0]);
  EXPECT_EQ(info.eos_tokens[1], eosTokens[1]);
  EXPECT_EQ(info.bos_token, bosToken);
}
