"""What the professional rubric scored, and why it rejected, in the numbers of a file."""

from __future__ import annotations

from report.output_files import record
from report.test_statistics import lines

from omnidetective.report.statistics import statistics
from omnidetective.report.tables import tables


def test_dimensions_have_a_distribution_from_one_to_three() -> None:
    given = [(3.0, 3.0), (2.0, 1.0), (3.0, 2.0), (3.0, 3.0)]
    numbers = statistics(
        lines(*(record(str(n), scores={"factual_accuracy": a, "core_intent": b}) for n, (a, b) in enumerate(given)))
    )
    accuracy, intent = numbers.scores["factual_accuracy"], numbers.scores["core_intent"]
    assert (accuracy.count, accuracy.mean, accuracy.distribution) == (4, 2.75, {"1": 0, "2": 1, "3": 3})
    assert intent.distribution == {"1": 1, "2": 1, "3": 2}
    shown = tables(numbers)
    assert "FACTUAL_ACCURACY" in shown
    assert "PROFESSIONALISM" not in shown, "nobody scored it"


def test_a_caption_that_is_not_professional_counts_once_whatever_it_lacks() -> None:
    reasons = ("not_professional: core_intent 2 of 3: It is a map.", "not_professional: professionalism 1 of 3")
    numbers = statistics(
        lines(record("a", "rejected", reasons=reasons), record("b", "rejected", reasons=reasons[:1]), record("c"))
    )
    assert numbers.rejections == {"not_professional": 2}
