"""``code``: the language, lines exactly right, and false code, on drawn pictures of known content."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evals.sample_truth import Truth
from omnidetective.page_evidence import CodeEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, of, share
from scripts.bench.samples import DATA
from tests.pictures import code, tables
from tests.pictures.code import DrawnCode


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    drawn = []
    pieces = [code.draw(language, theme) for language in code.LANGUAGES for theme in code.THEMES.values()]
    for n, piece in enumerate(pieces):
        path = studio.folder / f"code-{n}.png"
        piece.image.save(path)
        drawn.append((piece, await bench.ask("code", path, CodeEvidence)))
    others = [await bench.ask("code", DATA / "poster.jpg", CodeEvidence)]
    pictures = [make() for make in tables.NO_TABLES.values()]
    pictures += [table.image for table in tables.DRAWN.values()]
    for n, picture in enumerate(pictures):
        path = studio.folder / f"no-code-{n}.png"
        picture.save(path)
        others.append(await bench.ask("code", path, CodeEvidence))
    return [*on_code(drawn), *on_others(others)]


def on_code(answers: Sequence[tuple[DrawnCode, CodeEvidence]]) -> list[Row]:
    """The rows for pictures of one piece of code each; a line is right in place, and to the letter."""
    languages = lines = right = broken = 0
    for drawn, found in answers:
        languages += [block.language for block in found.blocks] == [drawn.language]
        wanted = drawn.text.split("\n")
        lines += len(wanted)
        for block in found.blocks[:1]:
            right += sum(a == b for a, b in zip(block.text.split("\n"), wanted, strict=False))
            broken += len(block.broken_lines)
    return [
        Row("code", "language right", of(languages, len(answers))),
        Row("code", f"lines exactly right, of {lines}", share(right, lines)),
        Row("code", "lines told to be broken, where none is", str(broken)),
    ]


def on_others(answers: Sequence[CodeEvidence]) -> list[Row]:
    """The row for pictures without code: charts, windows, running text, tables, a poster."""
    return [Row("code", f"false code in {len(answers)} pictures", str(sum(len(found.blocks) for found in answers)))]
