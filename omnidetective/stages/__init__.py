"""The stages that a workflow is made of, by name."""

from __future__ import annotations

from collections.abc import Mapping

from omnidetective.stages.annotate import Annotate
from omnidetective.stages.audit import Audit
from omnidetective.stages.base import Stage
from omnidetective.stages.ensemble import Ensemble
from omnidetective.stages.gate import Gate
from omnidetective.stages.investigate import Investigate
from omnidetective.stages.refine import Refine
from omnidetective.stages.route import Route
from omnidetective.stages.split import Split
from omnidetective.stages.verify import Verify

STAGES: Mapping[str, type[Stage]] = {
    "route": Route,
    "investigate": Investigate,
    "annotate": Annotate,
    "ensemble": Ensemble,
    "verify": Verify,
    "audit": Audit,
    "refine": Refine,
    "split": Split,
    "gate": Gate,
}
"""Name in a workflow file → stage."""
