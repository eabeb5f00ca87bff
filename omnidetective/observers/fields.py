"""The settings of an observer as data: what ``observers show`` prints, wherever the settings model is."""

from __future__ import annotations

from omnidetective.frozen import Frozen
from omnidetective.observers.base import ObserverSettings


class SettingField(Frozen):
    """One setting: its value here as Python writes it, and the docstring of its field."""

    name: str
    value: str
    description: str


def fields_of(settings: ObserverSettings) -> tuple[SettingField, ...]:
    """All settings of an observer, in the order of its model."""
    return tuple(
        SettingField(
            name=name,
            value=repr(getattr(settings, name)),
            description=" ".join((info.description or "").split()),
        )
        for name, info in type(settings).model_fields.items()
    )
