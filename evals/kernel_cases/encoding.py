"""Encoding: imputed, scaled and one-hot encoded blocks of all folds from columns and codes."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    both_threads,
    relative_difference,
    seconds_of,
)
from evals.kernel_cases.encoding_library import LEVELS, Job, folds, table_of
from evals.kernel_cases.intel import polars_seconds
from evals.kernel_cases.memory import memory_of
from executor.backends.base import Context
from executor.backends.coded import codes_of
from executor.backends.duckdb import to_frame
from executor.backends.rust import encoding
from planner.expressions import Call
from planner.ops_encode import EncodeBlock

_LIBRARY = "evals.kernel_cases.encoding_library"
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


def _measured(job: Job, machine: Machine) -> Outcome:
    table = table_of(job)
    numbers = [name for name in table.column_names if name[0] == "n"]
    texts = [name for name in table.column_names if name[0] == "s"]
    call, encoder = _ENCODERS[job.encoder]
    frame = to_frame(table)
    split = folds(job)
    op = EncodeBlock(((Call("SimpleImputer"), Call("StandardScaler")), (call,)))
    blocks = [to_frame(table, numbers), to_frame(table, texts)]

    def work(threads: int = 1, folds: int = job.folds) -> list[Any]:
        """Codes once, then the block of each fold; only the last is held, as in a run."""
        codes = codes_of(table, texts, threads)
        inputs = [split, *blocks, codes]
        found: Any = None
        for fold in range(folds):
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
    seconds = seconds_of(partial(library, frame))
    return Outcome(
        ours=seconds_of(work),
        libraries={
            "scikit-learn": seconds,
            "scikit-learn on codes": seconds_of(partial(library, numbered)),
            "Polars": polars_seconds(_LIBRARY, [json.dumps(asdict(job))]),
        },
        limit=machine.seconds(moved),
        difference=max(differences),
        bound=0.0,
        memory=memory_of(partial(work, folds=1), blocks),
        two=both_threads(work, "scikit-learn", seconds),
    )


def _case(job: Job, *targets: Target) -> Case:
    kinds = f"{job.numbers} numbers, {len(LEVELS)} texts"
    name = f"impute+scale+{job.encoder}, {job.rows // 1000}k x {kinds}, {job.folds} folds"
    return Case("encoding", name, partial(_measured, job), targets)


CASES = (
    _case(Job(20_000)),
    _case(Job(200_000), Target(18.0)),
    _case(Job(20_000, "ordinal")),
    _case(Job(200_000, "ordinal")),
)
