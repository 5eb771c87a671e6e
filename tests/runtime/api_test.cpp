// The C interface, through its table of functions as a user of dlopen sees it.

#include "runtime/include/bamba/bamba.h"
#include "runtime/support/error.h"
#include "tests/runtime/session_checks.h"
#include <cstring>

using namespace bambac::rt;
using namespace bambac::rt::toy;

extern "C" int bambaHeaderIsC(void);
extern "C" const char *nameOfStatus(int);

namespace {

class ApiTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(api->model_open(nullptr, &model, &error), BAMBA_OK) << error.message;
    ASSERT_EQ(api->model_load_random(model, 1, &error), BAMBA_OK) << error.message;
    ASSERT_EQ(api->session_create(model, nullptr, &session, &error), BAMBA_OK) << error.message;
    ASSERT_EQ(api->sequence_create(session, &sequence, &error), BAMBA_OK) << error.message;
  }
  void TearDown() override {
    api->session_destroy(session);
    api->model_close(model);
  }

  void expectRefused(bamba_status status, const std::string &part) {
    EXPECT_EQ(status, BAMBA_INVALID_ARGUMENT) << bamba_status_name(status);
    EXPECT_NE(std::string(error.message).find(part), std::string::npos) << error.message;
    error.message[0] = '\0';
  }

  const bamba_api *api = bamba_get_api(BAMBA_ABI_VERSION);
  bamba_error error = {sizeof(bamba_error), {}};
  bamba_model *model = nullptr;
  bamba_session *session = nullptr;
  bamba_sequence sequence = 0;
};

} // namespace

TEST(Api, HeaderCompilesAsC) { EXPECT_EQ(bambaHeaderIsC(), BAMBA_ABI_VERSION); }

TEST(Api, LibraryFacts) {
  EXPECT_EQ(bamba_abi_version(), uint32_t{BAMBA_ABI_VERSION});
  EXPECT_STREQ(bamba_metadata(), "{\"models\": [{\"model\": \"toy\"}]}");
  EXPECT_STREQ(bamba_status_name(BAMBA_BAD_STATE), "BAMBA_BAD_STATE");
  EXPECT_STREQ(nameOfStatus(99), "an unknown status");
  EXPECT_EQ(bamba_get_api(BAMBA_ABI_VERSION + 1), nullptr);
  EXPECT_EQ(bamba_get_api(0), nullptr);
}

TEST(Api, TheTableIsFull) {
  const bamba_api *api = bamba_get_api(BAMBA_ABI_VERSION);
  ASSERT_EQ(api->struct_size, sizeof(bamba_api));
  EXPECT_EQ(api->abi_version, uint32_t{BAMBA_ABI_VERSION});
  void *functions[(sizeof(bamba_api) - offsetof(bamba_api, status_name)) / sizeof(void *)];
  std::memcpy(static_cast<void *>(functions), static_cast<const void *>(&api->status_name), sizeof(functions));
  for (void *function : functions)
    EXPECT_NE(function, nullptr);
}

TEST_F(ApiTest, AModelsNumbers) {
  bamba_model_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(api->model_get_info(model, &info, &error), BAMBA_OK);
  EXPECT_EQ(info.vocab_size, uint32_t{vocab});
  EXPECT_EQ(info.max_batch, uint32_t{maxBatch});
  EXPECT_EQ(info.max_context, uint32_t{maxContext});
  EXPECT_EQ(info.prefill_chunk, 8u);
  EXPECT_EQ(info.page_tokens, uint32_t{pageTokens});
  EXPECT_EQ(info.weight_bytes, 88u + 192 + 16 + 48);
  EXPECT_EQ(info.slot_bytes, 48u);
  EXPECT_EQ(info.state_ring, uint32_t{stateRing});
  EXPECT_EQ(info.page_bytes, 64u);
  EXPECT_STREQ(info.target, "cpu");
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_STREQ(info.device_name, "the processor");
}

