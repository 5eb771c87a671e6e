"""The body of /v1/chat/completions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from bamba.errors import InvalidRequestError
from bamba.sampling import MAX_LOGPROBS, check_range
from bamba.server.schemas.base import Schema
from bamba.server.schemas.sampling import SamplingRequest


class TextPart(Schema):
    """A part of a message's content; other kinds than text are refused."""

    type: Literal["text"]
    text: str


class Message(Schema):
    """A message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None

    def for_template(self) -> dict[str, Any]:
        """As templates expect it: one text, and the developer as the system."""
        if self.content is None and not self.tool_calls and self.role != "assistant":
            raise InvalidRequestError(f"messages: expected content in a message of {self.role}, found none", "messages")
        content = self.content or ""
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        found: dict[str, Any] = {"role": "system" if self.role == "developer" else self.role, "content": text}
        optional = {"name": self.name, "tool_calls": self.tool_calls, "tool_call_id": self.tool_call_id}
        return found | {name: value for name, value in optional.items() if value is not None}


class ChatRequest(SamplingRequest):
    """OpenAI's fields of a chat."""

    unsupported: ClassVar[frozenset[str]] = SamplingRequest.unsupported | {
        "audio",
        "function_call",
        "functions",
        "moderation",
        "parallel_tool_calls",
        "prediction",
        "reasoning_effort",
        "tool_choice",
        "tools",
        "verbosity",
        "web_search_options",
    }

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[Literal["text"]] | None = None
    # These change no answer.
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    # Beyond OpenAI's.
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    chat_template_kwargs: dict[str, Any] | None = None

    def limit(self) -> int | None:
        """The new tokens at most, by the new name or the old one."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    def logprobs_count(self) -> int | None:
        """How many of the best tokens come with each; None: no log-probabilities."""
        if not self.logprobs:
            if self.top_logprobs is not None:
                raise InvalidRequestError("top_logprobs: expected logprobs to be true, found false", "top_logprobs")
            return None
        check_range("top_logprobs", self.top_logprobs, 0, MAX_LOGPROBS)
        return self.top_logprobs or 0

    def template_variables(self) -> dict[str, Any]:
        """What the template gets besides the messages."""
        variables = dict(self.chat_template_kwargs or {})
        own = {"messages", "tools", "documents", "self", "add_generation_prompt", "continue_final_message"}
        if clash := own & variables.keys():
            message = f"chat_template_kwargs: expected no {sorted(clash)[0]}, found it"
            raise InvalidRequestError(message, "chat_template_kwargs")
        generate = self.add_generation_prompt and not self.continue_final_message
        return variables | {
            "add_generation_prompt": generate,
            "continue_final_message": self.continue_final_message,
        }
