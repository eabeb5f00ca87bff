"""Stage: the detective questions the observers and writes a candidate caption."""

from __future__ import annotations

from typing import ClassVar

from omnidetective.case import Case
from omnidetective.detective.inquiry import Detective
from omnidetective.detective.loop import investigate
from omnidetective.detective.model import ModelDetective
from omnidetective.detective.rules import RuleDetective
from omnidetective.settings import Settings
from omnidetective.stages.base import Stage, StageContext


class Investigate(Stage):
    """The query–observation loop, played by whoever is the cast's detective."""

    name: ClassVar[str] = "investigate"
    needs: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[frozenset[str]] = frozenset({"observations", "candidates", "draft", "trajectory"})
    begins_again: ClassVar[bool] = True

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return ("detective",)

    def by_segment(self, context: StageContext) -> bool:
        """A model sees a long clip better piece by piece; instruments measure as well at any length."""
        return not context.cast.is_embedded("detective")

    def own_limit_s(self, settings: Settings) -> float:
        return settings.investigate.seconds

    async def __call__(self, case: Case, context: StageContext) -> Case:
        settings = context.settings.investigate
        observers = {observer.spec.name: observer for observer in context.toolbox.offered(case.clip)}
        unavailable = context.toolbox.out_of_order(case.clip)
        specs = [observer.spec for observer in observers.values()]
        detective: Detective
        if context.cast.is_embedded("detective"):
            detective = RuleDetective(context.prompts, case=case, observers=specs, settings=settings)
        else:
            detective = ModelDetective(
                context.cast.chat("detective"),
                context.prompts,
                case=case,
                observers=specs,
                unavailable=unavailable,
                settings=settings,
                repairs=context.settings.retry.repairs,
                habits=context.habits,
            )
        return await investigate(case, detective, observers=observers, unavailable=unavailable, settings=settings)
