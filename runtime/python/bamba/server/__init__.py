"""A server with OpenAI's interface."""

from bamba.server.app import create_app
from bamba.server.options import ServerOptions

__all__ = ["ServerOptions", "create_app"]
