"""Measure the embedded router: which domain it finds for pictures that its weights were not fitted on.

::

    python -m scripts.bench.routing             the test half, as tables
    python -m scripts.bench.routing --half fit  the half that the weights were fitted on, for comparison
    python -m scripts.bench.routing --misses    besides, each picture that went wrong, with why

The pictures and where they come from: ``scripts/bench/pictures/README.md``. Clips are made by ffmpeg for the moment:
four that move and one still. *By chance* would be 1 in 8. Pictures that were drawn for this bench are counted apart
from found ones, where there are any.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omnidetective.case import Case
from omnidetective.config import load_config
from omnidetective.domains import load_domains
from omnidetective.findings import Routing
from omnidetective.llm.cast import Cast
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.prompts import PromptLibrary
from omnidetective.rows import parse_row
from omnidetective.stages.base import StageContext
from omnidetective.stages.route_by_measure import measured_routing
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import of, share
from scripts.bench.picture_set import Picture, pictures

_ENCODED = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-an")
_MOVING = {
    "a test card that counts": "testsrc2=size=640x360:rate=25:duration=4",
    "cells that live and die": "life=size=320x240:rate=25:mold=10:ratio=0.2:death_color=#c83232:life_color=#00ff00",
    "a fractal that is flown into": "mandelbrot=size=320x240:rate=25",
    "a bar that slides": "color=navy:size=640x360:rate=25:duration=4,drawbox=x=20:y=40:w=90:h=200:color=white:t=fill,"
    "scroll=horizontal=0.01",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one picture."""

    picture: Picture
    routing: Routing
    seconds: float

    @property
    def right(self) -> bool:
        return self.routing.domain == self.picture.domain

    @property
    def among_two(self) -> bool:
        return self.picture.domain in (self.routing.domain, self.routing.second)


async def routed(path: Path, key: str, context: StageContext) -> Routing:
    """The routing of one file, among all domains."""
    row = parse_row({key: str(path)})
    async with open_clip(row, context.settings.media, base_dir=path.parent) as clip:
        return await measured_routing(Case(row=row, clip=clip), context, list(load_domains(None).values()))


async def results_of(chosen: Sequence[Picture], context: StageContext) -> list[Result]:
    """The results of these pictures, one after the other."""
    results = []
    for picture in chosen:
        started = time.perf_counter()
        routing = await routed(picture.path, "image", context)
        results.append(Result(picture, routing, time.perf_counter() - started))
    return results


async def clips_right(context: StageContext, folder: Path) -> list[tuple[str, str, str]]:
    """Of each clip: what it is, where it belongs, where it was put."""
    studio = Studio(folder)
    found = []
    for n, (name, source) in enumerate(_MOVING.items()):
        path = studio.make(f"{n}.mp4", "-f", "lavfi", "-i", source, "-t", "4", *_ENCODED)
        found.append((name, "video", (await routed(path, "video", context)).domain))
    photograph = next(p for p in pictures("test") if p.domain == "natural" and p.file.endswith("china.jpg"))
    still = studio.make(
        "still.mp4", "-loop", "1", "-i", str(photograph.path), "-t", "4", "-vf", "crop=512:340", *_ENCODED
    )
    found.append(("a photograph that stands still", "natural", (await routed(still, "video", context)).domain))
    return found


def table(results: Sequence[Result]) -> str:
    """Right and total by domain, by origin."""
    origins = sorted({result.picture.origin for result in results}, reverse=True)
    lines = [
        f"| domain | {' | '.join(f'{origin}: right' for origin in origins)} | among the first two |",
        f"|---|{'---:|' * (len(origins) + 1)}",
    ]
    for domain in [*sorted({result.picture.domain for result in results}), "all"]:
        own = [result for result in results if domain in (result.picture.domain, "all")]
        cells = []
        for origin in origins:
            part = [result for result in own if result.picture.origin == origin]
            cells.append(of(sum(result.right for result in part), len(part)))
        lines.append(f"| {domain} | {' | '.join(cells)} | {of(sum(r.among_two for r in own), len(own))} |")
    return "\n".join(lines)


def told(results: Sequence[Result]) -> str:
    """How often it is right at each confidence, what is taken for what, and how long it takes."""
    lines = ["| confidence | right | |", "|---|---:|---:|"]
    for level in ("high", "medium", "low"):
        part = [result for result in results if result.routing.confidence == level]
        right = sum(result.right for result in part)
        lines.append(f"| {level} | {of(right, len(part))} | {share(right, len(part))} |")
    asked = sum(result.picture.domain in result.routing.domains for result in results)
    lines += ["", f"The agents of the right domain are asked for {of(asked, len(results))} (low confidence asks two)."]
    wrong = Counter((r.picture.domain, r.routing.domain) for r in results if not r.right)
    pairs = [f"{a} taken for {b}: {count}" for (a, b), count in wrong.most_common()]
    lines += ["", "Confused: " + ("; ".join(pairs) or "none") + "."]
    seconds = sorted(result.seconds for result in results)
    lines += [
        "",
        f"Time for a picture, OCR included: median {seconds[len(seconds) // 2]:.1f} s, at most {seconds[-1]:.1f} s.",
    ]
    return "\n".join(lines)


async def measure(chosen: Sequence[Picture], *, clips: bool = True) -> tuple[list[Result], list[tuple[str, str, str]]]:
    """The results of pictures and, where wanted, of the clips."""
    config = load_config(environ={})
    cast = Cast(config.model_set, config.settings.retry, environ={})
    prompts = PromptLibrary()
    box = ToolBox(ObserverContext(cast, config.model_set, prompts, config.settings))
    context = StageContext(
        settings=config.settings, model_set=config.model_set, cast=cast, toolbox=box, prompts=prompts
    )
    try:
        results = await results_of(chosen, context)
        if not clips:
            return results, []
        with tempfile.TemporaryDirectory() as folder:
            return results, await clips_right(context, Path(folder))
    finally:
        await box.aclose()
        await cast.aclose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Measure the embedded router.")
    parser.add_argument("--half", choices=("test", "fit"), default="test", help="which pictures; test by default")
    parser.add_argument("--limit", type=int, default=None, help="at most so many pictures of each domain")
    parser.add_argument("--misses", action="store_true", help="list what went wrong, with why")
    options = parser.parse_args(arguments)
    seen: Counter[str] = Counter()
    chosen = []
    for picture in pictures(options.half):
        seen[picture.domain] += 1
        if options.limit is None or seen[picture.domain] <= options.limit:
            chosen.append(picture)
    results, clips = asyncio.run(measure(chosen))
    print(f"Pictures of the half: {options.half}\n\n{table(results)}\n\n{told(results)}\n")
    print(f"Clips: {of(sum(wanted == got for _, wanted, got in clips), len(clips))} right.")
    for name, wanted, got in clips:
        if wanted != got:
            print(f"- {name}: {wanted} taken for {got}")
    if options.misses:
        for result in results:
            if not result.right:
                print(f"- {result.picture.file}: {result.routing.why}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
