"""Encoding: imputed, scaled and one-hot encoded blocks of all folds from columns and codes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    clock_seconds_of,
    peak_of,
    relative_difference,
    seconds_of,
)
from executor.backends.base import Context
from executor.backends.coded import codes_of
from executor.backends.duckdb import to_frame
from executor.backends.rust import encoding
from planner.expressions import Call
from planner.ops_encode import EncodeBlock

_LEVELS = (2, 5, 12, 20, 36)
_GAPS = 0.05
_ENCODERS = {
    "one-hot": (
        Call("OneHotEncoder", (("handle_unknown", "ignore"), ("sparse_output", False))),
        partial(OneHotEncoder, handle_unknown="ignore", sparse_output=False),
    ),
    "ordinal": (
        Call("OrdinalEncoder", (("handle_unknown", "use_encoded_value"), ("unknown_value", -1))),
        partial(OrdinalEncoder, handle_unknown="use_encoded_value", unknown_value=-1),
    ),
}


@dataclass(frozen=True)
class Job:
    """A table of numbers with gaps and of text, and what becomes of it in each fold."""

    rows: int
    encoder: str = "one-hot"
    numbers: int = 20
    folds: int = 5


def table_of(job: Job) -> pa.Table:
    """Columns n0, n1, ... of doubles, 5% missing; s0, s1, ... of text, two to 36 values."""
    seed = np.random.default_rng(job.rows)
    columns: dict[str, Any] = {}
    for place in range(job.numbers):
        values = seed.normal(place, 1 + place, job.rows)
        columns[f"n{place}"] = pa.array(values, mask=seed.random(job.rows) < _GAPS)
    for place, levels in enumerate(_LEVELS):
        words = np.array([f"level {level:02d} of {place}" for level in range(levels)], object)
        columns[f"s{place}"] = pa.array(words[seed.integers(0, levels, job.rows)])
    return pa.table(columns)


def _measured(job: Job, machine: Machine) -> Outcome:
    table = table_of(job)
    numbers = [name for name in table.column_names if name[0] == "n"]
    texts = [name for name in table.column_names if name[0] == "s"]
    call, encoder = _ENCODERS[job.encoder]
    frame = to_frame(table)
    split = list(KFold(job.folds, shuffle=True, random_state=0).split(frame))
    op = EncodeBlock(((Call("SimpleImputer"), Call("StandardScaler")), (call,)))
    blocks = [to_frame(table, numbers), to_frame(table, texts)]

    def work(threads: int = 1) -> list[Any]:
        """Codes once, then the block of each fold; only the last is held, as in a run."""
        codes = codes_of(table, texts)
        inputs = [split, *blocks, codes]
        found: Any = None
        for fold in range(job.folds):
            found = encoding.block(op, inputs, Context(fold, threads))
            assert found is not None
        return [found]

    def library(frame: pd.DataFrame) -> list[Any]:
        found: Any = None
        for train, valid in split:
            chain = make_pipeline(SimpleImputer(), StandardScaler())
            both = ColumnTransformer([("n", chain, numbers), ("s", encoder(), texts)])
            found = both.fit_transform(frame.iloc[train]), both.transform(frame.iloc[valid])
        return [found]

    # The library's best case: text that somebody turned into whole numbers before.
    numbered = frame.assign(**{name: pd.factorize(frame[name], sort=True)[0] for name in texts})
    ours, theirs = work(), library(frame)
    differences = [
        relative_difference(one, other)
        for found, wanted in zip(ours, theirs, strict=True)
        for one, other in zip(found, wanted, strict=True)
    ]
    width = theirs[0][0].shape[1]
    # Each fold reads the columns and writes its block.
    moved = job.folds * job.rows * (8.0 * width + 8.0 * len(numbers) + 4.0 * len(texts))
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": seconds_of(partial(library, frame)),
            "scikit-learn on codes": seconds_of(partial(library, numbered)),
        },
        limit=machine.seconds(moved),
        difference=max(differences),
        bound=0.0,
        two=(clock_seconds_of(partial(work, 2)), clock_seconds_of(work)),
        peak=peak_of(work),
    )


def _case(job: Job, *targets: Target) -> Case:
    kinds = f"{job.numbers} numbers, {len(_LEVELS)} texts"
    name = f"impute+scale+{job.encoder}, {job.rows // 1000}k x {kinds}, {job.folds} folds"
    return Case("encoding", name, partial(_measured, job), targets)


CASES = (
    _case(Job(20_000)),
    _case(Job(200_000), Target(18.0)),
    _case(Job(20_000, "ordinal")),
    _case(Job(200_000, "ordinal")),
)
