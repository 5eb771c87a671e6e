// The C interface of bamba.h as C++17: owners that close what they opened, and exceptions in place of statuses.
//
//   bamba::Library library(bamba_get_api);  // the model that the program is linked to; Library::open() opens a file
//   bamba::Model model(library);
//   model.load("checkpoint");
//   bamba::Session session(model);
//   bamba::Sequence sequence(session);
//   session.run(sequence, {1, 2, 3});
//   int32_t next = session.greedy();
//
// Everything is inline: there is nothing to link but a model, or libdl for Library::open() where it is not part of the
// C library. What bamba.h says of threads, devices and results holds here too.
//
// Owners can be moved, not copied, and one that was moved from can only be assigned to or destroyed. They are to be
// destroyed in the opposite order of their creation: sequences before their session, sessions before their model,
// models before their library. Locals and members in that order do it by themselves. Moving a Session or a Model does
// not disturb what was made of it.
#ifndef BAMBA_BAMBA_HPP
#define BAMBA_BAMBA_HPP

#include "bamba/bamba.h"
#include "bamba/linked_model.h"

#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bamba {

/// A call that failed: its status, and the line of text that the library had for it.
class Error : public std::runtime_error {
public:
  Error(bamba_status status, const std::string &text) : std::runtime_error(text), code(status) {}

  bamba_status status() const noexcept { return code; }

private:
  bamba_status code;
};

/// The functions of one compiled model. It can be copied, and a file that it opened is closed with the last copy.
class Library {
public:
  /// Of a model that the program is linked to: bamba_get_api, or draft_bamba_get_api where it was compiled with
  /// --symbol-prefix=draft_ and declared by BAMBA_DECLARE_MODEL(draft_).
  explicit Library(const bamba_api *(*get_api)(uint32_t)) : functions(get_api(BAMBA_ABI_VERSION)) {
    if (!functions)
      throw Error(BAMBA_UNSUPPORTED, "expected a model that speaks version " + std::to_string(BAMBA_ABI_VERSION) +
                                         " of the interface, found another");
  }

  /// Opens the file of a model. A `path` without a slash is looked up where the system keeps its libraries.
  static Library open(const std::string &path, const std::string &symbol_prefix = {}) {
    std::shared_ptr<void> file(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), [](void *handle) {
      if (handle)
        dlclose(handle);
    });
    if (!file) {
      const char *reason = dlerror();
      throw Error(BAMBA_NOT_FOUND, "cannot open '" + path + "': " + (reason ? reason : "unknown reason"));
    }
    std::string name = symbol_prefix + "bamba_get_api";
    auto get_api = reinterpret_cast<const bamba_api *(*)(uint32_t)>(dlsym(file.get(), name.c_str()));
    if (!get_api)
      throw Error(BAMBA_UNSUPPORTED,
                  "'" + path + "' is not a model compiled by bambac: it has no symbol '" + name + "'");
    Library library(get_api);
    library.file = std::move(file);
    return library;
  }

  /// The table of functions, for what this header does not wrap.
  const bamba_api &api() const noexcept { return *functions; }

  /// What the compiler noted down, as JSON.
  std::string_view metadata() const { return functions->metadata(); }

private:
  std::shared_ptr<void> file;
  const bamba_api *functions;
};

namespace detail {

/// Calls a function whose last parameter is the error, and throws what it says.
template <typename... Parameters, typename... Arguments>
void call(const bamba_api &api, bamba_status (*function)(Parameters...), Arguments... arguments) {
  bamba_error error = {};
  error.struct_size = sizeof(error);
  bamba_status status = function(arguments..., &error);
  if (status != BAMBA_OK)
    throw Error(status, error.message[0] ? std::string(error.message) : std::string(api.status_name(status)));
}

/// A function that later minor versions of the interface have. BAMBA_UNSUPPORTED where the library is older.
template <typename Function> Function laterFunction(const bamba_api &api, Function bamba_api::*member) {
  auto *end = reinterpret_cast<const unsigned char *>(&(api.*member) + 1);
  if (static_cast<size_t>(end - reinterpret_cast<const unsigned char *>(&api)) > api.struct_size)
    throw Error(BAMBA_UNSUPPORTED, "expected a library of at least version " + std::to_string(BAMBA_VERSION_MAJOR) +
                                       "." + std::to_string(BAMBA_VERSION_MINOR) + " of the interface, found " +
                                       std::to_string(api.version >> 16) + "." + std::to_string(api.version & 0xffff));
  return api.*member;
}

/// A handle with the function that closes it.
template <typename T> using Handle = std::unique_ptr<T, void (*)(T *)>;

} // namespace detail

/// A model on a device. It can be used once its weights are loaded.
class Model {
public:
  /// `device` is "cpu", "cuda" or "cuda:1"; empty leaves the choice to the library.
  explicit Model(const Library &library, const std::string &device = {})
      : library(library), handle(nullptr, library.api().model_close) {
    bamba_model_options options = {};
    options.struct_size = sizeof(options);
    options.device = device.empty() ? nullptr : device.c_str();
    bamba_model *opened = nullptr;
    detail::call(api(), api().model_open, &options, &opened);
    handle.reset(opened);
  }

