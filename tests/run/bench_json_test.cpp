// What bench prints as JSON of a CUDA device, which the machine that runs this test may lack.

#include "runtime/contract/metadata_keys.h"
#include "runtime/run/bench/report.h"
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

using namespace bambac::run;
namespace key = bambac::contract::key;

/// The paths of all fields as docs/json-output.md writes them.
static void collectPaths(const Json &json, const std::string &path, std::set<std::string> &paths) {
  if (json.is_object())
    for (const auto &[name, value] : json.items())
      collectPaths(value, path.empty() ? name : fmt::format("{}.{}", path, name), paths);
  else if (json.is_array())
    for (const Json &value : json)
      collectPaths(value, path + "[]", paths);
  else
    paths.insert(path);
}

static std::string readPage() {
  std::ifstream file(BAMBAC_JSON_PAGE);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

static BenchResults makeCudaResults() {
  BenchResults results;
  results.machine.multiprocessors = 132;
  results.machine.memory = {1024, 3e12};
  results.machine.copy = {1024, 2e12};
  results.machine.matrixRate = 1e15;
  results.machine.blas = "cuBLAS";
  results.machine.noCodeRate = "no fp8";
  for (const char *part : {key::kWeightBytes, key::kSlotBytes, key::kPageBytes, key::kArenaBytes, key::kScratchBytes})
    results.metadata.json[key::kMemory][part] = 1024;
  Measurement row;
  row.timing = {spreadOf({1e-3, 2e-3, 4e-3}), spreadOf({1e-3})};
  row.blasSeconds = 1e-3;
  PlannedRun run;
  run.entry = "prefill_t8";
  run.weightBytes = run.flops = 1e6;
  row.plan = {run};
  results.decode = {row};
  row.failure = "too little memory";
  results.prefill = {row};
  return results;
}

TEST(BenchJson, EveryFieldOfACudaDeviceIsDocumented) {
  std::set<std::string> paths;
  collectPaths(makeBenchJson(makeCudaResults()), "", paths);
  EXPECT_FALSE(paths.contains("machine.fp8_matrix_gflops_per_second"));
  EXPECT_TRUE(paths.contains("machine.no_fp8_matrix_rate"));
  BenchResults withRate = makeCudaResults();
  withRate.machine.codeRate = 2e15;
  collectPaths(makeBenchJson(withRate), "", paths);
  EXPECT_TRUE(paths.contains("machine.fp8_matrix_gflops_per_second"));
  EXPECT_TRUE(paths.contains("decode[].device_ms.p90"));
  EXPECT_TRUE(paths.contains("decode[].times_cublas"));
  EXPECT_TRUE(paths.contains("prefill[].failure"));
  std::string page = readPage();
  for (std::string path : paths) {
    for (std::string_view list : {"decode[].", "prefill[]."})
      if (path.starts_with(list))
        path.replace(0, list.size(), "X.");
    EXPECT_NE(page.find("| `" + path + "` |"), std::string::npos) << path;
  }
}

TEST(BenchText, TheRateOfFp8IsNextToThatOfBf16) {
  BenchResults results = makeCudaResults();
  results.decode.clear(), results.prefill.clear();
  EXPECT_NE(makeBenchText(results).find("as bf16"), std::string::npos);
  EXPECT_NE(makeBenchText(results).find("no fp8"), std::string::npos);
  results.machine.codeRate = 1.5e15;
  EXPECT_NE(makeBenchText(results).find("1500.0 TFLOP/s"), std::string::npos);
  EXPECT_EQ(makeBenchText(results).find("no fp8"), std::string::npos);
}

TEST(BenchJson, SpreadsAreOfTheSamplesThemselves) {
  Json ms = makeBenchJson(makeCudaResults())["decode"][0]["ms"];
  EXPECT_DOUBLE_EQ(ms["median"], 2);
  EXPECT_DOUBLE_EQ(ms["min"], 1);
  EXPECT_DOUBLE_EQ(ms["p10"], 1);
  EXPECT_DOUBLE_EQ(ms["p90"], 4);
  EXPECT_DOUBLE_EQ(ms["max"], 4);
  EXPECT_EQ(ms["samples"], 3);
}

TEST(Spread, PercentilesAreNearestRanks) {
  std::vector<double> samples;
  for (int i = 20; i > 0; --i)
    samples.push_back(i);
  Spread spread = spreadOf(samples);
  EXPECT_DOUBLE_EQ(spread.median, 10.5);
  EXPECT_DOUBLE_EQ(spread.p10, 2);
  EXPECT_DOUBLE_EQ(spread.p90, 18);
  EXPECT_EQ(spread.samples, 20u);
  EXPECT_DOUBLE_EQ(spreadOf({7}).p10, 7);
}
