"""Every built-in observer conforms, as the kit for authors checks it."""

from __future__ import annotations

import importlib

import pytest

from omnidetective.observers.registry import BUILT_IN
from omnidetective.testing import check_observer


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_it_conforms(name: str) -> None:
    module, _, attribute = BUILT_IN[name].partition(":")
    report = check_observer(getattr(importlib.import_module(module), attribute))
    assert report.ok, str(report)
    if report.unavailable:
        pytest.skip(report.unavailable)
    assert report.asked
