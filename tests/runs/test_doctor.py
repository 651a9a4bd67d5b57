"""The checkup of a machine."""

import pytest

from covey.runs import doctor
from covey.runs.doctor import examine_machine


@pytest.fixture(scope="module")
def checkup():
    return examine_machine()


# Fails if what a user is asked to paste into a bug report lacks its main facts.
def test_facts(checkup):
    text = str(checkup)
    assert all(name in text for name in ("jax 0.", "cpu", "GF/s", "covey[ray]", "not installed", "programs"))
    assert checkup.machine["matmul_gflops"] > 0.1
    assert set(checkup.to_json()) == {"versions", "devices", "extras", "cache", "machine", "advice"}


# Fails if a machine that is busy, or small, or a cache that cannot be kept, is passed over.
def test_advice(monkeypatch, tmp_path):
    busy = {"cores": 2, "load": 5.0, "memory": 10_000_000}
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    lines = " ".join(doctor._about_devices(busy))
    assert "other programs" in lines and "little memory" in lines and "GPU that JAX does not see" in lines
    empty = {"path": str(tmp_path / "none"), "programs": 0, "bytes": 0}
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    assert [
        word in " ".join(doctor._about_cache(empty)) for word in ("no compiled program", "1 MB are free")
    ] == [True] * 2
