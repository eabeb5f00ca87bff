"""A streamed answer put together into the form of one that was not streamed. Pure."""

from __future__ import annotations

from typing import Any

from omnidetective.errors import TransientError


class StreamAssembly:
    """Takes the chunks of one answer, in order.

    The last chunk may hold the usage and no choices (``stream_options.include_usage``). Chunks of the sound that some
    omni models can speak are passed over: only text is asked for.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._call_at: dict[int, dict[str, Any]] = {}
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] | None = None

    def add(self, chunk: dict[str, Any]) -> None:
        """Takes one chunk."""
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return
        choice = choices[0]
        if isinstance(choice.get("finish_reason"), str):
            self._finish_reason = choice["finish_reason"]
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._take(delta)

    def completion(self) -> dict[str, Any]:
        """The whole answer.

        Raises:
            TransientError: ``cut_off``, when the stream ended before the provider said that the answer was complete.
        """
        if self._finish_reason is None:
            raise TransientError("the stream ended before the answer did", reason="cut_off")
        message = {
            "content": "".join(self._text),
            "reasoning_content": "".join(self._reasoning),
            "refusal": "".join(self._refusal) or None,
            "tool_calls": self._calls,
        }
        return {"choices": [{"message": message, "finish_reason": self._finish_reason}], "usage": self._usage}

    def _take(self, delta: dict[str, Any]) -> None:
        for field, pieces in (
            ("content", self._text),
            ("reasoning_content", self._reasoning),
            ("reasoning", self._reasoning),
            ("refusal", self._refusal),
        ):
            if isinstance(delta.get(field), str):
                pieces.append(delta[field])
        for piece in delta.get("tool_calls") or ():
            if isinstance(piece, dict):
                self._take_call(piece)

    def _take_call(self, piece: dict[str, Any]) -> None:
        index = piece.get("index")
        call_id = piece.get("id")
        # Pieces of a call share its index; a provider that sends none sends each call whole, under an id of its own.
        call = self._call_at.get(index) if isinstance(index, int) else None
        if not isinstance(index, int) and not call_id and self._calls:
            call = self._calls[-1]
        if call is None:
            call = {"id": "", "function": {"name": "", "arguments": ""}}
            self._calls.append(call)
            if isinstance(index, int):
                self._call_at[index] = call
        if isinstance(call_id, str) and call_id:
            call["id"] = call_id
        function = piece.get("function")
        if isinstance(function, dict):
            if isinstance(function.get("name"), str) and function["name"]:
                call["function"]["name"] = function["name"]
            if isinstance(function.get("arguments"), str):
                call["function"]["arguments"] += function["arguments"]
