"""Which domain a clip is sent to, who decides, what the router is shown, and what becomes of an answer that is none."""

from __future__ import annotations

import io
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from detective.cases import make_case, seen_by
from e2e.media_files import tone, video
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from servers.faulty_openai import Behaviour, fails, says, unauthorized
from stages.casting import Play, playing, replies
from stages.test_annotate import embedded, recast

from omnidetective.case import Case
from omnidetective.config import load_workflow
from omnidetective.domains import Domain
from omnidetective.errors import AuthError, ConfigError, MediaError
from omnidetective.evidence import Cut, ShotEvidence, Span
from omnidetective.findings import Routing
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import Observer, ObserverSpec, observation
from omnidetective.records import MediaFacts, Observation
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings, Settings
from omnidetective.stages import STAGES
from omnidetective.stages.base import StageContext
from omnidetective.stages.plan import StagePlan
from omnidetective.stages.route import Route
from omnidetective.stages.route_by_model import longest_side_px

IMAGE_DOMAINS = ["aesthetic", "code", "document", "interface", "knowledge", "math", "medical", "natural"]


def picture(path: Path, *, size: tuple[int, int] = (640, 480)) -> Path:
    Image.new("RGB", size, (40, 120, 200)).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def image(folder: Path) -> Path:
    return picture(folder / "image.png")


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    return video(folder / "film.mp4", seconds=2)


@asynccontextmanager
async def case_of(path: Path, **row: Any) -> AsyncIterator[Case]:
    parsed = parse_row({"path": str(path), **row})
    async with open_clip(parsed, MediaSettings(), base_dir=path.parent) as clip:
        yield Case(row=parsed, clip=clip)


def named(domain: str, confidence: str = "high", second: str | None = None) -> dict[str, Any]:
    """The router's answer."""
    return {"reason": "It is\nwhat it is.", "domain": domain, "second": second, "confidence": confidence}


async def routed(
    path: Path,
    *said: Any,
    script: Sequence[Behaviour] | None = None,
    settings: Mapping[str, Any] | None = None,
    observers: Sequence[Observer] = (),
    row: Mapping[str, Any] | None = None,
) -> tuple[Case, Play]:
    parts = {"router": script or replies(*said or ["never"])}
    async with case_of(path, **(row or {})) as case, playing(parts, settings=settings, observers=observers) as play:
        return await Route()(case, play.context), play


@dataclass
class Measurer:
    """Stands where the measurement is called; keeps between which domains it was to choose."""

    answer: Routing
    asked: list[list[str]] = field(default_factory=list)

    async def measured_routing(self, case: Case, context: StageContext, domains: Sequence[Domain]) -> Routing:
        self.asked.append([domain.name for domain in domains])
        return self.answer


@pytest.fixture
def measurer(monkeypatch: pytest.MonkeyPatch) -> Measurer:
    made = Measurer(
        Routing(domain="document", second="math", confidence="medium", by="measurement", measures={"text": 0.7})
    )
    module = SimpleNamespace(measured_routing=made.measured_routing)
    monkeypatch.setitem(sys.modules, "omnidetective.stages.route_by_measure", cast("Any", module))
    return made


@dataclass
class Shots:
    """An instrument that finds the given shots."""

    still: bool | None
    shots: int = 1
    asked: int = 0
    spec = ObserverSpec(name="shots", kind="instrument", modalities=("video",), description="Finds shots.")

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        self.asked += 1
        edges = [clip.duration_s * n / self.shots for n in range(self.shots + 1)]
        found = ShotEvidence(
            cuts=tuple(Cut(time_s=edge) for edge in edges[1:-1]),
            shots=tuple(Span(start_s=a, end_s=b) for a, b in pairwise(edges)),
            still=self.still,
        )
        return observation(self.spec, question, span, answer="Shots.", data=found)


def finds(still: bool | None, shots: int = 1) -> tuple[Shots, list[Observer]]:
    instrument = Shots(still, shots)
    return instrument, [cast("Observer", instrument)]


