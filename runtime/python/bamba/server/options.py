"""The options of a server, its limits among them."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class ServerOptions:
    """What a server allows. Times are in seconds; a client that passes a limit gets an error of its own."""

    model_name: str = "bamba"  # The name in /v1/models, which requests must give.
    host: str = "127.0.0.1"
    port: int = 8000  # 0: any that is free.
    api_keys: tuple[str, ...] = ()  # Requests must bring one of these; none: no key is needed.
    allowed_hosts: tuple[str, ...] = ()  # Names besides the address in the Host header; "*": any.
    max_body_bytes: int = 4 * MIB
    max_choices: int = 128  # Answers that one request may ask for: prompts times n.
    max_stop_characters: int = 1024
    header_seconds: float = 10.0  # From a connection to the end of its first request's headers.
    body_seconds: float = 10.0  # From the headers to the end of the body.
    request_seconds: float = 600.0  # From the body to the end of the answer.
    idle_seconds: float = 30.0  # Between two requests of a connection.
    shutdown_seconds: float = 30.0  # For running requests, once the server is told to end.
    max_connections: int = 1024
    page: bool = True  # Whether / shows a page to try the model by hand.

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine reach the server."""
        return self.host in ("127.0.0.1", "localhost", "::1")
