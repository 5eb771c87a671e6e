// What tests need around the toy model: its numbers, a checkpoint of them, and what it must answer.
#ifndef BAMBA_TESTS_RUNTIME_TOY_MODEL_H
#define BAMBA_TESTS_RUNTIME_TOY_MODEL_H

#include "runtime/host/cpu_device_backend.h"
#include "runtime/model/open_model.h"
#include "runtime/support/error.h"
#include "tests/runtime/toy_table.h"
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace bambac::rt::toy {

/// A folder of one test, removed with everything in it at its end.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string path(const std::string &name = "") const { return name.empty() ? folder : folder + "/" + name; }
  void write(const std::string &name, const std::string &bytes) const;

private:
  std::string folder;
};

/// A tensor for a test's safetensors file.
struct TestTensor {
  std::string name, dtype;
  std::vector<uint64_t> shape;
  std::string bytes;
};

TestTensor f32Tensor(std::string name, std::vector<uint64_t> shape, const std::vector<float> &values);

/// The bytes of a well-formed safetensors file.
std::string safetensors(const std::vector<TestTensor> &tensors);

/// A file of any header and body.
std::string rawSafetensors(const std::string &header, const std::string &body);

/// The toy's weights: multiples of small powers of two, so that sums are exact and results do not depend on their
/// order.
std::vector<TestTensor> toyTensors();

/// Options of a load that tells its progress.
inline bamba_load_options loadOptions(bamba_progress progress, void *user = nullptr) {
  return {sizeof(bamba_load_options), progress, nullptr, user, 0, 0};
}

/// The toy on the processor, without weights; `table` may be a changed copy of toyTable.
Model openToy(const bamba_rt_model &table = toyTable);

/// The toy with its weights loaded from a file; `table` may be a changed copy of toyTable.
std::unique_ptr<Model> loadToy(const bamba_rt_model &table = toyTable);

/// What the toy must answer: logits of every token of a sequence.
std::vector<std::vector<float>> expectedLogits(const std::vector<int32_t> &tokens);

/// `count` tokens that differ from seed to seed.
std::vector<int32_t> someTokens(unsigned seed, size_t count);

/// The index of the largest, the first of several.
int32_t argmax(const std::vector<float> &values);

/// What a call threw.
struct Failure {
  bamba_status status = BAMBA_OK;
  std::string message;
};

/// Runs `body`; BAMBA_OK where it did not throw.
template <typename Body> Failure failureOf(const Body &body) {
  bamba_error error = {sizeof(error), {}};
  bamba_status status = guard(&error, body);
  return {status, error.message};
}

/// Expects a status and that the message has all of the given parts.
void expectFailure(const Failure &failure, bamba_status status, const std::vector<std::string> &parts);

} // namespace bambac::rt::toy
#endif // BAMBA_TESTS_RUNTIME_TOY_MODEL_H
