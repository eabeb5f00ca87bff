"""Requests to models on the wire: words in the header, media in the payload."""

from __future__ import annotations

from typing import Any, Final

from omnidetective.llm.messages import ChatRequest

_BYTES: Final = "\0bytes"


def pack(request: ChatRequest) -> tuple[dict[str, Any], bytes]:
    """A request as a header and a payload."""
    media: list[bytes] = []
    offset = 0

    def plain(value: Any) -> Any:
        nonlocal offset
        if isinstance(value, bytes):
            media.append(value)
            offset += len(value)
            return {_BYTES: [offset - len(value), offset]}
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value

    packed = plain(request.model_dump())
    return packed, b"".join(media)


def unpack(packed: dict[str, Any], payload: bytes) -> ChatRequest:
    """The request again.

    Raises:
        ValueError: it is none.
    """

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {_BYTES}:
                start, end = value[_BYTES]
                return payload[start:end]
            return {key: whole(inner) for key, inner in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    return ChatRequest.model_validate(whole(packed), strict=False)  # JSON has lists where the model has tuples.
