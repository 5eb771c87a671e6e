// What the compiler tells the runtime of a model's checkpoints, beyond the tensors that its weights are made of:
// bamba_rt_model::checkpoint, the text of a JSON object. Every key may be missing.
//
//   {"ignored": [".rotary_emb.inv_freq"],                           tensors whose names end so are not read
//    "copies": {"lm_head.weight": "model.embed_tokens.weight"},     a tensor that may be there, and the one read for it
//    "padded": ["model.embed_tokens.weight"],                       may have more rows than the model, at the end
//    "fields": [{"names": ["rope_parameters.rope_theta", "rope_theta"], "values": [10000.0], "optional": true}]}
//
// A field of the config.json next to a checkpoint, by the first of its names that the file has (a dot leads into an
// object; null counts as missing unless it is a value), has one of `values`, or lies in a range {"from": a, "below":
// b}. Infinity is the text "Infinity". A file without the field fits where it is optional.
#ifndef BAMBA_RUNTIME_CONTRACT_CHECKPOINT_RULES_H
#define BAMBA_RUNTIME_CONTRACT_CHECKPOINT_RULES_H

namespace bambac::contract::rules_key {

inline constexpr char kIgnored[] = "ignored";
inline constexpr char kCopies[] = "copies";
inline constexpr char kPadded[] = "padded";
inline constexpr char kFields[] = "fields";
inline constexpr char kNames[] = "names";
inline constexpr char kValues[] = "values";
inline constexpr char kOptional[] = "optional";
inline constexpr char kFrom[] = "from";
inline constexpr char kBelow[] = "below";

} // namespace bambac::contract::rules_key

#endif // BAMBA_RUNTIME_CONTRACT_CHECKPOINT_RULES_H
