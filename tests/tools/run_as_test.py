"""Runs a command as one test, and writes its result as JUnit for summarize.py.

usage: run_as_test.py JUNIT_FILE SUITE NAME COMMAND...
The test fails where the command does, and is skipped where its exit code is 77.
"""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

SKIPPED = 77  # as Automake has it

def main():
    junit, suite_name, name, *command = sys.argv[1:]
    code = subprocess.run(command, check=False).returncode
    suite = ElementTree.Element("testsuite", name=suite_name)
    case = ElementTree.SubElement(suite, "testcase", classname=suite_name, name=name)
    if code == SKIPPED:
        ElementTree.SubElement(case, "skipped", message="the command cannot run here, as it says above")
    elif code != 0:
        ElementTree.SubElement(case, "failure", message=f"exit code {code}")
    ElementTree.ElementTree(suite).write(junit)
    sys.exit(code not in (0, SKIPPED))


if __name__ == "__main__":
    main()
