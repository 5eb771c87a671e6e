// The epilogue of a projection whose result is cut into heads: rotated, and written to memory or to the KV cache.
//
// A call has whole pairs of dimensions, as its two inputs a result: those of a pair are neighbours (`interleaved`).
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"
#include "codegen/cuda/emit/SumScales.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {
namespace {

/// Neighbouring columns of the projection and what becomes of them.
struct Segment {
  int64_t first = 0, columns = 0, headDim = 0;
  RopeOp rope;         ///< null: the columns are not rotated
  KvAppendOp append;   ///< null: they go to `result`
  Value cache;         ///< of `append`
  bool isKey = false;  ///< that of the keys
  std::string pointer; ///< the member that holds where they go
  View result;
};

class HeadsEpiloguePrinter {
public:
  HeadsEpiloguePrinter(KernelWriter &writer, LinearOp linear)
      : writer(writer), linear(linear), bias(linear.getBias()), scales(writer, linear),
        columns(dimOf(linear.getResult(), 1)) {}

  FailureOr<std::string> print() {
    if (failed(findSegments()))
      return failure();
    describe();
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << "/// Stores the sums of bamba.linear as heads, rotated, where they are read.\nstruct Epilogue {\n"
           << "  static constexpr int kInputs = 2, kColumns = " << columns / 2 << ", kVector = " << vectorWidth()
           << ";\n";
    printMembers(stream);
    printLoad(stream);
    printStore(stream);
    stream << "};\n";
    writer.declare(text);
    return "Epilogue{" + llvm::join(initializers, ", ") + "}";
  }

private:
  /// The readers of the projection by their first column.
  LogicalResult findSegments() {
    for (Operation *user : linear.getResult().getUsers()) {
      auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
      if (!slice || !slice->hasOneUse())
        return linear.emitError() << "expected slices of columns with one reader each, found " << *user;
      Segment segment;
      segment.first = slice.getStaticOffsets()[1];
      segment.columns = slice.getStaticSizes()[1];
      if (failed(findReader(*slice->use_begin(), segment)))
        return failure();
      segments.push_back(segment);
    }
    llvm::sort(segments, [](const Segment &left, const Segment &right) { return left.first < right.first; });
    int64_t next = 0;
    for (Segment &segment : segments) {
      if (segment.first != next)
        break;
      next += segment.columns;
      if (segment.rope && !isAlike(segment.rope, getRope()))
        return segment.rope.emitError() << "expected one rotation of all heads in a kernel";
    }
    if (next != columns)
      return linear.emitError() << "expected one reader of each column of the projection, found none or two of column "
                                << next;
    return success();
  }

  static bool isAlike(RopeOp left, RopeOp right) {
    return left.getHeadDim() == right.getHeadDim() && left.getRotation() == right.getRotation() &&
           left.getPositions() == right.getPositions();
  }

  LogicalResult findReader(OpOperand &use, Segment &segment) {
    Operation *reader = use.getOwner();
    OpOperand *last = &use;
    if (auto rope = dyn_cast<RopeOp>(reader)) {
      segment.rope = rope;
      segment.headDim = static_cast<int64_t>(rope.getHeadDim());
      auto append = rope->hasOneUse() ? dyn_cast<KvAppendOp>(*rope->user_begin()) : nullptr;
      if (!append)
        return findResult(rope, segment);
      last = &*rope->use_begin();
    }
    segment.append = dyn_cast<KvAppendOp>(last->getOwner());
    if (!segment.append)
      return linear.emitError() << "expected a rotation or an append to the cache, found " << *reader;
    segment.isKey = *last == segment.append.getKMutable();
    segment.pointer = segment.isKey ? "keys" : "values";
    segment.cache = segment.isKey ? segment.append.getKCache() : segment.append.getVCache();
    segment.headDim = cast<RankedTensorType>(segment.cache.getType()).getShape().back();
    return success();
  }

  LogicalResult findResult(RopeOp rope, Segment &segment) {
    FailureOr<View> view = writer.resultView(cast<OpResult>(rope.getResult()));
    if (failed(view))
      return failure();
    segment.result = *view;
    segment.pointer = ("rotated" + Twine(segment.first)).str();
    return success();
  }

  RopeOp getRope() const {
    for (const Segment &segment : segments)
      if (segment.rope)
        return segment.rope;
    return nullptr;
  }
  KvAppendOp getAppend() const {
    for (const Segment &segment : segments)
      if (segment.append)
        return segment.append;
    return nullptr;
  }

  void describe() {
    if (RopeOp rope = getRope())
      describeRope(writer, rope);
    if (KvAppendOp append = getAppend())
      describeCache(writer, append);
  }

  /// Results, pairs each, of a call: they lie in one head and, as elements, in one access.
  int64_t vectorWidth() const {
    int64_t width = kWidest;
    for (const Segment &segment : segments)
      while (segment.headDim % width != 0 || (!segment.append && segment.result.alignment(width) != width))
        width /= 2;
    return std::max<int64_t>(width / 2, 1);
  }

  void member(raw_ostream &stream, const Twine &declaration, const std::string &initializer) {
    stream << "  " << declaration << ";\n";
    initializers.push_back(initializer);
  }

