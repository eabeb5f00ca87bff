"""What a stage is: ``async (case, context) -> case``. It adds to the case, reads no configuration, writes no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from omnidetective.case import Case
from omnidetective.detective.model import Habits
from omnidetective.llm.cast import Cast
from omnidetective.model_sets import ModelSet
from omnidetective.observers.registry import ToolBox
from omnidetective.prompts import PromptLibrary
from omnidetective.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """What stages work with, the same for all clips of a process. ``stages`` names those of the workflow."""

    settings: Settings
    model_set: ModelSet
    cast: Cast
    toolbox: ToolBox
    prompts: PromptLibrary
    stages: frozenset[str] = frozenset()
    habits: Habits = field(default_factory=Habits)


class Stage(Protocol):
    """One step of a workflow.

    Attributes:
        name: how workflow files, settings, records and errors call it.
        needs: parts of the case without which it cannot work (``candidates``, ``draft``, ``audit``, …); a workflow
            whose stage needs what no stage before it adds is refused before the first clip.
        adds: parts of the case that it adds.
        begins_again: a clip that the gate rejects goes on from the last stage of the workflow that has this.
        draws: it writes the draft by a model that is told the number of the draw (``case.draw``), so that the same case
            may come out otherwise another time.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    adds: ClassVar[frozenset[str]]
    begins_again: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    def roles(self, settings: Settings) -> tuple[str, ...]:
        """The roles of the cast without which it cannot do its work; they are looked for before the first clip."""
        return ()

    def by_segment(self, context: StageContext) -> bool:
        """Whether it works on the segments of a long clip side by side, each as a case of its own."""
        return False

    def can_differ(self, case: Case, context: StageContext) -> bool:
        """For one that ``draws``: whether it may make something else of this case another time."""
        return True

    def own_limit_s(self, settings: Settings) -> float:
        """After how long it ends by itself with what it has; ``limits.stage_timeout_s`` begins only then."""
        return 0.0

    async def __call__(self, case: Case, context: StageContext) -> Case: ...
