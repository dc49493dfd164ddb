"""Sweeps of engines, counted."""

import pytest

from vmart.orders import sweep


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The zones of all sweeps that end from now on."""
    ended: list[str] = []
    real = sweep.sweep

    def counting(zone: str) -> list[sweep.Drift]:
        found = real(zone)
        ended.append(zone)
        return found

    monkeypatch.setattr(sweep, "sweep", counting)
    return ended
