# RUN: %python %s
"""Checkpoints that do not fit or are damaged: bamba-run names what is wrong in one line and exits with 1."""

import json
import os
import shutil
import struct

import harness
import safetensors_io

NAME = "tiny"
TENSOR = "model.layers.1.mamba.A_log"


class BadCheckpointTest(harness.Case):
    def setUp(self):
        self.model = harness.library(NAME)
        self.folder = self.enterContext(harness.temporary_folder())
        self.file = os.path.join(self.folder, "model.safetensors")
        self.source = os.path.join(harness.fixture(NAME), "model.safetensors")

    def refuse(self, *mentions):
        out = os.path.join(self.folder, "out.safetensors")
        arguments = ["--weights", self.folder, "--tokens=1,2,3"]
        self.assert_refused([harness.BAMBA_RUN, "logits", self.model, *arguments, "-o", out], *mentions, absent=out)
        self.assert_refused([harness.BAMBA_RUN, "generate", self.model, *arguments, "-n", "2"], *mentions)

    def write(self, change):
        """The good checkpoint after `change` has edited its tensors."""
        tensors = safetensors_io.read_file(self.source)
        change(tensors)
        safetensors_io.write_file(self.file, tensors, "BF16")

    def rewrite_header(self, change, data=None):
        """The good file with its header edited by `change`, the data as it was."""
        header, base = safetensors_io.read_header(self.source)
        with open(self.source, "rb") as file:
            content = file.read()[base:]
        changed = change(header)
        safetensors_io.write_raw(self.file, header if changed is None else changed, content if data is None else data)

    def test_the_unchanged_copy_is_fine(self):
        self.write(lambda tensors: None)
        harness.run_generate(self.model, self.folder, [1, 2, 3], 2)
        self.rewrite_header(lambda header: None)
        harness.run_generate(self.model, self.folder, [1, 2, 3], 2)

    def test_missing_folder(self):
        shutil.rmtree(self.folder)
        os.mkdir(self.folder)
        self.refuse(self.folder)
        missing = os.path.join(self.folder, "nowhere")
        arguments = ["--weights", missing, "--tokens=1", "-n", "1"]
        self.assert_refused([harness.BAMBA_RUN, "generate", self.model, *arguments], missing)

    def test_missing_tensor(self):
        self.write(lambda tensors: tensors.pop(TENSOR))
        self.refuse(self.folder, TENSOR)

    def test_extra_tensor(self):
        self.write(lambda tensors: tensors.update({"model.layers.9.extra.weight": tensors[TENSOR]}))
        self.refuse(self.file, "model.layers.9.extra.weight")

    def test_misshapen_tensor(self):
        self.write(lambda tensors: tensors.update({TENSOR: tensors[TENSOR][:-1]}))
        self.refuse(self.file, TENSOR, 7, 8)

    def test_transposed_tensor(self):
        name = "model.layers.0.feed_forward.gate_proj.weight"
        self.write(lambda tensors: tensors.update({name: tensors[name].T}))
        self.refuse(self.file, name)

    def test_rank(self):
        self.write(lambda tensors: tensors.update({TENSOR: tensors[TENSOR].reshape(2, 4)}))
        self.refuse(self.file, TENSOR)

    def test_wrong_typed_tensor(self):
        tensors = safetensors_io.read_file(self.source)
        for wrong in ("I32", "I64", "U8"):
            with self.subTest(dtype=wrong):
                dtypes = {name: "BF16" for name in tensors} | {TENSOR: wrong}
                safetensors_io.write_file(self.file, tensors, dtypes)
                self.refuse(self.file, TENSOR, wrong)

    def test_unknown_type(self):
        self.rewrite_header(lambda header: header[TENSOR].update(dtype="F13"))
        self.refuse(self.file, TENSOR, "F13")

    def test_truncated_file(self):
        size = os.path.getsize(self.source)
        header_end = safetensors_io.read_header(self.source)[1]
        for keep in (0, 7, 8, 100, header_end - 1, header_end, size // 2, size - 1):
            with self.subTest(bytes=keep):
                shutil.copy(self.source, self.file)
                os.chmod(self.file, 0o644)
                os.truncate(self.file, keep)
                self.refuse(self.file)

    def test_bytes_behind_the_last_tensor(self):
        shutil.copy(self.source, self.file)
        os.chmod(self.file, 0o644)
        with open(self.file, "ab") as file:
            file.write(b"\0" * 64)
        self.refuse(self.file)

    def test_overlapping_tensors(self):
        def overlap(header):
            begin, end = header["model.layers.0.mamba.A_log"]["data_offsets"]
            header[TENSOR]["data_offsets"] = [begin, end]

        self.rewrite_header(overlap)
        self.refuse(self.file, "A_log")

    def test_offsets(self):
        for offsets in ([0, 1], [-16, 0], [16, 0], [2**62, 2**62 + 16], [0, 2**64], [0.5, 16.5], [0], "0:16", None):
            with self.subTest(offsets=offsets):
                self.rewrite_header(lambda header: header[TENSOR].update(data_offsets=offsets))
                self.refuse(self.file, TENSOR)

    def test_shapes(self):
        for shape in ([-8], [2**32, 2**32], [2**63, 2], [8.5], ["8"], 8, None):
            with self.subTest(shape=shape):
                self.rewrite_header(lambda header: header[TENSOR].update(shape=shape))
                self.refuse(self.file, TENSOR)

    def test_headers_that_lie_about_their_length(self):
        with open(self.source, "rb") as file:
            content = file.read()
        for length in (0, 1, 2**20, 2**32, 2**63, 2**64 - 1, 2**64 - 8):
            with self.subTest(length=length):
                with open(self.file, "wb") as file:
                    file.write(struct.pack("<Q", length) + content[8:])
                self.refuse(self.file)

    def test_headers_that_are_not_what_they_should_be(self):
        for header in (b"", b"{", b"[]", b"null", b"\xff\xfe" * 8, b'{"a": 1}', b'{"a": {}}', b"[" * 100000):
            with self.subTest(header=header[:16]):
                self.rewrite_header(lambda _: header)
                self.refuse(self.file)

    def test_absent_shard(self):
        tensors = safetensors_io.read_file(self.source)
        safetensors_io.write_sharded(self.folder, tensors, "BF16", shards=3)
        harness.run_generate(self.model, self.folder, [1, 2, 3], 2)
        os.remove(os.path.join(self.folder, "model-00002-of-00003.safetensors"))
        self.refuse("model-00002-of-00003.safetensors")

    def test_shard_without_its_tensor(self):
        tensors = safetensors_io.read_file(self.source)
        safetensors_io.write_sharded(self.folder, tensors, "BF16", shards=2)
        for shard in (1, 2):
            path = os.path.join(self.folder, f"model-0000{shard}-of-00002.safetensors")
            part = safetensors_io.read_file(path)
            safetensors_io.write_file(path, {n: t for n, t in part.items() if n != TENSOR}, "BF16")
        self.refuse(TENSOR)

    def test_bad_index(self):
        index = os.path.join(self.folder, "model.safetensors.index.json")
        for text in ("", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', "{not json"):
            with self.subTest(text=text):
                with open(index, "w", encoding="utf-8") as file:
                    file.write(text)
                self.refuse("model.safetensors.index.json")

    def test_index_that_leads_out_of_the_folder(self):
        index = os.path.join(self.folder, "model.safetensors.index.json")
        tensors = safetensors_io.read_file(self.source)
        for shard in (os.path.relpath(self.source, self.folder), self.source):
            with self.subTest(shard=shard):
                with open(index, "w", encoding="utf-8") as file:
                    json.dump({"weight_map": {name: shard for name in tensors}}, file)
                self.refuse("model.safetensors.index.json")

    def test_a_folder_in_place_of_the_file(self):
        os.mkdir(self.file)
        self.refuse(self.folder)


if __name__ == "__main__":
    harness.main()
