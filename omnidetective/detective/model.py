"""The detective that is a chat model: native function calls, or a JSON protocol where a model has none.

A model that is offered functions and answers in prose (or whose server ignores them) is asked once more, then goes on
in the JSON protocol, and is remembered so that the next clip starts there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import ValidationError

from omnidetective.case import Case
from omnidetective.detective.conversation import CONCLUDE, INQUIRE, as_shown, results, trajectory
from omnidetective.detective.inquiry import (
    Conclude,
    ConclusionArguments,
    Standing,
    Told,
    Turn,
    TurnArguments,
    possible_attributes,
)
from omnidetective.detective.turns import conclusion, inquiry_schema, turn_from_arguments, turn_from_calls
from omnidetective.errors import BadRequestError, ContentFilterError
from omnidetective.llm.base import ChatModel
from omnidetective.llm.json_text import json_values
from omnidetective.llm.messages import ChatReply, ChatRequest, Message, TextPart, ToolSpec
from omnidetective.llm.structured import structured
from omnidetective.observers.base import ObserverSpec
from omnidetective.observers.registry import Unavailable
from omnidetective.prompts import PromptLibrary
from omnidetective.records import ToolCall, TrajectoryMessage
from omnidetective.stage_settings import InvestigateSettings


@dataclass(slots=True)
class Habits:
    """What was learnt about detective models in this process: those that do not call functions."""

    no_calls: set[str] = field(default_factory=set)


class ModelDetective:
    """A chat model that plays the detective, for one clip."""

    def __init__(
        self,
        model: ChatModel,
        prompts: PromptLibrary,
        *,
        case: Case,
        observers: Iterable[ObserverSpec],
        unavailable: Mapping[str, Unavailable],
        settings: InvestigateSettings,
        repairs: int,
        habits: Habits,
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._specs = tuple(observers)
        self._settings = settings
        self._repairs = repairs
        self._habits = habits
        self._calling = model.capabilities.tools and model.name not in habits.no_calls
        self._calls: tuple[ToolCall, ...] = ()
        self._briefs: tuple[str, str] | None = None
        self._messages = list(self._opening(case, unavailable))

    def _opening(self, case: Case, unavailable: Mapping[str, Unavailable]) -> tuple[Message, ...]:
        facts = case.clip.facts
        system = self._prompts.get("detective/system").render(
            modality=facts.modality,
            attributes=list(possible_attributes(case)),
            inquiries=self._settings.inquiries,
            per_turn=self._settings.per_turn,
            early_stop=self._settings.early_stop,
            calling=self._calling,
        )
        opening = self._prompts.get("detective/opening").render(
            modality=facts.modality,
            duration_s=None if facts.duration_s is None else round(facts.duration_s, 2),
            width=facts.width,
            height=facts.height,
            fps=None if facts.fps is None else round(facts.fps, 2),
            has_audio=facts.has_audio,
            observers=[{"name": s.name, "kind": s.kind, "description": s.description} for s in self._specs],
            unavailable={name: why.message for name, why in unavailable.items()},
            part_s=None if case.scope is None else [round(case.scope.start_s, 2), round(case.scope.end_s, 2)],
            known=[
                json.dumps(as_shown(o, answer_chars=self._settings.answer_chars), ensure_ascii=False)
                for o in case.answers
            ],
            hints=list(case.hints),
        )
        return Message.of("system", system), Message.of("user", opening)

    @property
    def conversation(self) -> tuple[TrajectoryMessage, ...]:
        return trajectory(self._messages)

    def hear(self, told: tuple[Told, ...], standing: Standing) -> None:
        self._messages += results(told, self._calls, standing, answer_chars=self._settings.answer_chars)

    async def decide(self, case: Case, standing: Standing) -> Turn:
        """The model's next turn.

        Raises:
            FormatError: it could not be brought to answer in either form.
            ContentFilterError: the provider refused the conversation.
            ProviderError: the call failed.
        """
        if self._calling:
            try:
                turn = await self._decide_by_calls(case, standing)
            except BadRequestError as error:
                if error.reason == "context_length" or not self._first_turn:
                    raise
                turn = None
            if turn is not None:
                return turn
            self._calling = False
            self._habits.no_calls.add(self._model.name)
            self._messages.append(Message.of("user", self._prompts.get("detective/json_protocol").render()))
        return await self._decide_by_json(case, standing)

    @property
    def _first_turn(self) -> bool:
        return not any(message.role == "assistant" for message in self._messages)

    async def _decide_by_calls(self, case: Case, standing: Standing) -> Turn | None:
        """A turn of function calls; ``None`` when the model does not make any."""
        asides: list[Message] = []
        for _ in range(2):
            reply = await self._complete(ChatRequest(messages=(*self._messages, *asides), tools=self._tools(standing)))
            if reply.tool_calls and reply.outcome != "truncated":
                self._say(reply.text, reply.tool_calls)
                turn = turn_from_calls(reply.tool_calls, case)
                if isinstance(turn, Conclude) or not standing.must_conclude:
                    return turn
                too_late = f"Not possible: {standing.must_conclude}."
                told = (Told(refusal=item if isinstance(item, str) else too_late) for item in turn.order)
                self.hear(tuple(told), standing)
                asides = [self._demand(standing)]
                continue
            if (written := _written_turn(reply.text)) is not None:
                turn = turn_from_arguments(written, case)
                if isinstance(turn, Conclude) or not standing.must_conclude:
                    self._say(reply.text)
                    return turn
            said = [Message.of("assistant", reply.text)] if reply.text.strip() else []
            asides = [*asides, *said, self._demand(standing, truncated=reply.outcome == "truncated")]
        return None

    def _demand(self, standing: Standing, *, truncated: bool = False) -> Message:
        return Message.of(
            "user",
            self._prompts.get("detective/demand").render(must_conclude=standing.must_conclude, truncated=truncated),
        )

    async def _decide_by_json(self, case: Case, standing: Standing) -> Turn:
        request = ChatRequest(messages=tuple(self._messages), temperature=self._settings.temperature)
        if standing.must_conclude:
            demand = self._demand(standing)
            request = request.model_copy(update={"messages": (*request.messages, demand)})
            final = await structured(
                self._model, request, ConclusionArguments, repairs=self._repairs, prompts=self._prompts
            )
            self._say(final.reply.text)
            return conclusion(final.value, case)
        answer = await structured(self._model, request, TurnArguments, repairs=self._repairs, prompts=self._prompts)
        self._say(answer.reply.text)
        return turn_from_arguments(answer.value, case)

    async def _complete(self, request: ChatRequest) -> ChatReply:
        reply = await self._model.complete(request.model_copy(update={"temperature": self._settings.temperature}))
        if reply.outcome == "blocked":
            raise ContentFilterError(f"{self._model.name} refused to go on with this clip")
        return reply

    def _say(self, text: str, calls: tuple[ToolCall, ...] = ()) -> None:
        self._calls = calls
        self._messages.append(Message(role="assistant", parts=(TextPart(text=text),), tool_calls=calls))

    def _tools(self, standing: Standing) -> tuple[ToolSpec, ...]:
        if self._briefs is None:
            prompts = self._prompts
            self._briefs = prompts.get("detective/inquire").render(), prompts.get("detective/conclude").render()
        functions = _functions(
            *self._briefs, tuple(spec.name for spec in self._specs if spec.name not in standing.closed)
        )
        return functions[1:] if standing.must_conclude else functions


@lru_cache(maxsize=256)
def _functions(inquire: str, conclude: str, observers: tuple[str, ...]) -> tuple[ToolSpec, ToolSpec]:
    """Both functions by their descriptions. Their schemas take longer to make than all else in a turn."""
    return (
        ToolSpec(name=INQUIRE, description=inquire, parameters=inquiry_schema(observers)),  # type: ignore[arg-type]
        ToolSpec(name=CONCLUDE, description=conclude, parameters=ConclusionArguments.model_json_schema()),
    )


def _written_turn(text: str) -> TurnArguments | None:
    """A turn that stands as JSON in the text: some servers pass function calls through like that."""
    for value in json_values(text):
        if isinstance(value, dict) and {"inquiries", "conclusion"} & value.keys():
            try:
                return TurnArguments.model_validate(value)
            except ValidationError:
                continue
    return None
