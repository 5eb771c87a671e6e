#!/usr/bin/env python3
"""Continues texts with a model of a checkpoint folder, here. The library is compiled when it is first needed.

generate_text.py CHECKPOINT PROMPT...
"""

import sys

from bamba import LLM, BambaError, SamplingParams


def main():
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} CHECKPOINT PROMPT...")
    try:
        with LLM(sys.argv[1]) as llm:
            for output in llm.generate(sys.argv[2:], SamplingParams(max_tokens=16)):
                print(repr(output.prompt), "->", repr(output.text))
    except BambaError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
