"""The code of a picture: found by how its lines look, told by its language's signs and by what a parser makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.embedded.code_languages import BY_NAME, LANGUAGES, CodeLanguage
from omnidetective.embedded.code_layout import CodeText, code_texts, file_name
from omnidetective.embedded.code_parsing import ParsedCode, installed, language_of_file, parse
from omnidetective.embedded.pixels import grey_of
from omnidetective.embedded.placed_text import Placed, placed
from omnidetective.embedded.table_pieces import ink_of
from omnidetective.embedded.text import TextLine
from omnidetective.page_evidence import CodeBlock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_SIGNS = 3.0
_EACH_SIGN = 3
"""So many lines with the same sign count at most."""
_LEAST_CLEAN = 0.5
_MARGIN = 1.2
"""By how much the best language must be better than the next one."""
_FILE_BONUS = 3.0
_MOST_CHARS = 100_000
_PARSED = 4
"""Most languages whose parser is asked about a text."""


@dataclass(frozen=True, slots=True)
class CodeFound:
    """The code of a picture, and languages that seem to stand there and whose grammar is not installed."""

    blocks: tuple[CodeBlock, ...]
    not_installed: tuple[str, ...]


def read_code(jpeg: bytes, lines: Sequence[TextLine], *, page: int | None = None) -> CodeFound:
    """The code of a picture, from top to bottom. Blocking, for tenths of a second.

    Args:
        lines: what was read in it.

    Raises:
        ValueError: it is no picture.
    """
    gray = grey_of(jpeg)
    height_px, width_px = gray.shape[:2]
    texts = code_texts(placed(lines, width_px, height_px), _ink(gray))
    here = installed()
    blocks: list[CodeBlock] = []
    missing: dict[str, None] = {}
    for code in texts:
        file = file_name(code.above)
        language = language_of(code.text[:_MOST_CHARS], file, here)
        if language is None:
            continue
        if language not in here:
            missing[language] = None
            continue
        blocks.append(_block(code, BY_NAME[language], file, (width_px, height_px), page))
    return CodeFound(tuple(blocks), tuple(missing))


def language_of(text: str, file: str | None, here: Collection[str]) -> str | None:
    """The language of a text; ``None`` where that is not plain.

    Args:
        file: the name of the file that it stands in.
        here: languages whose grammar can be asked.
    """
    lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
    signs = {language.name: _signs(language, lines) for language in LANGUAGES}
    named = language_of_file(file)
    scores: dict[str, float] = {}
    for language in LANGUAGES:
        score = signs[language.name]
        if language.extends is not None:
            score = score + signs[language.extends] if score else 0.0
        if score and language.name == named:
            score += _FILE_BONUS
        if score >= _LEAST_SIGNS:
            scores[language.name] = score
    likely = sorted(scores, key=lambda name: -scores[name])[:_PARSED]
    for name in likely:
        if name in here:
            clean = parse(text, BY_NAME[name]).clean
            scores[name] = scores[name] * clean**2 if clean >= _LEAST_CLEAN else 0.0
    ranked = sorted((name for name in likely if scores[name]), key=lambda name: -scores[name])
    if not ranked:
        return None
    best = ranked[0]
    rivals = [name for name in ranked[1:] if BY_NAME[best].extends != name]
    plain = not rivals or scores[best] >= _MARGIN * scores[rivals[0]]
    return best if plain and scores[best] >= _LEAST_SIGNS * _LEAST_CLEAN else None


def _signs(language: CodeLanguage, lines: Sequence[str]) -> float:
    """How many lines show signs of a language; of one sign, only some count, and others weigh more."""
    total = 0.0
    for sign in language.signs:
        hits = sum(1 for line in lines if sign.search(line))
        total += min(_EACH_SIGN, hits) ** 0.7 if hits else 0.0
    return total


def _ink(gray: NDArray[np.uint8]) -> Callable[[Placed], Sequence[bool]]:
    """See :func:`~omnidetective.embedded.table_pieces.ink_of`; each line is looked at once."""
    known: dict[Placed, list[bool]] = {}

    def inked(line: Placed) -> list[bool]:
        if line not in known:
            known[line] = ink_of(line, gray).tolist()
        return known[line]

    return inked


def _block(
    code: CodeText, language: CodeLanguage, file: str | None, size: tuple[int, int], page: int | None
) -> CodeBlock:
    text = code.text[:_MOST_CHARS]
    parsed: ParsedCode = parse(text, language)
    left, top, right, bottom = (
        round(min(1.0, max(0.0, value / whole)), 4) for value, whole in zip(code.box, size * 2, strict=True)
    )
    return CodeBlock(
        language=language.name,
        text=text,
        definitions=parsed.definitions,
        imports=parsed.imports,
        comments=parsed.comments,
        broken_lines=parsed.broken_lines,
        file=file,
        box=(left, top, right, bottom),
        page=page,
    )