  void printMembers(raw_ostream &stream) {
    RopeOp rope = getRope();
    KvAppendOp append = getAppend();
    member(stream, "const int *positions",
           rope ? writer.address(rope, rope.getPositions(), "positions")
                : writer.address(append, append.getPositions(), "positions"));
    if (append)
      member(stream, "const int *pages", writer.address(append, append.getPages(), "pages"));
    if (append && append.getPieces())
      member(stream, "const int *pieces", writer.address(append, append.getPieces(), "pieces"));
    if (append && append.getScales())
      member(stream, "const float *cacheScales", writer.address(append, append.getScales(), "cacheScales"));
    if (bias)
      member(stream, "const float *bias", writer.address(linear, bias, "bias"));
    scales.printMembers(stream);
    scales.addInitializers(initializers);
    for (const Segment &segment : segments) {
      Type element = segment.cache ? getElementTypeOrSelf(segment.cache.getType()) : segment.result.element;
      member(stream, cudaType(element) + " *" + segment.pointer,
             segment.cache ? writer.address(segment.append, segment.cache, segment.isKey ? "kCache" : "vCache")
                           : writer.address(segment.result, "rotated"));
    }
  }

  void printLoad(raw_ostream &stream) const {
    KvAppendOp append = getAppend();
    bool appends = append != nullptr;
    StringRef piece = appends && append.getPieces() ? "pieces[row]" : "row";
    stream << "\n  template <int V> struct Extra {\n    int position;\n"
           << (appends ? "    long long place;\n" : "") << (bias ? "    float bias[2 * V];\n" : "");
    scales.printExtra(stream, "2 * V");
    stream << "  };\n"
           << "  template <int V> __device__ __forceinline__ Extra<V> load(int row, int column) const {\n"
           << "    Extra<V> extra;\n    extra.position = positions[row];\n"
           << (appends ? ("    extra.place = cachePlace<Shape>(pages, " + piece + ", extra.position);\n").str() : "")
           << (bias ? "    loadVector<2 * V>(bias + 2 * column, extra.bias);\n" : "");
    scales.printLoad(stream, "2 * V", "2 * column");
    stream << "    return extra;\n  }\n";
  }

  void printStore(raw_ostream &stream) const {
    stream << "  template <int V>\n"
           << "  __device__ __forceinline__ void store(int row, int column, const float (&sums)[2 * V],\n"
           << "                                        const Extra<V> &extra) const {\n"
           << "    float vector[2 * V];\n#pragma unroll\n    for (int i = 0; i < 2 * V; ++i)\n"
           << "      vector[i] = " << scales.apply("sums[i]", "i") << (bias ? " + extra.bias[i]" : "") << ";\n"
           << "    const int first = 2 * column;\n";
    printRotation(stream);
    for (auto [number, segment] : llvm::enumerate(segments)) {
      bool isLast = number + 1 == segments.size();
      stream << (number ? " else " : "    ");
      if (!isLast)
        stream << "if (first < " << segment.first + segment.columns << ") ";
      stream << "{\n";
      printSegment(stream, segment);
      stream << "    }";
    }
    stream << "\n  }\n";
  }

  /// The rotation of all segments that have one, once for those that follow each other: NVRTC takes long for its code,
  /// which it copies to wherever a collective stores.
  void printRotation(raw_ostream &stream) const {
    auto isRotated = [](const Segment &segment) { return segment.rope != nullptr; };
    for (const auto *begin = llvm::find_if(segments, isRotated); begin != segments.end();) {
      const auto *end = std::find_if_not(begin, segments.end(), isRotated);
      SmallVector<std::string> conditions;
      if (begin != segments.begin())
        conditions.push_back(("first >= " + Twine(begin->first)).str());
      if (end != segments.end())
        conditions.push_back(("first < " + Twine(end->first)).str());
      if (!conditions.empty())
        stream << "    if (" << llvm::join(conditions, " && ") << ")\n  ";
      std::string column = begin->first ? ("(first - " + Twine(begin->first) + ")").str() : "first";
      stream << "    rotatePairs<Shape>(vector, " << column << " % Shape::kHeadDim, extra.position, kFrequencies);\n";
      begin = std::find_if(end, segments.end(), isRotated);
    }
  }

  static void printSegment(raw_ostream &stream, const Segment &segment) {
    std::string column = segment.first ? ("first - " + Twine(segment.first)).str() : "first";
    KvAppendOp append = segment.append;
    StringRef scale = segment.isKey ? ", cacheScales[kScaleOfKeys]" : ", cacheScales[kScaleOfValues]";
    if (append)
      stream << "      storeCached<Shape>(" << segment.pointer << ", extra.place, " << column << ", vector"
             << (append.getScales() ? scale : "") << ");\n";
    else
      stream << "      storeVector(" << segment.pointer << " + static_cast<long long>(row) * " << segment.result.stride
             << " + " << column << ", vector);\n";
  }

  KernelWriter &writer;
  LinearOp linear;
  Value bias;
  SumScales scales;
  int64_t columns;
  SmallVector<Segment> segments;
  SmallVector<std::string> initializers;
};

} // namespace

FailureOr<std::string> emitHeadsEpilogue(KernelWriter &writer, LinearOp linear) {
  writer.include("common/kv_cache.cuh");
  writer.include("common/rope.cuh");
  return HeadsEpiloguePrinter(writer, linear).print();
}

} // namespace bambac::codegen
