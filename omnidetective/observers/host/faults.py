"""Errors as data: they keep their class and reason on the way between a worker and a host process."""

from __future__ import annotations

from typing import Final

from omnidetective import errors
from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError, ProviderError, StageTimeoutError
from omnidetective.frozen import Frozen

_MOST_CHARS: Final = 2000
_CLASSES: Final = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, OmnidetectiveError)
}


class PluginFailedError(ObserverUnavailableError):
    """An observer outside this process raised; ``reason`` is the class of what it raised."""

    default_reason = "plugin_failed"


class PluginDiedError(ObserverUnavailableError):
    """The process of an observer ended while it worked on the question."""

    default_reason = "plugin_died"


class Fault(Frozen):
    """An error. ``type`` is the nearest class of :mod:`omnidetective.errors`, or the name of a foreign one."""

    type: str
    message: str
    reason: str
    hint: str = ""
    retryable: bool = False
    status: int | None = None
    retry_after_s: float | None = None
    attempts: int = 1
    sent: bool = True
    stage: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        """The data of an error."""
        message = _clean(error.message if isinstance(error, OmnidetectiveError) else str(error))
        if not isinstance(error, OmnidetectiveError):
            name = type(error).__name__
            return cls(type=name, message=message or name, reason=name)
        known = next(kind for kind in type(error).__mro__ if _CLASSES.get(kind.__name__) is kind)
        fault = cls(
            type=known.__name__,
            message=message,
            reason=_clean(error.reason),
            hint=_clean(error.hint),
            retryable=error.retryable,
        )
        if isinstance(error, ProviderError):
            return fault.model_copy(
                update={
                    "status": error.status,
                    "retry_after_s": error.retry_after_s,
                    "attempts": error.attempts,
                    "sent": error.sent,
                }
            )
        return fault.model_copy(update={"stage": error.stage}) if isinstance(error, StageTimeoutError) else fault

    def error(self) -> OmnidetectiveError:
        """The error again; a foreign one as :class:`PluginFailedError`."""
        kind = _CLASSES.get(self.type)
        if kind is None:
            return PluginFailedError(self.message, reason=self.reason)
        made = kind(self.message, reason=self.reason, hint=self.hint, retryable=self.retryable)
        if isinstance(made, ProviderError):
            made.status, made.retry_after_s, made.sent = self.status, self.retry_after_s, self.sent
            made.attempts = self.attempts
        if isinstance(made, StageTimeoutError):
            made.stage = self.stage
        return made


def _clean(text: str) -> str:
    """Text that can be written as UTF-8, and is no novel: a plugin's error says anything."""
    return str(text)[:_MOST_CHARS].encode("utf-8", "backslashreplace").decode()
