"""`omnidetective reward` as a user runs it: numbers worked out by hand, failures, a run that is killed and resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, Ran, read_lines, write_lines
from rewards.judges import ScriptedJudge
from servers.faulty_openai import fails


class RewardBench(Bench):
    """The command `reward` in place of `eval`; its result is the summary, its items are the lines of the output."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        *,
        captions: Sequence[Mapping[str, Any]],
        references: Sequence[Mapping[str, Any]],
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.output = folder / "rewards.jsonl"
        files = [write_lines(folder / "captions.jsonl", captions), write_lines(folder / "references.jsonl", references)]
        self._arguments = ["reward", "--kind", kind, "--captions", str(files[0]), "--references", str(files[1])]
        self._arguments += ["--output", str(self.output), *options]

    def _written(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return {}, read_lines(self.output)


def _rows(**captions: str) -> list[dict[str, str]]:
    return [{"id": name, "caption": caption} for name, caption in captions.items()]


def _rewards(ran: Ran) -> dict[str, float | None]:
    return {line["id"]: line.get("reward") for line in ran.items}


# the golden vector of the dialogue: gen [man, woman, man], ref [man, woman], speakers equal
_GENERATED = [("a man", "hello there"), ("a woman", "how are you"), ("a man", "fine")]
_REFERENCE = [("Bob", "hello there"), ("Ann", "who are you")]
_SAME = {("a man", "Bob"): True, ("a woman", "Ann"): True}


async def test_all_three_and_their_sum_against_a_table(tmp_path: Path) -> None:
    """Two captions of one clip, one of another; by hand:

    caption  checklist  dialogue  length  sum
    a        3/4        .7636     1       2.5136
    a (2nd)  0/4        0         1       1        nobody quoted where the reference quotes
    b        1/2        1         1       2.5      nobody quoted in both
    """
    judge = ScriptedJudge(
        points={"ref a": ["p1", "p2", "p3", "p4"], "ref b": ["q1", "q2"]},
        told={"cap a": [1, 2, 4], "cap a again": [], "cap b": [2]},
        dialogues={"cap a": _GENERATED, "cap a again": [], "cap b": [], "ref a": _REFERENCE, "ref b": []},
        same=_SAME,
    )
    captions = [*_rows(a="cap a"), {"video": "/clips/a.mp4", "caption": "cap a again"}, *_rows(b="cap b")]
    bench = RewardBench(tmp_path, "all", captions=captions, references=_rows(a="ref a", b="ref b", c="ref c"))
    ran = await bench.run(judge)
    assert ran.status == 0, ran.stderr
    by_hand = [(0.75, 0.7636, 1.0, 2.5136), (0.0, 0.0, 1.0, 1.0), (0.5, 1.0, 1.0, 2.5)]
    for line, row in zip(ran.items, by_hand, strict=True):
        told = (*(line[part]["reward"] for part in ("checklist", "dialogue", "length")), line["reward"])
        assert told == pytest.approx(row, abs=1e-4)
    assert [point["verdict"] for point in ran.items[0]["checklist"]["points"]] == [
        "correct",
        "correct",
        "missing",
        "correct",
    ]
    assert ran.items[0]["dialogue"]["score"]["recall"] == pytest.approx(0.9545, abs=1e-4)
    # each reference once for all of its captions; speakers only where there are pairs
    assert sorted(judge.asked) == sorted(["keypoints"] * 2 + ["checklist"] * 3 + ["dialogue"] * 5 + ["speakers"])
    assert "checklist  3  0.417" in ran.stdout
    assert "sum        3  2.005" in ran.stdout
    assert "References without a caption: 1 (c)" in ran.stdout


async def test_a_limit_calls_no_reference_unused(tmp_path: Path) -> None:
    captions, references = _rows(a="c", b="c"), _rows(a="r", b="r", c="r")
    options = ("--limit", "1")
    bench = RewardBench(tmp_path, "length", captions=captions, references=references, options=options)
    ran = await bench.run(ScriptedJudge())
    assert list(_rewards(ran)) == ["a"]
    assert "References without a caption: 1 (c)" in ran.stdout
    assert next(iter(ran.items[0])) == "id", "a line begins with what it is about"


async def test_what_cannot_be_judged_has_no_number_and_is_named(tmp_path: Path) -> None:
    judge = ScriptedJudge(
        points={"ref": ["p1", "p2"]},
        told={
            "fine": [1],
            "nonsense": "All of it, I would say: 2 of 2!",
            "too many": '{"correct": [1, 2, 3], "wrong": [], "missing": []}',
            "forgotten": '{"correct": [1], "wrong": [], "missing": []}',
            "refused": fails(400, {"message": "no", "code": "content_filter"}),
        },
    )
    names = [*judge.told, "empty", "elsewhere"]
    captions = [{"id": name, "caption": "" if name == "empty" else name} for name in names]
    references = [{"id": name, "caption": "ref"} for name in names if name != "elsewhere"]
    ran = await RewardBench(tmp_path, "checklist", captions=captions, references=references).run(judge)
    assert ran.status == 0, ran.stderr
    assert _rewards(ran) == {**dict.fromkeys(names), "fine": 0.5, "empty": 0.0}
    reasons = {line["id"]: line["not_judged"][0]["reason"] for line in ran.items if line["not_judged"]}
    assert reasons == {
        "nonsense": "unparsable",
        "too many": "unparsable",
        "forgotten": "unparsable",
        "refused": "refused",
        "elsewhere": "missing_reference",
    }
    assert "2 of 7 items judged" in ran.stdout
    assert "missing reference: 1 (elsewhere)" in ran.stdout


async def test_a_part_without_a_number_leaves_the_sum_without_one(tmp_path: Path) -> None:
    judge = ScriptedJudge(points={"ref": ["p"]}, told={"cap": [1]}, dialogues={"cap": "?", "ref": []})
    ran = await RewardBench(tmp_path, "all", captions=_rows(a="cap"), references=_rows(a="ref")).run(judge)
    (line,) = ran.items
    assert "reward" not in line
    assert "dialogue" not in line
    assert (line["checklist"]["reward"], line["length"]["reward"]) == (1.0, 1.0)
    assert "unparsable: 1 (a (dialogue))" in ran.stdout


async def test_a_provider_that_does_not_answer_ends_with_1_and_the_next_run_goes_on(tmp_path: Path) -> None:
    options = ("--set", "retry.attempts=1")
    bench = RewardBench(tmp_path, "dialogue", captions=_rows(a="c"), references=_rows(a="r"), options=options)
    down = await bench.run(ScriptedJudge(dialogues={"c": fails(500), "r": []}))
    assert down.status == 1
    assert "unfinished: 1 (a)" in down.stdout
    up = await bench.run(ScriptedJudge(dialogues={"c": [("x", "hi")], "r": []}))
    assert (up.status, up.calls, _rewards(up)) == (0, 1, {"a": 0.0})


async def test_dialogues_in_the_files_and_lengths_need_no_judge(tmp_path: Path) -> None:
    def dialogue(said: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"speaker": who, "content": what} for who, what in said]

    called_alike = [("bob", "hello there"), ("ann", "how are you"), ("bob", "fine")]
    bench = RewardBench(
        tmp_path,
        "dialogue",
        captions=[{"id": "a", "dialogue": dialogue(called_alike)}, {"id": "b", "caption": "x", "dialogue": []}],
        references=[{"id": "a", "dialogue": dialogue(_REFERENCE)}, {"id": "b", "dialogue": []}],
    )
    ran = await bench.run(ScriptedJudge())
    assert (ran.status, ran.calls) == (0, 0), ran.stderr
    assert _rewards(ran) == pytest.approx({"a": 0.7636, "b": 1.0}, abs=1e-4)
    assert "judged by nobody" in ran.stdout
    long = " ".join(["word"] * 3072)
    other = RewardBench(tmp_path, "length", captions=_rows(a=long, b="", c="short"), references=_rows(z="other"))
    ran = await other.run(ScriptedJudge())
    assert (ran.status, ran.calls) == (0, 0), ran.stderr
    assert _rewards(ran) == {"a": 0.5, "b": 1.0, "c": 1.0}


