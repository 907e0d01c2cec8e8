"""What /proc says about a running process: memory, open files, threads. Linux only."""
import os
import pathlib

from .outcome import Skip


def available() -> None:
    """Skips a check on systems without /proc."""
    if not pathlib.Path("/proc/self/status").exists():
        raise Skip("there is no /proc on this system")


def resident_kib(pid: int) -> int:
    """Resident memory."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def open_files(pid: int) -> int:
    """Open file descriptors, sockets included."""
    return len(os.listdir(f"/proc/{pid}/fd"))
