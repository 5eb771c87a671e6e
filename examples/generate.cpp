// Generates tokens with a compiled model that is linked into the program: `bambac_add_model(tiny_model ...)` makes the
// model a CMake target like any other library, and its functions are called by name.
//
//   generate_cpp WEIGHTS COUNT TOKEN...
#include <bamba/bamba.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

// Handles close themselves; a session is declared after its model, and so is destroyed before it.
struct Close {
  void operator()(bamba_model *model) const { bamba_model_close(model); }
  void operator()(bamba_session *session) const { bamba_session_destroy(session); }
};
using Model = std::unique_ptr<bamba_model, Close>;
using Session = std::unique_ptr<bamba_session, Close>;

// Calls a function of the library, whose last parameter is the error, and throws what it says went wrong.
template <typename... Parameters, typename... Arguments>
static void call(bamba_status (*function)(Parameters...), Arguments... arguments) {
  bamba_error error = {};
  error.struct_size = sizeof(error);
  if (bamba_status status = function(arguments..., &error); status != BAMBA_OK)
    throw std::runtime_error(std::string(bamba_status_name(status)) + ": " + error.message);
}

static Model openModel(const char *weights) {
  bamba_model *handle = nullptr;
  call(bamba_model_open, nullptr, &handle);
  Model model(handle);
  call(bamba_model_load, handle, weights, nullptr);
  return model;
}

static Session createSession(const Model &model) {
  bamba_session_options options = {};
  options.struct_size = sizeof(options);
  options.slots = 1;
  bamba_session *handle = nullptr;
  call(bamba_session_create, model.get(), &options, &handle);
  return Session(handle);
}

// Appends the tokens to the sequence; returns the most likely next one.
static int32_t step(const Session &session, bamba_sequence sequence, std::span<const int32_t> tokens) {
  bamba_batch_item item = {};
  item.sequence = sequence;
  item.num_tokens = static_cast<uint32_t>(tokens.size());
  item.tokens = tokens.data();
  call(bamba_session_run, session.get(), &item, size_t(1), sizeof(item));
  int32_t next = 0;
  call(bamba_session_get_greedy, session.get(), size_t(0), &next);
  return next;
}

int main(int argc, char **argv) try {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " WEIGHTS COUNT TOKEN...\n";
    return 1;
  }
  int count = std::stoi(argv[2]);
  std::vector<int32_t> prompt;
  for (const char *text : std::span(argv + 3, argv + argc))
    prompt.push_back(std::stoi(text));

  Model model = openModel(argv[1]);
  Session session = createSession(model);
  bamba_sequence sequence = 0;
  call(bamba_sequence_create, session.get(), &sequence);

  int32_t token = step(session, sequence, prompt); // the whole prompt at once,
  for (int i = 0; i < count; ++i) {
    std::cout << (i ? " " : "") << token << std::flush;
    if (i + 1 < count)
      token = step(session, sequence, {&token, 1}); // then one token after the other
  }
  std::cout << "\n";
  return 0;
} catch (const std::exception &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
