"""A tokenizer.model of the sentencepiece library, with the special tokens of its own vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sentencepiece
from llguidance import LLTokenizer, TokenizerWrapper

from bamba.errors import CheckpointError

_MARK = "x"  # Comes before a text to see its pieces as they are within another one.
_SPACE = "\u2581"  # How pieces write a space.


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

    def for_grammars(self, vocab_size: int, eos_tokens: list[int]) -> LLTokenizer:
        """The bytes of each piece, as they are within a text: at its beginning the first space is not shown."""
        return LLTokenizer(TokenizerWrapper(_Pieces(self, eos_tokens[0])), n_vocab=vocab_size, eos_token=eos_tokens)

    def is_text(self, token: int) -> bool:
        """Whether a piece can be a part of a text."""
        processor = self._processor
        return not (processor.IsControl(token) or processor.IsUnknown(token) or processor.IsUnused(token))

    def piece_bytes(self, token: int) -> bytes:
        """The bytes that a piece adds to a text, or how the vocabulary writes it where it is no part of texts."""
        piece = str(self._processor.IdToPiece(token))
        if self._processor.IsByte(token):
            return bytes([int(piece[3:5], 16)])  # It is written as <0xNN>.
        return piece.replace(_SPACE, " ").encode()


class _Pieces:
    """What llguidance asks of a tokenizer."""

    def __init__(self, tokenizer: SentencePieceTokenizer, eos_token: int) -> None:
        self._tokenizer = tokenizer
        self.bos_token_id: int | None = None
        self.eos_token_id = eos_token
        self.tokens = [tokenizer.piece_bytes(token) for token in range(tokenizer.vocab_size)]
        self.special_token_ids = [token for token in range(tokenizer.vocab_size) if not tokenizer.is_text(token)]

        texts = [token for token in range(tokenizer.vocab_size) if tokenizer.is_text(token)]
        self._by_bytes = {self.tokens[token]: token for token in texts}
        self._longest = max(map(len, self._by_bytes))
        self._mark = tokenizer.encode(_MARK, add_special_tokens=False)

    def __call__(self, text: bytes) -> list[int]:
        """The pieces of what follows in a text, which gets no space of its own; they have exactly these bytes."""
        pieces = self._tokenizer.encode(_MARK + text.decode(errors="replace"), add_special_tokens=False)
        start = len(self._mark)
        if pieces[:start] == self._mark and b"".join(self.tokens[piece] for piece in pieces[start:]) == text:
            return pieces[start:]
        return self._longest_pieces(text)  # Other bytes than those of the model's normal form.

    def _longest_pieces(self, text: bytes) -> list[int]:
        pieces, start = [], 0
        while start < len(text):
            lengths = range(min(self._longest, len(text) - start), 0, -1)
            length = next((each for each in lengths if text[start : start + each] in self._by_bytes), 0)
            if not length:
                break  # The model has no piece for it.
            pieces.append(self._by_bytes[text[start : start + length]])
            start += length
        return pieces
