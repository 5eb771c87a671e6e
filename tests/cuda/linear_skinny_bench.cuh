// Times the linears of a decode step of Bamba-9B, alone and as one captured chain, against reading the weights only.
#pragma once
#include "tests/cuda/linear_skinny_cases.cuh"

namespace skinny {

inline float medianMilliseconds(Graph &graph, int repeats = 11) {
  std::vector<float> times;
  for (int i = -2; i < repeats; ++i) {
    const float time = graph.run();
    if (i >= 0)
      times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

constexpr int kHidden = 4096, kInner = 8192, kProjected = 16768, kWide = 14336, kVocabulary = 128256, kLayers = 29;

template <int Rows> struct Step {
  using InProj = Linear<Rows, kProjected, kHidden, float, true, Ending::kStore>;
  using OutProj = Linear<Rows, kHidden, kInner, Operand, false, Ending::kResidual, kProjected>;
  using GateUp = Linear<Rows, 2 * kWide, kHidden, float, true, Ending::kSwiglu>;
  using Down = Linear<Rows, kHidden, kWide, Operand, false, Ending::kResidual>;
  using Head = Linear<Rows, kVocabulary, kHidden, float, true, Ending::kLogits>;
};

using Any = Step<1>;
constexpr size_t kLayerSize =
    Any::InProj::kPackedSize + Any::OutProj::kPackedSize + Any::GateUp::kPackedSize + Any::Down::kPackedSize;
constexpr size_t kStepSize = kLayers * kLayerSize + Any::Head::kPackedSize;

/// All weights of a decode step and its activations.
struct Memory {
  harness::DeviceBuffer<Operand> weights{kStepSize}, projected{16 * size_t(kProjected)}, wide{16 * size_t(kWide)};
  harness::DeviceBuffer<float> stream{16 * size_t(kHidden)}, norm{size_t(kHidden)}, logits{16 * size_t(kVocabulary)};
  double bandwidth; ///< of reading the weights and nothing else, TB/s

  Memory() {
    weights.randomize(1, 0.02f);
    projected.randomize(2);
    wide.randomize(3);
    stream.randomize(4);
    norm.randomize(5);
    CHECK(cudaDeviceSynchronize());
    Graph read([&](cudaStream_t on) {
      harness::readKernel<<<132 * 4, 512, 0, on>>>(reinterpret_cast<const uint4 *>(weights.data()), kStepSize / 8,
                                                   reinterpret_cast<uint4 *>(logits.data()));
      CHECK(cudaGetLastError());
    });
    bandwidth = kStepSize * 2e-9 / medianMilliseconds(read);
    std::printf("bench read only  %.3f TB/s of %.3f GB\n", bandwidth, kStepSize * 2e-9);
  }
  const Operand *layer(int index) const { return weights.data() + index * kLayerSize; }
  const Operand *inProj(int index) const { return layer(index); }
  const Operand *outProj(int index) const { return inProj(index) + Any::InProj::kPackedSize; }
  const Operand *gateUp(int index) const { return outProj(index) + Any::OutProj::kPackedSize; }
  const Operand *down(int index) const { return gateUp(index) + Any::GateUp::kPackedSize; }
  const Operand *head() const { return layer(kLayers); }
};

inline void printTime(const std::string &title, double milliseconds, size_t elements, const Memory &memory) {
  const double speed = elements * 2e-9 / milliseconds;
  std::printf("bench %s  %.2f us  %.3f TB/s  %.1f%% of read only\n", title.c_str(), milliseconds * 1e3, speed,
              100 * speed / memory.bandwidth);
  std::fflush(stdout);
}

template <int Rows> void benchStep(const harness::Runner &runner, const Memory &m) {
  using S = Step<Rows>;
  const std::string rows = std::to_string(Rows) + " rows";
  auto inProj = [&](cudaStream_t on, int i) {
    S::InProj::enqueue(on, m.stream.data(), m.norm.data(), m.inProj(i), m.projected.data());
  };
  auto outProj = [&](cudaStream_t on, int i) {
    S::OutProj::enqueue(on, m.projected.data(), nullptr, m.outProj(i), m.stream.data());
  };
  auto gateUp = [&](cudaStream_t on, int i) {
    S::GateUp::enqueue(on, m.stream.data(), m.norm.data(), m.gateUp(i), m.wide.data());
  };
  auto down = [&](cudaStream_t on, int i) { S::Down::enqueue(on, m.wide.data(), nullptr, m.down(i), m.stream.data()); };
  auto head = [&](cudaStream_t on, int) {
    S::Head::enqueue(on, m.stream.data(), m.norm.data(), m.head(), m.logits.data());
  };
  if (runner.benches("step " + rows)) {
    Graph step([&](cudaStream_t on) {
      for (int i = 0; i < kLayers; ++i)
        inProj(on, i), outProj(on, i), gateUp(on, i), down(on, i);
      head(on, 0);
    });
    printTime("step " + rows, medianMilliseconds(step), kStepSize, m);
  }
  auto alone = [&](const char *what, auto enqueue, size_t size, int copies) {
    const std::string title = std::string(what) + " " + rows;
    if (runner.benches(title))
      printTime(title,
                harness::medianMicroseconds([&](cudaStream_t on, int i) { enqueue(on, i % copies); }, kLayers) * 1e-3,
                size, m);
  };
  alone("in_proj 16768x4096", inProj, S::InProj::kPackedSize, kLayers);
  alone("out_proj 4096x8192", outProj, S::OutProj::kPackedSize, kLayers);
  alone("gate_up 28672x4096", gateUp, S::GateUp::kPackedSize, kLayers);
  alone("down 4096x14336", down, S::Down::kPackedSize, kLayers);
  alone("lm_head 128256x4096", head, S::Head::kPackedSize, 1);
}

/// Every number of rows.
inline void benchSteps(const harness::Runner &runner) {
  Memory memory;
  benchStep<1>(runner, memory);
  benchStep<2>(runner, memory);
  benchStep<4>(runner, memory);
  benchStep<8>(runner, memory);
  benchStep<16>(runner, memory);
}

} // namespace skinny
