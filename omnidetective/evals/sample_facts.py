"""What :mod:`omnidetective.evals.sample_text` says of a caption; apart from it, since it takes long to import."""

from __future__ import annotations

from omnidetective.frozen import Frozen

KINDS = ("words", "text", "cuts", "sounds", "languages")
"""Kinds of fact."""


class Share(Frozen):
    """How much of one kind of fact is told."""

    told: int
    known: int


class Unsupported(Frozen):
    """One statement that the truth does not bear out: where it stands, verbatim, and why it is wrong.

    ``check`` is ``quote``, ``screen_text``, ``sound``, ``cuts``, ``camera`` or ``time``.
    """

    check: str
    snippet: str
    why: str


class TextScore(Frozen):
    """What the text of a caption tells of a clip, by kind of fact (those that the clip has), and what it makes up."""

    told: dict[str, Share]
    unsupported: tuple[Unsupported, ...]