async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    names = [f"v{n:02}" for n in range(20)]
    judge = ScriptedJudge(
        points={f"ref {name}": ["p1", "p2", "p3"] for name in names},
        told={f"cap {name}": range(1, 1 + n % 4) for n, name in enumerate(names)},
        dialogues={f"{kind} {name}": [(kind, f"words of {name}")] for name in names for kind in ("cap", "ref")},
        same={("cap", "ref"): True},
    )
    files = {
        "captions": [{"id": name, "caption": f"cap {name}"} for name in names],
        "references": [{"id": name, "caption": f"ref {name}"} for name in names],
    }
    once = await RewardBench(tmp_path / "whole", "all", **files).run(judge)
    assert once.calls == 5 * len(names), once.stderr
    bench = RewardBench(tmp_path / "killed", "all", options=("--concurrency", "2"), **files)
    first = await bench.run(judge, kill_after=40)
    assert first.status == -9
    assert not bench.output.exists()
    second = await bench.run(judge)
    assert second.items == once.items
    # what was in flight at the kill may be asked again: two at once, and what was answered and not yet kept
    assert second.calls <= 5 * len(names) - 40 + 6
    third = await bench.run(judge)
    assert (third.calls, third.items) == (0, once.items)


@pytest.mark.parametrize(
    ("captions", "references", "told"),
    [
        (_rows(a="x"), _rows(b="y"), "no reference belongs to any of the 1 captions"),
        ([{"id": "a", "dialogue": [{"speaker": "x"}]}], _rows(a="y"), "row 1 has a dialogue of another form"),
        ([{"id": "a", "dialogue": "hello"}], _rows(a="y"), "row 1 has a dialogue of another form"),
        (_rows(a="x"), [{"id": "a"}], "row 1 holds no caption"),
    ],
)
async def test_files_of_another_form_are_told(
    tmp_path: Path, captions: list[dict[str, Any]], references: list[dict[str, Any]], told: str
) -> None:
    ran = await RewardBench(tmp_path, "dialogue", captions=captions, references=references).run(ScriptedJudge())
    assert ran.status == 2
    assert told in ran.stderr


