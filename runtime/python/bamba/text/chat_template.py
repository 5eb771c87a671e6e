"""Renders the messages of a chat with a checkpoint's own template, in jinja2's sandbox.

A template is a program that comes with the weights. The sandbox keeps it from the attributes and methods that lead out
of it, and a limit keeps it from filling the memory. What templates expect of their surroundings (the functions, the
filter `tojson`, whether whitespace is trimmed) is what the transformers library gives them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bamba.errors import CheckpointError, TemplateError

# Characters of a rendered chat. A context has fewer tokens than this by far.
MAX_RENDERED = 16 * 1024 * 1024


class _GenerationBlock(Extension):
    """`{% generation %}` marks what a model is trained on; rendering passes it through."""

    tags = {"generation"}  # noqa: RUF012 - the type of the base class

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_pass_through"), [], [], body).set_lineno(line)

    def _pass_through(self, caller: Any) -> str:
        return str(caller())


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As jinja2's own filter, without the escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda format: datetime.now().strftime(format)  # noqa: A006
    return environment


class ChatTemplate:
    """A template in jinja2's language, with the special tokens that it may name (`bos_token` and such)."""

    def __init__(self, source: str, special_tokens: Mapping[str, str] | None = None) -> None:
        """Raises CheckpointError where the source is no template."""
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise CheckpointError(f"chat template: expected a template of jinja2: {error}") from error
        self._special_tokens = dict(special_tokens or {})

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> str:
        """The text of a chat, up to where the model goes on.

        `continue_final_message` ends the text within the last message, so that the model continues it. Raises
        TemplateError where the template refuses the messages.
        """
        if continue_final_message and add_generation_prompt:
            message = "continue_final_message: expected add_generation_prompt to be false, found true"
            raise TemplateError(message, "continue_final_message")
        text = self._render(
            {
                **self._special_tokens,
                **variables,
                "messages": list(messages),
                "tools": list(tools) if tools else None,
                "documents": list(documents) if documents else None,
                "add_generation_prompt": add_generation_prompt,
            }
        )
        return _cut_after(text, messages[-1]) if continue_final_message else text

    def _render(self, variables: Mapping[str, Any]) -> str:
        parts, size = [], 0
        try:
            for part in self._template.generate(variables):
                parts.append(part)
                size += len(part)
                if size > MAX_RENDERED:
                    raise TemplateError(f"chat template: expected at most {MAX_RENDERED} characters, found more")
        except jinja2.TemplateError as error:
            raise TemplateError(f"chat template: {error}", "messages") from error
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
            raise TemplateError(f"chat template: {type(error).__name__}: {error}", "messages") from error
        return "".join(parts)


def _cut_after(text: str, message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise TemplateError("continue_final_message: expected a last message with text, found none", "messages")
    # Many templates strip what they write.
    for written in (content, content.rstrip(), content.strip()):
        place = text.rfind(written)
        if place >= 0:
            return text[: place + len(written)]
    raise TemplateError("continue_final_message: the template does not write the last message as it is", "messages")


def _token_text(value: Any) -> str | None:
    """A special token in tokenizer_config.json: a string, or an object with `content`."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _template_source(folder: Path, config: Mapping[str, Any]) -> str | None:
    """chat_template.jinja comes before tokenizer_config.json, whose template may be one of several by name."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    source = config.get("chat_template")
    if isinstance(source, list):
        named = {entry.get("name"): entry.get("template") for entry in source if isinstance(entry, Mapping)}
        source = named.get("default")
    return source if isinstance(source, str) else None


def load_chat_template(folder: str | Path) -> ChatTemplate | None:
    """The template of a checkpoint folder, or None where it has none.

    Raises CheckpointError where tokenizer_config.json is no JSON or the template is none.
    """
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    config: Any = {}
    if path.is_file():
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path}: expected JSON: {error}") from error
        if not isinstance(config, dict):
            raise CheckpointError(f"{path}: expected an object, found {type(config).__name__}")
    source = _template_source(folder, config)
    if source is None:
        return None
    names = [name for name in config if name.endswith("_token")]
    return ChatTemplate(source, {name: text for name in names if (text := _token_text(config[name])) is not None})
