"""The base of everything that crosses a border: between stages, processes, and the program and its files."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Frozen(BaseModel):
    """Base of everything that crosses a border: immutable, strict, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Sparse(Frozen):
    """Leaves out of the JSON what was not produced, except where null itself says something (an unknown cost)."""

    @model_serializer(mode="wrap")
    def _drop_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said_by_null = {"cost_usd"}
        return {k: v for k, v in handler(self).items() if v is not None or k in said_by_null}