async def test_the_embedded_cast_cannot_judge(tmp_path: Path) -> None:
    bench = RewardBench(tmp_path, "checklist", captions=_rows(a="x"), references=_rows(a="y"))
    (tmp_path / "local.yaml").write_text(
        "name: x\ndescription: x.\nmodels: {j: {provider: embedded}}\nroles: {judge: j}\n"
    )
    bench._models = lambda base_url: tmp_path / "local.yaml"  # type: ignore[method-assign]
    ran = await bench.run(ScriptedJudge())
    assert ran.status == 2
    assert "no model that can judge" in ran.stderr


async def test_the_summary_as_json(tmp_path: Path) -> None:
    judge = ScriptedJudge(points={"r": ["p"]}, told={"c": [1]})
    bench = RewardBench(tmp_path, "checklist", captions=_rows(a="c"), references=_rows(a="r"), options=("--json",))
    summary = json.loads((await bench.run(judge)).stdout)
    assert summary["tables"][0]["rows"][0]["scores"]["reward"]["value"] == 1.0
    assert summary["judge"].endswith("test-model")
    assert set(summary["prompts"]) == {"eval/case_task", "reward/checklist", "reward/keypoints"}
    assert summary["usage"]["calls"] == 2


@pytest.mark.parametrize("output", ["captions.jsonl", "references.jsonl", "nowhere/rewards.jsonl"])
async def test_no_call_is_paid_for_rewards_that_cannot_be_written(tmp_path: Path, output: str) -> None:
    judge = ScriptedJudge()
    bench = RewardBench(tmp_path, "checklist", captions=_rows(a="cap a"), references=_rows(a="ref a"))
    bench._arguments += ["--output", output]
    before = (tmp_path / "captions.jsonl").read_bytes(), (tmp_path / "references.jsonl").read_bytes()
    ran = await bench.run(judge)
    assert (ran.status, ran.calls) == (2, 0)
    assert "output" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ((tmp_path / "captions.jsonl").read_bytes(), (tmp_path / "references.jsonl").read_bytes()) == before
