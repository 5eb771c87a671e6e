"""Runs a command as one test, and writes its result as JUnit for summarize.py.

usage: run_as_test.py JUNIT_FILE SUITE NAME COMMAND...
The test fails where the command does.
"""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def main():
    junit, suite_name, name, *command = sys.argv[1:]
    code = subprocess.run(command, check=False).returncode
    suite = ElementTree.Element("testsuite", name=suite_name)
    case = ElementTree.SubElement(suite, "testcase", classname=suite_name, name=name)
    if code != 0:
        ElementTree.SubElement(case, "failure", message=f"exit code {code}")
    ElementTree.ElementTree(suite).write(junit)
    sys.exit(code != 0)


if __name__ == "__main__":
    main()