  /// Told of bytes done and in all; returns whether to go on.
  using Progress = std::function<bool(uint64_t done, uint64_t total)>;

  /// Takes a line about something that does not keep a checkpoint from being loaded; must not throw.
  using Warning = std::function<void(const char *message)>;

  /// Loads a checkpoint: a folder or one .safetensors file. What `progress` throws is thrown here. With `any_config`
  /// also where the config.json next to it is that of another model.
  void load(const std::string &path, const Progress &progress = {}, const Warning &warning = {},
            bool any_config = false) {
    Loading loading = {&progress, &warning, nullptr};
    bamba_load_options options = {};
    options.struct_size = sizeof(options);
    options.progress = progress ? report : nullptr;
    options.warning = warning ? warn : nullptr;
    options.user = &loading;
    options.any_config = any_config;
    bamba_error error = {};
    error.struct_size = sizeof(error);
    bamba_status status = api().model_load(handle.get(), path.c_str(), &options, &error);
    if (loading.failure)
      std::rethrow_exception(loading.failure);
    if (status != BAMBA_OK)
      throw Error(status, error.message);
  }

  /// Random weights, for measurements and tests.
  void load_random(uint64_t seed) { detail::call(api(), api().model_load_random, handle.get(), seed); }

  bamba_model_info info() const {
    bamba_model_info info = {};
    info.struct_size = sizeof(info);
    detail::call(api(), api().model_get_info, static_cast<const bamba_model *>(handle.get()), &info);
    return info;
  }

  /// Whether `token` ends a text, as the model's config.json says.
  bool ends_text(int32_t token) const {
    bamba_model_info known = info();
    for (uint32_t i = 0; i < known.num_eos_tokens; ++i)
      if (known.eos_tokens[i] == token)
        return true;
    return false;
  }

  const bamba_api &api() const noexcept { return library.api(); }
  bamba_model *get() const noexcept { return handle.get(); }

private:
  struct Loading {
    const Progress *progress;
    const Warning *warning;
    std::exception_ptr failure;
  };

  static void warn(void *user, const char *message) noexcept { (*static_cast<Loading *>(user)->warning)(message); }

  /// Exceptions must not pass through the library.
  static int report(void *user, uint64_t done, uint64_t total) noexcept {
    auto *loading = static_cast<Loading *>(user);
    try {
      return (*loading->progress)(done, total) ? 0 : 1;
    } catch (...) {
      loading->failure = std::current_exception();
      return 1;
    }
  }

  Library library;
  detail::Handle<bamba_model> handle;
};

/// Rows of logits, owned by the session and valid until its next run.
class Logits {
public:
  Logits(const float *data, size_t rows, size_t columns) noexcept : first(data), num_rows(rows), num_columns(columns) {}

  const float *data() const noexcept { return first; }
  size_t rows() const noexcept { return num_rows; }
  size_t columns() const noexcept { return num_columns; } ///< the size of the vocabulary
  const float *row(size_t index) const noexcept { return first + index * num_columns; }

private:
  const float *first;
  size_t num_rows, num_columns;
};

class Sequence;

/// The sizes of a session; 0 is the library's default.
struct SessionOptions {
  uint32_t slots = 0;     ///< sequences that can be alive at a time
  uint32_t threads = 0;   ///< that compute, the caller's included
  uint64_t pages = 0;     ///< of the KV cache
  void *stream = nullptr; ///< of a CUDA device
};

/// Parameters of a draw, all of them defaults but the temperature and the seed. For `sampling` of an item.
inline bamba_sampling make_sampling(float temperature, uint64_t seed) noexcept {
  bamba_sampling sampling = {};
  sampling.struct_size = sizeof(sampling);
  sampling.temperature = temperature;
  sampling.seed = seed;
  return sampling;
}

/// Sequences and the memory to run them; for one thread at a time.
class Session {
public:
  explicit Session(const Model &model, const SessionOptions &sizes = {})
      : functions(&model.api()), vocabulary(model.info().vocab_size), handle(nullptr, functions->session_destroy) {
    bamba_session_options options = {};
    options.struct_size = sizeof(options);
    options.slots = sizes.slots;
    options.threads = sizes.threads;
    options.pages = sizes.pages;
    options.stream = sizes.stream;
    bamba_session *created = nullptr;
    detail::call(*functions, functions->session_create, static_cast<const bamba_model *>(model.get()), &options,
                 &created);
    handle.reset(created);
  }

  /// Appends tokens to several sequences; Sequence::item() makes an item.
  void run(const std::vector<bamba_batch_item> &items) { run(items.data(), items.size()); }

  void run(const bamba_batch_item *items, size_t count) {
    detail::call(*functions, functions->session_run, handle.get(), items, count, sizeof(bamba_batch_item));
  }

  /// Appends tokens to one sequence, which is then item 0 of the results.
  inline void run(const Sequence &sequence, const std::vector<int32_t> &tokens,
                  bamba_logits logits = BAMBA_LOGITS_LAST);

