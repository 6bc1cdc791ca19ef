"""One fit for every number of rounds or trees.

Input: a `PrefixFit` and what a Fit reads. Output: a model per size, most of them beginnings of
the largest; and their predictions.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from executor.backends.base import Context
from executor.backends.trees import stand_ins
from executor.ensembles import complete, first
from executor.failures import describe_failure
from executor.models import FittedModel, predict
from executor.sharing import refused_write
from planner.errors import StratumError
from planner.graph import Op
from planner.ops import Fit
from planner.ops_prefix import PrefixFit, PrefixPredict
from planner.ops_trees import TreesFit

Run = Callable[[Any, Sequence[Any], Context], Any]
Fitted = tuple[FittedModel | StratumError, ...]


def table(fit: Callable[[Fit, Sequence[Any], Context], FittedModel]) -> dict[type[Op], Run]:
    """What runs the ops of this file, where `fit` runs a single Fit."""

    def run(op: PrefixFit, inputs: Sequence[Any], context: Context) -> Fitted:
        if isinstance(op.fit, TreesFit):
            found = stand_ins([op.at(size) for size in op.sizes], inputs, context)
            if found is not None:
                return tuple(found)
        return _fitted(op, lambda single: fit(single, inputs, context))

    return {PrefixFit: run, PrefixPredict: _predict}


def _fitted(op: PrefixFit, fit: Callable[[Fit], FittedModel]) -> Fitted:
    """Models or errors by size, ascending.

    From the largest down: a model that is complete serves all that are smaller. Where it failed
    (targets may overflow in late rounds only) or cannot tell, the next smaller one is fitted.
    """
    found: list[FittedModel | StratumError] = []
    sizes = list(op.sizes)
    while sizes:
        size = sizes.pop()
        single = op.at(size)
        try:
            model = fit(single)
        except StratumError as error:
            found.append(error)
            continue
        except MemoryError:
            raise
        except Exception as error:
            if refused_write(error):
                raise  # all is run again, on copies
            found.append(describe_failure(single, error))
            continue
        found.append(model)
        if complete(model.estimator, size):
            while sizes:
                size = sizes.pop()
                part = replace(model, op=op.at(size), estimator=first(model.estimator, size))
                found.append(part)
    return tuple(reversed(found))


def _predict(op: PrefixPredict, inputs: Sequence[Any], context: Context) -> Any:
    model = inputs[0][op.index]
    if isinstance(model, StratumError):
        raise model
    return predict(model, op.methods)
