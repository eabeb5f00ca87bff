"""What a model set says: who plays which role, and how to reach them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from omnidetective.nearest import did_you_mean
from omnidetective.section import Section
from omnidetective.settings import ModelLimits

Provider = Literal["openai", "dashscope", "scripted", "embedded"]
Dialect = Literal["openai", "dashscope", "vllm"]

TEXT_ROLES = frozenset({"integrator", "verifier", "auditor", "refiner", "judge"})
"""The roles of the caption stages: any chat model can play them."""

INSTEAD: Mapping[str, tuple[str, ...]] = {
    "router": ("agent", "frame_captioner", "omni_llm"),
    "agent": ("frame_captioner", "omni_llm"),
}
"""Roles that see pictures, and by whom each is played where the model set does not name it: the first of these."""

ROLES = frozenset({*TEXT_ROLES, *INSTEAD})
"""The roles that can be played without being named."""


class ModelSpec(Section):
    """One model of a model set, and how to reach it."""

    provider: Provider
    """Which provider speaks to it; `embedded` is the rule-driven cast that needs no model."""
    model: str | None = None
    """Name of the model, as the provider knows it."""
    model_env: str | None = None
    """Environment variable that names the model, stronger than `model`. Neither set: the server's first model."""
    base_url: str | None = None
    """Address of the endpoint, when it is not the provider's own."""
    base_url_env: str | None = None
    """Environment variable that holds the address, stronger than `base_url`."""
    api_key_env: str | None = None
    """Environment variable that holds the key. Unset: the endpoint needs none."""
    api_key_optional: bool = False
    """The endpoint may work without the key that `api_key_env` names."""
    dialect: Dialect | None = None
    """Whose flavour of the OpenAI interface it speaks: error codes differ. Unset: known by the host, else `openai`."""
    capabilities: dict[str, Any] = Field(default_factory=dict)
    """What the model can take and give, where configs/capabilities.yaml does not know."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Extra fields of every request to it (temperature, reasoning_effort, …)."""
    limits: ModelLimits = ModelLimits()
    """What the provider allows; `limits.models` of the settings is stronger."""
    replies: Path | None = None
    """For `scripted`: a JSONL file of recorded replies."""


class ModelSet(Section):
    """Who plays which role: the cast."""

    name: str
    description: str
    needs_env: tuple[str, ...] = ()
    """Environment variables without which the set cannot work."""
    models: dict[str, ModelSpec]
    roles: dict[str, str]
    """Role (detective, integrator, auditor, audio_llm, frame_captioner, …) → key in `models`. A role of the caption
    stages that is not named is played by the detective's model, `router` and `agent` by the frame captioner's."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings that this cast wants, weaker than the user's."""

    def model_post_init(self, _context: Any) -> None:
        for role, key in self.roles.items():
            if key not in self.models:
                raise ValueError(
                    f"role {role!r} names the model {key!r}, which is not under models{did_you_mean(key, self.models)}"
                )

    def key(self, role: str) -> str:
        """The key in ``models`` of who plays a role; empty where nobody does."""
        instead = ("detective",) if role in TEXT_ROLES else INSTEAD.get(role, ())
        return next((self.roles[name] for name in (role, *instead) if name in self.roles), "")

    def spec(self, role: str) -> ModelSpec | None:
        """The model that plays a role, or ``None`` where nobody does."""
        return self.models.get(self.key(role))