TEST_F(ApiTest, RunsAndSaves) {
  int32_t tokens[] = {1, 2, 3};
  bamba_batch_item item = {sequence, 3, tokens, BAMBA_LOGITS_ALL, 0, nullptr, 0, 0, nullptr};
  ASSERT_EQ(api->session_run(session, &item, 1, sizeof(bamba_batch_item), &error), BAMBA_OK) << error.message;
  const float *logits = nullptr;
  size_t rows = 0;
  ASSERT_EQ(api->session_get_logits(session, 0, &logits, &rows, &error), BAMBA_OK);
  EXPECT_EQ(rows, 3u);
  int32_t token = -1;
  ASSERT_EQ(api->session_get_greedy(session, 0, &token, &error), BAMBA_OK);
  EXPECT_EQ(token, argmax(row({logits, rows * vocab}, 2)));
  uint32_t length = 0;
  ASSERT_EQ(api->sequence_get_length(session, sequence, &length, &error), BAMBA_OK);
  EXPECT_EQ(length, 3u);

  size_t size = 0;
  ASSERT_EQ(api->sequence_save(session, sequence, nullptr, &size, &error), BAMBA_OK);
  EXPECT_EQ(size, 56u + 48 + 64);
  std::vector<char> blob(size);
  size_t tooSmall = size - 1;
  expectRefused(api->sequence_save(session, sequence, blob.data(), &tooSmall, &error), "expected at least 168");
  EXPECT_EQ(tooSmall, size);
  ASSERT_EQ(api->sequence_save(session, sequence, blob.data(), &size, &error), BAMBA_OK);
  bamba_sequence fork = 0;
  ASSERT_EQ(api->sequence_fork(session, sequence, &fork, &error), BAMBA_OK);
  ASSERT_EQ(api->sequence_reset(session, sequence, &error), BAMBA_OK);
  ASSERT_EQ(api->sequence_restore(session, sequence, blob.data(), size, &error), BAMBA_OK) << error.message;
  blob[50] ^= 1;
  EXPECT_EQ(api->sequence_restore(session, sequence, blob.data(), size, &error), BAMBA_BAD_STATE);
  ASSERT_EQ(api->sequence_free(session, fork, &error), BAMBA_OK);
  EXPECT_EQ(api->sequence_free(session, fork, &error), BAMBA_NOT_FOUND);
}

TEST_F(ApiTest, Profiles) {
  // Eight tokens and one: a chunk has no room for more, so that the single one is decoded.
  std::vector<int32_t> tokens = someTokens(1, 8);
  bamba_sequence other = 0;
  ASSERT_EQ(api->sequence_create(session, &other, &error), BAMBA_OK);
  bamba_batch_item items[] = {{sequence, 8, tokens.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr},
                              {other, 1, tokens.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr}};
  auto answer = [&](const bamba_batch_item &item) {
    EXPECT_EQ(api->sequence_reset(session, item.sequence, &error), BAMBA_OK);
    EXPECT_EQ(api->session_run(session, &item, 1, sizeof(bamba_batch_item), &error), BAMBA_OK);
    int32_t token = -1;
    EXPECT_EQ(api->session_get_greedy(session, 0, &token, &error), BAMBA_OK);
    EXPECT_EQ(api->sequence_reset(session, item.sequence, &error), BAMBA_OK);
    return token;
  };
  int32_t answers[] = {answer(items[0]), answer(items[1])};

  std::vector<bamba_launch_time> times;
  auto add = [](void *user, const bamba_launch_time *time) {
    static_cast<std::vector<bamba_launch_time> *>(user)->push_back(*time);
  };
  ASSERT_EQ(api->session_profile(session, items, 2, sizeof(bamba_batch_item), 3, add, &times, &error), BAMBA_OK)
      << error.message;
  ASSERT_FALSE(times.empty());
  EXPECT_STREQ(times.front().entry, "prefill_t8");
  EXPECT_STREQ(times.back().entry, "decode_b1");
  EXPECT_EQ(times.front().step, 0u);
  EXPECT_EQ(times.front().struct_size, sizeof(bamba_launch_time));
  EXPECT_GT(times.back().step, 0u);
  uint32_t launch = 0;
  for (const bamba_launch_time &time : times) {
    launch = time.launch ? launch + 1 : 0;
    EXPECT_EQ(time.launch, launch);
    EXPECT_GE(time.seconds, 0);
    EXPECT_NE(time.kernel, nullptr);
  }
  uint32_t length = 0;
  ASSERT_EQ(api->sequence_get_length(session, sequence, &length, &error), BAMBA_OK);
  EXPECT_EQ(length, 8u);

  // A sequence that is reset is as good as new.
  EXPECT_EQ(answer(items[0]), answers[0]);
  EXPECT_EQ(answer(items[1]), answers[1]);
}

