"""Grammars for structured output, by the llguidance library: which tokens may come next in an answer."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence

from llguidance import LLMatcher, LLTokenizer

from bamba.errors import InvalidRequestError, UnsupportedError
from bamba.sampling import StructuredOutput
from bamba.text.tokenizer import Tokenizer

_PARAM = "response_format"
_CACHED = 32  # Compiled grammars that are kept.
_MESSAGE_CHARACTERS = 300
# Between the parts of JSON. It has an end, for some models would go on with spaces for ever.
_WHITESPACE = r"[\x20\x0A\x0D\x09]{1,32}"


class GrammarMask:
    """Follows one answer by a grammar; see TokenMask."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def allowed_after(self, token: int | None) -> bytes:
        """The tokens that may come next. Raises InvalidRequestError where the grammar takes too much work."""
        if token is not None:
            self._matcher.consume_token(token)
        mask = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            raise InvalidRequestError(f"{_PARAM}: {_one_line(self._matcher.get_error())}", _PARAM)
        return mask


class Grammars:
    """Compiles grammars for the tokens of one model. May be used from any thread."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, eos_tokens: Sequence[int]) -> None:
        """`vocab_size` is that of the model; `eos_tokens` end an answer, and may come where the grammar allows an end.

        Nothing is compiled before there is something to compile: the tokens take a moment.
        """
        self._tokenizer, self._vocab_size, self._eos_tokens = tokenizer, vocab_size, list(eos_tokens)
        self._tokens: LLTokenizer | None = None
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()  # At their beginning.
        self._lock = threading.Lock()

    def prepare(self, structured: StructuredOutput) -> None:
        """Compiles a grammar, which may take a while, so that `mask` does not. Raises as that."""
        self._matcher(structured)

    def mask(self, structured: StructuredOutput) -> GrammarMask:
        """What an answer may be, from its beginning.

        Raises InvalidRequestError where the schema, expression or grammar is none, UnsupportedError where it or the
        model has something that cannot be done.
        """
        return GrammarMask(self._matcher(structured).deep_copy())

    def _matcher(self, structured: StructuredOutput) -> LLMatcher:
        grammar = _grammar(structured)
        with self._lock:
            if (found := self._compiled.get(grammar)) is not None:
                self._compiled.move_to_end(grammar)
                return found
        tokens = self._llguidance_tokens()
        failed, messages = LLMatcher.validate_grammar_with_warnings(grammar, tokens)
        if failed:
            raise InvalidRequestError(f"{_PARAM}: {_one_line(messages[0])}", _PARAM)
        matcher = LLMatcher(tokens, grammar, log_level=0)
        if matcher.is_error():
            raise InvalidRequestError(f"{_PARAM}: {_one_line(matcher.get_error())}", _PARAM)
        with self._lock:
            self._compiled[grammar] = matcher
            while len(self._compiled) > _CACHED:
                self._compiled.popitem(last=False)
        return matcher

    def _llguidance_tokens(self) -> LLTokenizer:
        if not self._eos_tokens:
            message = f"{_PARAM}: expected a model with a token that ends a text; its config.json has no eos_token_id"
            raise UnsupportedError(message, _PARAM)
        with self._lock:
            if self._tokens is None:
                try:
                    self._tokens = self._tokenizer.for_grammars(self._vocab_size, self._eos_tokens)
                except Exception as error:  # The library raises what its parts do.
                    message = f"{_PARAM}: llguidance does not know this kind of tokenizer: {_one_line(str(error))}"
                    raise UnsupportedError(message, _PARAM) from error
            return self._tokens


def _grammar(structured: StructuredOutput) -> str:
    """In the form of llguidance."""
    if structured.regex is not None:
        return LLMatcher.grammar_from_regex(structured.regex)
    if structured.grammar is not None:
        return LLMatcher.grammar_from_lark(structured.grammar)
    schema = {"type": "object"} if structured.json_schema is None else dict(structured.json_schema)
    try:
        return LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides={"whitespace_pattern": _WHITESPACE})
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{_PARAM}: expected a JSON schema: {_one_line(str(error))}", _PARAM) from error


def _one_line(message: str) -> str:
    return " ".join(message.split())[:_MESSAGE_CHARACTERS]
