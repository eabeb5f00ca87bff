"""A run and the output that it goes on with agree about what records are made under, or the run is refused."""

from __future__ import annotations

from omnidetective.config import Config
from omnidetective.engine.conditions import conditions_of, difference, difference_from_record, refusal, to_text
from omnidetective.engine.ledger import Ledger


def agree(ledger: Ledger, config: Config, *, allow_changed: bool) -> None:
    """Refuse to go on with records that were made with another configuration, unless that is allowed.

    Raises:
        ConfigError: it is another one; the message shows the difference.
    """
    now = conditions_of(config)
    if ledger.configuration:
        found = difference(ledger.configuration, now)
    else:
        found = difference_from_record(ledger.last_record() or b"", config, now)
    if found and not allow_changed:
        raise refusal(found)
    ledger.note_configuration(to_text(now))
