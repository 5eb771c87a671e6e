"""Adds up JUnit files: what failed, what was skipped and why, then the one line `N passed, N failed, N skipped`.

usage: summarize.py FILE...
A file that is absent counts as a failure, since its suite did not finish. The exit code is 1 when anything failed or
nothing passed.
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(case, skipped):
    """GoogleTest's reason stands in the output that ctest keeps, lit's in the message."""
    output = case.findtext("system-out") or ""
    match = re.search(r": Skipped\n(.+)", output)
    return match.group(1) if match else skipped.get("message") or (skipped.text or "no reason given").strip()


def main():
    passed, failed, skipped = 0, 0, 0
    for path in sys.argv[1:]:
        if not os.path.exists(path):
            failed += 1
            print(f"FAILED: no results in {path}")
            continue
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                print(f"FAILED: {name}")
            elif skip is not None:
                skipped += 1
                print(f"SKIPPED: {name}: {skip_reason(case, skip)}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
