import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.budget import Budget, Ledger, default_budget, parse_bytes
from planner.errors import SpecError

GIBIBYTE = 2**30


class TestParseBytes:
    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("1000", 1000),
            ("1000B", 1000),
            ("8GB", 8 * 10**9),
            ("8G", 8 * 10**9),
            ("8 gb", 8 * 10**9),
            ("512MiB", 512 * 2**20),
            ("512mi", 512 * 2**20),
            (" 1.5 GiB ", 3 * 2**29),
            ("0.5K", 500),
            ("2TB", 2 * 10**12),
            ("900719925474099.3K", 900719925474099300),
        ],
    )
    def test_sizes(self, text: str, size: int) -> None:
        assert parse_bytes(text) == size

    @pytest.mark.parametrize(
        "text",
        [
            "", "GB", "-1GB", "1 2", "1e9", "1,5GB", "8XB", "8iB", "0", "0.4", "0.0001K", "nan",
            "8GB!", "9" * 5000, ".5GB", "\u0665GBx",
        ],
    )  # fmt: skip
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(SpecError) as caught:
            parse_bytes(text, "budget.memory")
        assert caught.value.code == "invalid_budget"
        assert caught.value.path == "budget.memory"
        assert "512MiB" in caught.value.hint
        assert len(caught.value.message) < 120

    @given(st.integers(1, 10**15 - 1), st.sampled_from("KMGT"), st.booleans(), st.booleans())
    def test_units_are_powers(self, number: int, unit: str, binary: bool, byte: bool) -> None:
        text = f"{number}{unit}{'i' * binary}{'B' * byte}"
        base = 1024 if binary else 1000
        assert parse_bytes(text) == number * base ** ("KMGT".index(unit) + 1)


class TestLedger:
    def test_what_is_taken_is_missing_until_it_is_released(self) -> None:
        ledger = Ledger(4, 1000)
        first = ledger.take(1, 300)
        ledger.take(2, 300)
        assert (ledger.free_cores, ledger.headroom) == (1, 400)
        assert ledger.fits(1, 400)
        assert not ledger.fits(2, 400)
        assert not ledger.fits(1, 401)
        ledger.release(first)
        assert (ledger.free_cores, ledger.headroom) == (2, 700)

    def test_what_does_not_fit_is_not_granted(self) -> None:
        ledger = Ledger(2, 1000)
        ledger.take(2, 10)
        with pytest.raises(ValueError, match="do not fit"):
            ledger.take(1, 10)
        assert (ledger.free_cores, ledger.headroom) == (0, 990)

    def test_what_is_too_large_runs_alone(self) -> None:
        ledger = Ledger(2, 1000)
        small = ledger.take(1, 1)
        assert not ledger.fits(8, 5000)
        ledger.release(small)
        large = ledger.take(8, 5000)
        assert (large.cores, large.bytes) == (2, 1000)
        assert not ledger.fits(0, 1)
        ledger.release(large)
        assert (ledger.free_cores, ledger.headroom) == (2, 1000)

    def test_a_measurement_above_the_estimate_counts(self) -> None:
        ledger = Ledger(2, 1000)
        lease = ledger.take(1, 200)
        ledger.measure(lease, 100)
        assert ledger.headroom == 800  # it may still come to what was estimated
        ledger.measure(lease, 900)
        assert (ledger.headroom, ledger.overrun) == (100, 0)
        assert not ledger.fits(1, 200)
        ledger.measure(lease, 1300)
        assert (ledger.headroom, ledger.overrun) == (-300, 300)
        ledger.measure(lease, 100)
        assert (ledger.headroom, ledger.overrun) == (800, 0)

    def test_a_lease_is_released_once(self) -> None:
        ledger = Ledger(2, 1000)
        lease = ledger.take(1, 100)
        twin = ledger.take(1, 100)
        ledger.release(lease)
        with pytest.raises(ValueError, match="not held"):
            ledger.release(lease)
        with pytest.raises(ValueError, match="not held"):
            ledger.measure(lease, 1)
        assert ledger.headroom == 900
        ledger.release(twin)

    @pytest.mark.parametrize(("cores", "size"), [(-1, 0), (0, -1)])
    def test_nothing_negative(self, cores: int, size: int) -> None:
        with pytest.raises(ValueError, match="negative"):
            Ledger(1, 1).take(cores, size)

    @pytest.mark.parametrize(("cores", "memory"), [(0, 1), (1, 0)])
    def test_a_budget_is_not_empty(self, cores: int, memory: int) -> None:
        with pytest.raises(ValueError, match="at least"):
            Ledger(cores, memory)

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 150), st.booleans())))
    def test_promises_stay_within_the_budget(self, requests: list[tuple[int, int, bool]]) -> None:
        ledger = Ledger(4, 100)
        held = []
        for cores, size, release in requests:
            if ledger.fits(cores, size):
                held.append(ledger.take(cores, size))
            if release and held:
                ledger.release(held.pop(0))
            assert 0 <= ledger.free_cores == 4 - sum(lease.cores for lease in held)
            assert 0 <= ledger.headroom == 100 - sum(lease.bytes for lease in held)
        for lease in held:
            ledger.release(lease)
        assert (ledger.free_cores, ledger.headroom) == (4, 100)


