"""Text, an OpenAI-compatible server and replicas for models that bambac has compiled."""

from bamba.async_engine import AnswerStream, AsyncEngine
from bamba.compiling import CompileOptions
from bamba.engine.native import EngineOptions
from bamba.errors import BambaError
from bamba.llm import LLM
from bamba.loading import LoadOptions, load_engine
from bamba.outputs import Completion, Delta, RequestOutput, TokenLogprob
from bamba.sampling import SamplingParams, StructuredOutput
from bamba.version import __version__

__all__ = [
    "LLM",
    "AnswerStream",
    "AsyncEngine",
    "BambaError",
    "CompileOptions",
    "Completion",
    "Delta",
    "EngineOptions",
    "LoadOptions",
    "RequestOutput",
    "SamplingParams",
    "StructuredOutput",
    "TokenLogprob",
    "__version__",
    "load_engine",
]
