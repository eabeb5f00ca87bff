"""Answers in a given form: the chain of ways to ask, repairs, and what is forgiven."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from servers import faulty_openai as play
from servers.studio import Studio, asking

from omnidetective.errors import BadRequestError, ContentFilterError, FormatError, TransientError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.json_schema import is_strict, schema_of
from omnidetective.llm.json_text import json_values
from omnidetective.llm.messages import ChatReply
from omnidetective.llm.scripted import ScriptedChat
from omnidetective.llm.structured import structured
from omnidetective.prompts import PromptLibrary

PROMPTS = PromptLibrary()


class Sound(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    kind: Literal["speech", "music", "noise"]
    at_s: tuple[float, float]
    note: str = Field(default="", max_length=20)


GOOD = '{"kind": "music", "at_s": [0.5, 2], "note": "a flute"}'
MUSIC = Sound(kind="music", at_s=(0.5, 2.0), note="a flute")
PLAIN = Capabilities(json_schema=False, json_object=False)
JSON_MODE = Capabilities(json_schema=False)


async def test_the_schema_is_enforced_where_it_can_be(studio: Studio) -> None:
    server = await studio.server([play.says(GOOD)])
    answer = await structured(studio.model(server), asking("What is heard?"), Sound, repairs=0, prompts=PROMPTS)
    assert (answer.value, answer.way, answer.repairs) == (MUSIC, "json_schema", 0)
    form = server.seen[0].body["response_format"]
    assert form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["required"] == ["kind", "at_s", "note"]


async def test_json_mode_has_the_schema_and_the_word_in_the_prompt() -> None:
    model = ScriptedChat([GOOD], capabilities=JSON_MODE)
    answer = await structured(model, asking("What is heard?"), Sound, repairs=0, prompts=PROMPTS)
    assert (answer.value, answer.way) == (MUSIC, "json_object")
    [sent] = model.requests
    assert sent.json_object
    assert sent.output is None
    assert sent.messages[-1].text.startswith("What is heard?\n")
    assert "JSON" in sent.messages[-1].text
    assert '"speech", "music", "noise"' in sent.messages[-1].text


async def test_the_prompt_alone() -> None:
    model = ScriptedChat([f"Certainly!\n```json\n{GOOD}\n```\nAnything else?"], capabilities=PLAIN)
    answer = await structured(model, asking(), Sound, repairs=0, prompts=PROMPTS)
    assert (answer.value, answer.way) == (MUSIC, "prompt")
    assert not model.requests[0].json_object


@pytest.mark.parametrize("error", [{"message": "no", "param": "response_format"}, {"message": "no"}])
async def test_a_refused_form_falls_one_step_and_is_remembered(studio: Studio, error: dict[str, str]) -> None:
    def script(seen: play.Seen) -> play.Behaviour:
        return play.fails(400, error) if "response_format" in seen.body else play.says(GOOD)

    server = await studio.server(script)
    model = studio.model(server)
    assert (await structured(model, asking(), Sound, repairs=0, prompts=PROMPTS)).way == "prompt"
    assert server.calls == 3
    assert (await structured(model, asking(), Sound, repairs=0, prompts=PROMPTS)).way == "prompt"
    assert server.calls == 4
    other = studio.model(server)
    assert (await structured(other, asking(), Sound, repairs=0, prompts=PROMPTS)).way == "prompt"
    assert server.calls == 7, "another model has its own memory"


async def test_a_bad_request_for_another_reason_is_not_blamed_on_the_form(studio: Studio) -> None:
    server = await studio.server([play.fails(400, {"message": "the picture is broken"})] * 3 + [play.says(GOOD)])
    model = studio.model(server)
    with pytest.raises(BadRequestError):
        await structured(model, asking(), Sound, repairs=0, prompts=PROMPTS)
    assert server.calls == 3
    assert (await structured(model, asking(), Sound, repairs=0, prompts=PROMPTS)).way == "json_schema"


async def test_too_long_is_not_asked_another_way(studio: Studio) -> None:
    server = await studio.server([play.fails(400, {"message": "no", "code": "context_length_exceeded"})])
    with pytest.raises(BadRequestError):
        await structured(studio.model(server), asking(), Sound, repairs=2, prompts=PROMPTS)
    assert server.calls == 1


async def test_the_model_is_shown_what_is_wrong() -> None:
    bad = '{"kind": "silence", "at_s": [0, 1]}'
    model = ScriptedChat(["no idea", bad, GOOD], capabilities=JSON_MODE)
    answer = await structured(model, asking("What is heard?"), Sound, repairs=2, prompts=PROMPTS)
    assert (answer.value, answer.repairs) == (MUSIC, 2)
    second, third = (request.messages for request in model.requests[1:])
    assert [m.role for m in second] == ["user", "assistant", "user"]
    assert "no JSON object" in second[-1].text
    assert third[-2].text == bad
    assert "kind: Input should be 'speech', 'music' or 'noise'" in third[-1].text
    assert len(third) == 3, "only the last wrong answer is shown"


async def test_repairs_are_counted_and_end() -> None:
    model = ScriptedChat(["I would rather talk about the weather. " * 20] * 3)
    with pytest.raises(FormatError) as caught:
        await structured(model, asking(), Sound, repairs=2, prompts=PROMPTS)
    assert len(model.requests) == 3
    assert caught.value.reason == "format"
    assert caught.value.attempts == 3
    assert "the weather" in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("outcome", ["truncated", "empty"])
async def test_a_cut_or_empty_answer_is_never_read(outcome: Literal["truncated", "empty"]) -> None:
    text = GOOD if outcome == "truncated" else ""
    ended = ChatReply(outcome=outcome, text=text, model="scripted:script")
    model = ScriptedChat([ended, ended])
    with pytest.raises(FormatError) as caught:
        await structured(model, asking(), Sound, repairs=1, prompts=PROMPTS)
    assert caught.value.reason == outcome
    assert [m.role for m in model.requests[1].messages] == ["user", "user"]


async def test_a_blocked_answer() -> None:
    model = ScriptedChat([ChatReply(outcome="blocked", text=GOOD, model="scripted:script")])
    with pytest.raises(ContentFilterError):
        await structured(model, asking(), Sound, repairs=3, prompts=PROMPTS)
    assert len(model.requests) == 1


async def test_other_errors_pass_through() -> None:
    with pytest.raises(TransientError):
        await structured(ScriptedChat([TransientError("no")]), asking(), Sound, repairs=3, prompts=PROMPTS)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}```",
        f"Here it is: {GOOD} I hope that helps {{smile}}.",
        f'<think>{{"kind": "noise", "at_s": [0, 1]}} or not?</think>{GOOD}',
        f"so it must be music</think>\n{GOOD}",
        json.dumps(GOOD),
        f"{GOOD}\n{GOOD}",
        GOOD.replace(": ", ":\r\n\t"),
        "\ufeff" + GOOD,
    ],
)
async def test_packaging_is_forgiven(text: str) -> None:
    assert (await structured(ScriptedChat([text]), asking(), Sound, repairs=0, prompts=PROMPTS)).value == MUSIC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "music",
        GOOD[:-1],
        GOOD.replace("]", ",]"),
        GOOD.replace('"', "'"),
        GOOD.replace("0.5", "NaN"),
        GOOD.replace("0.5", '"0.5"'),
        f"[{GOOD}]",
        f"{GOOD} or {GOOD.replace('music', 'noise')}",
        "null",
    ],
)
async def test_nothing_is_completed_corrected_or_chosen(text: str) -> None:
    with pytest.raises(FormatError):
        await structured(ScriptedChat([text]), asking(), Sound, repairs=0, prompts=PROMPTS)


json_objects = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
    ),
    max_size=4,
)


@given(json_objects, st.text(alphabet="abc .,!?\n", max_size=30), st.text(alphabet="abc .,!?\n", max_size=30))
def test_an_object_is_found_between_words(value: dict[str, object], before: str, after: str) -> None:
    assert json_values(f"{before}{json.dumps(value)}{after}") == (value,)


@given(st.text(max_size=200))
def test_any_text_is_read_without_trouble(text: str) -> None:
    json_values(text)


def test_deep_nesting_is_no_trouble() -> None:
    assert json_values("[" * 100_000) == ()


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: int | None = None


class Outer(BaseModel):
    first: Inner = Field(description="with words beside the reference")
    many: list[Inner] = []
    title: str = Field(default="", min_length=1, max_length=5)


def test_schemas_are_made_strict() -> None:
    schema = schema_of(Outer)
    assert is_strict(schema)
    assert set(schema["required"]) == {"first", "many", "title"}
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["first"]["properties"]["value"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert schema["properties"]["first"]["description"] == "with words beside the reference"


class Free(BaseModel):
    anything: dict[str, int]


def test_a_free_mapping_cannot_be_strict() -> None:
    assert not is_strict(schema_of(Free))
