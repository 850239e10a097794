"""How much memory a process has had; a worker imports this and nothing else of the benchmarks."""

import re
from pathlib import Path


def peak_memory() -> float:
    """The most that was ever resident of this process (VmHWM), in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) / 1000
