"""Which frames a witness is shown: every shot, the times that the question names, and the same ones again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observers.conftest import Film, context

from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import FramesPart, ImagePart
from omnidetective.llm.scripted import ScriptedChat
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.media.times import spread_times
from omnidetective.observers.ask import ask
from omnidetective.observers.frame_captioner import FrameCaptioner
from omnidetective.observers.looking import FrameSettings, base_frames
from omnidetective.observers.omni_llm import OmniLlm
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings

SHOTS = ("testsrc=s=320x240:r=25:d=6", "mandelbrot=s=320x240:r=25", "testsrc2=s=320x240:r=25:d=5.6")
LENGTHS_S = (6.0, 0.4, 5.6)
EYES = Capabilities(images=True)


@pytest.fixture
async def clip(film: Film) -> AsyncIterator[Clip]:
    """Twelve seconds of three shots, of which the second lasts 0.4 s."""
    inputs = [
        word for shot, s in zip(SHOTS, LENGTHS_S, strict=True) for word in ("-f", "lavfi", "-t", str(s), "-i", shot)
    ]
    path = film(
        "shots.mp4", *inputs, "-f", "lavfi", "-t", "12", "-i", "sine", "-filter_complex",
        "[0:v][1:v][2:v]concat=n=3:v=1[v]", "-map", "[v]", "-map", "3:a", "-pix_fmt", "yuv420p",
    )  # fmt: skip
    async with open_clip(parse_row({"video": str(path)}), MediaSettings(), base_dir=path.parent) as opened:
        yield opened


def looker(model: ScriptedChat, **settings: Any) -> FrameCaptioner:
    given_ = context(cast=cast("Any", SimpleNamespace(chat=lambda role: model)))
    return FrameCaptioner(FrameSettings(**settings), given_)


def pictures(model: ScriptedChat, call: int = -1) -> list[ImagePart]:
    return [part for part in model.requests[call].messages[1].parts if isinstance(part, ImagePart)]


def times(model: ScriptedChat, call: int = -1) -> list[float]:
    return [round(part.time_s or 0.0, 2) for part in pictures(model, call)]


async def test_every_shot_is_seen_however_short(clip: Clip) -> None:
    model = ScriptedChat(["Seen."], capabilities=EYES)
    await ask(looker(model, max_frames=6), clip, "What is shown?", None, timeout_s=60)
    assert len(times(model)) == 6
    assert [t for t in times(model) if 6.0 <= t < 6.4] == [6.2]
    gaps = [b - a for a, b in pairwise(times(model))]
    assert max(gaps) < 3.5


async def test_a_short_span_is_looked_at_more_densely_as_far_as_it_has_frames(clip: Clip) -> None:
    model = ScriptedChat(["Seen."] * 3, capabilities=EYES)
    observer = looker(model)
    for span in ((0.0, 12.0), (1.0, 2.0), (1.0, 1.1)):
        await ask(observer, clip, "What is shown?", Span(start_s=span[0], end_s=span[1]), timeout_s=60)
    assert [len(times(model, call)) for call in range(3)] == [12, 6, 2]
    assert all(1.0 <= t <= 2.0 for t in times(model, 1))


async def test_times_that_the_question_names_are_added_behind_the_same_frames(clip: Clip) -> None:
    model = ScriptedChat(["Seen."] * 4, capabilities=EYES)
    observer = looker(model, max_frames=6)
    asked = ("What is shown?", "What is it at 3.3 s?", "Between 8 and 10 s?", "And at 3.3 s, 10.7 s, and at the end?")
    await asyncio.gather(*(ask(observer, clip, question, None, timeout_s=60) for question in asked))
    by_question = {request.messages[1].parts[-1].text: n for n, request in enumerate(model.requests)}  # type: ignore[union-attr]
    base, moment, stretch, many = (pictures(model, by_question[question]) for question in asked)
    for shown in (moment, stretch, many):
        assert all(one is another for one, another in zip(base, shown, strict=False)), "the prompt begins the same"
    added = [[round(part.time_s or 0.0, 2) for part in shown[6:]] for shown in (moment, stretch, many)]
    assert added == [[2.97, 3.3, 3.63], [8.25, 8.75, 9.25, 9.75], [3.3, 10.5, 10.7]]
    told = [part.text for part in model.requests[by_question[asked[1]]].messages[1].parts if part.type == "text"]
    assert "Then, for this question: 7 at 2.97 s; 8 at 3.30 s; 9 at 3.63 s." in told[0]


async def test_named_times_outside_the_span_and_switched_off_ones_add_nothing(clip: Clip) -> None:
    model = ScriptedChat(["Seen."] * 2, capabilities=EYES)
    await ask(looker(model), clip, "What is at 11 s?", Span(start_s=1, end_s=3), timeout_s=60)
    await ask(looker(model, question_frames=0, max_frames=4), clip, "What is at 11 s?", None, timeout_s=60)
    assert [len(times(model, call)) for call in range(2)] == [6, 4]


async def test_where_the_model_takes_few_pictures_the_question_gets_its_share(clip: Clip) -> None:
    model = ScriptedChat(["Seen."] * 2, capabilities=EYES.model_copy(update={"max_media_parts": 8}))
    await ask(looker(model), clip, "What is shown?", None, timeout_s=60)
    await ask(looker(model), clip, "What is shown between 8 and 10 s?", None, timeout_s=60)
    plain, named = times(model, 0), times(model, 1)
    assert len(plain) == 6
    assert named == [*plain, 8.5, 9.5]


async def test_a_model_of_one_medium_gets_the_frames_as_a_list_in_order_of_time(clip: Clip) -> None:
    one = Capabilities(images=True, frames=True, mixed_media=False, max_media_parts=1, min_frames=4, max_frames=80)
    model = ScriptedChat(["Seen."] * 2, capabilities=one)
    await ask(looker(model, max_frames=6), clip, "What is it at 3.3 s?", None, timeout_s=60)
    await ask(looker(model), clip, "What is it?", Span(start_s=1.0, end_s=1.1), timeout_s=60)
    many, few = (request.messages[1].parts for request in model.requests)
    assert [part.type for part in many] == [part.type for part in few] == ["frames", "text", "text"]
    assert isinstance(many[0], FramesPart)
    assert isinstance(few[0], FramesPart)
    seen = [round(frame.time_s or 0.0, 2) for frame in many[0].frames]
    assert seen == sorted(seen)
    assert len(seen) == 9
    assert {2.97, 3.3, 3.63, 6.2} <= set(seen)
    assert many[0].fps == pytest.approx(8 / (seen[-1] - seen[0]), abs=0.01)
    assert len(few[0].frames) == 4
    assert few[0].frames[-1].data == few[0].frames[-2].data


async def test_the_one_who_sees_and_hears_sees_the_same(clip: Clip) -> None:
    model = ScriptedChat(["Both."], capabilities=Capabilities(images=True, audio=True))
    given_ = context(cast=cast("Any", SimpleNamespace(chat=lambda role: model)))
    await ask(OmniLlm(FrameSettings(max_frames=6), given_), clip, "Who speaks at 3.3 s?", None, timeout_s=60)
    kinds = [part.type for part in model.requests[0].messages[1].parts]
    assert kinds == [*["image"] * 9, "audio", "text", "text"]
    assert 6.2 in times(model)


lengths = st.lists(st.floats(0.05, 60), min_size=1, max_size=30)


@given(lengths, st.integers(1, 40))
def test_moments_are_as_many_as_asked_for_in_order_and_in_every_shot(lengths: list[float], count: int) -> None:
    edges = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    shots = [Span(start_s=a, end_s=b) for a, b in pairwise(edges)]
    moments = spread_times(shots, count)
    assert len(moments) == count
    assert list(moments) == sorted(moments)
    seen = [sum(shot.start_s <= t < shot.end_s for t in moments) for shot in shots]
    assert sum(seen) == count
    if count >= len(shots):
        assert all(seen)
    else:
        assert max(seen) == 1


@given(
    st.floats(0.001, 1e5),
    st.builds(
        FrameSettings,
        max_frames=st.integers(1, 40),
        fps=st.floats(0.1, 10),
        min_frames=st.integers(1, 20),
        question_frames=st.integers(0, 10),
    ),
    st.floats(0.5, 120),
    st.none() | st.integers(1, 50),
)
def test_the_number_of_frames_keeps_to_its_limits(
    seconds: float, look: FrameSettings, clip_fps: float, most: int | None
) -> None:
    count = base_frames(seconds, look, clip_fps=clip_fps, most=most)
    assert 1 <= count <= look.max_frames
    assert most is None or count <= most
    longer = base_frames(seconds * 2, look, clip_fps=clip_fps, most=most)
    assert longer >= count
