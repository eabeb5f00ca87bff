"""The border where what an observer returned becomes an observation, or an error that says why not."""

from __future__ import annotations

from omnidetective.errors import ObserverUnavailableError
from omnidetective.records import Observation

_MAX_ANSWER_CHARS = 100_000
_MAX_BYTES = 4 << 20


class BadObservationError(ObserverUnavailableError):
    """The observer returned something that is no observation."""

    default_reason = "bad_observation"


def checked(answer: object) -> Observation:
    """What an observer returned, as it can be written to a record.

    Raises:
        BadObservationError: it is of another type, empty, too long, or cannot be written as UTF-8 JSON.
    """
    if not isinstance(answer, Observation):
        raise BadObservationError(f"returned a {type(answer).__name__}, not an Observation")
    if answer.error is None and not str(answer.answer).strip():
        raise BadObservationError("returned an empty answer")
    if len(answer.answer) > _MAX_ANSWER_CHARS:
        raise BadObservationError(f"returned {len(answer.answer):,} characters, more than {_MAX_ANSWER_CHARS:,}")
    # A plugin can build a model around its own checks; what cannot be written as JSON must not reach the record.
    try:
        line = answer.model_dump_json(warnings="error")
        if len(line) > _MAX_BYTES:
            raise BadObservationError(f"returned an observation of {len(line):,} bytes, more than {_MAX_BYTES:,}")
        return Observation.model_validate_json(line)
    except ValueError as error:
        raise BadObservationError(f"returned an observation that is not valid: {error}") from error
