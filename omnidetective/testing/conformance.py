"""``check_observer``: everything that is expected of an observer, tried on small real clips."""

from __future__ import annotations

import asyncio
import contextvars
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.base import ObserverContext, ObserverSettings
from omnidetective.observers.registry import read_settings
from omnidetective.records import Kind
from omnidetective.testing.questions import Examiner
from omnidetective.testing.report import Problem, Report
from omnidetective.testing.samples import make_samples
from omnidetective.testing.spec_checks import form_problems, settings_problems, spec_problems
from omnidetective.testing.stand_in import context_with_broken_model, context_without_models, stand_in_context
from omnidetective.testing.surroundings import Traces, watched

SET_UP_S: Final = 2.0
"""Longest set-up, of the second of two; the first may have to import something."""


def check_observer(
    observer: type[Any] | Any,
    *,
    clips: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    context: ObserverContext | None = None,
) -> Report:
    """Check an observer: its spec and settings, its set-up, and what it does when it is asked. Blocking.

    It is asked about real clips of every kind that its spec claims: about the whole, about spans in it, at its end and
    beyond, several at once, and is cancelled half-way. Meanwhile the working directory is an empty one, and standard
    output is watched. It takes seconds; what the observer costs is paid some thirty times.

    May be called anywhere: where an event loop runs, the check gets a thread and a loop of its own.

    Args:
        observer: its class, or an instance (then the set-up is not checked).
        clips: files of your own to ask about, besides :data:`~omnidetective.testing.samples.SAMPLES`.
        settings: the user's ``observers.NAME.*``, for a class.
        context: by default :func:`~omnidetective.testing.stand_in.stand_in_context`.

    Returns:
        What is wrong. Where the observer cannot work here, ``unavailable`` says why.

    Raises:
        ConfigError: ``settings`` are not this observer's, or there is no ffmpeg.
        MediaError: one of ``clips`` cannot be opened.
    """
    work = check_observer_async(observer, clips=clips, settings=settings, context=context)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _in_a_thread(lambda: asyncio.run(work))


async def check_observer_async(
    observer: type[Any] | Any,
    *,
    clips: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    context: ObserverContext | None = None,
) -> Report:
    """As :func:`check_observer`, on this event loop: for an instance that belongs to it. Nothing else may run on it."""
    if problems := tuple(form_problems(observer)):
        return Report(_name(observer), problems)
    spec = observer.spec
    formal = (*spec_problems(spec), *settings_problems(spec))
    if any(problem.check == "settings" for problem in formal) or spec.kind not in get_args(Kind):
        return Report(_name(observer), formal)  # Nothing could be set up, or answered, with these.
    values = read_settings(spec, settings or {})
    given = context or stand_in_context()
    examiner: Examiner | None = None
    unavailable = ""
    own = [path.resolve() for path in clips]  # Before the working directory is another one.
    with tempfile.TemporaryDirectory(prefix="omnidetective-check-") as folder, watched() as traces:
        try:
            made = observer if not isinstance(observer, type) else observer(values, given)
        except ObserverUnavailableError as error:
            unavailable, problems = str(error), tuple(_refusal_problems(error))
        except Exception as error:  # noqa: BLE001 - it is told, whatever it is
            problems = (Problem("set-up", f"raises {error!r}: only ObserverUnavailableError is expected"),)
        else:
            problems = tuple(_set_up_problems(observer, values, given)) if isinstance(observer, type) else ()
            files = await asyncio.to_thread(make_samples, Path(folder))
            files |= {path.name: path for path in own}
            examiner = Examiner(made, given.settings.media)
            await examiner.examine(files)
            if isinstance(observer, type) and context is None:
                await _examine_with_broken_model(observer, values, examiner, files)
    found = (*formal, *problems, *(() if examiner is None else examiner.problems), *_traces(traces))
    return Report(
        _name(observer),
        found,
        unavailable,
        asked=() if examiner is None else tuple(examiner.asked),
        not_asked=() if examiner is None else tuple(examiner.not_asked),
    )


def assert_conforms(
    observer: type[Any] | Any,
    *,
    clips: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    context: ObserverContext | None = None,
) -> None:
    """As :func:`check_observer`, for the one line of a test.

    Raises:
        AssertionError: with the list of what is wrong, or since the observer cannot work here.
    """
    report = check_observer(observer, clips=clips, settings=settings, context=context)
    if not report.ok or report.unavailable:
        raise AssertionError(str(report))


async def _examine_with_broken_model(
    observer: type[Any], settings: ObserverSettings, examiner: Examiner, files: Mapping[str, Path]
) -> None:
    context, model = context_with_broken_model()
    try:
        examiner.observer = observer(settings, context)
    except Exception:  # noqa: BLE001 - it was set up before; what it makes of other models is looked at elsewhere
        return
    await examiner.ask_a_broken_model(files, model.requests)


def _set_up_problems(observer: type[Any], settings: ObserverSettings, context: ObserverContext) -> Iterator[Problem]:
    began = time.monotonic()
    observer(settings, context)
    took_s = time.monotonic() - began
    if took_s > SET_UP_S:
        yield Problem("set-up", f"takes {took_s:.1f} s: load models at the first question, not in `__init__`")
    try:
        observer(settings, replace(context, cast=context_without_models().cast))
    except ObserverUnavailableError as error:
        yield from _refusal_problems(error)
    except Exception as error:  # noqa: BLE001 - it is told, whatever it is
        what = f"raises {error!r} where nobody plays any role: only ObserverUnavailableError is expected"
        yield Problem("set-up", what)


def _refusal_problems(error: ObserverUnavailableError) -> Iterator[Problem]:
    if not error.message.strip():
        yield Problem("set-up", "cannot work here, and does not say why")
    if not error.hint.strip():
        yield Problem("set-up", f"cannot work here ({error.message}), and no hint says what mends it")


def _traces(traces: Traces) -> Iterator[Problem]:
    if traces.printed:
        yield Problem("surroundings", f"prints to standard output, which is the user's: {traces.printed[:200]!r}")
    if traces.written:
        yield Problem("surroundings", f"writes to the working directory: {', '.join(traces.written[:5])}")


def _name(observer: Any) -> str:
    name = getattr(getattr(observer, "spec", None), "name", None)
    kind = observer if isinstance(observer, type) else type(observer)
    return name if isinstance(name, str) and name else kind.__name__


def _in_a_thread(work: Any) -> Report:
    """Its result, from a thread of its own, which ends with it."""
    box: list[Report | BaseException] = []

    def run() -> None:
        try:
            box.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            box.append(error)

    here = contextvars.copy_context()
    thread = threading.Thread(target=here.run, args=(run,), name="check-observer")
    thread.start()
    thread.join()
    if isinstance(box[0], BaseException):
        raise box[0]
    return box[0]
