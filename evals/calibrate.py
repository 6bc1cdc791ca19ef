"""Measures the constants of the cost model on this machine.

    python -m evals.calibrate            # prints the table, and how well it fits
    python -m evals.calibrate --write    # writes planner/cost_table.py

It takes a minute of one core. Every operator is fitted on generated data of a few
sizes; the seconds of its terms are those with the least relative squared error that are not
negative (NNLS).
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import planner.cost_table as stored
from evals.calibration_cases import FITS, SCORES, TRANSFORMS, Case, Size
from planner.cost_factors import Shape, factors
from planner.cost_table import Terms
from planner.expressions import Call

_ENOUGH = 0.15  # seconds of one measurement; quick ones are repeated
_REPEATS = 3
_SUPERVISED = ("SelectKBest", "TargetEncoder")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_HEAD = '''"""Seconds by kind of operator: what `python -m evals.calibrate --write` measured.

A term is a product of the factors of `planner.cost_factors`, with seconds for one unit of it.
"""

Terms = tuple[tuple[str, float], ...]
'''

Sample = tuple[dict[str, float], float]  # factors, seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the measurement; see the module."""
    parser = argparse.ArgumentParser(prog="python -m evals.calibrate", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write planner/cost_table.py")
    arguments = parser.parse_args(argv)
    if any(os.environ.get(name) != "1" for name in _ONE_THREAD):
        # They must be set before the libraries are loaded, as in workers.
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        os.execv(sys.executable, [sys.executable, "-m", "evals.calibrate", *sys.argv[1:]])
    began = time.monotonic()
    text = _HEAD + "".join(
        f"\n{name}: dict[str, Terms] = {{\n{_lines(table)}}}\n" for name, table in measure().items()
    )
    print(text)
    print(f"# {time.monotonic() - began:.0f} s", file=sys.stderr)
    if arguments.write:
        Path(str(stored.__file__)).write_text(text, encoding="utf-8")
    return 0


def _lines(table: dict[str, Terms]) -> str:
    lines = []
    for name, terms in table.items():
        inner = ", ".join(f'("{term}", {seconds:.3g})' for term, seconds in terms)
        line = f'    "{name}": ({inner}{"," if len(terms) == 1 else ""}),'
        if len(line) > 100:
            parts = "".join(f'        ("{term}", {seconds:.3g}),\n' for term, seconds in terms)
            line = f'    "{name}": (\n{parts}    ),'
        lines.append(line + "\n")
    return "".join(lines)


def measure() -> dict[str, dict[str, Terms]]:
    """The four tables, by name."""
    from executor.introspect import registry

    operators = registry()
    fits: dict[str, Terms] = {}
    predicts: dict[str, Terms] = {}
    transforms: dict[str, Terms] = {}
    scores: dict[str, Terms] = {}
    for case in FITS:
        name, fitted, asked = _case(case, operators, _fit)
        fits[name] = fit_terms(name, case.terms, fitted)
        predicts[name] = fit_terms(f"{name}.predict", case.predict, asked)
    for case in TRANSFORMS:
        name, fitted, _ = _case(case, operators, _transform)
        if name not in transforms:
            transforms[name] = fit_terms(name, case.terms, fitted)
    for case in SCORES:
        for metric in case.expressions:
            samples = [_score(metric, case, size) for size in case.sizes]
            scores[metric] = fit_terms(metric, case.terms, samples)
    return {"FITS": fits, "PREDICTS": predicts, "TRANSFORMS": transforms, "SCORES": scores}


Measure = Callable[[Call, Case, Size], tuple[Sample, Sample]]


def _case(case: Case, operators: Any, run: Measure) -> tuple[str, list[Sample], list[Sample]]:
    from planner import expressions

    calls = [expressions.parse(expression, operators) for expression in case.expressions]
    first, second = [], []
    for call in calls:
        for size in case.sizes:
            one, two = run(call, case, size)
            first.append(one)
            second.append(two)
    return calls[0].name, first, second


def data(case: Case, size: Size) -> tuple[Any, Any]:
    """Features and target of a size, as pipelines would hand them to the operator."""
    import numpy as np
    import pandas as pd
    from sklearn.datasets import make_classification, make_regression

    rows, columns = size
    rng = np.random.default_rng(0)
    if case.data == "text":
        # Texts of tables (names, streets, kinds) mostly come several times.
        words = np.array([f"word{n}" for n in range(3000)])
        drawn = words[np.minimum(rng.zipf(1.3, (max(rows // 5, 1), 6)) - 1, 2999)]
        texts = np.array([" ".join(row) for row in drawn], dtype=object)
        return pd.Series(texts[rng.integers(0, len(texts), rows)]), rng.normal(size=rows)
    if case.data == "categories":
        codes = rng.integers(0, 20, (rows, columns))
        frame = {f"c{i}": pd.Series([f"level {v}" for v in codes[:, i]]) for i in range(columns)}
        return pd.DataFrame(frame), codes.sum(axis=1) + rng.normal(size=rows)
    informative = max(columns // 2, 2)
    if case.classes:
        x, y = make_classification(
            rows, columns, n_informative=informative, n_redundant=0, flip_y=0.1,
            n_classes=case.classes, random_state=0,
        )  # fmt: skip
        return _rounded(x), y
    x, y = make_regression(rows, columns, n_informative=informative, noise=20.0, random_state=0)
    x = _rounded(x)
    if case.data == "missing":
        x[rng.random(x.shape) < 0.1] = np.nan
    return x, np.sign(y) * np.sqrt(np.abs(y))


def _rounded(x: Any) -> Any:
    """Every other column with some twenty distinct values, as tables mostly have: histograms
    and sorted columns are the smaller for it."""
    import numpy as np

    x[:, ::2] = np.round(4 * x[:, ::2]) / 4
    return x


def _fit(call: Call, case: Case, size: Size) -> tuple[Sample, Sample]:
    from executor.construct import construct

    x, y = data(case, size)
    valid = x[: max(len(x) // 4, 1)]
    seconds, model = timed(lambda: construct(call).fit(x, y))
    asked, _ = timed(lambda: getattr(model, "predict_proba", model.predict)(valid))
    shape = Shape(size[0], size[1], size[1], 0.0, max(case.classes, 1), len(valid))
    return (factors(call, shape), seconds), (factors(call, shape), asked)


def _transform(call: Call, case: Case, size: Size) -> tuple[Sample, Sample]:
    """Fitted on the training rows of a block, and applied to a quarter as many, as the op does."""
    import numpy as np
    import pandas as pd

    from executor.backends.base import Context
    from executor.backends.python import PythonBackend
    from planner.ops import Encode

    x, y = data(case, size)
    rows = np.arange(len(y))
    valid = rows[: max(len(y) // 4, 1)]
    op = Encode(call, supervised=call.name in _SUPERVISED)
    backend = PythonBackend()
    # Columns of a table are handed over as they are, blocks of several steps as matrices.
    inputs = [x, pd.DataFrame(x)] if isinstance(x, np.ndarray) else [x]
    folds = [(rows, valid)]
    each = [timed(partial(backend.run, op, [one, folds, y], Context(0))) for one in inputs]
    seconds = float(np.exp(np.mean([np.log(seconds) for seconds, _ in each])))
    made = each[0][1][0]
    shape = Shape(size[0], size[1], int(made.shape[1]), 0.0, 1, len(valid))
    sample = factors(call, shape), seconds
    return sample, sample


def _score(metric: str, case: Case, size: Size) -> Sample:
    import numpy as np

    from executor.scoring import score
    from planner.metrics import resolve

    rng = np.random.default_rng(0)
    rows = size[0]
    if case.classes:
        y = rng.integers(0, 2, rows)
        chance = np.clip(y * 0.4 + rng.random(rows) * 0.6, 0.001, 0.999)
        method = resolve(metric).methods[0]
        values = np.column_stack([1 - chance, chance]) if method == "predict_proba" else (
            (chance > 0.5).astype(int) if method == "predict" else chance
        )  # fmt: skip
        classes: Any = np.array([0, 1])
        seconds, _ = timed(lambda: score(metric, "binary", y, values, classes, method=method))
    else:
        truth = rng.random(rows) + 1
        values = truth + rng.normal(size=rows) * 0.1
        seconds, _ = timed(lambda: score(metric, "regression", truth, values))
    return factors(Call("Score"), Shape(rows, 1, 1, 0.0, 1, rows)), seconds


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds (fits have one thread, and others may use the machine) of the quickest of
    a few runs."""
    best, result = float("inf"), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(_REPEATS):
            began = time.process_time()
            result = run()
            best = min(best, time.process_time() - began)
            if best > _ENOUGH:
                break
    return best, result


def fit_terms(name: str, terms: Sequence[str], samples: Sequence[Sample]) -> Terms:
    """Non-negative seconds of each term; says on stderr how far the samples are off."""
    import numpy as np
    from scipy.optimize import nnls

    rows = np.array([[_product(term, numbers) for term in terms] for numbers, _ in samples])
    seconds = np.array([one for _, one in samples])
    relative = rows / seconds[:, None]
    scale = relative.max(axis=0)
    found, _ = nnls(relative / scale, np.ones(len(samples)))
    found = found / scale
    off = np.exp(np.abs(np.log(np.maximum(rows @ found, 1e-9) / seconds)))
    print(f"{name}: off by {np.median(off):.2f}, at most {off.max():.2f}", file=sys.stderr)
    kept = tuple((t, float(s)) for t, s in zip(terms, found, strict=True) if s > 0)
    return kept or (("1", float(np.median(seconds))),)


def _product(term: str, numbers: dict[str, float]) -> float:
    value = 1.0
    for letter in term:
        if letter != "1":
            value *= numbers[letter]
    return value


if __name__ == "__main__":
    sys.exit(main())
