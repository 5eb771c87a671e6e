"""Checks JSON output of bamba-run against the fields that a page documents.

    check_json_output.py PAGE SECTION cpu|cuda FILE

A field that the page does not list, one that it says is always there (or on that device) and is not, and one of another
type are printed, and the exit code is then 1.
"""

import json
import sys

TYPES = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
}


class Field:
    """A field of an object: a leaf has a type, any other fields of its own."""

    def __init__(self):
        self.type = None
        self.when = set()
        self.fields = {}


def read_page(path, section):
    """The fields of a section as a tree; items of a list are below a field named []."""
    root = Field()
    here = False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                here = line[3:].strip() == section
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not here or not line.startswith("| `") or len(cells) < 4:
                continue
            name = cells[0].strip("`")
            for full in ("decode[]" + name[1:], "prefill[]" + name[1:]) if name.startswith("X.") else (name,):
                add(root, full, cells[1], cells[2])
    if not root.fields:
        sys.exit(f"{path}: expected a section '{section}' with fields, found none")
    return root


def add(root, path, kind, when):
    field = root
    for step in path.replace("[]", ".[]").split("."):
        field = field.fields.setdefault(step, Field())
        field.when.add(when)
    field.type = kind


def check(value, field, path, device, faults):
    other = {"cpu": "CUDA", "cuda": "CPU"}[device]
    if field.type == "any":
        return
    if field.type:
        if not TYPES[field.type](value):
            faults.append(f"{path}: expected a {field.type}, found {json.dumps(value)[:40]}")
        return
    if "[]" in field.fields:
        if not isinstance(value, list):
            faults.append(f"{path}: expected a list, found {json.dumps(value)[:40]}")
            return
        for item in value:
            check(item, field.fields["[]"], path + "[]", device, faults)
        return
    if not isinstance(value, dict):
        faults.append(f"{path}: expected an object, found {json.dumps(value)[:40]}")
        return
    for name, child in field.fields.items():
        if name in value and child.when == {other}:
            faults.append(f"{path}.{name}: expected on {other} only")
        if name not in value and ("always" in child.when or device.upper() in child.when) and "some" not in child.when:
            faults.append(f"{path}.{name}: expected the field, found none")
    for name in value:
        if name not in field.fields:
            faults.append(f"{path}.{name}: expected a documented field")
        else:
            check(value[name], field.fields[name], f"{path}.{name}", device, faults)


def main():
    page, section, device, file = sys.argv[1:]
    faults = []
    with open(file, encoding="utf-8") as stream:
        check(json.load(stream), read_page(page, section), "", device, faults)
    for fault in dict.fromkeys(faults):
        print(f"{section}{fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
