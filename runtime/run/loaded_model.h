// A model and a session of a library, closed when they go out of scope, with exceptions in place of status codes.
#ifndef BAMBAC_RUNTIME_RUN_LOADED_MODEL_H
#define BAMBAC_RUNTIME_RUN_LOADED_MODEL_H

#include "bamba/engine.h"
#include "runtime/run/library.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bambac::run {

/// An open model. Keeps a reference to its library.
class LoadedModel {
public:
  /// An empty `device` leaves the choice to the library.
  LoadedModel(const Library &library, const std::string &device);
  ~LoadedModel();
  LoadedModel(const LoadedModel &) = delete;
  LoadedModel &operator=(const LoadedModel &) = delete;

  /// Loads the checkpoint at `path` under a progress bar; `anyConfig` even where its config.json is of another model.
  void load(const std::string &path, bool anyConfig = false);
  void loadRandom(uint64_t seed);

  const Library &getLibrary() const { return library; }
  const bamba_model_info &getInfo() const { return info; }
  const bamba_model *getHandle() const { return handle; }

  /// The functions of the engine. Throws Failure where the library is older than they are.
  const bamba_engine_api &getEngineApi() const;

  /// Whether `token` ends a text, as the config that the library was compiled from says.
  bool endsText(int32_t token) const;

  /// "cuda:0 (NVIDIA H200), code for sm_90a".
  std::string describeDevice() const;

  /// Tells the user on stderr where the model runs.
  void reportDevice() const;

private:
  friend class ModelSession;
  const Library &library;
  bamba_model *handle = nullptr;
  bamba_model_info info = {};
};

/// A session with room for `slots` sequences of `context` tokens each. Keeps a reference to its model.
class ModelSession {
public:
  /// `stream` as in bamba_session_options. Throws OutOfMemory and Failure.
  ModelSession(const LoadedModel &model, uint32_t slots, uint32_t threads, uint64_t context, void *stream = nullptr);
  ~ModelSession();
  ModelSession(const ModelSession &) = delete;
  ModelSession &operator=(const ModelSession &) = delete;

  bamba_sequence create();
  bamba_sequence fork(bamba_sequence source);
  void reset(bamba_sequence sequence);

  uint32_t getLength(bamba_sequence sequence) const;
  std::vector<std::byte> save(bamba_sequence sequence) const;
  void restore(bamba_sequence sequence, std::span<const std::byte> state);

  void run(std::span<const bamba_batch_item> items);
  /// One sequence, some tokens.
  void run(bamba_sequence sequence, std::span<const int32_t> tokens, bamba_logits logits = BAMBA_LOGITS_LAST);

  /// As bamba_session_profile: what each launch of the batch took, in order.
  std::vector<bamba_launch_time> profile(std::span<const bamba_batch_item> items, uint32_t repeats);

  int32_t getGreedy(size_t item) const;
  /// The token drawn after the last row of `item`, of an item that keeps one row.
  bamba_sample getSample(size_t item) const;
  /// The rows that the last run left for `item`; valid until the next run.
  std::span<const float> getLogits(size_t item) const;

private:
  const Library &library;
  size_t vocabSize;
  bamba_session *handle = nullptr;
};

/// Tokens to append to a sequence; they must live until they have been run.
inline bamba_batch_item makeItem(bamba_sequence sequence, std::span<const int32_t> tokens,
                                 bamba_logits logits = BAMBA_LOGITS_LAST) {
  return {sequence, static_cast<uint32_t>(tokens.size()), tokens.data(), logits, 0, nullptr, 0, 0, nullptr};
}

/// Pages of the KV cache that a sequence of `context` tokens needs.
uint64_t countPages(const LoadedModel &model, uint64_t context);

/// Throws Failure where `tokens` do not fit into the context that the library was compiled for.
void checkContext(const LoadedModel &model, uint64_t tokens, const char *what);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_LOADED_MODEL_H
