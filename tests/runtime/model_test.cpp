// Opening a model: devices, processor features, and tables that are damaged.

#include "runtime/host/cpu_features.h"
#include "runtime/session/session.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

Failure openFailure(const bamba_rt_model &table, const char *device = nullptr) {
  const bamba_rt_model *models[] = {&table};
  return failureOf([&] { openModel({BAMBA_RT_ABI_VERSION, 1, models, ""}, device, "/nonexistent/libcuda.so"); });
}

} // namespace

TEST(Model, OpensOnTheDevicesThatThereAre) {
  EXPECT_EQ(openFailure(toyTable).status, BAMBA_OK);
  EXPECT_EQ(openFailure(toyTable, "cpu").status, BAMBA_OK);
  expectFailure(openFailure(toyTable, "cuda"), BAMBA_UNSUPPORTED, {"\"cpu\"", "\"cuda\""});
}

TEST(Model, NamesFeaturesThatTheProcessorLacks) {
  bamba_rt_model table = toyTable;
  const char *features[] = {"sse2", "no-such-feature", "nor-this"};
  table.features = features;
  table.num_features = 3;
  expectFailure(openFailure(table), BAMBA_UNSUPPORTED, {"lacks no-such-feature, nor-this,"});
  table.num_features = 1;
  EXPECT_EQ(openFailure(table).status, BAMBA_OK);
}

TEST(Model, CpuFeaturesAgreeWithTheCompilers) {
  EXPECT_TRUE(cpuHasFeature("64bit"));
  EXPECT_TRUE(cpuHasFeature("sse2"));
  EXPECT_FALSE(cpuHasFeature(""));
#define AGREE(llvm, gcc) EXPECT_EQ(cpuHasFeature(llvm), __builtin_cpu_supports(gcc) != 0) << llvm
  AGREE("sse4.2", "sse4.2");
  AGREE("popcnt", "popcnt");
  AGREE("avx", "avx");
  AGREE("avx2", "avx2");
  AGREE("fma", "fma");
  AGREE("bmi2", "bmi2");
  AGREE("avx512f", "avx512f");
  AGREE("avx512vl", "avx512vl");
  AGREE("avx512vnni", "avx512vnni");
  AGREE("gfni", "gfni");
  AGREE("vpclmulqdq", "vpclmulqdq");
#undef AGREE
}

TEST(Model, KernelsWithTilesNeedThePermissionOfTheSystem) {
  for (const char *name : {"amx-tile", "amx-bf16", "amx-int8"})
    EXPECT_TRUE(cpuFeatureNeedsTiles(name));
  for (const char *name : {"avx512f", "avx512bf16", "amx", ""})
    EXPECT_FALSE(cpuFeatureNeedsTiles(name));
  if (!cpuHasFeature("amx-tile"))
    GTEST_SKIP() << "this processor has no AMX";
  EXPECT_TRUE(allowTiles());
  EXPECT_TRUE(allowTiles()) << "asking again does no harm";
  bamba_rt_model table = toyTable;
  const char *features[] = {"amx-tile"};
  table.features = features;
  table.num_features = 1;
  EXPECT_EQ(openFailure(table).status, BAMBA_OK);
}

TEST(Model, WeightsAreLoadedOnce) {
  Model model = openToy();
  expectFailure(failureOf([&] { Session session(model, {}); }), BAMBA_NOT_READY, {"not loaded"});
  expectFailure(failureOf([&] { model.load("/nonexistent", {}); }), BAMBA_NOT_FOUND, {"/nonexistent"});
  model.loadRandom(1);
  expectFailure(failureOf([&] { model.loadRandom(1); }), BAMBA_INVALID_ARGUMENT, {"loaded already"});
}

TEST(Model, AShortPromptMayKeepAsManyLogitsAsALongOne) {
  std::vector<bamba_rt_entry> entries(toyTable.entries, toyTable.entries + toyTable.num_entries);
  entries[3].kept = entries[4].chunk; // of prefill_t4 and prefill_t8
  bamba_rt_model table = toyTable;
  table.entries = entries.data();
  EXPECT_EQ(openFailure(table).status, BAMBA_OK);
}

TEST(Model, RefusesDamagedTables) {
  auto damaged = [](auto change, const std::vector<std::string> &parts) {
    bamba_rt_model table = toyTable;
    change(table);
    expectFailure(openFailure(table), BAMBA_INTERNAL, parts);
  };
  expectFailure(failureOf([] { openModel({BAMBA_RT_ABI_VERSION + 1, 0, nullptr, ""}, nullptr); }), BAMBA_INTERNAL,
                {"expected version " + std::to_string(BAMBA_RT_ABI_VERSION) + ", found " +
                 std::to_string(BAMBA_RT_ABI_VERSION + 1)});
  expectFailure(failureOf([] { openModel({BAMBA_RT_ABI_VERSION, 0, nullptr, ""}, nullptr); }), BAMBA_INTERNAL,
                {"no model"});
  damaged([](auto &table) { table.vocab_size = 0; }, {"vocab_size"});
  damaged([](auto &table) { table.max_pages = 9; }, {"max_pages"});
  damaged([](auto &table) { table.max_batch = 3; }, {"max_batch"});
  damaged([](auto &table) { table.num_launches = 29; }, {"prefill_t8", "launches"});
  damaged([](auto &table) { table.num_args = 14; }, {"decode_b1", "arguments"});
  damaged([](auto &table) { table.num_kernels = 5; }, {"decode_b1", "kernel"});
  damaged([](auto &table) { table.num_weights = 3; }, {"weight argument"});
  damaged([](auto &table) { table.num_states = 1; }, {"state argument"});
  damaged([](auto &table) { table.num_sources = 4; }, {"conv", "sources"});

  bamba_rt_source sources[5];
  for (auto [headDim, rotaryDim] : {std::pair(4u, 3u), std::pair(4u, 6u), std::pair(0u, 2u), std::pair(3u, 2u)}) {
    std::copy_n(toyTable.sources, 5, sources);
    sources[3].head_dim = headDim; // of norm.weight, 4 rows
    sources[3].rotary_dim = rotaryDim;
    damaged([&](auto &table) { table.sources = sources; }, {"norm.weight", "row order"});
  }
  using Rows = std::pair<uint64_t, uint64_t>;
  for (auto [firstRow, numRows] : {Rows(1, 4), Rows(5, 0), Rows(2, UINT64_MAX - 1)}) {
    std::copy_n(toyTable.sources, 5, sources);
    sources[3].first_row = firstRow;
    sources[3].num_rows = numRows;
    damaged([&](auto &table) { table.sources = sources; }, {"norm.weight", "rows that its tensor does not have"});
  }

  using Kept = std::tuple<size_t, uint32_t, const char *, const char *>; // of entry point number ...
  for (auto [number, kept, name, problem] :
       {Kept(1, 1, "decode_b2", "too few rows of logits"), Kept(1, 3, "decode_b2", "more rows of logits"),
        Kept(3, 3, "prefill_t4", "too few rows of logits"), Kept(3, 9, "prefill_t4", "more rows of logits")}) {
    std::vector<bamba_rt_entry> entries(toyTable.entries, toyTable.entries + toyTable.num_entries);
    entries[number].kept = kept;
    damaged([&](auto &table) { table.entries = entries.data(); }, {name, problem});
  }

  bamba_rt_weight weights[4];
  std::copy_n(toyTable.weights, 4, weights);
  weights[1].bytes += 4;
  damaged([&](auto &table) { table.weights = weights; }, {"head", "size"});
}
