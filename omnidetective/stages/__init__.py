"""The stages that a workflow is made of, by name."""

from __future__ import annotations

from collections.abc import Mapping

from omnidetective.stages.annotate import Annotate
from omnidetective.stages.base import Stage
from omnidetective.stages.ensemble import Ensemble
from omnidetective.stages.investigate import Investigate

STAGES: Mapping[str, type[Stage]] = {
    "investigate": Investigate,
    "annotate": Annotate,
    "ensemble": Ensemble,
}
"""Name in a workflow file → stage."""
