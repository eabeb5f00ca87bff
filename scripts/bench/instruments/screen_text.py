"""``ocr``: which text is read, how exactly, when, and as how many entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from omnidetective.evals.sample_records import is_shown_with, read_exactly, words
from omnidetective.evals.sample_truth import ClipTruth, ShownText, Truth
from omnidetective.evidence import TextCard, TextEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, mean, of, share
from scripts.bench.samples import DATA


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    clips = [clip for clip in truth.clips if clip.has_video]
    return on_samples([(clip, await bench.ask("ocr", DATA / clip.file, TextEvidence)) for clip in clips])


def on_samples(answers: Sequence[tuple[ClipTruth, TextEvidence]]) -> list[Row]:
    """The rows for clips whose text is known."""
    shown = found = read = right = blocks = exact = lines = entries = 0
    starts: list[float] = []
    ends: list[float] = []
    for clip, answer in answers:
        blocks += len(clip.cards)
        exact += sum(read_exactly(card, answer.cards) for card in clip.cards)
        for card in clip.cards:
            wanted = _words(card.lines)
            there = _words(item.text for item in answer.cards if is_shown_with(card, item))
            shown += wanted.total()
            found += (wanted & there).total()
            own = [item for item in answer.cards if is_shown_with(card, item) and _is_part(item, card)]
            lines += len(card.lines)
            entries += sum(len(item.text.split("\n")) for item in own)
            first, last = _edges(own)
            if card.start_s is not None and card.end_s is not None and first is not None and last is not None:
                starts.append(abs(first - card.start_s))
                ends.append(abs(last - card.end_s))
        for item in answer.cards:
            there = _words([item.text])
            wanted = _words(line for card in clip.cards if is_shown_with(card, item) for line in card.lines)
            read += there.total()
            right += (wanted & there).total()
    return [
        Row("ocr", f"text recall, {shown} words on the samples", share(found, shown)),
        Row("ocr", f"text precision, {read} words read", share(right, read)),
        Row("ocr", "blocks of text read exactly, letter for letter", of(exact, blocks)),
        Row("ocr", f"entries for {lines} lines of text", str(entries)),
        Row("ocr", "error of the time at which text appears", mean(starts, "s")),
        Row("ocr", "error of the time at which it goes", mean(ends, "s")),
    ]


def _words(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in words(text))


def _is_part(item: TextCard, card: ShownText) -> bool:
    """Whether most of the words of an entry are of this block."""
    there = _words([item.text])
    return 2 * (there & _words(card.lines)).total() > there.total()


def _edges(cards: Sequence[TextCard]) -> tuple[float | None, float | None]:
    starts = [card.start_s for card in cards if card.start_s is not None]
    ends = [card.end_s for card in cards if card.end_s is not None]
    return (min(starts), max(ends)) if starts and ends else (None, None)
