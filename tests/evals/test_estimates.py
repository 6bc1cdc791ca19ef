"""The measurement of estimates runs a workload twice, and says what the catalog then holds."""

from pathlib import Path

from evals.estimates import lines, other_folds, run
from evals.workloads.base import load
from tools.measuring import errors_of


def test_a_workload_is_measured_cold_and_once_more(tmp_path: Path) -> None:
    workload = load("uk_housing", 400, 3, tmp_path)
    home = tmp_path / "home"
    cold = run(workload, home, 2)
    # On other folds, nothing is answered from what is stored.
    learned = run(other_folds(workload), home, 2)
    for told in (cold, learned):
        assert any(kind.startswith(("Fit", "Linear")) for kind, _, _ in told)
        assert all(expected > 0 and seconds >= 0 for _, expected, seconds in told)
    errors = errors_of(cold)
    assert errors is not None
    assert errors.median_factor >= 1
    assert f"factor {errors.median_factor:.2f}" in next(lines("cold", errors))
    assert list(lines("nothing", None)) == ["nothing: nothing was estimated"]
