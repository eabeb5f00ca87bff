"""Everything that can go wrong, as one tree that says what happens next.

::

    OmnidetectiveError
    ├── UserError                    the user must mend it: one line, no traceback, exit status 2
    │   ├── ConfigError              a setting, a workflow or a model set is wrong
    │   └── PromptError              a prompt file is wrong, or was rendered with the wrong variables
    ├── ClipError                    this clip cannot be done; the run goes on
    │   ├── RowError                 the input row says nothing usable
    │   ├── MediaError               the media cannot be read, or may not be
    │   ├── NoCandidatesError        nobody could say anything about the clip
    │   ├── BudgetSpentError         the clip's budget is gone before anything was learnt
    │   ├── ClipTimeoutError         the clip's time is up
    │   │   └── StageTimeoutError    the time of one stage of it is up
    │   └── CrashError               the process that worked on it died
    ├── ProviderError                a model call ended without an answer
    │   ├── AuthError                key missing, wrong or without access: never retried
    │   ├── QuotaError               the account is out of money or quota: never retried
    │   ├── MissingModelError        the provider does not know the model: never retried
    │   ├── BadRequestError          the request is wrong for this model: never retried
    │   │   └── ContextLengthError   it is longer than the model's context
    │   ├── ContentFilterError       the provider refused this content: never retried
    │   ├── RateLimitError           too many requests: retried, after ``retry_after_s`` where it is given
    │   ├── TransientError           server error, reset connection, time-out: retried
    │   └── FormatError              the answer came and is not in the form asked for: repaired, not retried
    ├── BudgetReachedError           the run's money is spent: the clip is left as not started
    └── ObserverUnavailableError     a tool cannot work here; the detective is told so and goes on

A class says what happens next; ``reason`` is a stable code for programs; the message is for people.
Classify by type and status code, never by the words of a message.
"""

from __future__ import annotations

from typing import ClassVar, Literal

FailureOutcome = Literal[
    "invalid_media",  # the row or its media cannot be used, whatever is tried
    "no_candidates",  # nobody could say anything about the clip
    "provider_error",  # a model that the clip needs did not answer
    "over_budget",  # the money, token or inquiry budget ended before anything was learnt
    "timed_out",  # the clip's time was up
    "crashed",  # the process that worked on it died
    "refused",  # a provider refused the content
    "internal",  # a fault of this program: please report it
]
"""How a clip can fail; the closed set of the record contract (DESIGN §5)."""


class OmnidetectiveError(Exception):
    """Root of the tree.

    Attributes:
        reason: stable code in lower_snake_case, for programs and statistics.
        hint: what the user can do next; empty when there is nothing.
        retryable: whether the same thing can succeed later without a change by the user.
    """

    outcome: ClassVar[FailureOutcome] = "internal"
    default_reason: ClassVar[str] = "internal"
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str = "",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.hint = hint
        self.retryable = self.default_retryable if retryable is None else retryable

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders; keyword-only arguments do not survive the default pickling.
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(cls: type[OmnidetectiveError], message: str, state: dict[str, object]) -> OmnidetectiveError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class UserError(OmnidetectiveError):
    """The user must mend something; shown without a traceback."""

    default_reason = "usage"


class ConfigError(UserError):
    """A setting, a workflow or a model set is wrong."""

    default_reason = "configuration"


class PromptError(UserError):
    """A prompt file is wrong, or was rendered with missing or unknown variables."""

    default_reason = "prompt"


class ClipError(OmnidetectiveError):
    """This clip cannot be done; the run goes on."""


class RowError(ClipError):
    """The input row says nothing usable: invalid JSON, no media key, a duplicate id."""

    outcome: ClassVar[FailureOutcome] = "invalid_media"
    default_reason = "invalid_row"


class MediaError(ClipError):
    """The media cannot be read (missing, damaged, no stream) or may not be (outside the roots, private address)."""

    outcome: ClassVar[FailureOutcome] = "invalid_media"
    default_reason = "unreadable"


class NoCandidatesError(ClipError):
    """Nobody could say anything about the clip."""

    outcome: ClassVar[FailureOutcome] = "no_candidates"
    default_reason = "no_candidates"
    default_retryable = True


class BudgetSpentError(ClipError):
    """The clip's budget was gone before anything was learnt."""

    outcome: ClassVar[FailureOutcome] = "over_budget"
    default_reason = "over_budget"
    default_retryable = True


class BudgetReachedError(OmnidetectiveError):
    """The run's money does not allow the call. Nothing is known against the clip: it is left as not started."""

    outcome: ClassVar[FailureOutcome] = "over_budget"
    default_reason = "max_cost"
    default_retryable = True


class ClipTimeoutError(ClipError):
    """The clip's time was up before anything was learnt."""

    outcome: ClassVar[FailureOutcome] = "timed_out"
    default_reason = "clip_timeout"
    default_retryable = True


class StageTimeoutError(ClipTimeoutError):
    """A stage was not done within its time.

    Attributes:
        stage: its name.
    """

    default_reason = "stage_timeout"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str = "",
        retryable: bool | None = None,
        stage: str = "",
    ) -> None:
        super().__init__(message, reason=reason, hint=hint, retryable=retryable)
        self.stage = stage


class CrashError(ClipError):
    """The process that worked on the clip died, twice; the second time it worked on nothing else."""

    outcome: ClassVar[FailureOutcome] = "crashed"
    default_reason = "worker_died"
    default_retryable = True


class ProviderError(OmnidetectiveError):
    """A model call ended without an answer.

    Attributes:
        status: HTTP status, when there was one.
        retry_after_s: how long the provider asked to wait, when it did.
        attempts: how many times the call was made before giving up (filled in by the retry layer).
        sent: whether the request may have reached the provider; where it did not, it cost nothing.
    """

    outcome: ClassVar[FailureOutcome] = "provider_error"
    default_reason = "provider"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str = "",
        retryable: bool | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(message, reason=reason, hint=hint, retryable=retryable)
        self.status = status
        self.retry_after_s = retry_after_s
        self.attempts = 1
        self.sent = sent


class AuthError(ProviderError):
    """The key is missing, wrong, or has no access. Stops the run: the next call would fail the same way."""

    default_reason = "auth"


class QuotaError(ProviderError):
    """The account has no money or quota left. Stops the run."""

    default_reason = "quota"
    default_retryable = True


class MissingModelError(ProviderError):
    """The provider does not know the model. Stops the run."""

    default_reason = "missing_model"


class BadRequestError(ProviderError):
    """The request is wrong for this model: too long, an unsupported part, a bad parameter."""

    default_reason = "bad_request"


class ContextLengthError(BadRequestError):
    """The request is longer than the model's context: a shorter one would be answered."""

    default_reason = "context_length"


class ContentFilterError(ProviderError):
    """The provider refused this content."""

    outcome: ClassVar[FailureOutcome] = "refused"
    default_reason = "content_filter"


class RateLimitError(ProviderError):
    """Too many requests or tokens per minute."""

    default_reason = "rate_limit"
    default_retryable = True


class TransientError(ProviderError):
    """Server error, reset connection, time-out: the same call can succeed later."""

    default_reason = "transient"
    default_retryable = True


class FormatError(ProviderError):
    """The model answered, but not in the form asked for, and repairing did not help."""

    default_reason = "format"
    default_retryable = True


class ObserverUnavailableError(OmnidetectiveError):
    """A tool cannot work here: no weights, no package, no model for its role, no such stream in the clip."""

    default_reason = "unavailable"
