"""A provider that plays a script: for tests, demos and replays without a network. It is shipped, and it is free."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from omnidetective import errors
from omnidetective.errors import BadRequestError, ConfigError, ProviderError
from omnidetective.llm.base import Capabilities, ChatModel
from omnidetective.llm.capabilities import check
from omnidetective.llm.messages import ChatReply, ChatRequest, TokenUsage
from omnidetective.llm.wrapped import WrappedChat
from omnidetective.records import FunctionCall, ToolCall

Line = str | ChatReply | Exception
"""One line of a script: a text, a whole reply, or an error to raise."""

Script = Sequence[Line] | Callable[[ChatRequest], Line | Awaitable[Line]]

EVERYTHING = Capabilities(images=True, audio=True, frames=True, video=True, audio_formats=("wav", "mp3", "ogg"))


class ScriptedChat:
    """Answers from a list, one line a call, or from a function of the request.

    Attributes:
        requests: what it was asked, in order.
    """

    def __init__(self, script: Script, *, model: str = "script", capabilities: Capabilities = EVERYTHING) -> None:
        self._script = script if callable(script) else list(script)
        self._model = model
        self._capabilities = capabilities
        self.requests: list[ChatRequest] = []

    @property
    def name(self) -> str:
        return f"scripted:{self._model}"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The next line of the script.

        Raises:
            BadRequestError: ``script_ended``, when more is asked than was written.
        """
        check(request, self._capabilities, model=self.name)
        self.requests.append(request)
        line = await self._next(request)
        if isinstance(line, Exception):
            raise line
        return line if isinstance(line, ChatReply) else reply(line, model=self.name)

    async def _next(self, request: ChatRequest) -> Line:
        if callable(self._script):
            said = self._script(request)
            return await said if inspect.isawaitable(said) else said
        number = len(self.requests)
        if number > len(self._script):
            raise BadRequestError(
                f"{self.name} has {len(self._script)} lines and was asked {number} times", reason="script_ended"
            )
        return self._script[number - 1]

    async def aclose(self) -> None:
        """Nothing to give back."""


def reply(
    text: str = "",
    *calls: tuple[str, Mapping[str, Any] | str],
    model: str = "scripted:script",
    usage: TokenUsage | None = None,
) -> ChatReply:
    """A reply that ended well, from a text and tool calls of ``(name, arguments)``."""
    tool_calls = tuple(
        ToolCall(
            id=f"call_{number}",
            function=FunctionCall(
                name=name, arguments=arguments if isinstance(arguments, str) else json.dumps(arguments)
            ),
        )
        for number, (name, arguments) in enumerate(calls, start=1)
    )
    return ChatReply(
        outcome="ok" if text or tool_calls else "empty",
        text=text,
        tool_calls=tool_calls,
        finish_reason="tool_calls" if tool_calls else "stop",
        usage=usage or TokenUsage(prompt_tokens=0, completion_tokens=0),
        model=model,
    )


def read_script(path: Path) -> tuple[Line, ...]:
    """A script from a JSONL file: a reply a line, as :class:`RecordedChat` writes them.

    A line may also be ``{"text": "…"}`` alone, or ``{"error": {"type": "RateLimitError", "reason": "…", "message":
    "…"}}``.

    Raises:
        ConfigError: the file is missing or a line is wrong, with its number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the replies in {path}: {error}") from error
    return tuple(_read_line(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip())


def _read_line(line: str, where: str) -> Line:
    try:
        data = json.loads(line)
        if "error" in data:
            return _read_error(data["error"])
        text = data.get("text", "")
        outcome = "ok" if text or data.get("tool_calls") else "empty"
        whole = {"outcome": outcome, "text": text, "model": "scripted:script", **data}
        return ChatReply.model_validate_json(json.dumps(whole))
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise ConfigError(f"{where} is no recorded reply: {error}") from error


def _read_error(data: Mapping[str, Any]) -> ProviderError:
    kind = getattr(errors, str(data["type"]), None)
    if not (isinstance(kind, type) and issubclass(kind, ProviderError)):
        raise ValueError(f"{data['type']!r} is no provider error")
    return kind(str(data.get("message", "")), reason=data.get("reason"), retry_after_s=data.get("retry_after_s"))


class RecordedChat(WrappedChat):
    """Passes calls on to a model and appends each answer, or error, to a file that :func:`read_script` reads."""

    def __init__(self, inner: ChatModel, path: Path) -> None:
        super().__init__(inner)
        self._path = path

    async def complete(self, request: ChatRequest) -> ChatReply:
        """See :class:`~omnidetective.llm.base.ChatModel`."""
        try:
            answer = await self.inner.complete(request)
        except ProviderError as error:
            said = {"type": type(error).__name__, "reason": error.reason, "message": error.message}
            self._append(json.dumps({"error": said}))
            raise
        self._append(answer.model_dump_json())
        return answer

    def _append(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
