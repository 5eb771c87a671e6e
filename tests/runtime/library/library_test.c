// Opens a library as a C program does: by dlopen and one symbol; runs a model, provokes errors, and closes it again.

#include "runtime/include/bamba/bamba.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: expected %s (%s)\n", __FILE__, __LINE__, #condition, error.message);                     \
      return 1;                                                                                                        \
    }                                                                                                                  \
  } while (0)

static int use(const bamba_api *api) {
  bamba_error error = {sizeof error, {0}};
  bamba_model *model = NULL;
  bamba_session *session = NULL;
  bamba_sequence sequence = 0;
  EXPECT(api->model_open(NULL, &model, &error) == BAMBA_OK);

  // An exception is thrown and caught inside the library.
  EXPECT(api->model_load(model, "/nonexistent", NULL, &error) == BAMBA_NOT_FOUND);
  EXPECT(strstr(error.message, "/nonexistent"));

  EXPECT(api->model_load_random(model, 7, &error) == BAMBA_OK);
  bamba_session_options options = {sizeof options, 2, 2, 0, NULL};
  EXPECT(api->session_create(model, &options, &session, &error) == BAMBA_OK);
  EXPECT(api->sequence_create(session, &sequence, &error) == BAMBA_OK);
  const int32_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  bamba_batch_item item = {sequence, 9, tokens, BAMBA_LOGITS_ALL, 0, 0, 0, 0, 0};
  EXPECT(api->session_run(session, &item, 1, sizeof(bamba_batch_item), &error) == BAMBA_OK);
  const float *logits = NULL;
  size_t rows = 0;
  int32_t greedy = -1;
  EXPECT(api->session_get_logits(session, 0, &logits, &rows, &error) == BAMBA_OK && rows == 9);
  EXPECT(api->session_get_greedy(session, 0, &greedy, &error) == BAMBA_OK && greedy >= 0);
  EXPECT(api->session_run(session, NULL, 0, sizeof(bamba_batch_item), &error) == BAMBA_INVALID_ARGUMENT);
  api->session_destroy(session);
  api->model_close(model);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  // Twice, because what a library registers at start must be gone after it is closed.
  for (int i = 0; i < 2; ++i) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    const bamba_api *(*getApi)(uint32_t) = NULL;
    *(void **)&getApi = dlsym(library, "bamba_get_api");
    const bamba_api *api = getApi ? getApi(BAMBA_ABI_VERSION) : NULL;
    if (!api || use(api) || dlclose(library))
      return 1;
  }
  return 0;
}
