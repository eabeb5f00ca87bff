"""The base of everything that a user writes: settings, model sets, workflows, domains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

Shows = tuple[Literal["frames", "audio", "transcript"], ...]
"""What a role is shown of the clip besides its text; what its model cannot take is left out and noted."""