  /// The most likely token after item `item` of the last run.
  int32_t greedy(size_t item = 0) const {
    int32_t token = 0;
    detail::call(*functions, functions->session_get_greedy, static_cast<const bamba_session *>(handle.get()), item,
                 &token);
    return token;
  }

  /// The token drawn after row `row` of item `item` of the last run, by the item's `sampling`. Its arrays are valid
  /// until the next run.
  bamba_sample sample(size_t item = 0, size_t row = 0) const {
    bamba_sample sample = {};
    sample.struct_size = sizeof(sample);
    detail::call(*functions, functions->session_get_sample, static_cast<const bamba_session *>(handle.get()), item, row,
                 &sample);
    return sample;
  }

  Logits logits(size_t item = 0) const {
    const float *data = nullptr;
    size_t rows = 0;
    detail::call(*functions, functions->session_get_logits, static_cast<const bamba_session *>(handle.get()), item,
                 &data, &rows);
    return {data, rows, vocabulary};
  }

  const bamba_api &api() const noexcept { return *functions; }
  bamba_session *get() const noexcept { return handle.get(); }

private:
  const bamba_api *functions;
  size_t vocabulary;
  detail::Handle<bamba_session> handle;
};

/// A sequence of a session; it gives its slot and its pages back when it is destroyed.
class Sequence {
public:
  /// An empty one.
  explicit Sequence(Session &session) : functions(&session.api()), session(session.get()) {
    detail::call(*functions, functions->sequence_create, this->session, &number);
  }

  Sequence(Sequence &&other) noexcept
      : functions(other.functions), session(std::exchange(other.session, nullptr)), number(other.number) {}
  Sequence &operator=(Sequence &&other) noexcept {
    std::swap(functions, other.functions);
    std::swap(session, other.session);
    std::swap(number, other.number);
    return *this;
  }
  Sequence(const Sequence &) = delete;
  Sequence &operator=(const Sequence &) = delete;
  ~Sequence() {
    if (session)
      functions->sequence_free(session, number, nullptr);
  }

  /// A new one that continues where this one stands.
  Sequence fork() const {
    bamba_sequence copy = 0;
    detail::call(*functions, functions->sequence_fork, session, number, &copy);
    return {*functions, session, copy};
  }

  /// Empties it.
  void reset() { detail::call(*functions, functions->sequence_reset, session, number); }

  /// Tokens that it holds.
  uint32_t length() const {
    uint32_t tokens = 0;
    detail::call(*functions, functions->sequence_get_length, static_cast<const bamba_session *>(session), number,
                 &tokens);
    return tokens;
  }

  /// How many of its last tokens truncate() can drop now.
  uint32_t rollback() const {
    uint32_t tokens = 0;
    detail::call(*functions, detail::laterFunction(*functions, &bamba_api::sequence_get_rollback),
                 static_cast<const bamba_session *>(session), number, &tokens);
    return tokens;
  }

  /// Drops its last tokens, at most rollback().
  void truncate(uint32_t tokens) {
    detail::call(*functions, detail::laterFunction(*functions, &bamba_api::sequence_truncate), session, number, tokens);
  }

  /// Its state, which restore() takes back in any session of the same model.
  std::vector<unsigned char> save() const {
    size_t size = 0;
    auto *owner = static_cast<const bamba_session *>(session);
    detail::call(*functions, functions->sequence_save, owner, number, nullptr, &size);
    std::vector<unsigned char> state(size);
    detail::call(*functions, functions->sequence_save, owner, number, state.data(), &size);
    return state;
  }

  void restore(const void *state, size_t size) {
    detail::call(*functions, functions->sequence_restore, session, number, state, size);
  }
  void restore(const std::vector<unsigned char> &state) { restore(state.data(), state.size()); }

  /// Tokens to append to it, for Session::run(); they must live until that returns.
  bamba_batch_item item(const int32_t *tokens, size_t count, bamba_logits logits = BAMBA_LOGITS_LAST) const {
    bamba_batch_item item = {};
    item.sequence = number;
    item.num_tokens = static_cast<uint32_t>(count);
    item.tokens = tokens;
    item.logits = logits;
    return item;
  }

  /// The same, which leaves the logits after the tokens of these numbers only; they must live as long.
  bamba_batch_item item(const int32_t *tokens, size_t count, const std::vector<uint32_t> &chosen) const {
    bamba_batch_item item = this->item(tokens, count, BAMBA_LOGITS_CHOSEN);
    item.chosen = chosen.data();
    item.num_chosen = static_cast<uint32_t>(chosen.size());
    return item;
  }

  bamba_sequence get() const noexcept { return number; }

private:
  Sequence(const bamba_api &functions, bamba_session *session, bamba_sequence number) noexcept
      : functions(&functions), session(session), number(number) {}

  const bamba_api *functions;
  bamba_session *session;
  bamba_sequence number = 0;
};

inline void Session::run(const Sequence &sequence, const std::vector<int32_t> &tokens, bamba_logits logits) {
  bamba_batch_item item = sequence.item(tokens.data(), tokens.size(), logits);
  run(&item, 1);
}

} // namespace bamba

#endif // BAMBA_BAMBA_HPP
