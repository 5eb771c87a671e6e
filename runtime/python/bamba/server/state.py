"""What the routes of one server share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fastapi import Request

from bamba.async_engine import AsyncEngine
from bamba.server.errors import ApiError
from bamba.server.options import ServerOptions


@dataclass
class ServerState:
    """The engine and the options of a server."""

    engine: AsyncEngine
    options: ServerOptions
    created: int = field(default_factory=lambda: int(time.time()))  # Seconds since 1970.
    draining: bool = False

    @property
    def default_temperature(self) -> float:
        """OpenAI's default, where the library can draw; else the most likely token is taken."""
        return 1.0 if "temperature" in self.engine.features else 0.0

    def check_model(self, name: str | None) -> None:
        """Raises ApiError 404 for a model that this server does not have."""
        if name is not None and name != self.options.model_name:
            message = f"model: expected {self.options.model_name}, found {name[:100]}"
            raise ApiError(404, message, param="model", code="model_not_found")


def state_of(request: Request) -> ServerState:
    """The state of the server that a request came to."""
    state: ServerState = request.app.state.server
    return state
