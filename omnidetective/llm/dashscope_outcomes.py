"""The one normalizer of DashScope's native interface: from what came back to a reply or an error. Pure.

Its error codes are those of its OpenAI-compatible interface, so they are classified by the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnidetective.errors import TransientError
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import ChatReply, TokenUsage
from omnidetective.llm.openai_outcomes import error_of, read_error, reply_of


def raise_for_chunk(chunk: Mapping[str, Any], *, endpoint: Endpoint, model: str) -> None:
    """Raises the error that a response of the SDK stands for, when it stands for one."""
    status = chunk.get("status_code")
    if status == 200 and not chunk.get("code"):
        return
    raise error_of(
        read_error({key: chunk.get(key) for key in ("code", "message")}),
        endpoint=endpoint,
        model=model,
        status=status if isinstance(status, int) and status != 200 else None,
        headers={str(key): str(value) for key, value in (chunk.get("headers") or {}).items()},
    )


class NativeAssembly:
    """Takes the responses of one answer, in order; one when it is not streamed, pieces when it is."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] | None = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Takes one response that holds no error."""
        usage, output = chunk.get("usage"), chunk.get("output")
        if isinstance(usage, Mapping):
            self._usage = usage
        choices = output.get("choices") if isinstance(output, Mapping) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return
        finish_reason = choices[0].get("finish_reason")
        # While an answer goes on, DashScope writes the word "null" here.
        if isinstance(finish_reason, str) and finish_reason not in ("", "null"):
            self._finish_reason = finish_reason
        message = choices[0].get("message")
        if isinstance(message, Mapping):
            self._take(message)

    def reply(self, *, endpoint: Endpoint, model: str, seconds: float) -> ChatReply:
        """The whole answer.

        Raises:
            TransientError: ``cut_off``, when the provider never said that the answer was complete.
        """
        if self._finish_reason is None:
            raise TransientError(f"{model} at {endpoint.host}: the answer was not completed", reason="cut_off")
        message = {
            "content": "".join(self._text),
            "reasoning_content": "".join(self._reasoning),
            "tool_calls": [self._calls[index] for index in sorted(self._calls)],
        }
        completion = {"choices": [{"message": message, "finish_reason": self._finish_reason}]}
        reply = reply_of(completion, endpoint=endpoint, model=model, seconds=seconds)
        return reply.model_copy(update={"usage": native_usage(self._usage)})

    def _take(self, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        if isinstance(content, str):
            self._text.append(content)
        elif isinstance(content, list):
            self._text += [str(i["text"]) for i in content if isinstance(i, Mapping) and isinstance(i.get("text"), str)]
        if isinstance(message.get("reasoning_content"), str):
            self._reasoning.append(message["reasoning_content"])
        for number, piece in enumerate(message.get("tool_calls") or ()):
            if isinstance(piece, Mapping):
                self._take_call(number, piece)

    def _take_call(self, number: int, piece: Mapping[str, Any]) -> None:
        index = piece.get("index")
        call = self._calls.setdefault(
            index if isinstance(index, int) else number, {"id": "", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = piece.get("id") or call["id"]
        function = piece.get("function")
        if isinstance(function, Mapping):
            call["function"]["name"] = function.get("name") or call["function"]["name"]
            call["function"]["arguments"] += str(function.get("arguments") or "")


def native_usage(usage: Mapping[str, Any] | None) -> TokenUsage | None:
    """Tokens as reported, or ``None`` when they are not."""
    if usage is None:
        return None
    prompt, completion = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    details = usage.get("input_tokens_details")
    audio = details.get("audio_tokens") if isinstance(details, Mapping) else usage.get("audio_tokens")
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        audio_prompt_tokens=audio if isinstance(audio, int) else None,
    )
