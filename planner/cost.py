"""Expected seconds and bytes of an op at one thread, before anything was measured.

Input: an op and the shape of its data. Output: estimates. They order the work, admit it against
the memory budget, and are shown to agents as estimates; nothing else depends on them.
`planner.estimates` applies them to plans, corrected by measurements.
"""

from planner.cost_calls import fit_seconds, predict_seconds, total, transform_seconds
from planner.cost_factors import Shape, factors, rounds_of
from planner.cost_table import SCORES, Terms
from planner.expressions import Call
from planner.graph import Op
from planner.ops import (
    Apply,
    Columns,
    Concat,
    Encode,
    Fit,
    FitTarget,
    Folds,
    MapTarget,
    Materialise,
    Member,
    Predict,
    Score,
    Vector,
)
from planner.ops_blend import Blend, OutOfFold, WithHeldOut
from planner.ops_components import ComponentFolds, ComponentPath
from planner.ops_encode import CodedEncode, Codes, EncodeBlock
from planner.ops_encodings import (
    ChosenColumns,
    ColumnScores,
    Components,
    Decomposition,
    Encoding,
    TermCounts,
    Vocabulary,
)
from planner.ops_linear import LinearBlocks, LinearFolds, LinearPath, Net, solver_of
from planner.ops_neighbours import NeighbourFits
from planner.ops_prefix import PrefixFit, PrefixPredict
from planner.ops_trees import TreesFit, by_kernel

__all__ = ["MODEL", "Shape", "bytes_of", "kind_of", "rounds", "seconds_of"]

# The version of this model: what was measured of another one corrects nothing.
MODEL = 3

_BY_KERNEL = 6.0
_SCORE: Terms = (("1", 4e-4), ("v", 5e-8))


_SAME_WORK: dict[type[Op], str] = {
    PrefixFit: "Fit",
    NeighbourFits: "Fit",
    PrefixPredict: "Predict",
}


def kind_of(op: Op, model: Op | None = None) -> str:
    """What kind of work `op` is, as timings are told apart; `model` is the fit it asks."""
    # One fit that serves several takes what the largest of them takes.
    name = _SAME_WORK.get(type(op), type(op).__name__)
    if by_kernel(op):
        name = "TreesFit"
    if isinstance(op, Score):
        return f"{name} {op.metric.partition('(')[0]}"
    subject = op.subject if model is None else model.subject
    if by_kernel(model):
        subject = f"of TreesFit {subject}"
    elif model is not None and not isinstance(model, Fit | PrefixFit):
        subject = f"of {type(model).__name__} {subject}"
    return name if subject == name else f"{name} {subject}"


def rounds(op: Op) -> float:
    """The size factor of `op` that no shape shows: rounds, trees, iterations; 1 if none."""
    return rounds_of(op.estimator) if isinstance(op, Fit | PrefixFit) else 1.0


