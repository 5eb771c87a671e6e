// A model and a session of a library, closed when they go out of scope, with exceptions in place of status codes.
#ifndef BAMBAC_RUNTIME_RUN_MODEL_H
#define BAMBAC_RUNTIME_RUN_MODEL_H

#include "runtime/run/Library.h"

#include <cstdint>
#include <span>
#include <string>

namespace bambac::run {

/// An open model. Keeps a reference to its library.
class Model {
public:
  /// An empty `device` leaves the choice to the library.
  Model(const Library &library, const std::string &device);
  ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  /// Loads the checkpoint at `path` under a progress bar.
  void load(const std::string &path);
  void loadRandom(uint64_t seed);

  const Library &getLibrary() const { return library; }
  const bamba_model_info &getInfo() const { return info; }

private:
  friend class Session;
  const Library &library;
  bamba_model *handle = nullptr;
  bamba_model_info info = {};
};

/// A session with room for `slots` sequences of `context` tokens each. Keeps a reference to its model.
class Session {
public:
  Session(const Model &model, uint32_t slots, uint32_t threads, uint64_t context);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  bamba_sequence create();
  bamba_sequence fork(bamba_sequence source);
  void reset(bamba_sequence sequence);

  void run(std::span<const bamba_batch_item> items);
  /// One sequence, some tokens.
  void run(bamba_sequence sequence, std::span<const int32_t> tokens, bamba_logits logits = BAMBA_LOGITS_LAST);

  int32_t getGreedy(size_t item) const;
  /// The rows that the last run left for `item`; valid until the next run.
  std::span<const float> getLogits(size_t item) const;

private:
  const Library &library;
  size_t vocabSize;
  bamba_session *handle = nullptr;
};

/// Throws Error where `tokens` do not fit into the context that the library was compiled for.
void checkContext(const Model &model, uint64_t tokens, const char *what);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_MODEL_H
