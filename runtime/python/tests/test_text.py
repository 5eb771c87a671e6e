"""Tokenizers, detokenization and stop strings."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from tokenizers_for_tests import CORPUS, byte_fallback_bpe, byte_level_bpe, sentencepiece_model

from bamba.errors import CheckpointError
from bamba.text import IncrementalDetokenizer, StopStrings, Tokenizer, load_tokenizer
from bamba.text.tokenizer import JsonTokenizer

TEXTS = [
    *CORPUS,
    "",
    " leading space",
    "trailing space ",
    "a\n\n\nb",
    "𝄞𝄞𝄞 music, 한국어, עברית, ไทย",
    "mixed 🙂 with ascii🙂🙂🙂 and é́ combining",
    "\ufffd is a character too, \ufffd\ufffd\ufffd\ufffd\ufffd really",
    "漢" * 120,
]


@pytest.fixture(scope="module", params=["byte-level", "byte-fallback", "sentencepiece"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    if request.param == "sentencepiece":
        sentencepiece_model(folder / "tokenizer.model")
    else:
        made = byte_level_bpe() if request.param == "byte-level" else byte_fallback_bpe()
        made.save(str(folder / "tokenizer.json"))
    return load_tokenizer(folder)


def stream(tokenizer: Tokenizer, tokens: list[int], prompt: list[int] | None = None) -> list[str]:
    detokenizer = IncrementalDetokenizer(tokenizer, prompt or [])
    return [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_join_to_the_decoded_text(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    pieces = stream(tokenizer, tokens)
    if "\ufffd" not in text:
        assert "".join(pieces) == tokenizer.decode(tokens)
        assert not any("\ufffd" in piece for piece in pieces)
    else:  # The fallback to bytes shows this character by itself and its bytes alike.
        assert re.sub("\ufffd+", "", "".join(pieces)) == re.sub("\ufffd+", "", tokenizer.decode(tokens))


@pytest.mark.parametrize("text", TEXTS)
def test_an_answer_goes_on_after_any_prompt(tokenizer: Tokenizer, text: str) -> None:
    """The prompt may end anywhere, also within a character: prompt and answer join to the whole."""
    tokens = tokenizer.encode(text)
    pieces = stream(tokenizer, tokens)
    for cut in range(1, len(tokens), 1 + len(tokens) // 40):
        if "\ufffd" not in text:
            assert "".join(stream(tokenizer, tokens[cut:], tokens[:cut])) == "".join(pieces[cut:]), cut


def test_characters_come_once_they_are_whole() -> None:
    tokenizer = JsonTokenizer(byte_level_bpe(262))  # Nothing but bytes.
    tokens = tokenizer.encode("a🙂b", add_special_tokens=False)
    assert len(tokens) == 6
    assert stream(tokenizer, tokens) == ["a", "", "", "", "🙂", "b", ""]


def test_bytes_that_are_no_text_are_not_kept_back_for_ever() -> None:
    tokenizer = JsonTokenizer(byte_level_bpe(262))
    invalid = tokenizer.encode("é", add_special_tokens=False)[0]
    pieces = stream(tokenizer, [invalid] * 100)
    assert "".join(pieces) == "\ufffd" * 100
    assert all(len("".join(pieces[: i + 1])) >= i + 1 - 3 for i in range(100))


def test_random_tokens_never_fail(tokenizer: Tokenizer) -> None:
    draw = random.Random(7)
    for _ in range(100):
        tokens = [draw.randrange(tokenizer.vocab_size) for _ in range(40)]
        text = "".join(stream(tokenizer, tokens))
        whole = tokenizer.decode(tokens)
        if "\ufffd" not in whole:
            assert text == whole


def test_special_tokens_have_no_text_unless_asked_for() -> None:
    tokenizer = JsonTokenizer(byte_level_bpe())
    eos = tokenizer.token_number("<|end_of_text|>")
    assert eos == 2
    shown = IncrementalDetokenizer(tokenizer, [], skip_special_tokens=False)
    assert IncrementalDetokenizer(tokenizer).push(eos) == ""
    assert shown.push(eos) == "<|end_of_text|>"


def test_tokens_are_those_of_the_library(tmp_path: Path) -> None:
    made = byte_level_bpe()
    made.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    for text in TEXTS:
        assert tokenizer.encode(text) == made.encode(text).ids
        assert tokenizer.encode(text, add_special_tokens=False) == made.encode(text, add_special_tokens=False).ids


def test_padding_and_truncation_of_the_file_do_not_count(tmp_path: Path) -> None:
    made = byte_level_bpe()
    made.enable_truncation(4)
    made.enable_padding(length=600)
    made.save(str(tmp_path / "tokenizer.json"))
    assert len(load_tokenizer(tmp_path).encode(CORPUS[0])) not in (4, 600)


def test_sentencepiece_begins_with_bos(tmp_path: Path) -> None:
    sentencepiece_model(tmp_path / "tokenizer.model")
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.encode("a dog")[0] == tokenizer.token_number("<s>") == 1
    assert tokenizer.encode("a dog", add_special_tokens=False) == tokenizer.encode("a dog")[1:]
    assert tokenizer.decode([1, *tokenizer.encode("a dog")[1:], 2], skip_special_tokens=False) == "<s>a dog</s>"
    assert tokenizer.token_number("no such piece") is None
    assert tokenizer.token_text(100_000) is None


@pytest.mark.parametrize(
    ("name", "content"), [("tokenizer.json", b"{}"), ("tokenizer.json", b"\xff"), ("tokenizer.model", b"junk")]
)
def test_damaged_tokenizers_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        load_tokenizer(tmp_path)


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected tokenizer\.json or tokenizer\.model, found neither"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("stops", "include", "text", "expected", "found"),
    [
        (["END"], False, "some text END more", "some text ", "END"),
        (["END"], True, "some text END more", "some text END", "END"),
        (["abcd", "bc"], False, "xabcdx", "xa", "bc"),
        (["ab", "abc"], False, "xabc", "x", "ab"),
        (["aab"], False, "aaab!", "a", "aab"),
        (["\n\n"], False, "one\ntwo\n\nthree", "one\ntwo", "\n\n"),
        (["never"], False, "text that neve", "text that neve", None),
        ([], False, "anything", "anything", None),
    ],
)
def test_stop_strings(stops: list[str], include: bool, text: str, expected: str, found: str | None) -> None:
    """The stop that is complete first ends the text, however that is cut."""
    whole = StopStrings(stops, include=include)
    assert whole.push(text) + whole.flush() == expected
    assert whole.found == found
    pieces = StopStrings(stops, include=include)
    joined = "".join(pieces.push(character) for character in text) + pieces.flush()
    assert joined == expected
    assert pieces.found == found
    assert pieces.push("more") == "" or found is None


def test_nothing_of_a_stop_comes_early() -> None:
    stops = StopStrings(["</answer>"])
    assert [stops.push(piece) for piece in ("text <", "/ans", "wer", "s", " </answ", "er>x")] == [
        "text ", "", "", "</answers", " ", ""
    ]  # fmt: skip
