// Checkpoints of one file, of a folder, and of shards with an index.

#include "runtime/checkpoint/checkpoint.h"
#include "tests/runtime/toy_model.h"

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

Failure openFailure(const std::string &path) {
  return failureOf([&] { Checkpoint checkpoint(path); });
}

/// Two shards with a tensor each, and an index.
void writeShards(const TemporaryFolder &folder, const std::string &index) {
  folder.write("one.safetensors", safetensors({f32Tensor("a", {1}, {1})}));
  folder.write("two.safetensors", safetensors({f32Tensor("b", {2}, {2, 3})}));
  folder.write("model.safetensors.index.json", index);
}

} // namespace

TEST(Checkpoint, OpensAFileAndAFolder) {
  TemporaryFolder folder;
  folder.write("model.safetensors", safetensors(toyTensors()));
  EXPECT_EQ(Checkpoint(folder.path("model.safetensors")).tensors().size(), toyTensors().size());
  EXPECT_EQ(Checkpoint(folder.path()).tensors().size(), toyTensors().size());
}

TEST(Checkpoint, OpensShards) {
  TemporaryFolder folder;
  writeShards(folder, R"({"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  Checkpoint checkpoint(folder.path());
  ASSERT_EQ(checkpoint.tensors().size(), 2u);
  EXPECT_EQ(checkpoint.tensors().find("b")->second.tensor.bytes, 8u);
  EXPECT_EQ(checkpoint.tensors().find("b")->second.file->path(), folder.path("two.safetensors"));
}

TEST(Checkpoint, NamesWhatIsNotThere) {
  TemporaryFolder folder;
  expectFailure(openFailure(folder.path("nothing")), BAMBA_NOT_FOUND, {folder.path("nothing")});
  expectFailure(openFailure(folder.path()), BAMBA_NOT_FOUND, {folder.path(), "model.safetensors"});
  expectFailure(openFailure("/dev/null"), BAMBA_IO_ERROR, {"/dev/null", "expected a file"});
}

TEST(Checkpoint, NamesAMissingShard) {
  TemporaryFolder folder;
  writeShards(folder, R"({"weight_map":{"a":"one.safetensors","b":"three.safetensors"}})");
  expectFailure(openFailure(folder.path()), BAMBA_NOT_FOUND, {"index.json", "three.safetensors"});
}

TEST(Checkpoint, RefusesAnIndexThatDisagrees) {
  TemporaryFolder folder;
  writeShards(folder, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}})");
  expectFailure(openFailure(folder.path()), BAMBA_BAD_CHECKPOINT, {"'c'", "two.safetensors", "in no shard"});
  writeShards(folder, R"({"weight_map":{"a":"two.safetensors","b":"one.safetensors"}})");
  expectFailure(openFailure(folder.path()), BAMBA_BAD_CHECKPOINT, {"'a'", "expected in two.safetensors", "one"});
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  folder.write("two.safetensors", safetensors({f32Tensor("a", {1}, {1}), f32Tensor("b", {1}, {1})}));
  expectFailure(openFailure(folder.path()), BAMBA_BAD_CHECKPOINT, {"'a'", "one file", "one.safetensors"});
}

TEST(Checkpoint, ReadsTensorsThatTheIndexLeavesOut) {
  TemporaryFolder folder;
  writeShards(folder, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  folder.write("two.safetensors", safetensors({f32Tensor("b", {1}, {1}), f32Tensor("x", {1}, {1})}));
  Checkpoint checkpoint(folder.path());
  ASSERT_EQ(checkpoint.tensors().count("x"), 1u);
  EXPECT_EQ(checkpoint.tensors().find("x")->second.file->path(), folder.path("two.safetensors"));
}

TEST(Checkpoint, RefusesAMalformedIndex) {
  TemporaryFolder folder;
  const std::pair<const char *, const char *> cases[] = {
      {"", "syntax error"},
      {"[]", "an array"},
      {"{}", "found none"},
      {R"({"weight_map":[]})", "an array"},
      {R"({"weight_map":{}})", "found none"},
      {R"({"weight_map":{"a":1}})", "a number"},
      {R"({"weight_map":{"a":"../one.safetensors"}})", "without a folder"},
      {R"({"weight_map":{"a":""}})", "without a folder"},
      {R"({"weight_map":{"a":"one.safetensors","a":"two.safetensors"}})", "'a' twice"},
  };
  for (const auto &[index, part] : cases) {
    writeShards(folder, index);
    expectFailure(openFailure(folder.path()), BAMBA_BAD_CHECKPOINT, {"index.json", part});
  }
}
