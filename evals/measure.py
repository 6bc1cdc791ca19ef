"""What a process and everything it started cost. Input: a process id. Output: `Usage`.

Linux only, as the engine is: CPU time is read from /proc, where a process keeps the CPU time of
the children that it has waited for, so what ended between two samples is counted all the same.
"""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERVAL = 0.1  # seconds between samples of resident memory
# Samples between looks for new processes, which reads all of /proc, and between sums of
# proportional memory, which take the kernel longer.
_LOOK_EVERY = 4
_PSS_EVERY = 8
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_GRACE = 5.0  # seconds between asking processes to end and ending them


@dataclass(frozen=True)
class Usage:
    """Cost of a process tree between `Meter.mark` and `Meter.stop`.

    Attributes:
        seconds: Wall time.
        cpu_seconds: User and system time of all processes, also of those that ended.
        peak_rss_mb: Largest sum of resident set sizes (MiB). Pages that processes share, such
            as those of forked workers and mapped files, count once for each process.
        peak_pss_mb: The same with shared pages divided by their sharers: what the tree adds to
            the memory in use. Sampled less often.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    peak_pss_mb: float


class Meter:
    """Samples the tree below `pid` on a thread of its own until stopped."""

    def __init__(self, pid: int, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._known: dict[int, psutil.Process] = {pid: psutil.Process(pid)}
        self._root = self._known[pid]
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="meter", daemon=True)
        self._cpu_last = self._cpu_begin = 0.0
        self._rss = self._pss = 0.0
        self._began = time.perf_counter()

    def start(self) -> "Meter":
        self._thread.start()
        return self

    def mark(self) -> None:
        """Begins anew: what was used so far does not count."""
        with self._lock:
            self._began = time.perf_counter()
            self._rss = self._pss = 0.0
            self._look()
            self._sample(with_pss=True)
            self._cpu_begin = self._cpu_last

    def stop(self) -> Usage:
        """Takes a last sample and gives back the cost since `mark`."""
        with self._lock:
            self._look()
            self._sample(with_pss=True)
            usage = Usage(
                seconds=time.perf_counter() - self._began,
                cpu_seconds=max(self._cpu_last - self._cpu_begin, 0.0),
                peak_rss_mb=self._rss,
                peak_pss_mb=self._pss,
            )
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        return usage

    def processes(self) -> list[psutil.Process]:
        """All processes of the tree that have been seen; some may have ended."""
        with self._lock:
            self._look()
            return list(self._known.values())

    def _loop(self) -> None:
        count = 0
        while not self._done.wait(self._interval):
            count += 1
            with self._lock:
                if count % _LOOK_EVERY == 0:
                    self._look()
                self._sample(with_pss=count % _PSS_EVERY == 0)

    def _look(self) -> None:
        """Finds new processes. Those whose parent has ended stay known."""
        try:
            for process in self._root.children(recursive=True):
                self._known.setdefault(process.pid, process)
        except psutil.NoSuchProcess:
            pass

    def _sample(self, *, with_pss: bool) -> None:
        cpu = rss = pss = 0.0
        for pid in list(self._known):
            found = _stat(pid)
            if found is None:
                if pid != self._root.pid:
                    del self._known[pid]
                continue
            cpu += found[0]
            rss += found[1]
            if with_pss:
                pss += _pss(pid)
        # A tree that has just ended has no times any more.
        self._cpu_last = max(self._cpu_last, cpu)
        self._rss = max(self._rss, rss / 2**20)
        self._pss = max(self._pss, pss / 2**20)


def _stat(pid: int) -> tuple[float, int] | None:
    """CPU seconds, with those of the children it has waited for, and resident bytes."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # After the name, which may hold anything; see proc(5): 14 to 17 are times, 24 is memory.
    values = text.rpartition(")")[2].split()
    return sum(map(int, values[11:15])) / _TICKS, int(values[21]) * _PAGE


def _pss(pid: int) -> int:
    """Proportional set size in bytes; 0 if the kernel does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def end(processes: list[psutil.Process]) -> None:
    """Ends processes, by force where asking does not help."""
    asked = []
    for process in processes:
        try:
            process.terminate()
            asked.append(process)
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(asked, timeout=_GRACE)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
