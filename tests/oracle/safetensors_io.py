"""Reads and writes .safetensors files with numpy, bf16 and e4m3 included.

They have no numpy type: they are read as float32 (exact) and written from any float array by rounding to nearest even.
"""

import json
import os
import struct

import numpy as np

import e4m3

_NUMPY_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U8": "<u1",
}
_ELEMENT_BYTES = {"BF16": 2, "F8_E4M3": 1, **{name: np.dtype(numpy_type).itemsize for name, numpy_type in _NUMPY_TYPES.items()}}


def round_to_bf16(array):
    """The nearest bf16 (ties to even) of each element, as its 16 bits."""
    bits = np.ascontiguousarray(array, dtype="<f4").view("<u4").astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype("<u2")


def bf16_to_f32(bits):
    return (bits.astype("<u4") << 16).view("<f4")


def as_stored(array, dtype):
    """The values that a checkpoint of element type `dtype` holds for `array`, as float32."""
    if dtype == "BF16":
        return bf16_to_f32(round_to_bf16(array)).reshape(np.shape(array))
    if dtype == "F8_E4M3":
        return e4m3.decode(e4m3.encode(array)).astype(np.float32)
    return np.asarray(array).astype(_NUMPY_TYPES[dtype]).astype(np.float32)


def encode(array, dtype):
    """The bytes of `array` as elements of `dtype`."""
    if dtype == "BF16":
        return round_to_bf16(array).tobytes()
    if dtype == "F8_E4M3":
        return e4m3.encode(array).tobytes()
    return np.ascontiguousarray(array, dtype=_NUMPY_TYPES[dtype]).tobytes()


def read_header(path):
    """The header's JSON and the offset of the data after it."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(size)), 8 + size


def read_file(path):
    """All tensors of one file by name; bf16 and e4m3 become float32, other types stay as they are."""
    header, base = read_header(path)
    data = np.memmap(path, dtype=np.uint8, mode="r")
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = data[base + begin : base + end].tobytes()
        if entry["dtype"] == "BF16":
            array = bf16_to_f32(np.frombuffer(raw, "<u2"))
        elif entry["dtype"] == "F8_E4M3":
            array = e4m3.decode(np.frombuffer(raw, np.uint8)).astype(np.float32)
        else:
            array = np.frombuffer(raw, _NUMPY_TYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def read_checkpoint(folder):
    """All tensors of a checkpoint folder, sharded or not."""
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        return read_file(os.path.join(folder, "model.safetensors"))
    with open(index, encoding="utf-8") as file:
        shards = sorted(set(json.load(file)["weight_map"].values()))
    tensors = {}
    for shard in shards:
        tensors.update(read_file(os.path.join(folder, shard)))
    return tensors


def write_raw(path, header, data):
    """A file with exactly this header (a dict or ready-made bytes) and these data bytes: for malformed files too."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        file.write(data)


def write_file(path, tensors, dtype="F32"):
    """Writes `tensors`; `dtype` is one name for all or a dict from tensor name to type name."""
    header, chunks, offset = {}, [], 0
    for name, array in tensors.items():
        element = dtype[name] if isinstance(dtype, dict) else dtype
        raw = encode(array, element)
        header[name] = {
            "dtype": element, "shape": list(np.shape(array)), "data_offsets": [offset, offset + len(raw)],
        }
        chunks.append(raw)
        offset += len(raw)
    write_raw(path, header, b"".join(chunks))


def write_sharded(folder, tensors, dtype="F32", shards=2):
    """Writes `tensors` round robin over several files with their index."""
    names = list(tensors)
    weight_map = {}
    for shard in range(shards):
        file_name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: tensors[name] for name in names[shard::shards]}
        write_file(os.path.join(folder, file_name), part, dtype)
        weight_map.update({name: file_name for name in part})
    total = sum(
        np.size(tensors[name]) * _ELEMENT_BYTES[dtype[name] if isinstance(dtype, dict) else dtype] for name in names
    )
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, file)
