"""Feature blocks of several branches, step by step: the reference of the kernel.

Input: what an EncodeBlock reads. Output: what its transformers and the concatenation behind them
give; a step that fails tells of itself under the key of its own node.
"""

from collections.abc import Callable, Sequence
from typing import Any

from executor.backends.base import Context
from executor.failures import describe_failure
from executor.sharing import refused_write
from planner.errors import StratumError
from planner.graph import Op
from planner.ops import Concat, Encode
from planner.ops_encode import CODED, CodedEncode, EncodeBlock

Run = Callable[[Any, Sequence[Any], Context], Any]


def table(encode: Run, coded: Run, concat: Run) -> dict[type[Op], Run]:
    """What runs these ops; the arguments run an Encode, a CodedEncode and a Concat."""

    def block(op: EncodeBlock, inputs: Sequence[Any], context: Context) -> Any:
        folds, *rest = inputs
        blocks, codes = rest[: len(op.steps)], iter(rest[len(op.steps) :])
        stacked = []
        for value, calls, keys, reads in zip(blocks, op.steps, op.nodes, op.coded, strict=True):
            own = next(codes) if reads else None
            for call, key in zip(calls, keys, strict=True):
                # Behind an imputer the values are no longer those of the columns.
                direct = call.name in CODED and len(calls) == 1
                step = CodedEncode(call, False) if direct else Encode(call, False)
                arguments = [value, folds, *([own] if direct else [])]
                value = _told(coded if direct else encode, step, arguments, context, key)
            stacked.append(value)
        return concat(Concat(op.sparse_threshold), [folds, *stacked], context)

    return {EncodeBlock: block}


def _told(run: Run, step: Op, arguments: list[Any], context: Context, key: str) -> Any:
    try:
        return run(step, arguments, context)
    except StratumError as error:
        error.node = key
        raise
    except MemoryError:
        raise
    except Exception as error:
        if refused_write(error):
            raise  # all is run again, on copies
        told = describe_failure(step, error)
        told.node = key
        raise told from error
