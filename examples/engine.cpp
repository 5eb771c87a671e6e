// Answers the same request from several threads at once, with one engine: they run in the same steps, and each gets the
// answer that it would get alone. The program is linked to its model.
//
//   engine_cpp WEIGHTS COUNT TOKEN...

#include <bamba/engine.hpp>

#include <cstdint>
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// Asks from `threads` threads. Throws where the answers differ.
std::vector<int32_t> answerTogether(bamba::Engine &engine, const bamba::Request &request, int threads) {
  std::vector<std::future<bamba::Completion>> answers;
  for (int i = 0; i < threads; ++i)
    answers.push_back(std::async(std::launch::async, [&] { return engine.generate(request); }));
  std::vector<int32_t> tokens = answers.front().get().tokens;
  for (size_t i = 1; i < answers.size(); ++i)
    if (answers[i].get().tokens != tokens)
      throw std::runtime_error("two answers to the same request differ");
  return tokens;
}

} // namespace

int main(int argc, char **argv) try {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " WEIGHTS COUNT TOKEN...\n";
    return 1;
  }
  bamba::Library library(bamba_get_api);
  bamba::Model model(library);
  model.load(argv[1]);
  bamba::Engine engine(model);

  bamba::Request request;
  request.max_tokens = static_cast<uint32_t>(std::stoul(argv[2]));
  request.ignore_eos = true;
  for (int i = 3; i < argc; ++i)
    request.prompt.push_back(std::stoi(argv[i]));

  const char *separator = "";
  for (int32_t token : answerTogether(engine, request, 4)) {
    std::cout << separator << token;
    separator = " ";
  }
  std::cout << '\n';
} catch (const std::exception &error) {
  std::cerr << error.what() << '\n';
  return 1;
}
