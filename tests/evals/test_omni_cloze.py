"""Omni-Cloze: golden vector, tables worked out by hand, kill and resume, replies that are none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, Ran, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.base import Judged
from omnidetective.evals.omni_cloze import Blank, Filled, OmniCloze, Passage, parse

_MODALITIES = ("visual", "audio", "audio-visual", "visual")


def _row(n: int, gold: str, *, subcategory: str = "Cooking", as_text: bool = False) -> dict[str, Any]:
    blanks = [
        {
            "A": "a cat", "B": "a dog", "C": "a cow", "D": "a hen", "E": "not given",
            "answer": "SECRET", "distractors": ["SECRET"], "answer_index": "ABCDE".index(key), "answer_key": key,
            "required_modality": modality,
        }
        for key, modality in zip(gold, _MODALITIES, strict=False)
    ]  # fmt: skip
    cloze: Any = {"passage": "Here [1] meets [2], [3] and [4].", "blanks": blanks}
    return {
        "uuid": n,
        "video_path": f"./videos/{n:07}.mp4",
        "metadata": repr({"domain": "Life", "subcategory": subcategory})
        if as_text
        else {"domain": "Life", "subcategory": subcategory},
        "cloze": json.dumps(cloze) if as_text else cloze,
    }


def _bench(
    folder: Path, rows: list[dict[str, Any]], *, without: tuple[int, ...] = (), options: tuple[str, ...] = ()
) -> Bench:
    captions = [
        {"id": f"{row['uuid']:07}", "caption": f"caption {row['uuid']}"} for row in rows if row["uuid"] not in without
    ]
    return Bench(
        folder,
        "omni-cloze",
        data=write_lines(folder / "omni_cloze.jsonl", rows),
        captions=write_lines(folder / "captions.jsonl", captions),
        options=options,
    )


def _filled(letters: str) -> str:
    return json.dumps({str(n): f"{letter}: text" for n, letter in enumerate(letters, start=1)})


def _by_number(replies: Mapping[int, str]) -> Any:
    def reply(_: str, user: str) -> str:
        assert "SECRET" not in user
        assert "answer_key" not in user
        found = re.search(r'"caption": "caption (\d+)"', user)
        assert found
        return replies[int(found[1])]

    return reply


async def test_the_golden_vector(tmp_path: Path) -> None:
    """Gold ABCD, taken A, E, B, D: two right, one not given, one wrong."""
    ran = await _bench(tmp_path, [_row(1, "ABCD")]).run(_by_number({1: _filled("AEBD")}))
    assert ran.status == 0, ran.stderr
    assert scores(ran) == pytest.approx({"accuracy": 50, "not given": 25, "hallucination": 25, "net": 25})


async def test_the_median_of_several_runs_by_accuracy(tmp_path: Path) -> None:
    draws = iter(["ABCD", "AECD", "EEEE"])
    ran = await _bench(tmp_path, [_row(1, "ABCD")], options=("--runs", "3", "--concurrency", "1")).run(
        lambda *_: _filled(next(draws))
    )
    assert (ran.result["chosen"], scores(ran)["accuracy"]) == (1, 75)
    assert "run 2 of 3, the median" in ran.stdout


async def test_tables_by_hand(tmp_path: Path) -> None:
    rows = [_row(1, "ABCD"), _row(2, "EABC", subcategory="Sport", as_text=True), _row(3, "AAAA"), _row(4, "DD")]
    replies = {1: _filled("AEBD"), 2: f"```json\n{_filled('EAEC')}\n```", 3: "no idea", 4: _filled("DA")}
    ran = await _bench(tmp_path, [*rows, _row(5, "A")], without=(5,)).run(_by_number(replies))
    #            right  not given  wrong  of
    # clip 1       2        1        1     4
    # clip 2       3        1        0     4
    # clip 3       0        4        0     4   (no readable reply)
    # clip 4       1        0        1     2
    assert scores(ran, "overall") == pytest.approx(
        {"accuracy": 600 / 14, "not given": 600 / 14, "hallucination": 200 / 14, "net": 400 / 14}
    )
    assert scores(ran, "clips with a readable reply alone")["accuracy"] == pytest.approx(60)
    # and one blank of a clip without a caption
    assert scores(ran, "with clips without a caption as not given") == pytest.approx(
        {"accuracy": 40, "not given": 700 / 15, "hallucination": 200 / 15, "net": 400 / 15}
    )
    # visual blanks are the first and the fourth: A D, E C, A A (unread), D
    assert scores(ran, "visual", table=1) == pytest.approx(
        {"accuracy": 500 / 7, "not given": 200 / 7, "hallucination": 0, "net": 500 / 7}
    )
    assert scores(ran, "Life", table=2)["accuracy"] == pytest.approx(600 / 14)
    assert scores(ran, "Sport", table=3)["accuracy"] == pytest.approx(75)
    assert _reasons(ran) == {"3": "unparsable", "5": "missing_caption"}
    assert ran.calls == 3 + 3


async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    rows = [_row(n, "ABCD") for n in range(1, 21)]
    reply = _by_number({n: _filled("ABCDEDCBA"[n % 5 : n % 5 + 4]) for n in range(1, 21)})
    bench = _bench(tmp_path, rows, options=("--concurrency", "2"))
    killed = await bench.run(reply, kill_after=10)
    resumed = await bench.run(reply)
    assert killed.status == -9
    assert resumed.calls <= 20 - 10 + 6
    again = await bench.run(reply)
    assert again.calls == 0
    assert again.result["tables"] == resumed.result["tables"]
    # by hand: n % 5 = 0 is ABCD, 1 BCDE, 2 CDED, 3 DEDC, 4 EDCB, four clips each; gold ABCD
    assert scores(again, "overall")["accuracy"] == pytest.approx(100 * (4 * 4 + 4 * 0 + 4 * 1 + 4 * 0 + 4 * 1) / 80)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"1": "A: a cat", "2": "E: not given"}', "AE"),
        ("Sure:\n```json\n{'1': 'A', '2': '(E) not given',}\n```", "AE"),
        ('{"1": "A: a cat"}', None),
        ('{"1": "A: a cat", "2": "E: x", "3": "B: y"}', None),
        ('{"1": "Apple", "2": "E: x"}', None),
        ('{"1": "F: a cat", "2": "E: x"}', None),
        ('{"1": 1, "2": 2}', None),
        ('["A", "E"]', None),
        ("一：A，二：E", None),
        ("", None),
    ],
)
def test_replies(reply: str, expected: str | None) -> None:
    found = parse(reply, 2)
    assert (None if found is None else "".join(found.letters)) == expected


@given(st.text(max_size=200), st.integers(1, 5))
def test_no_reply_breaks_it(reply: str, count: int) -> None:
    found = parse(reply, count)
    assert found is None or len(found.letters) == count


_clips = st.lists(
    st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")), min_size=1, max_size=6),
    min_size=1,
    max_size=6,
)


@given(_clips)
def test_rates_add_up_and_the_order_of_clips_does_not_matter(clips: list[list[tuple[str, str]]]) -> None:
    judged = [_judged(clip) for clip in clips]
    ours = _overall(judged)
    assert ours["accuracy"] + ours["not given"] + ours["hallucination"] == pytest.approx(100)
    assert ours["net"] == pytest.approx(ours["accuracy"] - ours["hallucination"])
    assert _overall(list(reversed(judged))) == pytest.approx(ours)
    better = [[(gold, gold), *rest] for (gold, _), *rest in clips]
    assert _overall([_judged(clip) for clip in better])["net"] >= ours["net"] - 1e-9


def _judged(clip: list[tuple[str, str]]) -> Judged[Passage, Filled]:
    blanks = tuple(Blank(gold, "audio") for gold, _ in clip)
    item = Passage(("x",), "{}", blanks, "", "")
    return Judged(item, "caption", Filled(letters=tuple(taken for _, taken in clip)))


def _overall(judged: list[Judged[Passage, Filled]]) -> dict[str, float]:
    return {name: one.value or 0.0 for name, one in OmniCloze().tables(judged)[0].rows[0].scores.items()}


def _reasons(ran: Ran) -> dict[str, str]:
    return {str(int(Path(one["item"]).stem)): one["reason"] for one in ran.result["unjudged"]}
