// Loading of a checkpoint that is larger than what tests usually have: the memory that it takes, and files that change
// on the way.

#include "runtime/model/weights.h"
#include "tests/runtime/toy_model.h"
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

/// `count` square matrices of bf16, in panels; a tensor each, all zeros, in a file that takes no place on the disk.
class LargeModel {
public:
  LargeModel(uint64_t count, uint64_t size) : size(size), weights(count), sources(count), names(count) {
    std::string header;
    for (uint64_t i = 0; i < count; ++i) {
      names[i] = fmt::format("tensor.{}", i);
      sources[i] = {names[i].c_str(), 2, 0, 0, 0, {size, size}, 0, size};
      weights[i] = {names[i].c_str(), BAMBA_RT_BF16, 16, 0, 1, static_cast<uint32_t>(i), 1, 1, 0, 0, 0, size, size,
                    bytes()};
      header += fmt::format(R"({}"{}":{{"dtype":"BF16","shape":[{},{}],"data_offsets":[{},{}]}})", i ? "," : "{",
                            names[i], size, size, i * bytes(), (i + 1) * bytes());
    }
    folder.write("model.safetensors", rawSafetensors(header + "}", ""));
    std::filesystem::resize_file(path(), std::filesystem::file_size(path()) + totalBytes());
    model.target = "cpu";
    model.weights = weights.data();
    model.sources = sources.data();
    model.num_weights = model.num_sources = static_cast<uint32_t>(count);
  }

  uint64_t totalBytes() const { return weights.size() * bytes(); }
  std::string path() const { return folder.path("model.safetensors"); }

  void load(unsigned threads, const bamba_load_options &options = {}) const {
    Weights::load(model, CpuDeviceBackend(model), path(), threads, options);
  }

private:
  uint64_t bytes() const { return size * size * 2; }

  TemporaryFolder folder;
  uint64_t size;
  std::vector<bamba_rt_weight> weights;
  std::vector<bamba_rt_source> sources;
  std::vector<std::string> names;
  bamba_rt_model model = {};
};

/// A line of /proc/self/status, in bytes.
uint64_t statusBytes(const std::string &name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":"))
      return std::stoull(line.substr(name.size() + 1)) << 10;
  return 0;
}

/// What `work` adds to the memory that this process has at a time, measured in a child.
template <typename Work> uint64_t peakBytes(const Work &work) {
  int ends[2] = {};
  EXPECT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    std::ofstream("/proc/self/clear_refs") << "5"; // the peak so far is that of the parent
    uint64_t before = statusBytes("VmRSS");
    work();
    uint64_t peak = statusBytes("VmHWM") - before;
    _exit(write(ends[1], &peak, sizeof(peak)) == sizeof(peak) ? 0 : 1);
  }
  uint64_t peak = 0;
  close(ends[1]);
  EXPECT_EQ(read(ends[0], &peak, sizeof(peak)), static_cast<ssize_t>(sizeof(peak)));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return peak;
}

} // namespace

// What loading takes beyond the weights is a piece of the file for each thread.
TEST(LargeLoad, PeaksAtTheWeightsOnly) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer keeps several bytes for each that is touched";
#endif
#endif
  LargeModel model(8, 4096); // 256 MiB
  uint64_t peak = peakBytes([&] { model.load(4); });
  EXPECT_GT(peak, model.totalBytes()) << "or nothing was measured";
  EXPECT_LT(static_cast<double>(peak), 1.15 * static_cast<double>(model.totalBytes()));
}

TEST(LargeLoad, AFileThatIsCutOnTheWayIsAnError) {
  LargeModel model(2, 2048);
  std::string path = model.path();
  auto cut = [](void *path, uint64_t, uint64_t) {
    std::filesystem::resize_file(*static_cast<std::string *>(path), 5000);
    return 0;
  };
  expectFailure(failureOf([&] { model.load(2, loadOptions(cut, &path)); }), BAMBA_IO_ERROR,
                {path, "expected 16777", "found 5000 (was the file cut"});
}

TEST(LargeLoad, AFileThatCannotBeReadIsAnError) {
  InputFile memory("/proc/self/mem"); // a regular file by its type; its first page can never be read
  std::byte byte;
  expectFailure(failureOf([&] { memory.read(0, {&byte, 1}); }), BAMBA_IO_ERROR, {"/proc/self/mem: byte 0: "});
}
