"""A compiled library for Python: the C interface through ctypes, which releases the GIL during each call."""

from bamba.binding.library import Library
from bamba.binding.model import Model, ModelInfo

__all__ = ["Library", "Model", "ModelInfo"]
