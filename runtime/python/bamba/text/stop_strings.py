"""Ends a text at the first of several strings, while the text comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Looks for strings in a text that comes in pieces, and keeps back what may be the beginning of one."""

    def __init__(self, strings: Sequence[str], *, include: bool = False) -> None:
        """`include` leaves the string that was found at the end of the text."""
        self._strings = [string for string in strings if string]
        self._include = include
        self._kept = ""
        self.found: str | None = None

    def push(self, text: str) -> str:
        """What of the text so far is sure to be before a stop. After `found` is set, nothing follows."""
        if self.found is not None:
            return ""
        if not self._strings:
            return text
        text = self._kept + text
        # The stop that is complete first counts, so that it does not matter how the text is cut into pieces.
        ends = [(text.find(string) + len(string), -len(string), string) for string in self._strings if string in text]
        if ends:
            end, _, self.found = min(ends)
            self._kept = ""
            return text[: end if self._include else end - len(self.found)]
        kept = max(self._overlap(text, string) for string in self._strings)
        self._kept = text[len(text) - kept :]
        return text[: len(text) - kept]

    @staticmethod
    def _overlap(text: str, string: str) -> int:
        """How many characters at the end of the text begin the string."""
        for size in range(min(len(string) - 1, len(text)), 0, -1):
            if text.endswith(string[:size]):
                return size
        return 0

    def flush(self) -> str:
        """What was kept back, once no text follows."""
        text, self._kept = self._kept, ""
        return text
