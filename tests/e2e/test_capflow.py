"""Each domain from the picture to the record, over HTTP: what the tools read is what the caption says.

Router, agents, summary agent and judge are one scripted server; the tools are the real instruments. The summary agent
writes only what it is given: it quotes the measurements that stand in its prompt. So what is in the caption and is in
the picture has come all the way through text recognition, table, chart and code reading.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.media_files import video
from pictures import charts, code, tables
from pictures.art import illustration
from pictures.charts import DrawnPoint
from pictures.formula import formula
from pictures.knowledge import diagram
from pictures.medical import radiograph
from pictures.page import page
from pictures.photo import photo
from pictures.screen import screen
from PIL import Image
from planning.role_studio import omnidetective
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says

from omnidetective.rubric import DIMENSIONS

pytestmark = pytest.mark.weights

ROLES = ("router", "agent", "integrator", "judge")
REPORT = "A picture whose parts lie side by side."


@dataclass(frozen=True)
class Known:
    """A picture with what is known of it.

    Attributes:
        texts: lines that are written in it.
        tools: the instruments that must have looked.
        told: what a caption made of their answers says besides.
        written: what the embedded writer's caption says; the lines, where that is empty.
    """

    image: Image.Image
    texts: tuple[str, ...]
    tools: frozenset[str] = frozenset({"ocr"})
    told: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


def _of(drawn: Any) -> Known:
    return Known(drawn.image, drawn.texts)


def _chart() -> Known:
    """Bars with their values printed: the number, and which bar it belongs to."""
    points = (DrawnPoint("North", 42), DrawnPoint("East", 17), DrawnPoint("South", 63), DrawnPoint("West", 8))
    drawn = charts.bar_chart(points, charts.Style(printed=True, title="Parcels by region", y_title="Thousand"))
    told = tuple(f"{point.label}: {point.value:g}" for point in points)
    written = tuple(f"{point.label} {point.value:g}" for point in points)
    titles = (f"titled “{drawn.title}”", "“Thousand” on its y axis")
    return Known(drawn.image, (drawn.title,), frozenset({"ocr", "charts"}), told, (*titles, *written))


def _table() -> Known:
    """Ruled cells: what stands in a row belongs together."""
    rows = (("City", "Rain", "Sun"), ("Oslo", "763", "1668"), ("Rome", "878", "2473"), ("Cairo", "24", "3451"))
    told = tuple(f"{' '.join(row)}" for row in rows)
    written = tuple(f"{city}: Rain {rain}, Sun {sun}" for city, rain, sun in rows[1:])
    return Known(tables.draw(rows).image, (), frozenset({"ocr", "tables"}), told, written)


def _code() -> Known:
    """An editor: the language, and what the code defines."""
    text = "import math\n\n\ndef area(radius):\n    return math.pi * radius\n\n\nclass Shape:\n    sides = 4\n"
    drawn = code.draw("Python", text=text)
    written = ("Python", "“area”", "“Shape”", "“math”")
    return Known(drawn.image, (), frozenset({"ocr", "code"}), (), written)


KNOWN: dict[str, tuple[str, Callable[[], Known]]] = {
    "photo": ("natural", lambda: _of(photo())),
    "formula": ("math", lambda: _of(formula())),
    "page": ("document", lambda: _of(page())),
    "radiograph": ("medical", lambda: _of(radiograph())),
    "screen": ("interface", lambda: _of(screen())),
    "diagram": ("knowledge", lambda: _of(diagram())),
    "illustration": ("aesthetic", lambda: _of(illustration())),
    "chart": ("document", lambda: _chart()),
    "table": ("document", lambda: _table()),
    "code": ("code", lambda: _code()),
}
"""Picture → its domain, and how it is drawn."""


class Cast:
    """The models of a run: each role says what is set for it."""

    def __init__(
        self, domain: str | Callable[[Seen], str], *, confidence: str = "high", second: str | None = None
    ) -> None:
        self._domain = domain
        self._route = {"reason": "By its looks.", "second": second, "confidence": confidence}
        self.scores = [3]
        self.change: Callable[[str], str] = lambda sentence: sentence
        self.draws = 0

    def __call__(self, seen: Seen) -> Behaviour:
        role = str(seen.body["model"])
        if role == "router":
            domain = self._domain if isinstance(self._domain, str) else self._domain(seen)
            return says(json.dumps({**self._route, "domain": domain}))
        if role == "agent":
            return says(REPORT)
        if role == "judge":
            return says(json.dumps(self._judged(seen)))
        opening = ("This is a picture.", "A picture is shown.", "What is seen is a picture.")[self.draws % 3]
        self.draws += 1
        return says(json.dumps({"sentences": _quoted(seen, opening, self.change)}))

    def _judged(self, seen: Seen) -> dict[str, Any]:
        score = self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]
        words = _words(seen)
        names = next(
            tuple(d.name for d in found) for found in DIMENSIONS.values() if all(d.name in words for d in found)
        )
        return {name: {"reasons": ["seen"], "score": score} for name in names} | {
            name: score for name in names if f'"{name}": n' in words
        }


def _words(seen: Seen) -> str:
    parts = []
    for message in seen.body["messages"]:
        content = message["content"]
        parts += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(parts)


def _quoted(seen: Seen, opening: str, change: Callable[[str], str]) -> list[dict[str, Any]]:
    """A caption of what instruments report, each quotation a sentence that cites its observation."""
    found = re.search(r"The observations:\n(\[.*?\])\n", _words(seen), re.DOTALL)
    assert found
    sentences = [{"text": opening, "evidence": ["o1"]}]
    for observation in json.loads(found[1]):
        if observation["by"] != "instrument":
            continue
        answer = observation.get("answer", "")
        found = re.findall(r"“[^”]*”", answer) if observation["of"] == "ocr" else []
        told = [f"It reads {line}." for line in found]
        told += [f"The bar says {line}." for line in re.findall(r"^- (.*), printed$", answer, re.MULTILINE)]
        told += [
            f"A row holds {' '.join(row.split(' | '))}." for row in re.findall(r"^\| (.*) \|$", answer, re.MULTILINE)
        ]
        sentences += [{"text": change(sentence), "evidence": [observation["id"]]} for sentence in told]
    return sentences


def _cast(folder: Path) -> str:
    models = {
        role: {
            "provider": "openai",
            "model": role,
            "base_url_env": "STUDIO_BASE_URL",
            "api_key_env": "STUDIO_API_KEY",
            "capabilities": {"images": True},
        }
        for role in ROLES
    }
    roles = {**{role: role for role in ROLES}, "detective": "integrator"}
    (folder / "cast.yaml").write_text(
        yaml.safe_dump({"name": "cast", "description": "", "models": models, "roles": roles})
    )
    return "cast.yaml"


async def _ran(
    folder: Path, rows: list[dict[str, Any]], models: str, script: Any, *options: str
) -> tuple[dict[str, dict[str, Any]], Counter[str]]:
    """The records of a run by id, and how often each role was asked."""
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ("--input", "in.jsonl", "--output", "out.jsonl", "--workflow", "capflow", "--models", models)
    async with FaultyOpenAI(script) as server:
        status, _, said = await omnidetective("run", *arguments, *options, cwd=folder, base_url=server.base_url)
        asked = Counter(str(seen.body["model"]) for seen in server.seen)
    assert status == 0, said + (folder / "out.failures.jsonl").read_text()
    records = map(json.loads, (folder / "out.jsonl").read_text().splitlines())
    return {record["id"]: record for record in records}, asked


async def _captioned(
    folder: Path, cast: Cast, row: dict[str, Any], *options: str
) -> tuple[dict[str, Any], Counter[str]]:
    """The record of one row, and how often each role was asked."""
    records, asked = await _ran(folder, [{"id": "a", **row}], _cast(folder), cast, *options)
    return records["a"], asked


def _thumbnail(image: Image.Image) -> list[int]:
    return list(image.convert("RGB").resize((16, 16), Image.Resampling.BOX).tobytes())


def _like(seen: Seen, drawn: dict[str, Known]) -> str:
    """The domain of the picture that is shown: of the known one that is most like it."""
    (url,) = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", json.dumps(seen.body))
    shown = _thumbnail(Image.open(io.BytesIO(base64.b64decode(url))))
    distance = {
        name: sum(abs(a - b) for a, b in zip(shown, _thumbnail(known.image), strict=True))
        for name, known in drawn.items()
    }
    return KNOWN[min(distance, key=distance.__getitem__)][0]


def _saved(folder: Path) -> dict[str, Known]:
    drawn = {name: draw() for name, (_, draw) in KNOWN.items()}
    for name, known in drawn.items():
        known.image.save(folder / f"{name}.png")
    return drawn


async def test_pictures_of_each_domain(tmp_path: Path) -> None:
    drawn = _saved(tmp_path)
    rows = [{"id": name, "image": f"{name}.png"} for name in drawn]
    cast = Cast(lambda seen: _like(seen, drawn))
    records, asked = await _ran(tmp_path, rows, _cast(tmp_path), cast)
    assert (asked["router"], asked["integrator"], asked["judge"]) == (len(KNOWN),) * 3
    for name, known in drawn.items():
        record = records[name]
        assert record["outcome"] == "accepted", (name, record["quality"])
        assert (record["routing"]["domain"], record["routing"]["by"]) == (KNOWN[name][0], "model")
        for text in (*(f"“{text}”" for text in known.texts), *known.told):
            assert text in record["caption"], name
        measured = {o["observer"] for o in record["observations"] if o["kind"] == "instrument" and not o.get("error")}
        assert known.tools <= measured, name
        dimensions = {dimension.name: 3.0 for dimension in DIMENSIONS["image"]}
        assert dimensions.items() <= record["quality"]["scores"].items()
        agents = [o for o in record["observations"] if o["kind"] == "witness"]
        assert len(agents) == record["usage"]["by_role"]["agent"]["calls"] >= 3
        assert not any("start_s" in event for event in record["events"])


async def test_the_embedded_cast_says_what_is_written(tmp_path: Path) -> None:
    """No model at all: the rows name the domains, and the captions hold every line that is in the pictures."""
    drawn = _saved(tmp_path)
    rows = [{"id": name, "image": f"{name}.png", "domain": KNOWN[name][0]} for name in drawn]
    records, asked = await _ran(tmp_path, rows, "local", [says("nobody asks")])
    assert not asked
    for name, known in drawn.items():
        record = records[name]
        assert record["outcome"] == "accepted", (name, record["quality"])
        assert record["routing"] == {
            "domain": KNOWN[name][0], "confidence": "high", "by": "row", "why": "the input row names it",
        }  # fmt: skip
        for text in known.written or known.texts:
            assert text in record["caption"], name


@pytest.mark.integration
async def test_a_scan_of_two_pages(tmp_path: Path) -> None:
    """The first page says which domain it is; agents and judge see both, and the caption has what stands on each."""
    first, second = _of(page()), _of(diagram())
    first.image.convert("RGB").save(
        tmp_path / "scan.tiff", save_all=True, append_images=[second.image.convert("RGB")], compression="tiff_deflate"
    )
    shown: Counter[str] = Counter()
    cast = Cast("document")

    def watched(seen: Seen) -> Behaviour:
        role = str(seen.body["model"])
        pictures = set(re.findall(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", json.dumps(seen.body)))
        shown[role] = max(shown[role], len(pictures))
        return cast(seen)

    records, _ = await _ran(tmp_path, [{"id": "a", "image": "scan.tiff"}], _cast(tmp_path), watched)
    record = records["a"]
    assert record["outcome"] == "accepted", record["quality"]
    assert record["media"]["pages"] == 2
    assert shown["router"] == 1
    assert all(shown[role] >= 2 for role in ("agent", "judge")), shown
    for text in (*first.texts, *second.texts):
        assert f"“{text}”" in record["caption"]
    read = next(o for o in record["observations"] if o["observer"] == "ocr")
    assert {card["page"] for card in read["data"]["cards"]} == {1, 2}


async def test_a_video(tmp_path: Path) -> None:
    """Moving pictures have one domain: nobody is asked which; the judge has the dimensions of videos."""
    video(tmp_path / "clip.mp4")
    record, asked = await _captioned(tmp_path, Cast("never asked"), {"video": "clip.mp4"})
    assert record["outcome"] == "accepted", record["quality"]
    assert (record["routing"]["domain"], record["routing"]["by"]) == ("video", "kind")
    assert asked["router"] == 0
    assert {d.name: 3.0 for d in DIMENSIONS["video"]}.items() <= record["quality"]["scores"].items()


@pytest.mark.integration
async def test_low_confidence_asks_the_agents_of_both(tmp_path: Path) -> None:
    page().image.save(tmp_path / "picture.png")
    record, _ = await _captioned(
        tmp_path, Cast("document", confidence="low", second="knowledge"), {"image": "picture.png"}
    )
    alone, _ = await _captioned(_folder(tmp_path, "alone"), Cast("document"), {"image": "../picture.png"}, *_ROOTS)
    both = {o["observer"] for o in record["observations"]}
    assert {o["observer"] for o in alone["observations"]} < both
    assert record["routing"]["second"] == "knowledge"


async def test_a_changed_number_is_rejected_without_asking_the_judge(tmp_path: Path) -> None:
    """What text recognition did not read cannot be quoted."""
    page().image.save(tmp_path / "picture.png")
    cast = Cast("document")
    cast.change = lambda sentence: sentence.replace("412,500", "812,900").replace("crane", "lighthouse")
    record, asked = await _captioned(tmp_path, cast, {"image": "picture.png"})
    assert record["outcome"] == "rejected"
    assert record["quality"]["reasons"][0].startswith("errors: ")
    assert "lighthouse" in record["quality"]["reasons"][0]
    assert asked["judge"] == 0


async def test_draws_until_all_threes(tmp_path: Path) -> None:
    page().image.save(tmp_path / "picture.png")
    cast = Cast("document")
    cast.scores = [2, 1, 3, 1]
    record, asked = await _captioned(tmp_path, cast, {"image": "picture.png"}, "--set", "gate.samples=5")
    assert record["outcome"] == "accepted"
    assert (asked["integrator"], asked["judge"], asked["router"]) == (3, 3, 1)
    assert [sample["scores"]["factual_accuracy"] for sample in record["samples"]] == [2, 1, 3]


_ROOTS = ("--set", "media.roots=[..]")


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name
