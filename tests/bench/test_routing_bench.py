"""The bench of routing: its pictures are all accounted for, and it counts what is right."""

from __future__ import annotations

from collections import Counter

import pytest

from omnidetective.domains import load_domains
from omnidetective.findings import Routing
from scripts.bench import routing
from scripts.bench.picture_set import FOLDER, Picture, pictures
from scripts.bench.routing import Result, measure, table, told

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the source distribution leaves the pictures out")


def test_every_picture_has_its_row_and_every_domain_enough_of_them() -> None:
    listed = {picture.file: picture for half in ("fit", "test") for picture in pictures(half)}  # type: ignore[arg-type]
    stored = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*/*")}
    assert stored == listed.keys()
    counts = Counter((picture.half, picture.domain) for picture in listed.values())
    wanted = {(half, domain.name) for half in ("fit", "test") for domain in load_domains(None).of("image")}
    assert counts.keys() == wanted
    assert min(counts.values()) >= 5


def test_results_are_counted_by_domain_confidence_and_pair() -> None:
    def result(domain: str, got: str, confidence: str) -> Result:
        found = Routing(domain=got, second="math", confidence=confidence, by="measurement")  # type: ignore[arg-type]
        return Result(Picture(f"test/{domain}/a.png", "test", domain, "found", "here"), found, 1.0)

    results = [result("code", "code", "high"), result("code", "document", "low"), result("math", "document", "low")]
    assert "| code | 1 of 2 | 1 of 2 |" in table(results)
    assert "| all | 1 of 3 | 2 of 3 |" in table(results)
    assert "| low | 0 of 2 | 0.0 % |" in told(results)
    assert "code taken for document: 1" in told(results)


async def test_it_runs_on_real_pictures() -> None:
    chosen = [next(p for p in pictures("test") if p.domain == name) for name in ("natural", "medical", "math")]
    results, clips = await measure(chosen, clips=False)
    assert [result.picture for result in results] == chosen
    assert clips == []
    assert all(result.routing.measures for result in results)
    assert routing.table(results)
