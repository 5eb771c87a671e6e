"""A tokenizer.model of the sentencepiece library, with the special tokens of its own vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from bamba.errors import CheckpointError


class SentencePieceTokenizer:
    """A sentencepiece model. BOS comes first where special tokens are asked for, as such checkpoints expect."""

    def __init__(self, processor: sentencepiece.SentencePieceProcessor) -> None:
        self._processor = processor
        size = self.vocab_size
        self._special = {token for token in range(size) if processor.IsControl(token)}

    @classmethod
    def from_file(cls, path: Path) -> SentencePieceTokenizer:
        """Reads a model. Raises CheckpointError where the file is none."""
        try:
            return cls(sentencepiece.SentencePieceProcessor(model_file=str(path)))
        except (OSError, RuntimeError) as error:
            raise CheckpointError(f"{path}: expected a model of sentencepiece: {error}") from error

    @property
    def vocab_size(self) -> int:
        """How many pieces there are."""
        size: int = self._processor.GetPieceSize()
        return size

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """The pieces of a text, after BOS where asked for."""
        pieces: list[int] = self._processor.EncodeAsIds(text)
        bos: int = self._processor.bos_id()
        return [bos, *pieces] if add_special_tokens and bos >= 0 else pieces

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of pieces. Control pieces are written as in the vocabulary unless they are skipped."""
        size, parts, run = self.vocab_size, [], list[int]()
        for token in tokens:
            if not 0 <= token < size:
                continue
            if token not in self._special:
                run.append(token)
            elif not skip_special_tokens:
                parts += [self._decode_run(run), str(self._processor.IdToPiece(token))]
                run = []
        return "".join([*parts, self._decode_run(run)])

    def _decode_run(self, tokens: list[int]) -> str:
        text: str = self._processor.DecodeIds(tokens) if tokens else ""
        return text

    def token_text(self, token: int) -> str | None:
        """How the vocabulary writes a piece."""
        text: str | None = self._processor.IdToPiece(token) if 0 <= token < self.vocab_size else None
        return text

    def token_number(self, text: str) -> int | None:
        """The number of a piece."""
        number: int = self._processor.PieceToId(text)
        return number if self.token_text(number) == text else None

    def to_json(self) -> None:
        """There is no such form."""
