// Refuses to run in a program that is linked to two models whose functions have the same names: the linker binds all
// calls to the first, which would answer for both.
#ifndef BAMBA_RUNTIME_API_LINKED_MODELS_H
#define BAMBA_RUNTIME_API_LINKED_MODELS_H

namespace bambac::rt {

/// Fails with BAMBA_UNSUPPORTED where there is such a model, and names both.
void expectNoOtherModel();

} // namespace bambac::rt

#endif // BAMBA_RUNTIME_API_LINKED_MODELS_H
