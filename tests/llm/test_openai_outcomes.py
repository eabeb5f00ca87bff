"""The normalizer as a table: what came back, and what it means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from omnidetective.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    ContextLengthError,
    MissingModelError,
    ProviderError,
    QuotaError,
    RateLimitError,
    TransientError,
)
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import TokenUsage
from omnidetective.llm.openai_outcomes import error_of, read_error, reply_of, retry_after_s, usage_of

OPENAI = Endpoint("openai", "https://api.openai.com/v1", "sk-secret", "OPENAI_API_KEY")
DASHSCOPE = Endpoint("dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1", "sk-secret", "DASHSCOPE_API_KEY")
VLLM = Endpoint("vllm", "http://gpu:8000/v1")


@pytest.mark.parametrize(
    ("endpoint", "status", "body", "error", "reason"),
    [
        # OpenAI
        (OPENAI, 401, {"error": {"code": "invalid_api_key"}}, AuthError, "invalid_key"),
        (OPENAI, 401, {}, AuthError, "invalid_key"),
        (OPENAI, 403, {"error": {"code": "unsupported_country_region_territory"}}, AuthError, "no_access"),
        (OPENAI, 429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}, QuotaError, "quota"),
        (OPENAI, 429, {"error": {"code": "billing_hard_limit_reached"}}, QuotaError, "quota"),
        (OPENAI, 429, {"error": {"code": "rate_limit_exceeded", "type": "tokens"}}, RateLimitError, "rate_limit"),
        (OPENAI, 429, {"error": {"code": None, "type": "tokens"}}, RateLimitError, "token_rate_limit"),
        (OPENAI, 429, {}, RateLimitError, "rate_limit"),
        (OPENAI, 404, {"error": {"code": "model_not_found"}}, MissingModelError, "missing_model"),
        (OPENAI, 403, {"error": {"code": "model_not_found"}}, MissingModelError, "missing_model"),
        (OPENAI, 404, {"detail": "Not Found"}, MissingModelError, "not_found"),
        (OPENAI, 400, {"error": {"code": "context_length_exceeded"}}, ContextLengthError, "context_length"),
        (OPENAI, 400, {"error": {"code": "content_policy_violation"}}, ContentFilterError, "content_filter"),
        (OPENAI, 400, {"error": {"code": "content_filter"}}, ContentFilterError, "content_filter"),
        (OPENAI, 400, {"error": {"param": "response_format"}}, BadRequestError, "unsupported_response_format"),
        (OPENAI, 400, {"error": {"param": "response_format.x"}}, BadRequestError, "unsupported_response_format"),
        (OPENAI, 400, {"error": {"code": "unsupported_value", "param": "temperature"}}, BadRequestError, "bad_request"),
        (OPENAI, 422, {"detail": [{"loc": ["body"]}]}, BadRequestError, "bad_request"),
        (OPENAI, 413, "Request Entity Too Large", BadRequestError, "too_large"),
        (OPENAI, 500, {"error": {"type": "server_error"}}, TransientError, "server_error"),
        (OPENAI, 502, "<html>bad gateway</html>", TransientError, "server_error"),
        (OPENAI, 503, {}, TransientError, "overloaded"),
        (OPENAI, 504, {}, TransientError, "timeout"),
        (OPENAI, 408, {}, TransientError, "timeout"),
        (OPENAI, 402, {}, QuotaError, "quota"),
        # DashScope, in its own words and in OpenAI's
        (DASHSCOPE, 429, {"error": {"code": "insufficient_quota"}}, RateLimitError, "token_rate_limit"),
        (DASHSCOPE, 429, {"error": {"code": None, "type": "insufficient_quota"}}, RateLimitError, "token_rate_limit"),
        (DASHSCOPE, 429, {"error": {"code": "limit_requests"}}, RateLimitError, "rate_limit"),
        (DASHSCOPE, 429, {"error": {"code": "limit_burst_rate"}}, RateLimitError, "rate_limit"),
        (DASHSCOPE, 429, {"code": "Throttling", "message": "x"}, RateLimitError, "rate_limit"),
        (DASHSCOPE, 429, {"code": "Throttling.RateQuota", "message": "x"}, RateLimitError, "rate_limit"),
        (DASHSCOPE, 429, {"code": "Throttling.BurstRate", "message": "x"}, RateLimitError, "rate_limit"),
        (DASHSCOPE, 429, {"code": "Throttling.AllocationQuota", "message": "x"}, RateLimitError, "token_rate_limit"),
        (DASHSCOPE, 403, {"code": "AllocationQuota.FreeTierOnly", "message": "x"}, QuotaError, "quota"),
        (DASHSCOPE, 400, {"error": {"code": "Arrearage"}}, QuotaError, "quota"),
        (DASHSCOPE, 400, {"code": "Arrearage", "message": "x"}, QuotaError, "quota"),
        (DASHSCOPE, 400, {"code": "DataInspectionFailed", "message": "x"}, ContentFilterError, "content_filter"),
        (DASHSCOPE, 400, {"error": {"code": "data_inspection_failed"}}, ContentFilterError, "content_filter"),
        (DASHSCOPE, 400, {"code": "InvalidParameter", "message": "x"}, BadRequestError, "bad_request"),
        (DASHSCOPE, 401, {"code": "InvalidApiKey", "message": "x"}, AuthError, "invalid_key"),
        (DASHSCOPE, 403, {"code": "AccessDenied", "message": "x"}, AuthError, "no_access"),
        (DASHSCOPE, 403, {"code": "AccessDenied.Unpurchased", "message": "x"}, AuthError, "no_access"),
        (DASHSCOPE, 404, {"code": "ModelNotFound", "message": "x"}, MissingModelError, "missing_model"),
        (DASHSCOPE, 404, {"error": {"code": "model_not_found"}}, MissingModelError, "missing_model"),
        (DASHSCOPE, 408, {"code": "RequestTimeOut", "message": "x"}, TransientError, "timeout"),
        (DASHSCOPE, 500, {"code": "InternalError.Algo", "message": "x"}, TransientError, "server_error"),
        (DASHSCOPE, 500, {"code": "InternalError", "message": "x"}, TransientError, "server_error"),
        # vLLM and llama.cpp
        (VLLM, 400, {"error": {"param": "input_tokens", "code": 400}}, ContextLengthError, "context_length"),
        (VLLM, 400, {"error": {"type": "exceed_context_size_error"}}, ContextLengthError, "context_length"),
        (VLLM, 400, {"object": "error", "type": "BadRequestError", "code": 400}, BadRequestError, "bad_request"),
        (VLLM, 404, {"error": {"type": "NotFoundError", "code": 404}}, MissingModelError, "missing_model"),
        (VLLM, 503, {"error": {"type": "unavailable_error", "code": 503}}, TransientError, "overloaded"),
        # In a stream there is no status: the code may be one
        (VLLM, None, {"error": {"code": 400, "message": "x"}}, BadRequestError, "bad_request"),
        (VLLM, None, {"error": "text"}, TransientError, "server_error"),
    ],
)  # fmt: skip
def test_errors(endpoint: Endpoint, status: int | None, body: object, error: type[ProviderError], reason: str) -> None:
    found = error_of(read_error(body), endpoint=endpoint, model="m", status=status)
    assert (type(found), found.reason) == (error, reason)
    assert found.retryable is error.default_retryable


@pytest.mark.parametrize(
    "words", ["rate limit reached", "failed to generate", "insufficient_quota", "context length", "Invalid API key"]
)
def test_words_of_a_message_decide_nothing(words: str) -> None:
    found = error_of(read_error({"error": {"message": words}}), endpoint=OPENAI, model="m", status=400)
    assert (type(found), found.reason) == (BadRequestError, "bad_request")


def test_the_message_is_short_and_without_secrets() -> None:
    said = "key sk-secret is wrong for data:image/jpeg;base64," + "QUJD" * 4000 + "\nand so on " + "x " * 500
    found = error_of(read_error({"error": {"message": said}}), endpoint=OPENAI, model="m", status=401)
    assert "sk-secret" not in str(found)
    assert "QUJDQUJD" not in str(found)
    assert len(str(found)) < 500
    assert "\n" not in str(found)
    assert "OPENAI_API_KEY" in found.hint


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=datetime(2026, 11, 21, 12, 0, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, TokenUsage(prompt_tokens=3, completion_tokens=2)),
        (
            {
                "prompt_tokens": 30,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 20},
            },
            TokenUsage(prompt_tokens=30, completion_tokens=2, cached_prompt_tokens=8, audio_prompt_tokens=20),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": None},
            TokenUsage(prompt_tokens=3, completion_tokens=2),
        ),
        ({"prompt_tokens": 3}, None),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": True, "completion_tokens": 2}, None),
        (None, None),
        ("many", None),
    ],
)
def test_usage(usage: object, expected: TokenUsage | None) -> None:
    assert usage_of(usage) == expected


@pytest.mark.parametrize(
    ("message", "finish_reason", "outcome", "text"),
    [
        ({"content": "yes"}, "stop", "ok", "yes"),
        ({"content": "yes"}, None, "ok", "yes"),
        ({"content": [{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}]}, "stop", "ok", "yes"),
        ({"content": None, "refusal": "I cannot."}, "stop", "blocked", "I cannot."),
        ({"content": "ye"}, "length", "truncated", "ye"),
        ({"content": None, "tool_calls": []}, "tool_calls", "empty", ""),
    ],
)
def test_replies(message: dict[str, Any], finish_reason: str | None, outcome: str, text: str) -> None:
    completion = {"choices": [{"message": message, "finish_reason": finish_reason}]}
    reply = reply_of(completion, endpoint=OPENAI, model="openai:m", seconds=0.1)
    assert (reply.outcome, reply.text) == (outcome, text)


def test_odd_tool_calls() -> None:
    calls = [
        {"function": {"name": "ask", "arguments": {"observer": "asr"}}},
        {"id": "c2", "function": {"name": None, "arguments": None}},
        "nonsense",
    ]
    completion = {"choices": [{"message": {"content": "", "tool_calls": calls}, "finish_reason": "tool_calls"}]}
    found = reply_of(completion, endpoint=OPENAI, model="openai:m", seconds=0.1).tool_calls
    assert [(c.id, c.function.name, c.function.arguments) for c in found] == [
        ("call_0", "ask", '{"observer": "asr"}'),
        ("c2", "", ""),
    ]
