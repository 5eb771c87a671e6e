"""Text around tokens: tokenizers, detokenization as tokens come, stop strings and chat templates."""

from bamba.text.chat_template import ChatTemplate, load_chat_template
from bamba.text.detokenizer import IncrementalDetokenizer
from bamba.text.stop_strings import StopStrings
from bamba.text.tokenizer import Tokenizer, load_tokenizer

__all__ = ["ChatTemplate", "IncrementalDetokenizer", "StopStrings", "Tokenizer", "load_chat_template", "load_tokenizer"]
