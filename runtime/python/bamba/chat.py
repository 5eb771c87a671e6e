"""From the messages of a chat to the tokens of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bamba.async_engine import AsyncEngine
from bamba.errors import InvalidRequestError


def chat_prompt(engine: AsyncEngine, messages: Sequence[Mapping[str, Any]], **variables: Any) -> list[int]:
    """The tokens of a chat by the model's template, which writes the special tokens itself.

    `variables` go to ChatTemplate.render. Raises InvalidRequestError where the model has no template or there are no
    messages, TemplateError where the template refuses them.
    """
    if engine.chat_template is None:
        raise InvalidRequestError("messages: this model has no chat template; use completions", "messages")
    if not messages:
        raise InvalidRequestError("messages: expected at least one message, found none", "messages")
    text = engine.chat_template.render(messages, **variables)
    return engine.tokenizer.encode(text, add_special_tokens=False)