def seconds_of(op: Op, shape: Shape, model: Op | None = None) -> float:
    """Expected seconds of `op` for one fold (or once, for ops over all rows).

    `model` is the fit whose predictions are asked for, of an op that asks a model.
    """
    match op:
        case TreesFit():
            # The fit and the predictions; at least so much faster than the library.
            return fit_seconds(op.estimator, shape, 0) / _BY_KERNEL
        case Fit():
            return fit_seconds(op.estimator, shape, op.stop_rounds)
        case PrefixFit():
            return seconds_of(op.fit, shape)
        case Encode() | Apply() | CodedEncode():
            return transform_seconds(op.transformer, shape)
        case Predict():
            return _predict(shape, model)
        case PrefixPredict():
            return _predict(shape, model.member(op.index) if isinstance(model, PrefixFit) else None)
        case Score():
            terms = SCORES.get(op.metric.partition("(")[0], _SCORE)
            return total(terms, factors(Call("Score"), shape)) * max(shape.classes / 2, 1.0)
        case Materialise():
            return 0.025 + shape.cells * 6e-8
        case Codes():
            return 4e-4 + shape.cells * 5e-8
        case Columns():
            return 4e-4 + shape.cells * 6e-9
        case Vector() | MapTarget():
            return 2e-4 + shape.rows * 1e-8
        case Folds():
            return 5e-4 + shape.rows * op.count * 1e-8
        case FitTarget():
            return 0.001 + shape.rows * 1e-8
        case EncodeBlock():
            return 1e-3 + (shape.rows + shape.valid) * shape.out * 4e-9
        case Concat():
            return 8e-4 + shape.cells * 6e-9
        case NeighbourFits():
            return seconds_of(op.fit, shape)
        case Decomposition() | ColumnScores() | TermCounts():
            return transform_seconds(op.transformer, shape)
        case Components() | ChosenColumns() | Vocabulary():
            return 8e-4 + (shape.rows + shape.valid) * max(shape.stored, shape.out) * 6e-9
        case Blend() | OutOfFold() | WithHeldOut():
            return 5e-4 + shape.valid * sum(op.counts) * 2e-8
        case LinearFolds() | LinearBlocks():
            return 0.002 + shape.cells * (2e-8 + shape.columns * 5e-11) + 5 * _solve(op, shape)
        case LinearPath():
            return 0.001 + shape.cells * shape.columns * 5e-11 + _solve(op, shape)
        case ComponentFolds():
            return 0.002 + shape.cells * (2e-8 + shape.columns * 4e-10) + _turn(op, shape, 5)
        case ComponentPath():
            return 0.001 + shape.cells * shape.columns * 4e-10 + _turn(op, shape, 1)
        case Member():
            return 2e-5 + shape.valid * 2e-9
        case _:
            return 0.0002


def _solve(op: LinearBlocks | LinearFolds | LinearPath, shape: Shape) -> float:
    """What the members of one fold take besides the moments that all of them share; nets, of which
    the library fits some, the most."""
    nets = sum(isinstance(solver_of(member.estimator), Net) for member in op.members)
    descents = nets * (3e-4 + 1e-7 * shape.columns**2)
    return descents + len(op.members) * (2e-5 + shape.rows * 1e-9)


def _turn(op: ComponentFolds | ComponentPath, shape: Shape, folds: int) -> float:
    """What the decompositions take, one per fold, and each member beside them."""
    decomposed = folds * 5e-10 * shape.columns**3
    return decomposed + len(op.members) * (5e-5 + shape.cells * 2e-10)


def _predict(shape: Shape, model: Op | None) -> float:
    """Seconds to ask a fit for predictions; of a group, what each of its models takes."""
    if by_kernel(model):
        return 1e-4 + shape.valid * 1e-8
    if isinstance(model, NeighbourFits):
        # They are found once, for the most.
        longest = model.at(model.sizes[-1], "uniform")
        return 3e-4 + _predict(shape, longest) / len(model.members)
    if not isinstance(model, Fit):
        return predict_seconds(Call("Predict"), shape)
    return predict_seconds(model.estimator, shape)


def bytes_of(op: Op, shape: Shape) -> int:
    """Expected peak bytes above the inputs (which are memory-mapped), its output included."""
    size = 12 if shape.stored else 8  # an index for every value
    read = int(shape.rows * (shape.stored or shape.columns) * size)
    match op:
        case Fit() | PrefixFit() | NeighbourFits():
            # A contiguous copy, and what the library makes of it (bins, single precision).
            return 2 * read + (1 << 20)
        case Encode() | Apply() | Encoding() | CodedEncode():
            return read + 2 * output_bytes(shape) + (1 << 20)
        case Concat() | EncodeBlock():
            return 2 * output_bytes(shape)
        case Materialise():
            return shape.rows * shape.columns * 24
        case Columns():
            return shape.rows * shape.columns * 16
        case LinearBlocks() | LinearFolds() | LinearPath() | ComponentFolds() | ComponentPath():
            return read + 8 * shape.columns * shape.columns * 4
        case _:
            return read // 8 + 16 * (shape.rows + shape.valid)


def output_bytes(shape: Shape) -> int:
    """Expected bytes of a feature block of both sides of a fold, or of all rows."""
    rows, columns = shape.rows + shape.valid, shape.out or shape.columns
    return int(rows * (12 * shape.stored if shape.stored else 8 * columns))
