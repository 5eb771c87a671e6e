"""Tokenizers of a checkpoint folder: tokenizer.json by `tokenizers`, else tokenizer.model by `sentencepiece`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import tokenizers
from llguidance import LLTokenizer

from bamba.errors import CheckpointError
from bamba.text.sentencepiece_tokenizer import SentencePieceTokenizer


class Tokenizer(Protocol):
    """Text to token numbers and back. Implementations may be called from any thread."""

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, added ones too."""

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """The tokens of a text, with those around a text (such as BOS) where asked for."""

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of tokens; what is no UTF-8 becomes U+FFFD. Numbers beyond the vocabulary have no text."""

    def token_text(self, token: int) -> str | None:
        """How the vocabulary writes a token, or None for a number beyond it."""

    def token_number(self, text: str) -> int | None:
        """The number of a token that the vocabulary writes so, or None."""

    def for_grammars(self, vocab_size: int, eos_tokens: list[int]) -> LLTokenizer:
        """The bytes of each token, as llguidance wants them; `vocab_size` and `eos_tokens` are the model's."""


class JsonTokenizer:
    """A tokenizer.json."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._vocab_size: int = tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, added ones too."""
        return self._vocab_size

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """The tokens of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of tokens."""
        known = [token for token in tokens if 0 <= token < self._vocab_size]
        text: str = self._tokenizer.decode(known, skip_special_tokens=skip_special_tokens)
        return text

    def token_text(self, token: int) -> str | None:
        """How the vocabulary writes a token."""
        text: str | None = self._tokenizer.id_to_token(token)
        return text

    def token_number(self, text: str) -> int | None:
        """The number of a token."""
        number: int | None = self._tokenizer.token_to_id(text)
        return number

    def for_grammars(self, vocab_size: int, eos_tokens: list[int]) -> LLTokenizer:
        """The bytes of each token, which llguidance finds in tokenizer.json."""
        return LLTokenizer(self._tokenizer.to_str(), n_vocab=vocab_size, eos_token=eos_tokens)


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer of a checkpoint folder.

    Raises CheckpointError where the folder has neither tokenizer.json nor tokenizer.model, or one that is damaged.
    """
    folder = Path(folder)
    json_path, model_path = folder / "tokenizer.json", folder / "tokenizer.model"
    if json_path.is_file():
        try:
            return JsonTokenizer(tokenizers.Tokenizer.from_file(str(json_path)))
        except Exception as error:  # The library raises plain Exception.
            raise CheckpointError(f"{json_path}: expected a tokenizer of the tokenizers library: {error}") from error
    if model_path.is_file():
        return SentencePieceTokenizer.from_file(model_path)
    raise CheckpointError(f"{folder}: expected tokenizer.json or tokenizer.model, found neither")
