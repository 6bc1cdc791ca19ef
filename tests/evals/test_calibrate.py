"""The calibration of the cost model: cases are well formed, and known costs are found again."""

import ast
import math

import pytest

from evals import calibrate
from evals.calibration_cases import FITS, SCORES, TRANSFORMS, Case
from planner import cost_table
from planner.cost_factors import Shape, factors
from planner.expressions import Call, parse
from planner.metrics import resolve
from tests.inprocess import operators

SHAPE = Shape(1000, 10, 10, 0.0, 2, 250)
LETTERS = set(factors(Call("Ridge"), SHAPE)) | {"1"}


@pytest.mark.parametrize("case", [*FITS, *TRANSFORMS, *SCORES], ids=lambda c: c.expressions[0])
def test_cases_are_well_formed(case: Case) -> None:
    assert set("".join((*case.terms, *case.predict))) <= LETTERS
    for text in case.expressions:
        if case in SCORES:
            resolve(text)
        else:
            # All variants make one entry.
            assert parse(text, operators()).name == parse(case.expressions[0], operators()).name


def test_known_costs_are_found_again() -> None:
    samples = []
    for rows in (100, 1000, 30_000):
        for columns in (3, 40):
            numbers = factors(Call("Ridge"), Shape(rows, columns, columns))
            samples.append((numbers, 0.002 + 3e-8 * rows * columns))
    found = dict(calibrate.fit_terms("Ridge", ("1", "np", "npp"), samples))
    assert found["1"] == pytest.approx(0.002)
    assert found["np"] == pytest.approx(3e-8)
    assert found.get("npp", 0.0) < 1e-13


def test_a_measurement_gives_times_and_factors() -> None:
    case = Case(("Ridge()",), ("1", "np"), sizes=((50, 3),))
    name, fitted, asked = calibrate._case(case, operators(), calibrate._fit)
    assert name == "Ridge"
    ((numbers, seconds),) = fitted
    assert (numbers["n"], numbers["p"], numbers["v"]) == (50, 3, 12)
    assert 0 < seconds < 60
    assert len(asked) == 1


def test_the_table_is_written_as_it_is_read() -> None:
    tables = {"FITS": cost_table.FITS, "PREDICTS": cost_table.PREDICTS,
              "TRANSFORMS": cost_table.TRANSFORMS, "SCORES": cost_table.SCORES}  # fmt: skip
    for table in tables.values():
        text = "{" + calibrate._lines(table) + "}"
        assert ast.literal_eval(text) == table
        for name, terms in table.items():
            assert all(set(term) <= LETTERS and math.isfinite(s) and s > 0 for term, s in terms), (
                name
            )
            assert terms
