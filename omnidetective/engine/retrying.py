"""Which of the clips that failed in an earlier run are tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from omnidetective.errors import ConfigError

_MOST_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Retry:
    """A choice of failures.

    Attributes:
        reasons: only those with one of these reasons; any, where there are none.
        ids: only those of these clips; any, where there are none.
    """

    reasons: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    def holds(self, clip_id: str, reason: str) -> bool:
        """Whether a clip that failed is chosen."""
        return (not self.ids or clip_id in self.ids) and (not self.reasons or reason in self.reasons)

    def check(self, failed: Mapping[str, int], missing: Sequence[str]) -> None:
        """Refuse a choice of what is not there.

        Args:
            failed: reason → how many clips have failed for it.
            missing: those of the chosen ids that have not failed.

        Raises:
            ConfigError: nothing has failed for a reason, or an id has not failed.
        """
        there = ", ".join(
            f"{count:,} {reason}" for reason, count in sorted(failed.items(), key=lambda r: (-r[1], r[0]))
        )
        hint = f"clips that failed: {there}" if there else "no clip has failed"
        if unknown := sorted(self.reasons - set(failed)):
            raise ConfigError(f"--only: nothing failed with the reason {_named(unknown)}", hint=hint)
        if missing:
            raise ConfigError(f"--id: there is no failure of {_named(missing)}", hint=hint)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_SHOWN]))
    return f"{shown} and {len(names) - _MOST_SHOWN:,} more" if len(names) > _MOST_SHOWN else shown
