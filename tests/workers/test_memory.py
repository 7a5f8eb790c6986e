"""What a run took at its peak, with and without a kernel that can forget, and with a CUDA device."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from workers import memory
from workers.memory import PeakMemory

MEGABYTE = 2**20

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")


def fill(megabytes: int) -> int:
    """Touch that much memory and let it go."""
    return len(b"x" * (megabytes * MEGABYTE))


@needs_proc
def test_each_run_has_its_own_peak():
    with PeakMemory() as idle:
        pass
    with PeakMemory() as large:
        fill(200)
    with PeakMemory() as small:
        fill(1)
    assert large.bytes - idle.bytes > 150 * MEGABYTE
    assert large.bytes - small.bytes > 150 * MEGABYTE, "the peak before is forgotten"


@needs_proc
def test_a_run_that_breaks_has_a_peak_too():
    with PeakMemory() as idle:
        pass
    peak = PeakMemory()

    def break_down():
        with peak:
            fill(200)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_down()
    assert peak.bytes - idle.bytes > 150 * MEGABYTE


@pytest.mark.parametrize("missing", ["_CLEAR", "_STATUS"])
def test_a_kernel_that_cannot_forget_tells_the_process_s_peak(monkeypatch, tmp_path, missing):
    empty = tmp_path / "status"
    empty.write_text("Name:\tpython\n")
    monkeypatch.setattr(memory, missing, empty if missing == "_STATUS" else Path("/nowhere/clear_refs"))
    with PeakMemory() as peak:
        fill(1)
    assert peak.bytes > 10 * MEGABYTE
    assert peak.bytes == memory._peak_of_process()


class Cuda:
    """Stands where torch.cuda stands: two devices that remember their peaks."""

    def __init__(self, *, initialized: bool) -> None:
        self.initialized = initialized
        self.peaks = {0: 900, 1: 90}

    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        return len(self.peaks)

    def reset_peak_memory_stats(self, device: int) -> None:
        self.peaks[device] = 0

    def max_memory_allocated(self, device: int) -> int:
        return self.peaks[device]


def with_cuda(monkeypatch, cuda: Cuda) -> Cuda:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return cuda


def test_a_device_s_own_memory_counts_from_the_start_of_the_run(monkeypatch):
    cuda = with_cuda(monkeypatch, Cuda(initialized=True))
    with PeakMemory() as peak:
        cuda.peaks |= {0: 500, 1: 20}
    assert peak.bytes == 520


def test_a_device_that_the_run_was_the_first_to_use_counts(monkeypatch):
    cuda = with_cuda(monkeypatch, Cuda(initialized=False))
    with PeakMemory() as peak:
        cuda.initialized = True
    assert peak.bytes == 990


def test_a_torch_that_never_used_its_device_is_not_asked(monkeypatch):
    with_cuda(monkeypatch, Cuda(initialized=False))
    with PeakMemory() as peak:
        pass
    assert peak.bytes > 10 * MEGABYTE


def test_no_torch_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with PeakMemory():
        pass
    assert "torch" not in sys.modules
