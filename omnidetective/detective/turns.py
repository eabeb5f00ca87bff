"""From what a detective model writes to a turn: arguments checked, spans fitted to the clip, events held to the case.

Nothing here is invented: a call that cannot be understood becomes a refusal, which the detective is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import ValidationError

from omnidetective.captions.moments import canonical_anchors
from omnidetective.case import Case
from omnidetective.detective.conversation import CONCLUDE, INQUIRE
from omnidetective.detective.inquiry import (
    Ask,
    Conclude,
    ConclusionArguments,
    EventArguments,
    Inquiry,
    InquiryArguments,
    Turn,
    TurnArguments,
)
from omnidetective.evidence import Span
from omnidetective.records import ATTRIBUTES, Attribute, Event, ToolCall

_SHORTEST_SPAN_S = 0.1


def turn_from_calls(calls: Iterable[ToolCall], case: Case) -> Turn:
    """A turn of function calls. A conclusion counts only when it is the only call."""
    calls = tuple(calls)
    if len(calls) == 1 and calls[0].function.name == CONCLUDE:
        try:
            return conclusion(ConclusionArguments.model_validate_json(calls[0].function.arguments or "{}"), case)
        except ValidationError as error:
            return Ask((complaint(error),))
    return Ask(tuple(_from_call(call, case) for call in calls))


def turn_from_arguments(arguments: TurnArguments, case: Case) -> Turn:
    """A turn of the JSON protocol. With both inquiries and a conclusion, the inquiries come first."""
    if arguments.conclusion is not None and not arguments.inquiries:
        return conclusion(arguments.conclusion, case)
    if not arguments.inquiries:
        return Ask(("Give at least one inquiry, or a conclusion.",))
    return Ask(tuple(fit_inquiry(inquiry, case) for inquiry in arguments.inquiries))


def _from_call(call: ToolCall, case: Case) -> Inquiry | str:
    if call.function.name == CONCLUDE:
        return f"Call {CONCLUDE} alone, after the answers to your inquiries."
    if call.function.name != INQUIRE:
        return f"There is no function {call.function.name!r}: there are {INQUIRE} and {CONCLUDE}."
    try:
        return fit_inquiry(InquiryArguments.model_validate_json(call.function.arguments or "{}"), case)
    except ValidationError as error:
        return complaint(error)


def complaint(error: ValidationError) -> str:
    """What is wrong with arguments, for the model that wrote them."""
    items = error.errors(include_url=False, include_input=False)[:5]
    return "Not understood: " + "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']}" for item in items
    )


def fit_inquiry(arguments: InquiryArguments, case: Case) -> Inquiry | str:
    """The inquiry with its span inside what the case is about, or why it has none. No span means all of that."""
    attributes = known_attributes(arguments.attributes)
    question = arguments.question.strip()
    start_s, end_s, part = arguments.start_s, arguments.end_s, case.span
    if (start_s is None and end_s is None) or part is None:
        return Inquiry(arguments.observer, question, case.scope, attributes)
    start_s = max(part.start_s, start_s or part.start_s)
    end_s = part.end_s if end_s is None else min(end_s, part.end_s)
    if start_s >= part.end_s:
        return f"The {case.what} ends at {part.end_s:.2f} s: there is nothing from {start_s:g} s."
    if end_s - start_s < _SHORTEST_SPAN_S:
        if arguments.end_s is not None and arguments.end_s < part.start_s:
            return f"The {case.what} begins at {part.start_s:.2f} s: there is nothing before it."
        if arguments.end_s is not None and arguments.end_s < start_s:
            return f"A span ends after it starts, not {start_s:g} to {arguments.end_s:g} s."
        start_s = max(part.start_s, min(start_s, part.end_s - _SHORTEST_SPAN_S))
        end_s = min(part.end_s, start_s + _SHORTEST_SPAN_S)
    if end_s <= start_s or (start_s <= part.start_s and end_s >= part.end_s):
        return Inquiry(arguments.observer, question, case.scope, attributes)
    return Inquiry(arguments.observer, question, Span(start_s=start_s, end_s=end_s), attributes)


def conclusion(arguments: ConclusionArguments, case: Case) -> Conclude:
    """The conclusion, its events held to the clip and to the observations that there are."""
    remarks: list[str] = []
    events = []
    for event in arguments.events:
        fitted, remark = _fit_event(event, case)
        if fitted is not None:
            events.append(fitted)
        if remark:
            remarks.append(remark)
    caption = arguments.caption.strip()
    if case.clip.whole is None:
        timeless = canonical_anchors(caption, None)
        caption, remarks = timeless.text.strip(), [*remarks, *timeless.adjustments]
    return Conclude(
        caption=caption,
        events=tuple(sorted(events, key=lambda e: e.start_s or 0.0)),
        absent=known_attributes(arguments.absent),
        contradictions=tuple(text.strip() for text in arguments.contradictions if text.strip()),
        remarks=tuple(remarks),
    )


def _fit_event(event: EventArguments, case: Case) -> tuple[Event | None, str]:
    known = {o.id for o in case.answers}
    cited = tuple(dict.fromkeys(e for e in event.evidence if e in known))
    unknown = [e for e in event.evidence if e not in known]
    remark = f"event {event.text[:60]!r} cited {', '.join(unknown)}, which answered nothing" if unknown else ""
    part = case.span
    if part is None or event.start_s is None:
        return Event(text=event.text, modality=event.modality, evidence=cited), remark
    if not part.start_s <= event.start_s < part.end_s:
        where = f"the {case.what} lasts from {part.start_s:.2f} to {part.end_s:.2f} s"
        return None, f"event {event.text[:60]!r} at {event.start_s:g} s was dropped: {where}"
    end_s = event.end_s if event.end_s is not None and event.end_s > event.start_s else None
    return Event(
        start_s=event.start_s,
        end_s=None if end_s is None else min(end_s, part.end_s),
        text=event.text,
        modality=event.modality,
        evidence=cited,
    ), remark


def known_attributes(named: Iterable[str]) -> tuple[Attribute, ...]:
    """The attributes among some words, in the order of the vocabulary."""
    words = {str(word).strip().casefold() for word in named}
    return tuple(a for a in ATTRIBUTES if a in words)


def inquiry_schema(observers: Iterable[str]) -> dict[str, object]:
    """JSON Schema of an inquiry, with the observers that there are as the only choices."""
    schema = InquiryArguments.model_json_schema()
    schema["properties"]["observer"]["enum"] = list(observers)
    schema["properties"]["attributes"]["items"] = {"type": "string", "enum": list(ATTRIBUTES)}
    return json.loads(json.dumps(schema))  # type: ignore[no-any-return]
