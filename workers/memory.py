"""How much memory one run took at its peak: the device's own where there is one, else this process's."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """`with PeakMemory() as peak: ...`, then `peak.bytes`. Not for two runs at once in one process.

    On a CUDA device it is what torch's tensors held there. Else it is the process's resident memory, what was
    loaded before included: that is what the machine must have.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._since_reset = False

    def __enter__(self) -> Self:
        cuda = _cuda()
        if cuda is not None:
            for device in range(cuda.device_count()):
                cuda.reset_peak_memory_stats(device)
        self._since_reset = _forget_peak()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # Asked anew: this run may have been the one that imported torch.
        cuda = _cuda()
        if cuda is not None:
            self.bytes = sum(cuda.max_memory_allocated(device) for device in range(cuda.device_count()))
        if not self.bytes:
            self.bytes = _peak_resident() if self._since_reset else _peak_of_process()


def _cuda() -> Any:
    """`torch.cuda`, if somebody has imported torch and used CUDA; this module imports no torch."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def _forget_peak() -> bool:
    """Let the kernel measure the peak from now on; False where it cannot."""
    try:
        _CLEAR.write_text("5")  # proc(5): resets VmHWM
    except OSError:
        return False
    return True


def _peak_resident() -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return _peak_of_process()


def _peak_of_process() -> int:
    """Since the process began, so it may be an earlier run's."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
