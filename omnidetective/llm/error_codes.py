"""What the error codes of providers mean. Data, and one look-up.

An error is classified by the provider's own code, then its type, then the parameter it names, then the HTTP status;
never by the words of a message. Sources: https://developers.openai.com/api/docs/guides/error-codes,
https://help.aliyun.com/en/model-studio/error-code, vLLM (``ErrorInfo``: ``param`` is ``input_tokens`` when the context
is too short), llama.cpp (``exceed_context_size_error``).
"""

from __future__ import annotations

from collections.abc import Mapping

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
from omnidetective.model_sets import Dialect

Kind = tuple[type[ProviderError], str]

_AUTH: Kind = (AuthError, "invalid_key")
_NO_ACCESS: Kind = (AuthError, "no_access")
_QUOTA: Kind = (QuotaError, "quota")
_RATE: Kind = (RateLimitError, "rate_limit")
_TOKEN_RATE: Kind = (RateLimitError, "token_rate_limit")
_SERVER: Kind = (TransientError, "server_error")
_OVERLOADED: Kind = (TransientError, "overloaded")
_SLOW: Kind = (TransientError, "timeout")
_CONTEXT: Kind = (ContextLengthError, "context_length")
_FILTER: Kind = (ContentFilterError, "content_filter")
_NO_MODEL: Kind = (MissingModelError, "missing_model")
_BAD: Kind = (BadRequestError, "bad_request")

# Keys are compared without case, "_" and "-"; a dotted code is looked up whole, then by its first part.
_BY_CODE: Mapping[str, Kind] = {
    "invalidapikey": _AUTH,
    "incorrectapikey": _AUTH,
    "accountdeactivated": _NO_ACCESS,
    "accessdenied": _NO_ACCESS,
    "model.accessdenied": _NO_ACCESS,
    "unsupportedcountryregionterritory": _NO_ACCESS,
    "insufficientquota": _QUOTA,
    "billinghardlimitreached": _QUOTA,
    "billingnotactive": _QUOTA,
    "arrearage": _QUOTA,
    "allocationquota.freetieronly": _QUOTA,
    "ratelimitexceeded": _RATE,
    "limitrequests": _RATE,
    "limitburstrate": _RATE,
    "throttling": _RATE,
    "throttling.allocationquota": _TOKEN_RATE,
    "modelnotfound": _NO_MODEL,
    "modelnotexist": _NO_MODEL,
    "contextlengthexceeded": _CONTEXT,
    "contentfilter": _FILTER,
    "contentpolicyviolation": _FILTER,
    "datainspectionfailed": _FILTER,
    "internalerror": _SERVER,
    "servererror": _SERVER,
    "requesttimeout": _SLOW,
    "modelservingerror": _SERVER,
    "serviceunavailable": _OVERLOADED,
    "modelunavailable": _OVERLOADED,
    "invalidparameter": _BAD,
    "unsupportedparameter": _BAD,
    "unsupportedvalue": _BAD,
}

_BY_DIALECT: Mapping[Dialect, Mapping[str, Kind]] = {
    # DashScope says "insufficient_quota" when the tokens of this minute are used up: it passes.
    "dashscope": {"insufficientquota": _TOKEN_RATE},
}

_BY_TYPE: Mapping[str, Kind] = {
    **{key: _BY_CODE[key] for key in ("insufficientquota", "arrearage", "datainspectionfailed", "internalerror")},
    "authenticationerror": _AUTH,
    "permissionerror": _NO_ACCESS,
    "permissiondeniederror": _NO_ACCESS,
    "notfounderror": _NO_MODEL,
    "ratelimiterror": _RATE,
    "tokens": _TOKEN_RATE,
    "requests": _RATE,
    "exceedcontextsizeerror": _CONTEXT,
    "overloadederror": _OVERLOADED,
    "unavailableerror": _OVERLOADED,
    "servererror": _SERVER,
}

_BY_STATUS: Mapping[int, Kind] = {
    401: _AUTH,
    402: _QUOTA,
    403: _NO_ACCESS,
    404: (MissingModelError, "not_found"),
    408: _SLOW,
    409: _SERVER,
    413: (BadRequestError, "too_large"),
    425: _OVERLOADED,
    429: _RATE,
    503: _OVERLOADED,
    504: _SLOW,
    529: _OVERLOADED,
}


def kind_of(*, code: str, type_: str, param: str, dialect: Dialect, status: int | None) -> Kind:
    """The class and the reason of an error.

    Args:
        code: the provider's code; then its ``type_``; then the ``param`` it names; empty where there is none.
        status: the HTTP status, ``None`` for an error inside a stream.
    """
    special = _BY_DIALECT.get(dialect, {})
    for table, word in ((_BY_CODE, code), (_BY_TYPE, type_)):
        whole = _plain(word)
        for key in (whole, whole.partition(".")[0]):
            if key in special:
                return special[key]
            if key in table:
                return table[key]
    if param == "input_tokens" and status == 400:
        return _CONTEXT
    if status is None:
        return _SERVER
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return _SERVER if status >= 500 else _BAD


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
