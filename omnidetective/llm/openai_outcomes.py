"""The one normalizer of OpenAI-compatible endpoints: from what came back to a reply or an error. Pure.

What each error code means is in :mod:`omnidetective.llm.error_codes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from omnidetective.errors import (
    AuthError,
    BadRequestError,
    MissingModelError,
    ProviderError,
    QuotaError,
    TransientError,
)
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.error_codes import kind_of
from omnidetective.llm.messages import ChatReply, ReplyOutcome, TokenUsage
from omnidetective.records import FunctionCall, ToolCall


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What an error body says, whichever of the common shapes it has."""

    code: str = ""
    type: str = ""
    param: str = ""
    message: str = ""


def read_error(body: object) -> ErrorFacts:
    """The facts in an error body.

    Knows ``{"error": {…}}`` (OpenAI), ``{"code", "message"}`` (DashScope), ``{"object": "error", …}`` (older vLLM),
    ``{"error": "text"}`` and ``{"detail": …}`` (FastAPI), and plain text.
    """
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if not isinstance(inner, Mapping):
            return ErrorFacts(message=str(inner))
        words = {key: inner.get(key) for key in ("code", "type", "param")}
        message = inner.get("message") or inner.get("detail") or ""
        return ErrorFacts(**{k: str(v) for k, v in words.items() if v is not None}, message=str(message))
    return ErrorFacts(message=body if isinstance(body, str) else "")


def error_of(
    facts: ErrorFacts,
    *,
    endpoint: Endpoint,
    model: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProviderError:
    """The error that an answer from the provider stands for."""
    if status is None and facts.code.isdecimal():
        # An error in a stream has no status line; servers put its number where the code belongs.
        status = int(facts.code)
    kind, reason = kind_of(
        code=facts.code, type_=facts.type, param=facts.param, dialect=endpoint.dialect, status=status
    )
    if kind is BadRequestError and facts.param.startswith("response_format"):
        reason = "unsupported_response_format"
    said = endpoint.quote(facts.message) or "no message"
    where = f"HTTP {status}" if status is not None else "in the stream"
    code = f" {endpoint.quote(facts.code or facts.type)}" if facts.code or facts.type else ""
    return kind(
        f"{model} at {endpoint.host}: {where}{code}: {said}",
        reason=reason,
        hint=_hint(kind, reason, endpoint),
        status=status,
        retry_after_s=retry_after_s(headers or {}),
    )


def _hint(kind: type[ProviderError], reason: str, endpoint: Endpoint) -> str:
    if kind is AuthError:
        key = endpoint.key_env or "the API key"
        region = (
            "; DashScope keys are bound to a region, see DASHSCOPE_BASE_URL" if endpoint.dialect == "dashscope" else ""
        )
        return f"check {key}{region}"
    if kind is QuotaError:
        return "the account has no money or quota left: see the provider's billing page"
    if reason == "not_found":
        return "check the address and the name of the model"
    if kind is MissingModelError:
        return "check the name of the model in the model set"
    if reason == "context_length":
        return "the request is longer than the model's context"
    return ""


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """How long the provider asks to wait: ``retry-after-ms``, or ``Retry-After`` in seconds or as an HTTP date."""
    lower = {key.lower(): value for key, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(lower.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        when = parsedate_to_datetime(lower.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def reply_of(completion: object, *, endpoint: Endpoint, model: str, seconds: float) -> ChatReply:
    """The reply in a completion, streamed and put together or not.

    Raises:
        ProviderError: an error inside a 200, or something that is no completion.
    """
    if not isinstance(completion, Mapping):
        raise TransientError(
            f"{model} at {endpoint.host}: the answer is no JSON object", reason="bad_response", status=200
        )
    if completion.get("error"):
        raise error_of(read_error(completion), endpoint=endpoint, model=model, status=None)
    choices = completion.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        if completion.get("code"):
            raise error_of(read_error(completion), endpoint=endpoint, model=model, status=None)
        raise TransientError(
            f"{model} at {endpoint.host}: the answer holds no choice", reason="bad_response", status=200
        )
    message = choices[0].get("message")
    if not isinstance(message, Mapping):
        raise TransientError(
            f"{model} at {endpoint.host}: the answer holds no message", reason="bad_response", status=200
        )
    finish_reason = choices[0].get("finish_reason")
    text = _text(message.get("content"))
    calls = tuple(_tool_calls(message.get("tool_calls")))
    refusal = message.get("refusal")
    return ChatReply(
        outcome="blocked" if refusal and not text else outcome_of(finish_reason, text=text, calls=calls),
        text=text or (refusal if isinstance(refusal, str) else ""),
        tool_calls=calls,
        finish_reason=finish_reason if isinstance(finish_reason, str) else None,
        usage=usage_of(completion.get("usage")),
        model=model,
        seconds=seconds,
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
    )


def outcome_of(finish_reason: object, *, text: str, calls: tuple[ToolCall, ...]) -> ReplyOutcome:
    """How an answered call ended."""
    if finish_reason == "length":
        return "truncated"
    if finish_reason == "content_filter":
        return "blocked"
    return "ok" if text.strip() or calls else "empty"


def usage_of(usage: object) -> TokenUsage | None:
    """Tokens as reported, or ``None`` when they are not, or not as numbers."""
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, Mapping) else {}
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_prompt_tokens=_count(details.get("cached_tokens")),
        audio_prompt_tokens=_count(details.get("audio_tokens")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(item.get("text") or "") for item in content if isinstance(item, Mapping))
    return ""


def _tool_calls(calls: object) -> list[ToolCall]:
    found: list[ToolCall] = []
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        function: Any = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            # Some servers send the arguments as an object; the protocol's form is JSON text.
            arguments = "" if arguments is None else json.dumps(arguments)
        found.append(
            ToolCall(
                id=str(call.get("id") or f"call_{number}"),
                function=FunctionCall(name=str(function.get("name") or ""), arguments=arguments),
            )
        )
    return found
