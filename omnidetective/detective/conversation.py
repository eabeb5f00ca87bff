"""The detective's conversation: how what observers say is put to it, and how the whole is kept for the record.

Answers go in as JSON values, so that nothing said or written in a clip can end its own quotation and speak as somebody
else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from omnidetective.detective.inquiry import Inquiry, Standing, Told
from omnidetective.llm.messages import Message, TextPart
from omnidetective.records import FunctionCall, Observation, ToolCall, TrajectoryMessage

INQUIRE = "inquire"
CONCLUDE = "conclude"


def as_shown(observation: Observation, *, answer_chars: int) -> dict[str, Any]:
    """An observation as the detective sees it, its answer shortened in the middle where it is too long."""
    shown: dict[str, Any] = {"observation": observation.id, "observer": observation.observer, "kind": observation.kind}
    if observation.span is not None:
        shown["span_s"] = [round(observation.span.start_s, 2), round(observation.span.end_s, 2)]
    if observation.error is not None:
        shown["unavailable"] = observation.error.message
    else:
        shown["answer"] = shortened(observation.answer, answer_chars)
    return shown


def results(
    told: Sequence[Told], calls: Sequence[ToolCall], standing: Standing, *, answer_chars: int
) -> tuple[Message, ...]:
    """The answers to one turn as messages: one tool message a call, or one user message where nothing was *called*."""
    shown = [
        as_shown(item.observation, answer_chars=answer_chars)
        if item.observation is not None
        else {"refused": item.refusal}
        for item in told
    ]
    state = _state(standing)
    if not calls:
        return (Message.of("user", _json({"results": shown, **state})),)
    last = len(calls) - 1
    return tuple(
        Message(
            role="tool",
            parts=(TextPart(text=_json({**content, **(state if i == last else {})})),),
            tool_call_id=call.id,
        )
        for i, (call, content) in enumerate(zip(calls, shown, strict=True))
    )


def calls_of(inquiries: Iterable[Inquiry], *, first: int) -> tuple[ToolCall, ...]:
    """Inquiries as function calls, numbered from ``first``: how the rule-driven detective's turns are kept."""
    return tuple(
        ToolCall(id=f"call_{n}", function=FunctionCall(name=INQUIRE, arguments=_json(_arguments(inquiry))))
        for n, inquiry in enumerate(inquiries, start=first)
    )


def conclusion_call(arguments: dict[str, Any], *, number: int) -> ToolCall:
    """A conclusion as a function call."""
    return ToolCall(id=f"call_{number}", function=FunctionCall(name=CONCLUDE, arguments=_json(arguments)))


def trajectory(messages: Iterable[Message]) -> tuple[TrajectoryMessage, ...]:
    """The conversation as the record keeps it."""
    return tuple(
        TrajectoryMessage(role=m.role, content=m.text, tool_calls=m.tool_calls or None, tool_call_id=m.tool_call_id)
        for m in messages
    )


def _arguments(inquiry: Inquiry) -> dict[str, Any]:
    arguments: dict[str, Any] = {"observer": inquiry.observer, "question": inquiry.question}
    if inquiry.span is not None:
        arguments |= {"start_s": inquiry.span.start_s, "end_s": inquiry.span.end_s}
    return arguments | {"attributes": list(inquiry.attributes)}


def _state(standing: Standing) -> dict[str, Any]:
    state: dict[str, Any] = {"inquiries_left": standing.inquiries_left}
    if standing.open_points:
        state["still_open"] = list(standing.open_points)
    if standing.closed:
        state["not_to_be_asked_now"] = dict(standing.closed)
    if standing.must_conclude:
        state["conclude_now"] = standing.must_conclude
    return state


def shortened(text: str, most: int) -> str:
    """A text without its middle, where it has more than ``most`` characters; it says how many were left out."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} [… {len(text) - 2 * half} characters left out …] {text[-half:]}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