# The row ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "domain"),
    [
        ("medical", "medical"),
        (" Medical ", "medical"),
        ("Medical & Bio-Imaging", "medical"),
        ("infographic and document", "document"),
        ("UI_INTERACTION", "interface"),
    ],
)
async def test_a_domain_in_the_row_asks_nobody(said: str, domain: str, image: Path) -> None:
    case, play = await routed(image, row={"domain": said})
    assert case.routing == Routing(domain=domain, confidence="high", by="row", why="the input row names it")
    assert play.calls("router") == 0
    assert case.remarks == ()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("documents", "'documents' is none that is known here; did you mean document?"),
        ("infographics", "did you mean document?"),
        ("www.example.org", "'www.example.org' is none that is known here"),
        ("x" * 500, "characters left out"),
        (["medical"], "none that is known here"),
        (7, "'7' is none that is known here"),
        ("video", "'video' is for video clips, and this is an image: it was not heeded"),
    ],
)
async def test_a_domain_that_is_none_for_the_clip_is_remarked_and_the_router_decides(
    said: Any, told: str, image: Path
) -> None:
    case, play = await routed(image, named("natural"), row={"domain": said})
    assert case.routing is not None
    assert (case.routing.domain, case.routing.by) == ("natural", "model")
    assert play.calls("router") == 1
    (remark,) = case.remarks
    assert told in remark
    assert len(remark) < 300


@pytest.mark.parametrize("said", [None, "", "  "])
async def test_an_empty_field_is_none(said: Any, image: Path) -> None:
    case, _ = await routed(image, named("natural"), row={"domain": said})
    assert case.remarks == ()
    assert case.routing is not None


async def test_a_clip_that_is_routed_stays_so(image: Path) -> None:
    before = Routing(domain="math", confidence="low", by="model")
    async with case_of(image) as case, playing({}) as play:
        case = replace(case, routing=before)
        assert await Route()(case, play.context) is case


# The kind ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("still", "shots"), [(False, 1), (None, 1), (True, 3)])
async def test_a_video_with_an_order_of_time_belongs_to_the_only_domain_of_videos(
    still: bool | None, shots: int, film: Path
) -> None:
    _, observers = finds(still, shots)
    case, play = await routed(film, observers=observers)
    assert case.routing is not None
    assert (case.routing.domain, case.routing.confidence, case.routing.by) == ("video", "high", "kind")
    assert play.calls("router") == 0
    assert [o.observer for o in case.observations] == ["shots"], "what was measured stays with the case"


async def test_without_an_instrument_a_video_is_taken_to_move(film: Path) -> None:
    case, play = await routed(film)
    assert case.routing is not None
    assert case.routing.by == "kind"
    assert play.calls("router") == 0


async def test_a_video_whose_shots_are_known_is_not_measured_again() -> None:
    whole = Span(start_s=0.0, end_s=20.0)
    known = seen_by("shots", ShotEvidence(cuts=(), shots=(whole,), still=False))
    instrument, observers = finds(True)
    async with playing({}, observers=observers) as play:
        case = await Route()(make_case(known), play.context)
    assert instrument.asked == 0
    assert case.routing is not None
    assert case.routing.domain == "video"


async def test_a_video_in_which_nothing_moves_is_routed_like_an_image(film: Path) -> None:
    _, observers = finds(True)
    case, play = await routed(film, named("document"), observers=observers)
    assert case.routing is not None
    assert (case.routing.domain, case.routing.by) == ("document", "model")
    assert offered(play) == [*IMAGE_DOMAINS, "video"]
    assert len(pictures(play)) == 1
    assert "nothing moves" in play.prompt("router")


async def test_a_row_may_name_a_domain_of_images_for_a_video_in_which_nothing_moves(film: Path) -> None:
    for still, by, domain in ((True, "row", "document"), (False, "kind", "video")):
        _, observers = finds(still)
        case, play = await routed(film, observers=observers, row={"domain": "Document"})
        assert case.routing is not None
        assert (case.routing.by, case.routing.domain) == (by, domain)
        assert play.calls("router") == 0
        assert any("a video in which something moves" in remark for remark in case.remarks) is not still


@pytest.mark.parametrize("row", [{}, {"domain": "document"}, {"domain": "video"}])
async def test_a_recording_belongs_nowhere_and_costs_nothing(row: dict[str, Any], folder: Path) -> None:
    sound = tone(folder / "tone.wav", seconds=1)
    async with case_of(sound, **row) as case, playing({"router": replies("never")}) as play:
        with pytest.raises(MediaError) as caught:
            await Route()(case, play.context)
        assert play.server.calls == 0
    assert caught.value.reason == "no_video"
    assert "sound recording" in caught.value.message
    assert "another workflow" in caught.value.hint


