"""usage: list_packers.py METADATA.json -- for each model of a library, which kernels pack its weights."""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    models = json.load(file)["models"]
for model in models:
    kernels = [kernel["name"] for kernel in model["kernels"] if kernel["name"].startswith("pack_weights")]
    used = {weight.get("pack_kernel", "-") for weight in model["weights"]}
    assert used <= set(kernels) | {"-"}, "a weight names a kernel that is not there"
    print(f"{model['target']['name']}: {len(kernels)} kernels, weights packed by: {' '.join(sorted(used))}")