TEST_F(ApiTest, RefusesNull) {
  size_t size = 0;
  uint32_t length = 0;
  int32_t token = 0;
  const float *logits = nullptr;
  bamba_model_info info = {};
  bamba_sequence out = 0;
  expectRefused(api->model_open(nullptr, nullptr, &error), "model");
  expectRefused(api->model_load(nullptr, "x", nullptr, &error), "model");
  expectRefused(api->model_load(model, nullptr, nullptr, &error), "path");
  expectRefused(api->model_load_random(nullptr, 1, &error), "model");
  expectRefused(api->model_get_info(nullptr, &info, &error), "model");
  expectRefused(api->model_get_info(model, nullptr, &error), "info");
  expectRefused(api->session_create(nullptr, nullptr, &session, &error), "model");
  expectRefused(api->session_create(model, nullptr, nullptr, &error), "session");
  expectRefused(api->session_run(nullptr, nullptr, 0, sizeof(bamba_batch_item), &error), "session");
  expectRefused(api->session_run(session, nullptr, 1, sizeof(bamba_batch_item), &error), "items");
  expectRefused(api->session_run(session, nullptr, 0, sizeof(bamba_batch_item), &error), "at least one item");
  expectRefused(api->session_get_logits(nullptr, 0, &logits, &size, &error), "session");
  expectRefused(api->session_get_logits(session, 0, nullptr, &size, &error), "logits");
  expectRefused(api->session_get_logits(session, 0, &logits, nullptr, &error), "rows");
  expectRefused(api->session_get_greedy(nullptr, 0, &token, &error), "session");
  expectRefused(api->session_get_greedy(session, 0, nullptr, &error), "token");
  auto ignore = [](void *, const bamba_launch_time *) {};
  bamba_batch_item item = {sequence, 1, &token, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
  expectRefused(api->session_profile(nullptr, &item, 1, sizeof(bamba_batch_item), 1, ignore, nullptr, &error),
                "session");
  expectRefused(api->session_profile(session, nullptr, 1, sizeof(bamba_batch_item), 1, ignore, nullptr, &error),
                "items");
  expectRefused(api->session_profile(session, &item, 1, sizeof(bamba_batch_item), 0, ignore, nullptr, &error),
                "repeats: expected at least 1");
  expectRefused(api->session_profile(session, &item, 1, sizeof(bamba_batch_item), 1, nullptr, nullptr, &error),
                "profile");
  expectRefused(api->sequence_create(nullptr, &out, &error), "session");
  expectRefused(api->sequence_create(session, nullptr, &error), "sequence");
  expectRefused(api->sequence_free(nullptr, 0, &error), "session");
  expectRefused(api->sequence_fork(nullptr, 0, &out, &error), "session");
  expectRefused(api->sequence_fork(session, 0, nullptr, &error), "fork");
  expectRefused(api->sequence_reset(nullptr, 0, &error), "session");
  expectRefused(api->sequence_get_length(nullptr, 0, &length, &error), "session");
  expectRefused(api->sequence_get_length(session, 0, nullptr, &error), "length");
  expectRefused(api->sequence_save(nullptr, 0, nullptr, &size, &error), "session");
  expectRefused(api->sequence_save(session, 0, nullptr, nullptr, &error), "size");
  expectRefused(api->sequence_restore(nullptr, 0, &size, 8, &error), "session");
  expectRefused(api->sequence_restore(session, 0, nullptr, 8, &error), "buffer");
  api->model_close(nullptr);
  api->session_destroy(nullptr);
}

TEST_F(ApiTest, RefusesStructsThatAreTooSmall) {
  bamba_model *otherModel = nullptr;
  bamba_session *otherSession = nullptr;
  bamba_model_options modelOptions = {};
  expectRefused(api->model_open(&modelOptions, &otherModel, &error), "options: struct_size: expected at least 16");
  bamba_session_options sessionOptions = {};
  sessionOptions.struct_size = offsetof(bamba_session_options, stream) - 1;
  expectRefused(api->session_create(model, &sessionOptions, &otherSession, &error), "options: struct_size");
  bamba_model_info info = {};
  expectRefused(api->model_get_info(model, &info, &error), "info: struct_size");

  sessionOptions.struct_size = offsetof(bamba_session_options, stream); // of the first version
  sessionOptions.threads = 1;
  sessionOptions.stream = &sessionOptions;
  ASSERT_EQ(api->session_create(model, &sessionOptions, &otherSession, &error), BAMBA_OK) << error.message;
  api->session_destroy(otherSession);
  sessionOptions.struct_size = sizeof(sessionOptions);
  expectRefused(api->session_create(model, &sessionOptions, &otherSession, &error), "stream: expected NULL");
}

TEST(Errors, FillWhatTheCallerKnows) {
  bamba_error error = {sizeof(bamba_error), {}};
  EXPECT_EQ(bamba_model_open(nullptr, nullptr, nullptr), BAMBA_INVALID_ARGUMENT);
  error.struct_size = 0;
  std::strcpy(error.message, "untouched");
  EXPECT_EQ(bamba_model_open(nullptr, nullptr, &error), BAMBA_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "untouched");
  error.struct_size = offsetof(bamba_error, message) + 6;
  fillError(&error, "abcdefgh");
  EXPECT_STREQ(error.message, "abcde");
  fillError(&error, "abcd\xC3\xA4");
  EXPECT_STREQ(error.message, "abcd") << "a character is not cut in two";
}

TEST(Errors, AreOneLine) {
  bamba_error error = {sizeof(bamba_error), {}};
  fillError(&error, "a\nb\tc\x7F");
  EXPECT_STREQ(error.message, "a?b?c?");
  fillError(&error, std::string(2000, 'x').c_str());
  EXPECT_EQ(std::strlen(error.message), sizeof(error.message) - 1);
}

TEST(Errors, EveryExceptionHasAStatus) {
  auto status = [](auto thrower) { return guard(nullptr, thrower); };
  EXPECT_EQ(status([] {}), BAMBA_OK);
  EXPECT_EQ(status([] { throw Error(BAMBA_BAD_STATE, ""); }), BAMBA_BAD_STATE);
  EXPECT_EQ(status([] { throw std::bad_alloc(); }), BAMBA_OUT_OF_MEMORY);
  EXPECT_EQ(status([] { throw std::length_error(""); }), BAMBA_OUT_OF_MEMORY);
  EXPECT_EQ(status([] { throw std::system_error(std::make_error_code(std::errc::io_error)); }), BAMBA_IO_ERROR);
  EXPECT_EQ(status([] { throw std::runtime_error(""); }), BAMBA_INTERNAL);
  EXPECT_EQ(status([] { throw 7; }), BAMBA_INTERNAL);
}
