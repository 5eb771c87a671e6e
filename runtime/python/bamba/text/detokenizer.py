"""Text as tokens come, without ever cutting a character.

A tokenizer decodes a list of tokens, and a token by itself may be part of a character, or lose the space before it. So
a window of the last tokens is decoded again with each token, and what is new is the text beyond what was given out. An
unfinished character at the end decodes to U+FFFD, which is kept back until the next tokens have completed it. The
window begins where a character does, and moves on each time one ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from bamba.text.tokenizer import Tokenizer

_REPLACEMENT = "\ufffd"
# An unfinished character has at most 3 bytes, each of which some decoders show as a replacement of its own.
_MAX_UNFINISHED = 3
# Tokens without a clean end after which the window moves on nevertheless. Only bytes that are no text get there.
_MAX_WINDOW = 64
# Tokens of the prompt to begin with: enough to know whether the first new token has a space before it.
_CONTEXT = 6


def _without_unfinished(text: str) -> str:
    """The text without what may still become a character."""
    kept = len(text.rstrip(_REPLACEMENT))
    return text[: max(kept, len(text) - _MAX_UNFINISHED)]


class IncrementalDetokenizer:
    """Turns the tokens of one answer into pieces of text.

    `prompt` are the tokens before the answer. The pieces joined are the text of the whole answer.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int] = (), *, skip_special_tokens: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        # What was decoded before: tokens from where a character begins; where the tokens since the last clean end
        # begin; and the beginning of their text that was given out or belongs to the prompt.
        self._window, self._chunk_start, self._given = self._context(prompt)

    def _decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=self._skip_special_tokens)

    def _context(self, prompt: Sequence[int]) -> tuple[list[int], int, str]:
        """A short end of the prompt whose text is clean, with the tokens of an unfinished character after it."""
        for unfinished in range(min(_MAX_UNFINISHED, len(prompt)) + 1):
            before = prompt[: len(prompt) - unfinished]
            for size in range(min(_CONTEXT, len(before)), min(_MAX_WINDOW, len(before)) + 1):
                text = self._decode(before[len(before) - size :])
                if (text or size == len(before)) and text == text.strip(_REPLACEMENT):
                    window = list(prompt[len(before) - size :])
                    # The first of the unfinished tokens may also have the end of another character.
                    more = _without_unfinished(self._decode(window))
                    return window, size, more if more.startswith(text) else text
        return [], 0, ""

    def push(self, token: int) -> str:
        """The text that a token adds; empty while a character is unfinished."""
        self._window.append(token)
        text = self._decode(self._window)
        if not text.startswith(self._given):
            # Some decoders show a run of bytes as text only where all of it is text.
            if len(self._window) - self._chunk_start <= _MAX_UNFINISHED and text.endswith(_REPLACEMENT):
                return ""
            text = self._restart()
        stable = _without_unfinished(text)
        new = stable[len(self._given) :]
        if new:
            self._given = stable
        if len(stable) == len(text):
            self._move_window()
        elif len(self._window) > _MAX_WINDOW:
            self._window = self._window[-_CONTEXT:]
            self._chunk_start = len(self._window)
            self._given = _without_unfinished(self._decode(self._window))
        return new

    def _restart(self) -> str:
        """Forgets the tokens whose text was given out; the text of the others, of which nothing was."""
        self._window, self._chunk_start, self._given = self._window[self._chunk_start :], 0, ""
        return self._decode(self._window)

    def _move_window(self) -> None:
        """Forgets all but the tokens since the last clean end, if they have a text of their own."""
        chunk = self._window[self._chunk_start :]
        text = self._decode(chunk)
        if text:
            self._window, self._chunk_start, self._given = chunk, len(chunk), text

    def flush(self) -> str:
        """The rest, once no token follows: an unfinished character becomes U+FFFD."""
        text = self._decode(self._window)
        if not text.startswith(self._given):
            text = self._restart()
        new = text[len(self._given) :]
        self._given = text
        return new
