"""The engine's scores are those of the plain libraries on the same folds."""

import warnings

import pytest

from planner.metrics import resolve
from tests.oracle import cross_validate
from tests.parity import (
    cases_classification,
    cases_ensembles,
    cases_families,
    cases_homes,
    cases_layouts,
    cases_meta,
    cases_prefixes,
    cases_regression,
    cases_splits,
    cases_steps,
    cases_variants,
)
from tests.parity.conftest import Answers
from tests.parity.data import plain
from tests.parity.harness import Batch, Case, matches

# These add cases to the batches of the others.
EXTENSIONS = (
    cases_ensembles,
    cases_families,
    cases_layouts,
    cases_meta,
    cases_steps,
    cases_variants,
)
BATCHES: list[Batch] = [
    cases_regression.BATCH,
    cases_homes.BATCH,
    cases_classification.BATCH,
    *cases_splits.BATCHES,
    *cases_prefixes.BATCHES,
]
CASES = [
    pytest.param(batch, case, id=f"{batch.name}-{case.name}")
    for batch in BATCHES
    for case in batch.cases
]


@pytest.mark.parametrize(("batch", "case"), CASES)
def test_parity(batch: Batch, case: Case, answers: Answers) -> None:
    found = answers(batch)[case.name]
    assert found["status"] == "ok", found["error"]
    names = [resolve(metric).text for metric in case.spec["metrics"]]
    assert list(found["metrics"]) == names
    reference = case.write(plain(case.spec["dataset"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = cross_validate(reference, batch.splits(reference), names)
    for name in names:
        matches(found["metrics"][name], wanted[name], case.tolerance)
