"""Cores and bytes: what the machine has in, who may use how much of it out.

The ledger is pure accounting and never looks at the machine; `default_budget` does, once.
"""

import math
import os
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from planner.errors import SpecError

_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*(?:([KMGT])(I?))?B?\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
# Left to the system, the page cache (blocks are memory-mapped) and other programs.
_SHARE = 0.8


@dataclass(frozen=True)
class Budget:
    """What the engine may use: `cores` >= 1, `memory` in bytes."""

    cores: int
    memory: int


@dataclass(eq=False)
class Lease:
    """A part of the budget. `bytes` is the estimate, `measured` what was seen last."""

    cores: int
    bytes: int
    measured: int = 0

    @property
    def reserved(self) -> int:
        """The bytes it is charged: an estimate may be low, and may still be reached."""
        return max(self.bytes, self.measured)


class Ledger:
    """Cores and bytes of one engine, and who holds them.

    A request above the whole budget is granted when nothing else is held, with all there is: an
    estimate may be wrong, and it would never run otherwise.
    """

    def __init__(self, cores: int, memory: int) -> None:
        if cores < 1 or memory < 1:
            raise ValueError("a budget has at least one core and one byte")
        self.cores = cores
        self.memory = memory
        self._leases: set[Lease] = set()

    @property
    def free_cores(self) -> int:
        return self.cores - sum(lease.cores for lease in self._leases)

    @property
    def headroom(self) -> int:
        """Bytes that can still be promised; negative if more is in use than was estimated."""
        return self.memory - sum(lease.reserved for lease in self._leases)

    @property
    def overrun(self) -> int:
        """Bytes measured above the whole budget, 0 if within: something must be ended."""
        return max(0, sum(lease.measured for lease in self._leases) - self.memory)

    def fits(self, cores: int, bytes: int) -> bool:
        """Whether `take` would grant it now."""
        return not self._leases or (cores <= self.free_cores and bytes <= self.headroom)

    def take(self, cores: int, bytes: int) -> Lease:
        """Cores and bytes until `release`; ValueError unless they fit."""
        if cores < 0 or bytes < 0:
            raise ValueError("a lease cannot be negative")
        if not self.fits(cores, bytes):
            raise ValueError(f"{cores} cores and {bytes} bytes do not fit")
        lease = Lease(min(cores, self.cores), min(bytes, self.memory))
        self._leases.add(lease)
        return lease

    def measure(self, lease: Lease, bytes: int) -> None:
        """Note what its holder really uses now, such as `Worker.rss` above `Worker.base`."""
        self._require(lease)
        lease.measured = bytes

    def release(self, lease: Lease) -> None:
        """Give it back; ValueError if that was done before."""
        self._require(lease)
        self._leases.remove(lease)

    def _require(self, lease: Lease) -> None:
        if lease not in self._leases:
            raise ValueError("the lease is not held")


def parse_bytes(text: str, path: str = "") -> int:
    """Bytes in a size such as ``8GB`` (powers of 1000), ``512MiB`` (of 1024) or ``1000``.

    Letter case does not matter, a fraction is allowed. Raises `invalid_budget` for anything else
    and for sizes below one byte.
    """
    match = _SIZE.fullmatch(text)
    if match is not None:
        number, unit, binary = match.groups(default="")
        size = int(Decimal(number) * (1024 if binary else 1000) ** _POWERS[unit.upper()])
        if size >= 1:
            return size
    raise SpecError(
        "invalid_budget",
        f"'{text[:50]}' is not an amount of memory.",
        path=path,
        hint="Write a positive number and a unit, such as '8GB' or '512MiB'.",
    )


def default_budget(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Budget:
    """All cores this process may use, and most of the memory it can have.

    Cores: CPU affinity, and the quota of the control group, rounded up. Memory: 80 % of the
    smaller of the machine's and the control group's limit, and no more than is available now.
    `proc` and `cgroups` are where those file systems are mounted.
    """
    cores = float(len(os.sched_getaffinity(0)))
    total, available = _machine_memory(proc)
    for group in _groups(proc, cgroups, "cpu"):
        cores = min(cores, _cpu_quota(group))
    for group in _groups(proc, cgroups, "memory"):
        limit = _number(group / "memory.max") or _number(group / "memory.limit_in_bytes")
        if limit:
            total = min(total, limit)
            available = min(available, limit - _used(group))
    return Budget(max(1, math.ceil(cores)), max(1, min(int(total * _SHARE), available)))


def _machine_memory(proc: Path) -> tuple[int, int]:
    """Total and available bytes."""
    sizes: dict[str, int] = {}
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            sizes[name] = int(rest.split()[0]) * 1024
    return sizes["MemTotal"], sizes.get("MemAvailable", sizes["MemTotal"])


def _groups(proc: Path, cgroups: Path, controller: str) -> list[Path]:
    """The directories of the control groups of this process, innermost first, v2 or v1."""
    found: list[Path] = []
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            mount = cgroups
        elif controller in controllers.split(","):
            mount = cgroups / controller
        else:
            continue
        # Inside a container the path may be the host's: then only the mount itself exists.
        inner = mount / path.lstrip("/")
        found.extend(part for part in (inner, *inner.parents) if part.is_relative_to(mount))
    return found


def _cpu_quota(group: Path) -> float:
    """Cores that a control group may use on average; infinite without a limit."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        quota = str(_number(group / "cpu.cfs_quota_us"))
        period = str(_number(group / "cpu.cfs_period_us"))
    if not quota.isdigit() or int(quota) == 0 or int(period) == 0:
        return math.inf
    return int(quota) / int(period)


def _used(group: Path) -> int:
    """Bytes in use by a control group, without the cached files that can be dropped."""
    used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes")
    try:
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return used
    return max(0, used - int(stat.get("file", stat.get("total_cache", "0"))))


def _number(file: Path) -> int:
    """The number in a file; 0 if there is none, such as for ``max``, or -1 (no limit)."""
    try:
        return max(0, int(file.read_text()))
    except (OSError, ValueError):
        return 0
