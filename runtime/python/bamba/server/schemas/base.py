"""What all bodies have in common: no field is ignored, and no type is guessed."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Schema(BaseModel):
    """A body or a part of one. Unknown fields, numbers as strings, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    # Fields of OpenAI's interface that are refused, unless they ask for nothing.
    unsupported: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _drop_idle(cls, data: Any) -> Any:
        """Some clients write out what they do not use."""
        if not isinstance(data, dict):
            return data
        idle = {name for name in cls.unsupported & data.keys() if data[name] is None or data[name] in ([], {}, False)}
        return {name: value for name, value in data.items() if name not in idle}
