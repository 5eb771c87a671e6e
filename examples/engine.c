/* Answers one request with the engine of a compiled model, token by token as they come. The program is linked to no
 * model; a service would submit from many threads and poll, or pass a callback.
 *
 *   engine_c MODEL.so WEIGHTS COUNT TOKEN...
 */
#include <bamba/engine.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* What is open, so that one function can close it after success and failure alike. NULL is allowed everywhere. */
struct state {
  void *library;
  const bamba_api *api;
  bamba_model *model;
  bamba_engine *engine;
  int32_t *prompt;
};

static int close_all(struct state *state, int exit_code) {
  if (state->api) {
    state->api->engine->destroy(state->engine); /* engines before their model, */
    state->api->model_close(state->model);      /* the model before its library */
  }
  free(state->prompt);
  if (state->library)
    dlclose(state->library);
  return exit_code;
}

static int open_library(struct state *state, const char *path) {
  const bamba_api *(*get_api)(uint32_t) = NULL;
  state->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!state->library) {
    fprintf(stderr, "%s\n", dlerror());
    return 0;
  }
  *(void **)&get_api = dlsym(state->library, "bamba_get_api");
  const bamba_api *api = get_api ? get_api(BAMBA_ABI_VERSION) : NULL;
  /* A library of an earlier version has no engine. */
  if (api && api->struct_size >= offsetof(bamba_api, engine) + sizeof api->engine)
    state->api = api;
  else
    fprintf(stderr, "%s: not a model compiled by bambac, or of another version\n", path);
  return state->api != NULL;
}

/* Prints the tokens of a request until its last event. */
static bamba_status print_answer(struct state *state, bamba_request request, bamba_error *error) {
  for (;;) {
    bamba_engine_event events[8];
    size_t count = 0;
    bamba_status status =
        state->api->engine->poll(state->engine, request, events, 8, sizeof events[0], UINT32_MAX, &count, error);
    if (status != BAMBA_OK)
      return status;
    for (size_t i = 0; i < count; ++i) {
      if (events[i].token >= 0)
        printf("%s%d", events[i].index ? " " : "", (int)events[i].token);
      if (events[i].finish == BAMBA_FINISH_ERROR) {
        snprintf(error->message, sizeof error->message, "%s", events[i].message);
        return events[i].status;
      }
      if (events[i].finish != BAMBA_FINISH_NONE) {
        printf("\n");
        return BAMBA_OK;
      }
    }
    fflush(stdout);
  }
}

static bamba_status answer(struct state *state, size_t prompt_length, uint32_t count, bamba_error *error) {
  const bamba_engine_api *engine = state->api->engine;
  bamba_engine_options sizes = {.struct_size = sizeof sizes, .slots = 2};
  bamba_request_options options = {.struct_size = sizeof options,
                                   .prompt = state->prompt,
                                   .num_prompt = prompt_length,
                                   .max_tokens = count,
                                   .ignore_eos = 1};
  bamba_request request = 0;
  bamba_status status = engine->create(state->model, &sizes, &state->engine, error);
  if (status == BAMBA_OK)
    status = engine->submit(state->engine, &options, &request, error);
  return status == BAMBA_OK ? print_answer(state, request, error) : status;
}

int main(int argc, char **argv) {
  struct state state = {0};
  bamba_error error = {.struct_size = sizeof error};
  if (argc < 5) {
    fprintf(stderr, "usage: %s MODEL.so WEIGHTS COUNT TOKEN...\n", argv[0]);
    return 1;
  }
  if (!open_library(&state, argv[1]))
    return close_all(&state, 1);

  size_t prompt_length = (size_t)argc - 4;
  state.prompt = malloc(prompt_length * sizeof *state.prompt);
  if (!state.prompt)
    return close_all(&state, 1);
  for (size_t i = 0; i < prompt_length; ++i)
    state.prompt[i] = (int32_t)strtol(argv[4 + i], NULL, 10);

  bamba_status status = state.api->model_open(NULL, &state.model, &error);
  if (status == BAMBA_OK)
    status = state.api->model_load(state.model, argv[2], NULL, &error);
  if (status == BAMBA_OK)
    status = answer(&state, prompt_length, (uint32_t)strtoul(argv[3], NULL, 10), &error);
  if (status != BAMBA_OK)
    fprintf(stderr, "%s: %s\n", state.api->status_name(status), error.message);
  return close_all(&state, status == BAMBA_OK ? 0 : 1);
}
