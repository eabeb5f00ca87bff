"""What a stage is: ``async (case, context) -> case``. It adds to the case, reads no configuration, writes no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from omnidetective.case import Case
from omnidetective.config import ModelSet
from omnidetective.detective.model import Habits
from omnidetective.llm.cast import Cast
from omnidetective.observers.registry import ToolBox
from omnidetective.prompts import PromptLibrary
from omnidetective.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """What stages work with, the same for all clips of a process."""

    settings: Settings
    model_set: ModelSet
    cast: Cast
    toolbox: ToolBox
    prompts: PromptLibrary
    habits: Habits = field(default_factory=Habits)


class Stage(Protocol):
    """One step of a workflow.

    ``needs`` and ``adds`` name parts of the case (``caption``, ``events``, ``observations``, …); a workflow whose stage
    needs what no stage before it adds is refused before the first clip.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    adds: ClassVar[frozenset[str]]

    async def __call__(self, case: Case, context: StageContext) -> Case: ...
