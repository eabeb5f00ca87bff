"""Every form of prediction file that benchmarks are fed with, and our own records."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from omnidetective.errors import ConfigError
from omnidetective.evals.predictions import read_predictions

_TARSIER = {
    "messages": [
        {
            "role": "user",
            "content": [{"type": "video", "video": {"video_file": "youtube/7.mp4"}}, {"type": "text", "text": "?"}],
        },
        {"role": "assistant", "content": [{"type": "text", "reference": "truth", "text": "a cat"}]},
    ],
    "dataset": "DREAM/youtube",
    "idx": 7,
}
_RECORD = {
    "schema_version": 1,
    "id": "clip-7",
    "outcome": "accepted",
    "input": {"id": "clip-7", "video": "youtube/7.mp4", "prompt": "tell all"},
    "media": {"path": "youtube/7.mp4", "sha256": "0", "modality": "video"},
    "caption": "a cat",
    "observations": [{"id": "o1"}, {"id": "o2"}, {"id": "o3"}],
    "trajectory": [
        {"role": "user", "content": '{"observation": "o9"}'},
        {"role": "tool", "content": '{"observation": "o1", "answer": "a cat"}'},
        {"role": "tool", "content": '{"refused": "The same was asked before."}'},
        {"role": "user", "content": '{"results": [{"observation": "o1"}, {"observation": "o3"}]}'},
    ],
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"video_id": "0", "caption": "a cat"}\n', "video/0.mp4"),
        ('[{"id": ["/x/video/0.mp4"], "prompt": "?", "pred": ["a cat"]}]', "video/0.mp4"),
        ('{"question": "?", "video": "Tarsier_20.mp4", "model_generation": "a cat"}\n', "/abs/x/Tarsier_20.mp4"),
        ('{"video_dir": "/abs/Tarsier_20.mp4", "model_generation": "a cat"}\n', "Tarsier_20"),
        ('{"uuid": 1, "video_path": "./videos/0000001.mp4", "predicted_caption": "a cat"}\n', "videos/0000001.mp4"),
        (json.dumps(_TARSIER), "DREAM/youtube/7.mp4"),
        (json.dumps(_RECORD) + "\n", "7.mp4"),
        (json.dumps(_RECORD) + "\n", "clip-7"),
        ('{"a": "a dog", "b": "a cat"}', "b"),
        ('{"video_id": "x_video", "caption": "a cat"}\n', "x"),
        ('{"video_id": "x", "caption": "a dog"}\n{"video_id": "x", "caption": "a cat"}\n', "x"),
        ('{"video_id": "x", "caption": "a cat"}\n{"video_id": "y", "capt', "x"),
        ('\ufeff{"video_id": "x", "caption": "a cat"}\r\n\r\n{"video_id": "y", "caption": "a dog"}\r\n', "x"),
        (json.dumps({"video_id": "x", "caption": "a cat"}, indent=1), "x"),
        ('{"video_id": "cafe\u0301.mp4", "caption": "a cat"}\n', "caf\u00e9"),
        ('{"x": "a cat", "y": null}', "x"),
    ],
)
def test_forms(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "captions"
    path.write_text(text)
    found = read_predictions(path).find(name)
    assert found is not None
    assert found.caption == "a cat"


@pytest.mark.parametrize(
    "text",
    [
        '{"video_id": "x", "caption": null}\n',
        '[{"id": ["x"], "pred": null}]',
        '{"x": null,\n "y": "a dog"}',
        json.dumps(
            {"messages": [_TARSIER["messages"][0], {"role": "assistant", "content": [{"text": None}]}], "vid": "x"}
        ),
    ],
)
def test_null_is_an_empty_caption(tmp_path: Path, text: str) -> None:
    """What a captioner writes that got no answer: the clip is counted and named, and the others are judged."""
    path = tmp_path / "captions"
    path.write_text(text)
    found = read_predictions(path).find("x")
    assert found is not None
    assert found.caption == ""


def test_a_record_tells_its_prompt_and_its_inquiries(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text(json.dumps(_RECORD) + "\n")
    predictions = read_predictions(path)
    assert predictions.find("7", prompt="tell  all") is not None
    assert predictions.find("7", prompt="tell nothing") is None
    (only,) = predictions
    assert only.inquiries == 2


def test_a_name_that_several_clips_share_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    path.write_text('{"video": "a/0.mp4", "caption": "a cat"}\n{"video": "b/0.mp4", "caption": "a dog"}\n')
    predictions = read_predictions(path)
    found = predictions.find("b/0.mp4")
    assert found is not None
    assert found.caption == "a dog"
    with pytest.raises(ConfigError, match="could all be that of '0'"):
        predictions.find("0")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no caption"),
        ('{"video_id": "x"}\n', "row 1 holds no caption"),
        ('{"caption": "a cat"}\n', "does not say of which clip"),
        ('{"video_id": "x", "caption": "a cat"\n{}\n', "line 1 is not JSON"),
        ("[1]", "row 1 is no object"),
        ('{"x": {"caption": "a cat"},\n "y": {"caption": "a dog"}}', "row 1 holds no caption"),
        ("video_id,caption\nx,a cat\n", "line 1 is not JSON"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "captions"
    path.write_text(text)
    with pytest.raises(ConfigError, match=match):
        read_predictions(path)


def test_a_packed_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"video_id": "x", "caption": "a cat"}\n'))
    with pytest.raises(ConfigError) as raised:
        read_predictions(path)
    assert "unpack" in raised.value.hint