class TestDefaultBudget:
    @pytest.fixture(autouse=True)
    def eight_cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    @pytest.fixture
    def proc(self, tmp_path: Path) -> Path:
        proc = tmp_path / "proc"
        write(
            proc,
            {
                "meminfo": f"MemTotal: {32 * 2**20} kB\nMemAvailable: {30 * 2**20} kB\n",
                "self/cgroup": "0::/user/job\n",
            },
        )
        return proc

    def test_without_limits(self, proc: Path, tmp_path: Path) -> None:
        write(tmp_path / "cgroup", {"user/job/memory.max": "max\n", "user/job/cpu.max": "max 1\n"})
        assert default_budget(proc, tmp_path / "cgroup") == Budget(8, int(0.8 * 32 * GIBIBYTE))

    def test_no_more_than_is_available(self, proc: Path, tmp_path: Path) -> None:
        write(proc, {"meminfo": f"MemTotal: {32 * 2**20} kB\nMemAvailable: {2 * 2**20} kB\n"})
        assert default_budget(proc, tmp_path / "none").memory == 2 * GIBIBYTE

    def test_the_tightest_group_counts(self, proc: Path, tmp_path: Path) -> None:
        write(
            tmp_path / "cgroup",
            {
                "user/job/memory.max": "max\n",
                "user/job/cpu.max": "350000 100000\n",
                "user/memory.max": f"{10 * GIBIBYTE}\n",
                "user/memory.current": f"{5 * GIBIBYTE}\n",
                "user/memory.stat": f"anon {GIBIBYTE}\nfile {4 * GIBIBYTE}\n",
                "user/cpu.max": "800000 100000\n",
            },
        )
        assert default_budget(proc, tmp_path / "cgroup") == Budget(4, 8 * GIBIBYTE)

    def test_what_a_group_uses_is_not_available(self, proc: Path, tmp_path: Path) -> None:
        write(
            tmp_path / "cgroup",
            {
                "user/job/memory.max": f"{10 * GIBIBYTE}",
                "user/job/memory.current": f"{7 * GIBIBYTE}",
            },
        )
        assert default_budget(proc, tmp_path / "cgroup").memory == 3 * GIBIBYTE

    def test_the_older_layout(self, proc: Path, tmp_path: Path) -> None:
        write(proc, {"self/cgroup": "4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n"})
        write(
            tmp_path / "cgroup",
            {
                "memory/box/memory.limit_in_bytes": f"{4 * GIBIBYTE}",
                "memory/box/memory.usage_in_bytes": f"{GIBIBYTE}",
                "memory/box/memory.stat": f"cache 1\ntotal_cache {GIBIBYTE}",
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "cpu/box/cpu.cfs_quota_us": "50000",
                "cpu/box/cpu.cfs_period_us": "100000",
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
            },
        )
        assert default_budget(proc, tmp_path / "cgroup") == Budget(1, int(3.2 * GIBIBYTE))

    def test_in_a_container_the_path_may_be_foreign(self, proc: Path, tmp_path: Path) -> None:
        write(proc, {"self/cgroup": "0::/docker/1234\n"})
        write(tmp_path / "cgroup", {"memory.max": f"{GIBIBYTE}", "cpu.max": "200000 100000"})
        assert default_budget(proc, tmp_path / "cgroup") == Budget(2, int(0.8 * GIBIBYTE))

    def test_without_control_groups(self, proc: Path, tmp_path: Path) -> None:
        (proc / "self" / "cgroup").unlink()
        assert default_budget(proc, tmp_path / "none").cores == 8

    def test_this_machine(self) -> None:
        budget = default_budget()
        assert 1 <= budget.cores <= 8
        assert 0 < budget.memory < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
