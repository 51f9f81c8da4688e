"""What a process and all its descendants use, from /proc: servers fork workers, and those count too."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name, which may hold anything; none when it is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree(root: int) -> list[int]:
    """Return the ids of a process and its descendants, ancestors first."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """Return the processor time of the tree, with that of members which ended already."""
    ticks = [sum(map(int, fields[11:15])) for pid in tree(root) if (fields := _stat(pid))]
    return sum(ticks) / TICKS


def wanted_and_stolen() -> tuple[int, int]:
    """Return for how long the processors were wanted by anybody here, and how much of that the hypervisor gave others.

    In ticks since the machine started; `steal` of proc(5).
    """
    user, nice, system, _, _, irq, softirq, stolen, *_ = map(int, (PROC / "stat").read_text().split()[1:11])
    return user + nice + system + irq + softirq + stolen, stolen


def memory_bytes(root: int) -> int:
    """Return the memory of the tree; what its processes share counts once."""
    return sum(_proportional_bytes(pid) for pid in tree(root))


def _proportional_bytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
