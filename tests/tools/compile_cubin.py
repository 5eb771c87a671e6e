"""Compiles the CUDA text of a kernel with NVRTC, as bambac does, to look at its machine code; needs no GPU and no nvcc.

usage: compile_cubin.py KERNEL.cu ARCH OUT.cubin

`bambac compile CONFIG --target=ARCH --compile-to=kernels -o FOLDER/` writes the text of each kernel. What the assembler
says (registers, spills, shared memory) is printed; `cuobjdump -sass OUT.cubin` shows the instructions.
"""

import ctypes
import glob
import os
import sys

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def find_nvrtc():
    """The library in the folders where bambac looks, and in that of a build of this tree."""
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    folders = [os.path.join(home, "lib64") for home in homes if home]
    folders += [os.path.join(SOURCE, build, "lib", "bambac", "cuda") for build in ("build", "build-dev")]
    for folder in folders + ["/usr/lib/x86_64-linux-gnu"]:
        for name in glob.glob(os.path.join(folder, "libnvrtc-builtins.so*")):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)  # which NVRTC opens by name alone
        for name in sorted(glob.glob(os.path.join(folder, "libnvrtc.so*"))):
            return ctypes.CDLL(name)
    sys.exit(f"error: expected libnvrtc.so in one of {', '.join(folders)}, found none")


def text_of(nvrtc, program, what):
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.raw


def main():
    path, arch, out = sys.argv[1:]
    with open(path, "rb") as file:
        text = file.read()
    nvrtc, program = find_nvrtc(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, os.path.basename(path).encode(), 0, None, None)
    options = [f"--gpu-architecture={arch}", "--std=c++17", "--ptxas-options=-v", "--diag-suppress=177",
               f"--include-path={SOURCE}/codegen/cuda/collectives", f"--include-path={SOURCE}"]
    status = nvrtc.nvrtcCompileProgram(program, len(options),
                                       (ctypes.c_char_p * len(options))(*(option.encode() for option in options)))
    print(text_of(nvrtc, program, "ProgramLog").rstrip(b"\0").decode(errors="replace"))
    if status != 0:
        sys.exit(f"error: cannot compile {path} for {arch}")
    with open(out, "wb") as file:
        file.write(text_of(nvrtc, program, "CUBIN"))


if __name__ == "__main__":
    main()
