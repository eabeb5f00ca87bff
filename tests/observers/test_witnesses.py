"""Witnesses: what a model is shown and told, and what becomes of its answer. Real media, a scripted model."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import imageio_ffmpeg
import pytest

from omnidetective.config import load_config
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import AudioPart, ChatReply, ImagePart, TextPart
from omnidetective.llm.scripted import ScriptedChat
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.audio_llm import AudioLlm
from omnidetective.observers.base import Observer, ObserverContext
from omnidetective.observers.frame_captioner import FrameCaptioner
from omnidetective.observers.looking import FrameSettings
from omnidetective.observers.omni_llm import OmniLlm
from omnidetective.observers.witness import WitnessSettings
from omnidetective.prompts import PromptLibrary
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings

EVERYTHING = Capabilities(images=True, audio=True)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "film.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10"]
    command += ["-f", "lavfi", "-i", "sine=frequency=440", "-t", "8", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.fixture
async def clip(film: Path) -> AsyncIterator[Clip]:
    async with open_clip(parse_row({"video": str(film)}), MediaSettings(), base_dir=film.parent) as opened:
        yield opened


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[Clip]:
    """Two cards, each for two seconds, without a loss."""
    cards = [f"color={colour}:size=320x180:rate=10:duration=2" for colour in ("red", "blue")]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    command += [word for card in cards for word in ("-f", "lavfi", "-i", card)]
    command += ["-filter_complex", "concat=n=2:v=1", "-c:v", "ffv1", str(tmp_path / "cards.mkv")]
    subprocess.run(command, check=True, timeout=60)
    async with open_clip(parse_row({"video": "cards.mkv"}), MediaSettings(), base_dir=tmp_path) as opened:
        yield opened


def context(model: ScriptedChat) -> ObserverContext:
    config = load_config(environ={})
    return ObserverContext(
        cast("Any", SimpleNamespace(chat=lambda role: model)), config.model_set, PromptLibrary(), config.settings
    )


def witness(kind: str, model: ScriptedChat, **settings: Any) -> Observer:
    if kind == "audio_llm":
        return AudioLlm(WitnessSettings(**settings), context(model))
    if kind == "frame_captioner":
        return FrameCaptioner(FrameSettings(**settings), context(model))
    return OmniLlm(FrameSettings(**settings), context(model))


async def test_the_listener_gets_the_sound_of_the_span_and_the_question(clip: Clip) -> None:
    model = ScriptedChat(["A steady tone."], capabilities=EVERYTHING)
    span = Span(start_s=2, end_s=5)
    answer = await ask(witness("audio_llm", model), clip, "What is heard?", span, timeout_s=30)
    assert (answer.answer, answer.model, answer.span, answer.error) == ("A steady tone.", "scripted:script", span, None)
    system, user = model.requests[0].messages
    assert "seconds 2.0 to 5.0" in system.text
    sound, question = user.parts
    assert isinstance(sound, AudioPart)
    assert sound.duration_s == pytest.approx(3.0, abs=0.2)
    assert question == TextPart(text="What is heard?")


async def test_the_looker_gets_frames_and_their_times_denser_in_a_short_span(clip: Clip) -> None:
    model = ScriptedChat(["Bars.", "Bars."], capabilities=EVERYTHING)
    looker = witness("frame_captioner", model, max_frames=8, fps=1.0, min_frames=4)
    await ask(looker, clip, "What is shown?", None, timeout_s=30)
    await ask(looker, clip, "And here?", Span(start_s=1, end_s=3), timeout_s=30)
    whole, short = ([p for p in r.messages[1].parts if isinstance(p, ImagePart)] for r in model.requests)
    assert (len(whole), len(short)) == (8, 4)
    times = [frame.time_s or 0.0 for frame in short]
    assert times == pytest.approx([1.25, 1.75, 2.25, 2.75])
    told, question = model.requests[1].messages[1].parts[4:]
    listed = "; ".join(f"{n} at {time_s:.2f} s" for n, time_s in enumerate(times, start=1))
    assert told == TextPart(text=f"The frames above, in order: {listed}.")
    assert question == TextPart(text="And here?")


async def test_the_one_who_sees_and_hears_gets_both(clip: Clip) -> None:
    model = ScriptedChat(["Both."], capabilities=EVERYTHING)
    await ask(witness("omni_llm", model, max_frames=3), clip, "What goes together?", None, timeout_s=30)
    kinds = [type(part) for part in model.requests[0].messages[1].parts]
    assert kinds == [ImagePart, ImagePart, ImagePart, AudioPart, TextPart, TextPart]


async def test_another_question_about_the_same_span_begins_with_the_same_media_made_once(clip: Clip) -> None:
    model = ScriptedChat(["One.", "Two.", "Three."], capabilities=EVERYTHING)
    observer = witness("omni_llm", model, max_frames=3)
    span = Span(start_s=1, end_s=4)
    await asyncio.gather(
        *(ask(observer, clip, question, span, timeout_s=30) for question in ("What?", "Who?", "When?"))
    )
    first, *others = ([part for part in r.messages[1].parts if not isinstance(part, TextPart)] for r in model.requests)
    assert len(first) == 4
    for other in others:
        assert all(one is another for one, another in zip(first, other, strict=True))
    assert len({request.messages[0].text for request in model.requests}) == 1


async def test_a_picture_that_stays_is_sent_once_with_all_its_times(still: Clip) -> None:
    model = ScriptedChat(["A card."], capabilities=EVERYTHING)
    await ask(witness("frame_captioner", model, max_frames=4), still, "What is shown?", None, timeout_s=30)
    before, after, told, _ = model.requests[0].messages[1].parts
    assert isinstance(before, ImagePart)
    assert isinstance(after, ImagePart)
    assert isinstance(told, TextPart)
    assert told.text == (
        "The frames above, in order: 1 at 0.50 s and 1.50 s; 2 at 2.50 s and 3.50 s. "
        "Several times: it is the same picture."
    )


async def test_an_answer_that_was_cut_off_says_so(clip: Clip) -> None:
    model = ScriptedChat([ChatReply(outcome="truncated", text="A tone that", model="m")], capabilities=EVERYTHING)
    answer = await ask(witness("audio_llm", model), clip, "?", None, timeout_s=30)
    assert answer.answer.startswith("A tone that [The answer was cut off")


@pytest.mark.parametrize(
    ("outcome", "reason"), [("blocked", "content_filter"), ("empty", "empty")], ids=["blocked", "empty"]
)
async def test_no_answer_is_an_error_and_never_an_empty_text(clip: Clip, outcome: Any, reason: str) -> None:
    model = ScriptedChat([ChatReply(outcome=outcome, text="", model="m")], capabilities=EVERYTHING)
    answer = await ask(witness("audio_llm", model), clip, "?", None, timeout_s=30)
    assert answer.error is not None
    assert answer.error.reason == reason
    assert answer.answer == ""


async def test_a_span_that_the_model_cannot_take_is_refused_before_it_is_paid_for(clip: Clip) -> None:
    model = ScriptedChat(["never"], capabilities=EVERYTHING.model_copy(update={"max_audio_s": 4.0}))
    answer = await ask(witness("audio_llm", model), clip, "?", None, timeout_s=30)
    assert answer.error is not None
    assert answer.error.reason == "span_too_long"
    assert "at most 4 s" in answer.error.message
    assert model.requests == []


@pytest.mark.parametrize(
    ("kind", "lacking"),
    [("audio_llm", {"audio": False}), ("frame_captioner", {"images": False}), ("omni_llm", {"mixed_media": False})],
)
def test_a_model_without_the_sense_makes_the_witness_unavailable(kind: str, lacking: dict[str, bool]) -> None:
    model = ScriptedChat([], capabilities=EVERYTHING.model_copy(update=lacking))
    with pytest.raises(ObserverUnavailableError, match=r"takes no|takes neither"):
        witness(kind, model)


async def test_a_model_that_takes_no_text_gets_the_sound_alone(clip: Clip) -> None:
    model = ScriptedChat(["A tone."], capabilities=EVERYTHING.model_copy(update={"text_prompt": False}))
    answer = await ask(witness("audio_llm", model), clip, "What is heard?", None, timeout_s=30)
    assert answer.answer == "A tone."
    (message,) = model.requests[0].messages
    assert [type(part) for part in message.parts] == [AudioPart]
