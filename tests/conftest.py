"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The machine is shared and noisy: how long one example takes says nothing about the code.
settings.register_profile("noisy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy")
