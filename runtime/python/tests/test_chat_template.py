"""Chat templates render as transformers' own code renders them, and cannot get out of the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers_for_tests import GRANITE_4_STYLE, LLAMA_3_STYLE, byte_level_bpe

from bamba.errors import CheckpointError, TemplateError
from bamba.text import ChatTemplate, load_chat_template

SPECIAL = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
USER = {"role": "user", "content": " Hello, <b>world</b> & 'friends' \n"}
SYSTEM = {"role": "system", "content": "You are brief.\n"}
ANSWER = {"role": "assistant", "content": "Hi! é 🙂"}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "größe <&>", "parameters": {"type": "object", "properties": {}}},
}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln"}}}],
}
RESULT = {"role": "tool", "content": '{"degrees": 21}'}
PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}],
}

CHATS: dict[str, list[dict[str, Any]]] = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [SYSTEM, USER, ANSWER, USER],
    "answer": [USER, ANSWER],
    "tools": [SYSTEM, USER, CALL, RESULT],
}


@pytest.fixture(scope="module")
def reference() -> Any:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level_bpe(), **SPECIAL)


@pytest.mark.parametrize("style", [LLAMA_3_STYLE, GRANITE_4_STYLE], ids=["llama-3", "granite-4"])
@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("generate", [True, False])
@pytest.mark.parametrize("tools", [None, [TOOL]])
def test_renders_as_transformers(reference: Any, style: str, chat: str, generate: bool, tools: Any) -> None:
    ours = ChatTemplate(style, SPECIAL).render(CHATS[chat], add_generation_prompt=generate, tools=tools)
    theirs = reference.apply_chat_template(
        CHATS[chat], chat_template=style, add_generation_prompt=generate, tools=tools, tokenize=False
    )
    assert ours == theirs
    assert "Hello" in ours


@pytest.mark.parametrize("variables", [{"documents": [{"text": "a"}, {"text": "b"}]}, {"date_string": "1 Jan 2030"}])
@pytest.mark.parametrize("style", [LLAMA_3_STYLE, GRANITE_4_STYLE], ids=["llama-3", "granite-4"])
def test_variables_render_as_transformers(reference: Any, style: str, variables: dict[str, Any]) -> None:
    ours = ChatTemplate(style, SPECIAL).render([SYSTEM, USER], **variables)
    theirs = reference.apply_chat_template(
        [SYSTEM, USER], chat_template=style, add_generation_prompt=True, tokenize=False, **variables
    )
    assert ours == theirs


def test_parts_render_as_transformers(reference: Any) -> None:
    ours = ChatTemplate(GRANITE_4_STYLE, SPECIAL).render([PARTS])
    assert ours == reference.apply_chat_template(
        [PARTS], chat_template=GRANITE_4_STYLE, add_generation_prompt=True, tokenize=False
    )
    assert "one two" in ours


@pytest.mark.parametrize("style", [LLAMA_3_STYLE, GRANITE_4_STYLE], ids=["llama-3", "granite-4"])
def test_continues_as_transformers(reference: Any, style: str) -> None:
    ours = ChatTemplate(style, SPECIAL).render([USER, ANSWER], add_generation_prompt=False, continue_final_message=True)
    theirs = reference.apply_chat_template(
        [USER, ANSWER], chat_template=style, continue_final_message=True, tokenize=False
    )
    assert ours == theirs
    assert ours.endswith("🙂")


def test_time_is_that_of_now() -> None:
    text = ChatTemplate("{{ strftime_now('%Y') }}").render([USER])
    assert len(text) == 4
    assert int(text) > 2020


def test_template_refuses_in_its_own_words() -> None:
    template = ChatTemplate(LLAMA_3_STYLE, SPECIAL)
    with pytest.raises(TemplateError, match="unknown role wizard") as caught:
        template.render([{"role": "wizard", "content": "x"}])
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__base__ }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ self._TemplateReference__context.environment.globals }}{{ cycler.__init__.__globals__.os }}",
        "{{ '{0.__class__}'.format(messages) }}{{ ('{0.__class__.__init__.__globals__}').format(cycler) }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'x'}) }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{{ undefined.attribute }}",
        "{{ 1 / 0 }}",
        "{{ messages | no_such_filter_at_run_time if false else messages | tojson(indent=messages) }}{{ 'a' + 1 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{{ 'x' * 1000 }}{% endfor %}{% endfor %}",
    ],
)
def test_sandbox_holds(source: str) -> None:
    with pytest.raises((TemplateError, CheckpointError)):
        ChatTemplate(source).render([USER])
    assert USER["role"] == "user"


def test_folder_with_a_template(tmp_path: Path) -> None:
    assert load_chat_template(tmp_path) is None
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"bos_token": {"content": "<s>"}, "chat_template": "{{ bos_token }}one"}))
    template = load_chat_template(tmp_path)
    assert template is not None
    assert template.render([USER]) == "<s>one"
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ eos_token }}two"}]
    config.write_text(json.dumps({"eos_token": "</s>", "chat_template": named}))
    template = load_chat_template(tmp_path)
    assert template is not None
    assert template.render([USER]) == "</s>two"
    (tmp_path / "chat_template.jinja").write_text("three")
    template = load_chat_template(tmp_path)
    assert template is not None
    assert template.render([USER]) == "three"


@pytest.mark.parametrize("text", ["[1]", "{", '{"chat_template": "{% if %}"}'])
def test_damaged_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(text)
    with pytest.raises(CheckpointError):
        load_chat_template(tmp_path)
