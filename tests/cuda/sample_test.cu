// Draws on a GPU against those of the processor, whose distribution tests/runtime/sample_test.cpp compares with an
// oracle: the same noise, so that the same token wins unless two scores are nearly equal.
#include "common/sample.cuh"
#include "runtime/host/sample.cpp"
#include "tests/cuda/elementwise_common.cuh"

#include <cmath>
#include <cstring>

using namespace bambac;
using namespace harness;
using elementwise_test::enqueue;

namespace {

template <int RowCount, int Columns> struct SampleShape {
  static constexpr int kRows = RowCount, kColumns = Columns, kVector = Columns % 4 ? 1 : 4;
};

bamba_rt_sampling drawing(float temperature, unsigned seed) {
  bamba_rt_sampling sampling = {};
  sampling.flags = BAMBA_RT_SAMPLING_DRAWS | BAMBA_RT_SAMPLING_LOGPROBS;
  sampling.temperature = temperature;
  sampling.top_p = 1;
  sampling.repetition = 1;
  sampling.seed[0] = seed;
  sampling.num_best = 3;
  return sampling;
}

/// Parameters of all sorts, in turns; lists are added by the caller.
std::vector<bamba_rt_sampling> someParameters(int rows) {
  std::vector<bamba_rt_sampling> all;
  for (int row = 0; row < rows; ++row) {
    bamba_rt_sampling sampling = drawing(row % 3 == 0 ? 0.7f : 1.3f, row);
    switch (row % 8) {
    case 1:
      sampling.top_k = 40;
      break;
    case 2:
      sampling.top_p = 0.9f;
      break;
    case 3:
      sampling.min_p = 0.05f;
      break;
    case 4:
      sampling.top_k = 200, sampling.top_p = 0.8f, sampling.min_p = 0.01f;
      break;
    case 5:
      sampling.flags |= BAMBA_RT_SAMPLING_EDITS, sampling.repetition = 1.2f, sampling.presence = 0.5f;
      sampling.top_p = 0.95f;
      break;
    case 6:
      sampling.flags |= BAMBA_RT_SAMPLING_MASKS, sampling.temperature = row % 16 == 6 ? 0.0f : 1.0f;
      break;
    case 7:
      sampling = {};
      break;
    default:
      break;
    }
    all.push_back(sampling);
  }
  return all;
}

/// True where the other token of a draw is as good as the first one, but for rounding.
bool nearlyTies(const std::vector<float> &logits, const bamba_rt_sampling &sampling, int position, int a, int b) {
  auto score = [&](int token) {
    return logits[token] / sampling.temperature +
           contract::gumbel(contract::noiseOf(sampling, position + 1, token / 4).words[token % 4]);
  };
  return std::abs(score(a) - score(b)) < 1e-4f;
}

template <int RowCount, int Columns> void test(Runner &runner) {
  using Shape = SampleShape<RowCount, Columns>;
  std::string name = "sample " + std::to_string(RowCount) + "x" + std::to_string(Columns);
  if (!runner.wants(name))
    return;
  std::vector<float> logits = randomFloats(size_t(RowCount) * Columns, 1);
  std::vector<int> greedy, positions, kept, rows = {RowCount};
  for (int row = 0; row < RowCount; ++row) {
    float *first = logits.data() + size_t(row) * Columns;
    for (int column = 0; column < Columns; ++column)
      first[column] *= 6;
    greedy.push_back(int(std::max_element(first, first + Columns) - first));
    positions.push_back(row * 37);
    kept.push_back(RowCount - 1 - row);
  }
  std::vector<bamba_rt_edit> edits;
  for (int token = 1; token < Columns; token += Columns / 16 + 1)
    edits.push_back({token, token % 2 ? 3.0f : -2.0f, 1, unsigned(token % 3)});
  std::vector<int> awaited; // with and without an edit, in every other row; -1 is no token
  for (int row = 0; row < RowCount; ++row)
    awaited.push_back(row % 3 == 0 ? greedy[row] : row % 3 == 1 ? edits[row % edits.size()].token : -1);
  std::vector<unsigned> allowed((Columns + 31) / 32, 0x10204081u);
  DeviceBuffer<bamba_rt_edit> deviceEdits(edits);
  DeviceBuffer<unsigned> deviceAllowed(allowed);
  DeviceBuffer<int> deviceAwaited(awaited);
  std::vector<bamba_rt_sampling> parameters = someParameters(RowCount), onDevice = parameters;
  for (int row = 0; row < RowCount; ++row) {
    parameters[row].num_edits = onDevice[row].num_edits = unsigned(edits.size());
    parameters[row].edits = reinterpret_cast<uint64_t>(edits.data());
    onDevice[row].edits = reinterpret_cast<uint64_t>(deviceEdits.data());
    parameters[row].allowed = reinterpret_cast<uint64_t>(allowed.data());
    onDevice[row].allowed = reinterpret_cast<uint64_t>(deviceAllowed.data());
    if (row % 2 == 0)
      continue;
    parameters[row].awaited = reinterpret_cast<uint64_t>(&awaited[row]);
    onDevice[row].awaited = reinterpret_cast<uint64_t>(deviceAwaited.data() + row);
  }
  DeviceBuffer<float> x(logits);
  DeviceBuffer<int> best(greedy), at(positions), list(kept), count(rows);
  DeviceBuffer<bamba_rt_sampling> table(onDevice);
  DeviceBuffer<bamba_rt_sample> result(RowCount);
  auto draw = [&] {
    enqueue<Sample<Shape>>(nullptr, bambac::Rows<const float, Columns>{x.data()}, (const int *)best.data(),
                           (const int *)at.data(), (const int *)list.data(), (const int *)table.data(),
                           (int *)result.data(), (const int *)count.data());
    return result.download();
  };
  std::vector<bamba_rt_sample> found = draw(), again = draw();
  int wrong = 0, ties = 0, wrongLogprobs = 0;
  std::vector<float> scratch(Columns);
  for (int row = 0; row < RowCount; ++row) {
    std::vector<float> own(logits.begin() + size_t(row) * Columns, logits.begin() + size_t(row + 1) * Columns);
    int position = positions[kept[row]];
    bamba_rt_sample wanted = {};
    bambac_sample_row(own.data(), Columns, greedy[row], position, &parameters[row], &wanted, scratch.data());
    if (found[row].token != wanted.token) {
      bool isTie = parameters[row].temperature > 0 && !(parameters[row].flags & BAMBA_RT_SAMPLING_EDITS) &&
                   nearlyTies(own, parameters[row], position, found[row].token, wanted.token);
      ++(isTie ? ties : wrong);
    } else if (parameters[row].flags & BAMBA_RT_SAMPLING_LOGPROBS) {
      bool isRight = std::abs(found[row].logprob - wanted.logprob) < 1e-4f;
      for (int i = 0; i < 3; ++i)
        isRight &= found[row].best[i] == wanted.best[i] &&
                   std::abs(found[row].best_logprobs[i] - wanted.best_logprobs[i]) < 1e-4f;
      wrongLogprobs += !isRight;
    }
  }
  runner.expect(name + ": " + std::to_string(wrong) + " other tokens", wrong == 0 && ties <= RowCount / 50);
  runner.expect(name + ": " + std::to_string(wrongLogprobs) + " other log-probabilities", wrongLogprobs == 0);
  runner.expect(name + " again", std::memcmp(found.data(), again.data(), RowCount * sizeof(bamba_rt_sample)) == 0);
}

void bench(Runner &runner) {
  using Shape = SampleShape<256, 128256>;
  if (!runner.benches("sample"))
    return;
  DeviceBuffer<float> x(randomFloats(size_t(256) * 128256, 1));
  DeviceBuffer<int> zeros(std::vector<int>(256, 0));
  DeviceBuffer<bamba_rt_sample> result(256);
  auto time = [&](const std::string &name, bamba_rt_sampling sampling) {
    DeviceBuffer<bamba_rt_sampling> table(std::vector<bamba_rt_sampling>(256, sampling));
    double microseconds = medianMicroseconds([&](cudaStream_t stream, int) {
      enqueue<Sample<Shape>>(stream, bambac::Rows<const float, 128256>{x.data()}, (const int *)zeros.data(),
                             (const int *)zeros.data(), (const int *)nullptr, (const int *)table.data(),
                             (int *)result.data(), (const int *)nullptr);
    });
    runner.benched("sample 256x128256 " + name, microseconds, 256.0 * 128256 * 4, "GB/s");
  };
  bamba_rt_sampling sampling = drawing(1, 1);
  sampling.flags = BAMBA_RT_SAMPLING_DRAWS;
  time("temperature", sampling);
  sampling.top_p = 0.9f;
  time("top_p", sampling);
  sampling.top_k = 100;
  time("top_k and top_p", sampling);
  time("greedy", {});
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  test<64, 256>(runner);
  test<48, 1003>(runner);
  test<256, 128256>(runner);
  bench(runner);
  return runner.exitCode();
}
