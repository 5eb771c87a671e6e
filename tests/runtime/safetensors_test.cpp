// The safetensors reader on well-formed files and on each way that a file can lie.

#include "runtime/checkpoint/safetensors.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

FileTensors parse(const std::string &file) { return parseSafetensors("f.safetensors", std::as_bytes(std::span(file))); }

void expectBad(const std::string &file, const std::vector<std::string> &parts) {
  Failure failure = failureOf([&] { parse(file); });
  expectFailure(failure, BAMBA_BAD_CHECKPOINT, parts);
  EXPECT_EQ(failure.message.find("f.safetensors"), 0u) << failure.message;
}

/// A file with one tensor 'a' whose description is `description`, and a body of `bytes` bytes.
std::string one(const std::string &description, size_t bytes) {
  return rawSafetensors("{\"a\":" + description + "}", std::string(bytes, 'x'));
}

} // namespace

TEST(Safetensors, ReadsWhatIsThere) {
  std::string file = rawSafetensors(R"({"__metadata__":{"format":"pt"},)"
                                    R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                                    R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                                    R"("empty":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]}}   )",
                                    "0123456789abcdef");
  FileTensors tensors = parse(file);
  ASSERT_EQ(tensors.size(), 3u);
  const FileTensor &b = tensors.find("b")->second;
  EXPECT_EQ(b.dtype->name, "BF16");
  EXPECT_EQ(b.shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(file.substr(b.offset, b.bytes), "456789abcdef");
  EXPECT_EQ(tensors.find("scalar")->second.bytes, 4u);
  EXPECT_EQ(tensors.find("empty")->second.bytes, 0u);
}

TEST(Safetensors, RefusesALengthThatLies) {
  expectBad("", {"header", "8 bytes", "0 bytes"});
  expectBad("1234567", {"header", "8 bytes", "7 bytes"});
  expectBad(std::string("\x10\0\0\0\0\0\0\0{}", 10), {"expected 16 bytes, found 2", "truncated"});
  expectBad(std::string(8, '\xFF'), {"at most 100000000", "18446744073709551615"});
  expectBad(std::string(8, '\0'), {"starts with '{'", "nothing"});
}

TEST(Safetensors, RefusesAHeaderThatIsNoJsonObject) {
  expectBad(rawSafetensors("{\"a\":", ""), {"header", "JSON", "byte"});
  expectBad(rawSafetensors("[]", ""), {"starts with '{'"});
  expectBad(rawSafetensors(" {}", ""), {"starts with '{'"});
  expectBad(rawSafetensors("{\"a\xFF\":1}", ""), {"header", "JSON"});
  expectBad(rawSafetensors("{\"a\":1e999}", ""), {"too large"});
  expectBad(rawSafetensors("{\"a\":7}", ""), {"'a'", "an object", "a number"});
  expectBad(rawSafetensors("{\"__metadata__\":{\"a\":1}}", ""), {"__metadata__", "strings"});
}

TEST(Safetensors, RefusesNamesThatStandTwice) {
  std::string tensor = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expectBad(rawSafetensors("{\"a\":" + tensor + ",\"a\":" + tensor + "}", "x"), {"unique", "'a' twice"});
  expectBad(one(R"({"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]})", 1), {"'dtype' twice"});
}

TEST(Safetensors, RefusesBadFields) {
  expectBad(one(R"({"shape":[1],"data_offsets":[0,1]})", 1), {"'a'", "dtype", "found none"});
  expectBad(one(R"({"dtype":3,"shape":[1],"data_offsets":[0,1]})", 1), {"'a'", "dtype", "a string", "a number"});
  expectBad(one(R"({"dtype":"Q4","shape":[1],"data_offsets":[0,1]})", 1), {"'a'", "dtype", "'Q4'"});
  expectBad(one(R"({"dtype":"U8","shape":1,"data_offsets":[0,1]})", 1), {"'a'", "shape", "an array"});
  expectBad(one(R"({"dtype":"U8","shape":[-1],"data_offsets":[0,1]})", 1), {"'a'", "shape", "-1"});
  expectBad(one(R"({"dtype":"U8","shape":[1.5],"data_offsets":[0,1]})", 1), {"'a'", "shape", "1.5"});
  expectBad(one(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1],"extra":0})", 1), {"'a'", "'extra'"});
  expectBad(one(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,2]})", 1), {"data_offsets", "[0, 1, 2]"});
  expectBad(one(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})", 1), {"data_offsets", "[1, 0]"});
}

TEST(Safetensors, RefusesNumbersThatOverflow) {
  expectBad(one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]})", 1), {"'a'", "shape", "2^64"});
  expectBad(one(R"({"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]})", 1), {"'a'", "shape"});
  expectBad(one(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", 1), {"'a'", "whole number of bytes"});
  expectBad(one(R"({"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]})", 1),
            {"'a'", "2^64"});
}

TEST(Safetensors, RefusesBytesThatDoNotFit) {
  expectBad(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 7), {"'a'", "7 bytes", "truncated", "found 8"});
  expectBad(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,7]})", 7), {"'a'", "8 bytes for F32 [2]", "found 7"});
  expectBad(one(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})", 2), {"expected 1 bytes", "found 2"});
  expectBad(one(R"({"dtype":"U8","shape":[1],"data_offsets":[1,2]})", 2), {"'a'", "gap"});
}

TEST(Safetensors, RefusesOverlaps) {
  expectBad(rawSafetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                           R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                           "1234567"),
            {"'b'", "start at 4, found 3", "overlaps"});
}
