"""Reads the command line and runs a command."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from bamba.cli import bench, chat, compiling, generate, serve
from bamba.errors import BambaError
from bamba.version import __version__

_COMMANDS = (serve, generate, chat, bench, compiling)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="bamba",
        description="Runs models that bambac compiles: in a server with OpenAI's interface, or here.",
        epilog="Each command has --help. A checkpoint is compiled when it is first used; the library is kept.",
    )
    parser.add_argument("--version", action="version", version=f"bamba {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_command(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit code. A mistake of the user is one line on the standard error and code 1."""
    parsed = make_parser().parse_args(arguments)
    try:
        run = parsed.run
        code: int = run(parsed)
    except BambaError as error:
        print(f"bamba: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


if __name__ == "__main__":
    sys.exit(main())
