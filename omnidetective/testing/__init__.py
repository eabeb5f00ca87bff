"""For authors of observers: does an observer keep to what the house expects of one?

::

    from omnidetective.testing import assert_conforms

    def test_it_conforms():
        assert_conforms(Thermometer)

Nothing here needs pytest, a key or a network: clips are made by ffmpeg on the spot, and a model that a witness asks is
a stand-in. See docs/guides/testing-observers.md.
"""

from omnidetective.testing.conformance import assert_conforms, check_observer, check_observer_async
from omnidetective.testing.report import Problem, Report
from omnidetective.testing.samples import SAMPLES, make_samples
from omnidetective.testing.stand_in import stand_in_context

__all__ = [
    "SAMPLES",
    "Problem",
    "Report",
    "assert_conforms",
    "check_observer",
    "check_observer_async",
    "make_samples",
    "stand_in_context",
]
