"""The error tree: complete, documented, and whole after crossing a process border."""

from __future__ import annotations

import pickle
from typing import get_args

import pytest

from omnidetective import errors
from omnidetective.errors import FailureOutcome, OmnidetectiveError, ProviderError, RateLimitError


def tree(cls: type[OmnidetectiveError]) -> list[type[OmnidetectiveError]]:
    return [cls, *(sub for child in cls.__subclasses__() for sub in tree(child))]


OWN = [cls for cls in tree(OmnidetectiveError) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", OWN, ids=lambda cls: cls.__name__)
def test_every_error_is_drawn_in_the_tree_and_has_a_known_outcome(cls: type[OmnidetectiveError]) -> None:
    assert cls.__name__ in (errors.__doc__ or "")
    assert cls.outcome in get_args(FailureOutcome)
    assert cls.default_reason == cls.default_reason.lower()


@pytest.mark.parametrize("cls", OWN, ids=lambda cls: cls.__name__)
def test_every_error_survives_pickling(cls: type[OmnidetectiveError]) -> None:
    error = cls("what", reason="why", hint="do this", retryable=True)
    if isinstance(error, ProviderError):
        error.status, error.retry_after_s, error.attempts = 429, 3.5, 4
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert again.__dict__ == error.__dict__
    assert str(again) == "what (do this)"


def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = RateLimitError("slow down", status=429, retry_after_s=2.0)
    assert (error.retryable, error.retry_after_s, error.outcome) == (True, 2.0, "provider_error")
