"""``observers.NAME.at_once`` holds for all workers of a run together, also when one dies at its question."""

from __future__ import annotations

from engine.harness import Folder
from engine.lamps import lamps


async def test_all_workers_of_a_run_share_the_places(folder: Folder) -> None:
    folder.rows({"id": n, **({"die": True} if n == 5 else {})} for n in range(24))
    summary = await folder.run(settings=("num_workers=2", "concurrency=4"), factory=lamps)
    assert summary.outcomes == {"accepted": 24}
    assert len(list(folder.path.glob("by-*"))) > 1
    assert [path.name for path in folder.path.glob("seen-*")] == ["seen-1"]
