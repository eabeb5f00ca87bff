"""Fit the signs of the built-in domains on the fitting half of the pictures, and write them into the domains' files.

::

    python -m scripts.fit_routing              fit, and write configs/capflow/*.yaml
    python -m scripts.fit_routing --dry-run    fit, and tell how good it is, without writing

A multinomial logistic model over standardised measures, whose weights are drawn (L2) to those of ``EXPECTED``; each
domain has besides a weight for its own words. What is printed is measured on the fitting half with each source package
left out in turn, so that pictures of one hand are never on both sides. The test half is never opened.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnidetective.domains import load_domains
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.picture_measures import picture_measures, words_share
from omnidetective.picture_signs import BIAS, MEASURES, WORDS
from omnidetective.resources import resource_root
from omnidetective.stages.route_by_measure import confidence_of
from scripts.bench.picture_set import looked_at, pictures

STRENGTHS = (0.1, 0.2, 0.4, 0.8)
"""Of the pull towards what is expected, that are tried."""
EXPECTED: Mapping[str, Mapping[str, float]] = {
    "aesthetic": {
        "saturation": 0.6,
        "smooth": 0.6,
        "text_lines": -0.8,
        "colours": 0.4,
        "levels": -0.6,
        "flat": 0.4,
        "mid_grey": -0.4,
    },
    "code": {"code_lines": 1.2, "symbols": 0.6, "indented": 0.3, "same_height": 0.4, "text_lines": 0.5},
    "document": {
        "text_share": 0.5,
        "long_lines": 0.5,
        "white": 0.4,
        "digits": 0.6,
        "top_colour": 0.2,
        "page_shape": 0.3,
        "code_lines": -0.4,
    },
    "interface": {
        "labels": 0.4,
        "columns": 0.4,
        "flat": 0.3,
        "ruled": 0.6,
        "text_lines": 0.4,
        "code_lines": -0.4,
        "white": -0.3,
    },
    "knowledge": {"labels": 0.4, "saturation": 0.2, "flat": 0.3, "long_lines": -0.2, "code_lines": -0.3},
    "math": {
        "digits": 0.2,
        "white": 0.8,
        "top_colour": 0.3,
        "text_lines": -0.4,
        "symbols": 0.3,
        "axis_edges": -0.4,
        "labels": 0.3,
    },
    "medical": {"dark_border": 0.7, "mid_grey": 0.6, "tissue": 0.5, "dark": 0.4, "text_lines": -0.5, "white": -0.5},
    "natural": {
        "levels": 1.2,
        "colours": 0.5,
        "edges": 0.2,
        "flat": -0.6,
        "text_lines": -0.8,
        "dark_border": -0.4,
        "white": -0.5,
    },
}
"""Domain → measure → the weight, by its spread, that the words of the domain's description let expect. A few dozen
pictures cannot teach more than how far to go from there."""
_EXPECTED_WORDS = 2.0
_STEPS = 1500
_RATE = 0.5
_LEAST_SPREAD = 0.05
"""A measure that hardly differs in the fitting half is not blown up."""
_SMALLEST_WEIGHT = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """The fitting half.

    Attributes:
        measures: shape ``(pictures, measures)``.
        words: shape ``(pictures, domains)``: how much of each domain's own words there is.
        domains: index of the right domain, shape ``(pictures,)``.
        packages: where each picture comes from.
    """

    measures: Floats
    words: Floats
    domains: NDArray[np.intp]
    packages: tuple[str, ...]

    def but(self, package: str) -> tuple[Sample, Sample]:
        """Without the pictures of a package, and these."""
        kept = np.array([name != package for name in self.packages])
        return self._where(kept), self._where(~kept)

    def _where(self, mask: NDArray[np.bool_]) -> Sample:
        names = tuple(name for name, wanted in zip(self.packages, mask, strict=True) if wanted)
        return Sample(self.measures[mask], self.words[mask], self.domains[mask], names)


@dataclass(frozen=True, slots=True)
class Weights:
    """Of raw measures: ``measures`` of shape ``(measures, domains)``, ``words`` and ``bias`` of ``(domains,)``."""

    measures: Floats
    words: Floats
    bias: Floats

    def likely(self, sample: Sample) -> Floats:
        return _softmax(sample.measures @ self.measures + sample.words * self.words + self.bias)

    def rounded(self) -> Weights:
        small = np.abs(self.measures) < _SMALLEST_WEIGHT
        return Weights(np.where(small, 0.0, self.measures.round(2)), self.words.round(2), self.bias.round(2))


def expected(names: Sequence[str]) -> Floats:
    """The weights to start from, shape ``(measures, domains)``."""
    return np.array([[EXPECTED[name].get(measure, 0.0) for name in names] for measure in MEASURES])


def fitted(sample: Sample, start: Floats, strength: float) -> Weights:
    """The weights that make the right domains likeliest."""
    middle = sample.measures.mean(axis=0)
    spread = np.maximum(sample.measures.std(axis=0), _LEAST_SPREAD)
    values = (sample.measures - middle) / spread
    count = sample.words.shape[1]
    right = np.eye(count)[sample.domains]
    # Domains with more pictures must not count for more.
    share = right / np.maximum(1, right.sum(axis=0)) / count
    each = share.sum(axis=1, keepdims=True)
    weights, spoken, bias = start.copy(), np.full(count, _EXPECTED_WORDS), np.zeros(count)
    for _ in range(_STEPS):
        off = (_softmax(values @ weights + sample.words * spoken + bias) - right) * each
        weights -= _RATE * (values.T @ off + strength * (weights - start))
        spoken = np.maximum(
            0.0, spoken - _RATE * ((sample.words * off).sum(axis=0) + strength * (spoken - _EXPECTED_WORDS))
        )
        bias -= _RATE * off.sum(axis=0)
    raw = weights / spread[:, None]
    return Weights(raw, spoken, bias - middle @ raw)


def left_out(sample: Sample, start: Floats, strength: float) -> Floats:
    """The probabilities of each picture by weights fitted without the package that it comes from."""
    likely = np.zeros_like(sample.words)
    for package in sorted(set(sample.packages)):
        rest, out = sample.but(package)
        likely[[name == package for name in sample.packages]] = fitted(rest, start, strength).rounded().likely(out)
    return likely


async def sample_of(names: Sequence[str]) -> Sample:
    """The fitting half, measured; domains by their place in ``names``."""
    domains = load_domains(None)
    models = embedded_models(num_workers=1)
    found = [picture for picture in pictures("fit") if picture.domain in names]
    measures, words = [], []
    for picture in found:
        jpeg, lines = await looked_at(picture, models)
        told = picture_measures(jpeg, lines)
        measures.append([told[name] for name in MEASURES])
        words.append([words_share(lines, domains[name].words) for name in names])
    return Sample(
        np.array(measures),
        np.array(words),
        np.array([names.index(picture.domain) for picture in found]),
        tuple(picture.package for picture in found),
    )


def write(names: Sequence[str], weights: Weights) -> None:
    """Put the signs in the place of those in the domains' files."""
    for n, name in enumerate(names):
        signs = {BIAS: weights.bias[n]}
        if weights.words[n]:
            signs[WORDS] = weights.words[n]
        signs |= {measure: weights.measures[m, n] for m, measure in enumerate(MEASURES) if weights.measures[m, n]}
        lines = "".join(f"  {key}: {value:.2f}\n" for key, value in signs.items())
        path = resource_root() / "configs" / "capflow" / f"{name}.yaml"
        text = re.sub(r"^signs:\n(?:  .*\n)*", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        path.write_text(f"{text.rstrip()}\nsigns:\n{lines}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, tell how good it is, and write."""
    parser = argparse.ArgumentParser(description="Fit the signs of the built-in domains.")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    dry_run = parser.parse_args(arguments).dry_run
    names = [domain.name for domain in load_domains(None).of("image")]
    sample = asyncio.run(sample_of(names))
    start = expected(names)
    best, best_loss = STRENGTHS[0], float("inf")
    for strength in STRENGTHS:
        likely = left_out(sample, start, strength)
        first = likely.argmax(axis=1) == sample.domains
        loss = -float(np.log(np.maximum(1e-9, likely[np.arange(len(likely)), sample.domains])).mean())
        print(f"strength {strength:g}: {first.sum()} of {len(first)} right, log loss {loss:.2f}")
        ordered = np.sort(likely, axis=1)
        levels = [confidence_of(float(row[-1]), float(row[-2])) for row in ordered]
        for level in ("high", "medium", "low"):
            there = np.array([found == level for found in levels])
            print(f"    {level}: {int(first[there].sum())} of {int(there.sum())} right")
        if loss < best_loss:
            best, best_loss = strength, loss
    print(f"taken: {best:g}")
    if not dry_run:
        write(names, fitted(sample, start, best).rounded())
    return 0


def _softmax(scores: Floats) -> Floats:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = shares / shares.sum(axis=1, keepdims=True)
    return result


if __name__ == "__main__":
    raise SystemExit(main())
