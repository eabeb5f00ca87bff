"""What a workflow file says: the stages that a clip passes through, in order."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from omnidetective.section import Section


class StageSpec(Section):
    """One stage of a workflow, with settings that this workflow wants for it."""

    stage: str
    settings: dict[str, Any] = Field(default_factory=dict)


class StagesTogether(Section):
    """Stages that work on the same case side by side; what they find is joined, in the order they are named."""

    together: tuple[StageSpec, ...] = Field(min_length=2)


class Workflow(Section):
    """The ordered stages that a clip passes through."""

    name: str
    description: str
    source: str = ""
    """The paper or page that the recipe is from."""
    stages: tuple[StageSpec | StagesTogether, ...]
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def steps(self) -> tuple[tuple[StageSpec, ...], ...]:
        """The stages in order; those of one step work side by side."""
        return tuple(s.together if isinstance(s, StagesTogether) else (s,) for s in self.stages)