async def test_recordings_can_have_domains_of_the_users_own(folder: Path, tmp_path: Path) -> None:
    sound = tone(folder / "tone.wav", seconds=1)
    write_domain(tmp_path, "music", title="Music", modalities=["audio"])
    own = {"route": {"domains": str(tmp_path)}}
    case, _ = await routed(sound, settings=own)
    assert case.routing is not None
    assert (case.routing.domain, case.routing.by) == ("music", "kind")
    two = tmp_path / "two"
    for name in ("music", "speech"):
        write_domain(two, name, title=name.title(), modalities=["audio"])
    own = {"route": {"domains": str(two)}}
    case, _ = await routed(sound, settings=own, row={"domain": "speech"})
    assert case.routing is not None
    assert (case.routing.domain, case.routing.by) == ("speech", "row")
    with pytest.raises(MediaError, match="no picture that tells which") as caught:
        await routed(sound, settings=own)
    assert "music or speech" in caught.value.hint


# The router -------------------------------------------------------------------------------------------------------


def schema(play: Play) -> dict[str, Any]:
    found = play.seen("router")[-1].body["response_format"]["json_schema"]["schema"]
    assert isinstance(found, dict)
    return found


def offered(play: Play) -> list[str]:
    """The names that the form allows."""
    names = schema(play)["properties"]["domain"]["enum"]
    assert isinstance(names, list)
    return names


def pictures(play: Play) -> list[tuple[int, int]]:
    """Sizes of the pictures that the router was shown."""
    parts = play.seen("router")[-1].body["messages"][-1]["content"]
    sent = [b64decode(p["image_url"]["url"].split(",")[1]) for p in parts if p["type"] == "image_url"]
    return [Image.open(io.BytesIO(data)).size for data in sent]


@pytest.mark.parametrize(
    ("said", "second", "asked"),
    [
        (named("code"), None, ("code",)),
        (named("code", "high", "interface"), None, ("code",)),
        (named("code", "medium", "interface"), "interface", ("code",)),
        (named("code", "medium"), None, ("code",)),
        (named("code", "low", "interface"), "interface", ("code", "interface")),
        (named("Code & Programming", "Low", "UI & interaction"), "interface", ("code", "interface")),
        (named("code", "medium", "none"), None, ("code",)),
        (named("code", "medium", "code"), None, ("code",)),
    ],
)
async def test_what_the_router_says_is_taken(
    said: Any, second: str | None, asked: tuple[str, ...], image: Path
) -> None:
    case, play = await routed(image, said)
    assert case.routing == Routing(
        domain="code", second=second, confidence=said["confidence"].lower(), by="model", why="It is what it is."
    )
    assert case.routing.domains == asked
    assert play.calls("router") == 1


async def test_it_is_given_the_domains_of_images_with_their_boundaries_and_a_small_picture(folder: Path) -> None:
    large = picture(folder / "large.png", size=(3000, 2000))
    _, play = await routed(large, named("natural"))
    assert offered(play) == IMAGE_DOMAINS
    assert schema(play)["additionalProperties"] is False
    prompt = play.prompt("router")
    assert "is `code`, not `interface`" in prompt
    assert "Which domain does the picture above belong to?" in prompt
    ((width, height),) = pictures(play)
    assert (width, height) == (543, 362)
    assert play.seen("router")[0].body["max_tokens"] == 512


async def test_a_long_page_stays_wide_enough_to_be_recognised(folder: Path) -> None:
    page = picture(folder / "page.png", size=(800, 6400))
    _, play = await routed(page, named("document"))
    ((width, height),) = pictures(play)
    assert (width, height) == (157, 1254)


@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000))
def test_no_picture_costs_more_than_another(width: int, height: int) -> None:
    facts = MediaFacts(sha256="0", modality="image", width=width, height=height, has_audio=False, has_video=True)
    side = longest_side_px(facts)
    shorter = side * min(width, height) / max(width, height)
    assert 443 <= side <= 1536
    assert side * shorter <= 512 * 384 * 1.01


@pytest.mark.parametrize("wrong", [named("charts"), named("code", "medium", "charts"), named("code", "sure")])
async def test_a_name_that_is_none_is_sent_back_with_those_that_are(wrong: Any, image: Path) -> None:
    case, play = await routed(image, wrong, named("document"))
    assert case.routing is not None
    assert case.routing.domain == "document"
    assert play.calls("router") == 2
    assert "'document'" in play.prompt("router") or "'high'" in play.prompt("router")


async def test_a_domain_of_videos_cannot_be_named_for_an_image(image: Path) -> None:
    case, play = await routed(image, named("video"), named("natural"))
    assert case.routing is not None
    assert case.routing.domain == "natural"
    assert play.calls("router") == 2


async def test_a_failed_call_is_raised(image: Path) -> None:
    with pytest.raises(AuthError):
        await routed(image, script=[unauthorized()])


