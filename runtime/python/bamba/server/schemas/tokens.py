"""The bodies of /tokenize and /detokenize."""

from __future__ import annotations

from pydantic import Field

from bamba.errors import InvalidRequestError
from bamba.server.schemas.base import Schema
from bamba.server.schemas.chat import Message


class TokenizeRequest(Schema):
    """A text, or the messages of a chat by the model's template."""

    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = Field(default=None, min_length=1)
    add_special_tokens: bool = True
    add_generation_prompt: bool = True
    return_token_strs: bool = False

    def check(self) -> None:
        """Raises InvalidRequestError unless there is one of the two."""
        if (self.prompt is None) == (self.messages is None):
            raise InvalidRequestError("prompt: expected either prompt or messages, found both or neither", "prompt")


class DetokenizeRequest(Schema):
    """Tokens."""

    model: str | None = None
    tokens: list[int]
    skip_special_tokens: bool = False
