"""The questions that a check puts to one observer, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from omnidetective.errors import OmnidetectiveError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import Observer
from omnidetective.observers.registry import fits
from omnidetective.records import Observation
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings
from omnidetective.testing.answer_checks import answer_problems
from omnidetective.testing.report import Problem
from omnidetective.testing.surroundings import Running

ANSWER_S = 180.0
"""Time for one answer about a clip of a few seconds: the default of ``investigate.observer_timeout_s``."""
END_S = 15.0
"""Time in which work that is cancelled has ended."""

_QUESTIONS: Final = ("What can be observed here, in detail and in order of time?", "And what happens in this part?")
_REASON: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_GIVEN_UP_AFTER_S: Final = (0.0, 0.05)


class Examiner:
    """Puts questions to one observer and collects what is wrong.

    Attributes:
        problems: so far, in the order in which they were found.
        asked, not_asked: names of clips.
    """

    def __init__(self, observer: Observer, media: MediaSettings) -> None:
        self.observer = observer
        self.problems: list[Problem] = []
        self.asked: list[str] = []
        self.not_asked: list[str] = []
        self._media = media

    async def examine(self, clips: Mapping[str, Path]) -> None:
        """All checks, on the clips that the observer's spec claims."""
        async with AsyncExitStack() as opened:
            fitting: dict[str, Clip] = {}
            for name, path in clips.items():
                clip = await opened.enter_async_context(self._open(path))
                if fits(self.observer.spec, clip.facts):
                    fitting[name] = clip
            self.asked = list(fitting)
            self.not_asked = [name for name in clips if name not in fitting]
            for name, clip in fitting.items():
                await self._one(name, clip)
            for name in self.asked[:1]:
                await self._again(name, fitting[name])
        await self._together([(name, clips[name]) for name in self.asked[:2]])
        for name in self.asked[:1]:
            await self._given_up(name, clips[name])
            await self._torn(name, clips[name])

    async def ask_a_broken_model(self, clips: Mapping[str, Path], calls: Sequence[Any]) -> None:
        """One question while every call of a model fails.

        Args:
            calls: what the model was asked; grows with each call.
        """
        for name in self.asked[:1]:
            async with self._open(clips[name]) as clip:
                answer = await self._ask(clip, f"{name}, its model fails", None, check="error", may_refuse=True)
            if calls and answer is not None and answer.error is None and self.observer.spec.kind == "witness":
                self._wrong("error", "answers although every call of its model failed: let the error through", name)

    def _open(self, path: Path) -> Any:
        return open_clip(parse_row({"path": str(path)}), self._media, base_dir=path.parent)

    async def _one(self, name: str, clip: Clip) -> None:
        """The whole clip, and spans in it, at its end and beyond."""
        await self._ask(clip, name, None)
        for span in _spans(clip):
            where = f"{name}, {span.start_s:g}–{span.end_s:g} s"
            inside = span.end_s <= clip.duration_s and span.duration_s > 0.5
            await self._ask(clip, where, span, check="span", may_refuse=not inside)

    async def _again(self, name: str, clip: Clip) -> None:
        """The same question twice."""
        answers = [await self._ask(clip, name, None, check="repeat") for _ in range(2)]
        sorts = [_sort_of(answer) for answer in answers if answer is not None]
        if len(set(sorts)) > 1:
            self._wrong("repeat", f"the same question brought {sorts[0]}, then {sorts[1]}", name)

    async def _together(self, clips: Sequence[tuple[str, Path]]) -> None:
        """Several questions at once, about several clips of which nothing is known yet, to the one instance."""
        async with AsyncExitStack() as opened, asyncio.TaskGroup() as tasks:
            for name, path in clips:
                clip = await opened.enter_async_context(self._open(path))
                spans = [None, *(span for span in _spans(clip) if span.end_s <= clip.duration_s)]
                for number, span in enumerate(spans):
                    question = _QUESTIONS[number % 2]
                    asked = self._ask(clip, name, span, check="together", question=question, may_refuse=number > 1)
                    tasks.create_task(asked)

    async def _given_up(self, name: str, path: Path) -> None:
        """Cancelled at once, and a moment later; each time on a clip of which nothing is known yet."""
        for after_s in _GIVEN_UP_AFTER_S:
            async with self._open(path) as clip:
                before = Running.now()
                task = asyncio.create_task(self.observer.observe(clip, _QUESTIONS[0], None))
                await asyncio.sleep(after_s)
                if task.done():
                    task.exception()
                    continue
                task.cancel()
                await asyncio.wait({task}, timeout=END_S)
                if not task.done():
                    self._wrong("cancel", f"still works {END_S:g} s after it was cancelled", name)
                    continue
                if not task.cancelled():
                    what = "answers" if task.exception() is None else f"raises {task.exception()!r}"
                    self._wrong("cancel", f"{what} when it is cancelled: let asyncio.CancelledError through", name)
                if left := await before.left(END_S):
                    self._wrong("cancel", f"leaves behind when it is cancelled: {', '.join(left)}", name)

    async def _torn(self, name: str, path: Path) -> None:
        """A file that goes bad after it was opened; afterwards a good one again."""
        torn = path.with_name(f"torn-{path.name}")
        await asyncio.to_thread(shutil.copyfile, path, torn)
        async with self._open(torn) as clip:
            await asyncio.to_thread(torn.write_bytes, b"\0" * 64)
            await self._ask(clip, f"{name}, damaged", None, check="error", may_refuse=True, may_err=True)
        async with self._open(path) as clip:
            await self._ask(clip, f"{name}, after a damaged one", None, check="error")

    async def _ask(
        self,
        clip: Clip,
        where: str,
        span: Span | None,
        *,
        check: str = "answer",
        question: str = _QUESTIONS[0],
        may_refuse: bool = False,
        may_err: bool = False,
    ) -> Observation | None:
        """One question. What is wrong with the answer is noted, and so is that there is none.

        Args:
            may_refuse: an error of this house with a reason is in order too.
            may_err: an answer that holds an error, or times that do not fit, is in order too.
        """
        try:
            async with asyncio.timeout(ANSWER_S) as limit:
                answer = await self.observer.observe(clip, question, span)
        except OmnidetectiveError as error:
            if not may_refuse:
                self._wrong(check, f"raises {type(error).__name__} ({error.reason}): {error.message}", where)
            elif not _REASON.fullmatch(error.reason or ""):
                self._wrong("error", f"the reason {error.reason!r} is no code in lower_snake_case", where)
            return None
        except Exception as error:  # noqa: BLE001 - it is told, whatever it is
            if isinstance(error, TimeoutError) and limit.expired():
                self._wrong(check, f"no answer within {ANSWER_S:g} s", where)
            else:
                kind = "ObserverUnavailableError" if may_refuse else "an observation, or ObserverUnavailableError"
                self._wrong(check, f"raises {error!r}: {kind} with a reason is expected", where)
            return None
        if may_err and isinstance(answer, Observation):
            return answer
        if may_refuse and isinstance(answer, Observation) and answer.error is not None:
            return answer
        for what in answer_problems(answer, self.observer.spec, clip, question, span):
            self._wrong(check, what, where)
        return answer if isinstance(answer, Observation) else None

    def _wrong(self, check: str, what: str, where: str) -> None:
        problem = Problem(check, what, where)
        if problem not in self.problems:
            self.problems.append(problem)


def _spans(clip: Clip) -> Iterable[Span]:
    """A part, a moment, the end and more, and what lies beyond; nothing in an image."""
    if clip.whole is None:
        return
    long_s = clip.duration_s
    yield Span(start_s=0.3 * long_s, end_s=0.6 * long_s)
    yield Span(start_s=0.5 * long_s, end_s=0.5 * long_s + 0.01)
    yield Span(start_s=0.8 * long_s, end_s=long_s + 5.0)
    yield Span(start_s=long_s + 10.0, end_s=long_s + 12.0)


def _sort_of(answer: Observation) -> str:
    if answer.error is not None:
        return "an error"
    return "an answer without data" if answer.data is None else f"{answer.data.type} evidence"