NO_ANSWER: dict[str, list[Behaviour]] = {
    "prose": [says("A lovely picture of a cat.")],
    "refused": [says("", finish_reason="content_filter")],
    "cut off": [says('{"reason": "It', finish_reason="length")],
    "too long": [
        fails(400, {"code": "context_length_exceeded", "message": "The maximum context length is 8192 tokens."})
    ],
}


@pytest.mark.parametrize("script", NO_ANSWER.values(), ids=NO_ANSWER)
async def test_where_the_router_gives_no_answer_the_domain_is_measured_and_that_is_said(
    script: list[Behaviour], image: Path, measurer: Measurer
) -> None:
    case, play = await routed(image, script=script)
    assert case.routing == measurer.answer
    assert measurer.asked == [IMAGE_DOMAINS]
    assert play.calls("router") >= 1
    (remark,) = case.remarks
    assert remark.startswith("the domain was measured: the router gave no answer: ")
    assert case.shortfalls == ()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("code", "math", "code"), ("natural", "math", "math"), ("natural", None, None)],
)
async def test_doubt_without_a_second_takes_the_measured_one(
    first: str, second: str | None, expected: str | None, image: Path, measurer: Measurer
) -> None:
    measurer.answer = Routing(domain=first, second=second, confidence="low", by="measurement")
    case, _ = await routed(image, named("natural", "low"))
    assert case.routing is not None
    assert (case.routing.domain, case.routing.second, case.routing.by) == ("natural", expected, "model")
    assert case.routing.confidence == "low"


@pytest.mark.parametrize("can", [{"images": False}, {"images": True, "text_prompt": False}])
async def test_a_router_that_cannot_be_asked_about_pictures_is_not(
    can: dict[str, Any], image: Path, measurer: Measurer
) -> None:
    async with case_of(image) as case, playing({"router": replies("never")}) as play:
        case = await Route()(case, recast(play, "router", capabilities=can))
        assert play.server.calls == 0
    assert case.routing == measurer.answer
    assert case.remarks == ("the domain was measured: openai:router, the router, cannot be asked about a picture",)


async def test_measurement_is_asked_for_by_the_settings_or_by_the_embedded_cast(
    image: Path, measurer: Measurer
) -> None:
    case, play = await routed(image, settings={"route": {"by": "measurement"}})
    assert (case.routing, case.remarks, play.calls("router")) == (measurer.answer, (), 0)
    async with case_of(image) as case, playing({}) as play:
        case = await Route()(case, embedded(play))
    assert (case.routing, case.remarks) == (measurer.answer, ())


def test_a_clip_that_the_gate_sends_back_is_not_routed_again() -> None:
    plan = StagePlan.of(load_workflow("capflow"), STAGES)
    assert "route" in plan.names
    assert "route" not in plan.again().names


def test_the_router_is_needed_only_where_it_is_asked() -> None:
    assert Route().roles(Settings()) == ("router",)
    assert Route().roles(Settings.model_validate({"route": {"by": "measurement"}})) == ()


# Domains of the user's own ----------------------------------------------------------------------------------------


def write_domain(folder: Path, name: str, **fields: Any) -> None:
    folder.mkdir(exist_ok=True)
    data = {
        "name": name,
        "title": name.title(),
        "description": f"Pictures of {name}.",
        "modalities": ["image"],
        "agents": {"ocr": {"kind": "tool", "observer": "ocr"}},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(data | fields))


async def test_a_domain_of_the_users_own_is_offered_and_its_words_are_no_template(image: Path, tmp_path: Path) -> None:
    write_domain(tmp_path, "herbarium", description="Pressed plants, {{ 6 * 7 }} of them.", boundaries=["No photos."])
    own = {"route": {"domains": str(tmp_path)}}
    case, play = await routed(image, named("herbarium"), settings=own)
    assert case.routing is not None
    assert case.routing.domain == "herbarium"
    assert offered(play) == sorted([*IMAGE_DOMAINS, "herbarium"])
    assert "Pressed plants, {{ 6 * 7 }} of them." in play.prompt("router")
    assert "- No photos." in play.prompt("router")


async def test_between_domains_of_moving_videos_the_router_is_shown_several_frames(film: Path, tmp_path: Path) -> None:
    write_domain(tmp_path, "sport", modalities=["video"])
    case, play = await routed(film, named("sport"), settings={"route": {"domains": str(tmp_path)}})
    assert case.routing is not None
    assert case.routing.domain == "sport"
    assert offered(play) == ["sport", "video"]
    assert len(pictures(play)) == 4
    assert "in order of time" in play.prompt("router")


def test_a_broken_domain_is_found_before_the_first_clip(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml is wrong"):
        Route().roles(Settings.model_validate({"route": {"domains": str(tmp_path)}}))
