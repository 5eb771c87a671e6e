"""Log-probabilities in the two forms that OpenAI has for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bamba.outputs import TokenLogprob
from bamba.text.tokenizer import Tokenizer

_LOWEST = -9999.0  # What OpenAI writes for a probability of 0, since JSON has no infinity.


class LogprobWriter:
    """Writes the tokens of one answer, in order."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._offset = 0  # Characters of the tokens before, each by itself.

    def completion(self, found: Sequence[TokenLogprob], offset: int = 0) -> dict[str, Any]:
        """As /v1/completions has them; `offset` are the characters before the answer."""
        texts = [self._text(each.token) for each in found]
        offsets = []
        for text in texts:
            offsets.append(offset + self._offset)
            self._offset += len(text)
        tops = [{self._text(token): _finite(logprob) for token, logprob in each.top.items()} for each in found]
        return {
            "tokens": texts,
            "token_logprobs": [_finite(each.logprob) for each in found],
            "top_logprobs": tops,
            "text_offset": offsets,
        }

    def chat(self, found: Sequence[TokenLogprob]) -> dict[str, Any]:
        """As /v1/chat/completions has them."""
        content = []
        for each in found:
            top = [self._entry(token, logprob) for token, logprob in each.top.items()]
            content.append({**self._entry(each.token, each.logprob), "top_logprobs": top})
        return {"content": content, "refusal": None}

    def _entry(self, token: int, logprob: float) -> dict[str, Any]:
        text = self._text(token)
        whole = "\ufffd" not in text  # Else the token is a part of a character, whose bytes are not known here.
        return {"token": text, "logprob": _finite(logprob), "bytes": list(text.encode()) if whole else None}

    def _text(self, token: int) -> str:
        return self._tokenizer.decode([token], skip_special_tokens=False)


def _finite(logprob: float) -> float:
    return max(logprob, _LOWEST)
