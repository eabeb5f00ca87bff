"""A media file that was probed, and what may be spent on it: what the functions that run a process need to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omnidetective.evidence import Span
from omnidetective.media.wire import Probe
from omnidetective.settings import MediaSettings


@dataclass(frozen=True, slots=True)
class Source:
    """A readable local file.

    Attributes:
        path: absolute, resolved.
        probe: what it holds.
        duration_s: length of the clip; 0 for an image.
        settings: limits.
    """

    path: Path
    probe: Probe
    duration_s: float
    settings: MediaSettings

    def clamp(self, span: Span | None) -> Span:
        """The part of ``span`` that lies inside the clip; the whole clip for ``None``.

        A span that lies beyond the end gives the last moment of the clip: an observer may be asked about any time.
        """
        if span is None:
            return Span(start_s=0.0, end_s=self.duration_s)
        end_s = min(span.end_s, self.duration_s)
        start_s = min(span.start_s, max(0.0, end_s - min(_SHORTEST_S, end_s)))
        return Span(start_s=start_s, end_s=end_s)


_SHORTEST_S = 0.04
