"""What calls cost: ``configs/prices.yaml``, dated and with sources. What is not in it is unknown, never free."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from omnidetective.errors import ConfigError
from omnidetective.llm.messages import TokenUsage
from omnidetective.resources import resource_root

_MILLION = Decimal(1_000_000)
_FREE_PROVIDERS = ("embedded:", "scripted:")


class Price(BaseModel):
    """One row of the price table. Money is US dollars; token prices are for a million tokens.

    Attributes:
        match: glob on ``provider:model``.
        host: glob on the host that serves it: the same model costs something else in another region or from a reseller.
        cached_prompt: price of prompt tokens read from the provider's cache; as ``prompt`` where absent.
        audio_prompt: price of prompt tokens that are sound; where present, the provider must report their number.
        audio_minute: price of a minute of sound, for recognisers that are not paid by token.
        max_prompt_tokens: the row holds up to this length of prompt; beyond, the price is unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    match: str
    host: str = "*"
    prompt: Decimal | None = None
    completion: Decimal | None = None
    cached_prompt: Decimal | None = None
    audio_prompt: Decimal | None = None
    audio_minute: Decimal | None = None
    max_prompt_tokens: int | None = None
    source: str
    date: date

    def fits(self, name: str) -> bool:
        """Whether it is for this ``provider:model``."""
        return fnmatchcase(name.lower(), self.match.lower())

    def serves(self, host: str) -> bool:
        """Whether it is for what this host serves."""
        return fnmatchcase(host, self.host)

    def of_tokens(self, usage: TokenUsage) -> Decimal | None:
        """The cost of a call in US dollars, or ``None`` where this row cannot tell."""
        if self.prompt is None or self.completion is None:
            return None
        if self.max_prompt_tokens is not None and usage.prompt_tokens > self.max_prompt_tokens:
            return None
        if self.audio_prompt is not None and usage.audio_prompt_tokens is None:
            return None
        audio = (usage.audio_prompt_tokens or 0) if self.audio_prompt is not None else 0
        cached = (usage.cached_prompt_tokens or 0) if self.cached_prompt is not None else 0
        plain = max(0, usage.prompt_tokens - audio - cached)
        total = (
            plain * self.prompt
            + audio * (self.audio_prompt or 0)
            + cached * (self.cached_prompt or 0)
            + usage.completion_tokens * self.completion
        )
        return total / _MILLION

    def of_audio(self, seconds: float) -> Decimal | None:
        """The cost of a transcription in US dollars, or ``None`` where it is not paid by the minute."""
        return None if self.audio_minute is None else self.audio_minute * Decimal(str(seconds)) / 60


_FREE = Price(
    match="*",
    prompt=Decimal(0),
    completion=Decimal(0),
    audio_minute=Decimal(0),
    source="runs here",
    date=date(2026, 1, 1),
)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    prices: tuple[Price, ...]


class PriceTable:
    """The rows in the order of the file; of those that match, the last one holds."""

    def __init__(self, rows: tuple[Price, ...]) -> None:
        self.rows = rows
        self._found: dict[tuple[str, str], Price | None] = {}

    def find(self, name: str, *, host: str = "") -> Price | None:
        """The price of ``provider:model`` at a host, or ``None`` when it is unknown."""
        if (name, host) not in self._found:
            self._found[name, host] = self._look_up(name, host)
        return self._found[name, host]

    def _look_up(self, name: str, host: str) -> Price | None:
        if name.startswith(_FREE_PROVIDERS):
            return _FREE
        fitting = [row for row in self.rows if row.fits(name) and row.serves(host)]
        return fitting[-1] if fitting else None


def load_prices(path: Path) -> PriceTable:
    """Reads a price table.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    try:
        return PriceTable(_File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).prices)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"cannot read the prices in {path}: {error}") from error


@cache
def built_in_prices() -> PriceTable:
    """``configs/prices.yaml``."""
    return load_prices(resource_root() / "configs" / "prices.yaml")


@cache
def prices_with(own: Path | None) -> PriceTable:
    """``configs/prices.yaml``, and after it the user's own rows (setting ``prices``), which are stronger.

    Raises:
        ConfigError: the user's file is missing or wrong.
    """
    return built_in_prices() if own is None else PriceTable((*built_in_prices().rows, *load_prices(own).rows))
