"""`bamba serve`: a server with OpenAI's interface."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from bamba.cli.options import add_model_options, byte_count, load_options, positive
from bamba.cli.progress import Stages
from bamba.errors import BambaError
from bamba.loading import load_engine
from bamba.server import ServerOptions, create_app
from bamba.server.run import bind, run, url_of

_DEFAULT = ServerOptions()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_model_options(parser)
    add_server_options(parser)
    parser.set_defaults(run=_run)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """What decides who may ask, and how much."""
    group = parser.add_argument_group("server")
    group.add_argument("--host", default=_DEFAULT.host, help="address to bind to (default %(default)s: this machine)")
    group.add_argument("--port", type=int, default=_DEFAULT.port, help="port (default %(default)s; 0: any)")
    group.add_argument("--served-model-name", metavar="NAME", help="the model's name (default: the folder's)")
    group.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key that requests must bring; may be repeated. Other users of the machine see the command line: "
        "the variable BAMBA_API_KEY and --api-key-file are better places",
    )
    group.add_argument("--api-key-file", metavar="FILE", help="a file with a key a line")
    group.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which clients may call the server, besides those of this machine; *: any",
    )
    group.add_argument("--no-page", action="store_true", help="no page at /")
    group.add_argument("--verbose", action="store_true", help="log each request")
    group = parser.add_argument_group("limits", "times are in seconds")
    group.add_argument("--max-body-bytes", type=byte_count, default=_DEFAULT.max_body_bytes, metavar="BYTES",
                       help="of a request (default 4M)")  # fmt: skip
    for name, text in (
        ("max-choices", "answers that one request may ask for"),
        ("max-connections", "connections at a time"),
    ):
        default = getattr(_DEFAULT, name.replace("-", "_"))
        group.add_argument(f"--{name}", type=positive, default=default, metavar="N", help=f"{text} (default {default})")
    for name, text in (
        ("header-seconds", "for the headers of a connection's first request"),
        ("body-seconds", "for the body"),
        ("request-seconds", "for the whole answer"),
        ("idle-seconds", "between two requests of a connection"),
        ("shutdown-seconds", "for running requests once the server is told to end"),
    ):
        value = getattr(_DEFAULT, name.replace("-", "_"))
        group.add_argument(f"--{name}", type=float, default=value, metavar="S", help=f"{text} (default {value:g})")


def server_options(arguments: argparse.Namespace) -> ServerOptions:
    """The options of the server that were given. Raises BambaError for keys that cannot be read."""
    names = ("host", "port", "max_body_bytes", "max_choices", "max_connections", "header_seconds", "body_seconds",
             "request_seconds", "idle_seconds", "shutdown_seconds")  # fmt: skip
    return ServerOptions(
        model_name=arguments.served_model_name or Path(arguments.checkpoint).resolve().name,
        api_keys=_keys(arguments),
        allowed_hosts=tuple(arguments.allowed_host),
        page=not arguments.no_page,
        **{name: getattr(arguments, name) for name in names},
    )


def _keys(arguments: argparse.Namespace) -> tuple[str, ...]:
    keys = list(arguments.api_key)
    if "BAMBA_API_KEY" in os.environ:
        keys.append(os.environ["BAMBA_API_KEY"])
    if arguments.api_key_file:
        try:
            lines = Path(arguments.api_key_file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BambaError(f"{arguments.api_key_file}: expected a file with a key a line: {error}") from error
        keys += [line.strip() for line in lines if line.strip()]
        if not any(line.strip() for line in lines):
            raise BambaError(f"{arguments.api_key_file}: expected a key a line, found none")
    if not all(keys):
        raise BambaError("--api-key: expected a key, found an empty one")
    return tuple(keys)


def _run(arguments: argparse.Namespace) -> int:
    options = server_options(arguments)
    console = Console(stderr=True, highlight=False)
    bound = bind(options)  # A port that is taken is known before a long load.
    with Stages() as stages:
        engine = load_engine(arguments.checkpoint, load_options(arguments), stages.watcher)
    if not options.is_local and not options.api_keys:
        console.print("warning: everybody who reaches this address can use the model: there is no --api-key")
    info = engine.info
    console.print(f"{options.model_name} on {info.device} {info.device_name}, {info.max_batch} requests at a time")
    console.print(f"serving {url_of(bound)}/v1 and a page at {url_of(bound)}/", soft_wrap=True)
    run(create_app(engine, options), options, bound, verbose=arguments.verbose)
    return 0
