// The names of the metadata that the compiler writes into a library as JSON, and that bamba-run reads.
#ifndef BAMBA_RUNTIME_CONTRACT_METADATA_KEYS_H
#define BAMBA_RUNTIME_CONTRACT_METADATA_KEYS_H

namespace bambac::contract {

/// The version of what a library's metadata holds. It changes when a field changes its meaning or goes; new fields
/// leave it as it is. docs/json-output.md lists the fields.
inline constexpr int kMetadataSchema = 1;

namespace key {

inline constexpr char kName[] = "name";
inline constexpr char kKind[] = "kind";
inline constexpr char kBatch[] = "batch";
inline constexpr char kChunk[] = "chunk";
inline constexpr char kKept[] = "kept";
inline constexpr char kLaunches[] = "launches";
inline constexpr char kArenaBytes[] = "arena_bytes";
inline constexpr char kWeightBytes[] = "weight_bytes";
inline constexpr char kStateBytes[] = "state_bytes";
inline constexpr char kActivationBytes[] = "activation_bytes";
inline constexpr char kFlops[] = "flops";
inline constexpr char kContextBytes[] = "context_bytes";
inline constexpr char kContextFlops[] = "context_flops";
inline constexpr char kCodeFlops[] = "code_flops";
inline constexpr char kShape[] = "shape";
inline constexpr char kRows[] = "rows";
inline constexpr char kDtype[] = "dtype";
inline constexpr char kPanel[] = "panel";
inline constexpr char kPanelGroup[] = "panel_group";
inline constexpr char kPanelAlign[] = "panel_align";
inline constexpr char kInterleaved[] = "interleaved";
inline constexpr char kBytes[] = "bytes";
inline constexpr char kSources[] = "sources";
inline constexpr char kTarget[] = "target";
inline constexpr char kCount[] = "count";
inline constexpr char kSchedule[] = "schedule";
inline constexpr char kScratchBytes[] = "scratch_bytes";
inline constexpr char kCost[] = "cost";
inline constexpr char kDevice[] = "device";
inline constexpr char kArch[] = "arch";
inline constexpr char kFeatures[] = "features";
inline constexpr char kMaxBatch[] = "max_batch";
inline constexpr char kMaxContext[] = "max_context";
inline constexpr char kPrefillChunk[] = "prefill_chunk";
inline constexpr char kPageTokens[] = "page_tokens";
inline constexpr char kStateRing[] = "state_ring";
inline constexpr char kSlotBytes[] = "slot_bytes";
inline constexpr char kPageBytes[] = "page_bytes";
inline constexpr char kCompiler[] = "compiler";
inline constexpr char kVersion[] = "version";
inline constexpr char kFlags[] = "flags";
inline constexpr char kConfig[] = "config";
inline constexpr char kVocabSize[] = "vocab_size";
inline constexpr char kLimits[] = "limits";
inline constexpr char kEntryPoints[] = "entry_points";
inline constexpr char kKernels[] = "kernels";
inline constexpr char kWeights[] = "weights";
inline constexpr char kStates[] = "states";
inline constexpr char kMemory[] = "memory";
inline constexpr char kHeadDim[] = "head_dim";
inline constexpr char kRotaryDim[] = "rotary_dim";
inline constexpr char kRepeat[] = "repeat";
inline constexpr char kScales[] = "scales";
inline constexpr char kComputed[] = "computed";
inline constexpr char kPackKernel[] = "pack_kernel";
inline constexpr char kWorkgroups[] = "workgroups";
inline constexpr char kGrid[] = "grid";
inline constexpr char kThreads[] = "threads";
inline constexpr char kCluster[] = "cluster";
inline constexpr char kRegisters[] = "registers";
inline constexpr char kSharedBytes[] = "shared_bytes";
inline constexpr char kSpillBytes[] = "spill_bytes";
inline constexpr char kCodeBytes[] = "code_bytes";
inline constexpr char kModels[] = "models";
inline constexpr char kSchemaVersion[] = "schema_version";

} // namespace key
} // namespace bambac::contract

#endif // BAMBA_RUNTIME_CONTRACT_METADATA_KEYS_H
