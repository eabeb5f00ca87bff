"""An answer in a given form, from any model.

Three ways of asking, strongest first: the provider enforces a JSON Schema; the provider enforces JSON and the schema is
in the prompt; the schema is in the prompt alone. A way that the model's capabilities exclude is skipped; one that the
provider refuses with a bad request falls to the next, and is remembered for that model. To an answer that is not valid
the model is shown what is wrong and asked again, at most ``repairs`` times.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError

from omnidetective.errors import BadRequestError, ContentFilterError, FormatError
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cached import forget
from omnidetective.llm.json_schema import schema_of
from omnidetective.llm.json_text import json_values
from omnidetective.llm.messages import ChatReply, ChatRequest, Message, OutputSchema, TextPart
from omnidetective.prompts import PromptLibrary

log = logging.getLogger(__name__)

T = TypeVar("T", bound=BaseModel)
Way = Literal["json_schema", "json_object", "prompt"]

_PERHAPS_THE_FORM = frozenset({"bad_request", "unsupported_response_format"})
_MAX_QUOTED_CHARS = 240
_MAX_PROBLEMS = 8

_refused: WeakKeyDictionary[ChatModel, set[Way]] = WeakKeyDictionary()
"""Ways that a model's provider has refused in this process."""


@dataclass(frozen=True, slots=True)
class Structured(Generic[T]):
    """A valid answer.

    Attributes:
        value: the answer.
        reply: the reply that held it.
        way: how it was asked for.
        repairs: how many answers before it were not valid.
    """

    value: T
    reply: ChatReply
    way: Way
    repairs: int


async def structured(
    model: ChatModel, request: ChatRequest, schema: type[T], *, repairs: int, prompts: PromptLibrary
) -> Structured[T]:
    """Asks until the answer is valid.

    Args:
        request: the question; its last message gets the schema added where the provider does not enforce it.
        schema: what the answer must be.
        repairs: most times that the model is shown what is wrong and asked again.
        prompts: holds ``structured/instruction`` and ``structured/repair``.

    Raises:
        FormatError: no valid answer; ``truncated`` or ``empty`` as the reason where that was the cause.
        ContentFilterError: the provider blocked the answer.
        ProviderError: the call itself failed.
    """
    refused: list[Way] = []
    ways = _ways(model)
    for way in ways:
        try:
            return await _ask(model, request, schema, way, repairs=repairs, refused=refused, prompts=prompts)
        except BadRequestError as error:
            if way == ways[-1] or error.reason not in _PERHAPS_THE_FORM:
                raise
            log.info("%s refused %s; asking another way", model.name, way)
            refused.append(way)
    raise AssertionError("the last way returns or raises")


def _ways(model: ChatModel) -> tuple[Way, ...]:
    can = model.capabilities
    known = _refused.get(model, set())
    ways: list[Way] = []
    if can.json_schema and "json_schema" not in known:
        ways.append("json_schema")
    if can.json_object and "json_object" not in known:
        ways.append("json_object")
    return (*ways, "prompt")


async def _ask(
    model: ChatModel,
    request: ChatRequest,
    schema: type[T],
    way: Way,
    *,
    repairs: int,
    refused: list[Way],
    prompts: PromptLibrary,
) -> Structured[T]:
    asked = _asked(request, schema, way, prompts)
    turn: tuple[Message, ...] = ()
    in_vain: list[ChatRequest] = []
    for attempt in range(repairs + 1):
        in_vain.append(asked.model_copy(update={"messages": (*asked.messages, *turn)}))
        reply = await model.complete(in_vain[-1])
        # Only now is it sure that the form was what the provider refused before, and not the request.
        _refused.setdefault(model, set()).update(refused)
        if reply.outcome == "blocked":
            raise ContentFilterError(f"{model.name} blocked its answer", reason="content_filter")
        value, problem = _read(reply, schema)
        if value is not None:
            return Structured(value, reply, way, attempt)
        log.info("%s: answer %d is not valid: %s", model.name, attempt + 1, reply.outcome)
        turn = _repair_turn(reply, problem, prompts)
    said = " ".join(reply.text.split())
    said = said if len(said) <= _MAX_QUOTED_CHARS else f"{said[:_MAX_QUOTED_CHARS]}…"
    error = FormatError(
        f"{model.name} gave no valid {schema.__name__}: {problem}; it said: {said!r}",
        reason="format" if reply.outcome == "ok" else reply.outcome,
        hint="raise max_tokens" if reply.outcome == "truncated" else "",
    )
    error.attempts = repairs + 1
    for request_in_vain in in_vain:
        await forget(model, request_in_vain)
    raise error


def _asked(request: ChatRequest, schema: type[BaseModel], way: Way, prompts: PromptLibrary) -> ChatRequest:
    strict = schema_of(schema)
    if way == "json_schema":
        return request.model_copy(update={"output": OutputSchema(name=schema.__name__, json_schema=strict)})
    rendered = prompts.get("structured/instruction").render(schema=json.dumps(strict, ensure_ascii=False))
    instruction = TextPart(text=rendered)
    *earlier, last = request.messages
    if last.role == "user":
        messages = (*earlier, last.model_copy(update={"parts": (*last.parts, instruction)}))
    else:
        messages = (*request.messages, Message(role="user", parts=(instruction,)))
    return request.model_copy(update={"messages": messages, "output": None, "json_object": way == "json_object"})


def _read(reply: ChatReply, schema: type[T]) -> tuple[T | None, str]:
    """The value in a reply, or ``None`` and what is wrong."""
    if reply.outcome in ("truncated", "empty"):
        return None, "it was cut off" if reply.outcome == "truncated" else "it was empty"
    found = json_values(reply.text)
    if not found:
        return None, "it holds no JSON object"
    valid: list[T] = []
    problem = ""
    for value in found:
        try:
            # As JSON, so that a strict model takes a list for a tuple.
            valid.append(schema.model_validate_json(json.dumps(value)))
        except ValidationError as error:
            problem = problem or "; ".join(_problems(error))
    if len(valid) == 1:
        return valid[0], ""
    return None, "it holds several JSON objects that fit; give one" if valid else problem


def _problems(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False, include_input=False, include_context=False)[:_MAX_PROBLEMS]:
        where = ".".join(str(part) for part in item["loc"])
        yield f"{where}: {item['msg']}" if where else item["msg"]


def _repair_turn(reply: ChatReply, problem: str, prompts: PromptLibrary) -> tuple[Message, ...]:
    outcome = reply.outcome if reply.text.strip() or reply.outcome == "truncated" else "empty"
    demand = Message.of("user", prompts.get("structured/repair").render(outcome=outcome, problem=problem))
    return (Message.of("assistant", reply.text), demand) if outcome == "ok" else (demand,)
