"""The model-side ops: splits, features, fits, predictions, scores.

Table ops are in `planner.relational`. Estimators are `Call` values (parsed, never evaluated);
everything a result depends on, seeds included, is in an op's fields and so in its key.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from planner.expressions import Call, text
from planner.graph import Op, Plane, Role
from planner.render import Query

Task = Literal["regression", "binary", "multiclass"]
Method = Literal["predict", "predict_proba", "decision_function"]

_MAX_NAMES = 6  # of columns, in a label


@dataclass(frozen=True)
class Folds(Op):
    """Train and validation row positions of every fold.

    Input: the relation narrowed to the columns named here (possibly none: rows only).
    Value: K pairs of int64 position arrays. `train_mask` names a boolean column; rows where it
    is not true are left out of the training positions only.
    """

    splitter: Call
    count: int
    target: str | None = None
    groups: str | None = None
    fold_column: str | None = None
    train_mask: str | None = None
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.SPLIT

    @property
    def label(self) -> str:
        train = ", train rows filtered" if self.train_mask else ""
        return f"folds {text(self.splitter)}{train}"


@dataclass(frozen=True)
class Vector(Op):
    """One column as an array of n values: the target, weights. Input: a relation."""

    column: str
    plane: ClassVar[Plane] = Plane.WHOLE

    @property
    def label(self) -> str:
        return f"column {self.column}"


@dataclass(frozen=True)
class MapTarget(Op):
    """An element-wise target transform such as ``log1p``. Input: a Vector."""

    function: str
    plane: ClassVar[Plane] = Plane.WHOLE

    @property
    def label(self) -> str:
        return f"{self.function}(target)"


@dataclass(frozen=True)
class FitTarget(Op):
    """A target transformer fitted on the training rows of each fold. Inputs: target, folds.

    Value per fold: the pair (transformed training target, fitted transformer).
    """

    transformer: Call
    plane: ClassVar[Plane] = Plane.FOLD

    @property
    def label(self) -> str:
        return text(self.transformer)

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class Columns(Op):
    """Columns of a relation as a feature block: a data frame, or one Series if `single`."""

    names: tuple[str, ...]
    single: bool = False
    plane: ClassVar[Plane] = Plane.WHOLE

    @property
    def label(self) -> str:
        return "columns " + _listed(self.names)


@dataclass(frozen=True)
class Apply(Op):
    """An unfitted, row-wise transformer over all rows at once. Input: a feature block."""

    transformer: Call
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return text(self.transformer)

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class Encode(Op):
    """A transformer fitted on the training rows: ``fit_transform`` there, ``transform`` on the
    validation rows.

    Inputs: features (a whole block or per fold), folds, and the target if `supervised`.
    Value per fold: the pair (training features, validation features).
    """

    transformer: Call
    supervised: bool
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return text(self.transformer)

    @property
    def subject(self) -> str:
        return self.transformer.name


@dataclass(frozen=True)
class Concat(Op):
    """Feature blocks side by side, as ColumnTransformer (`sparse_threshold`) or FeatureUnion
    (None) stack them. Inputs: folds, then one or more blocks. Value per fold: the pair."""

    sparse_threshold: float | None = 0.3
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FEATURES

    @property
    def label(self) -> str:
        return "concat"


@dataclass(frozen=True)
class Fit(Op):
    """A predictor fitted on the training rows of each fold.

    Inputs: features, folds, the target as fitted (Vector, MapTarget or FitTarget), then weights
    if `weighted`. `function` names the element-wise transform that `MapTarget` applied and that
    predictions undo. `stop_*` is early stopping: rounds without gain (0: none), fraction of the
    training rows watched (0: the validation rows), the library's metric name (empty: default).
    """

    estimator: Call
    task: Task
    function: str | None = None
    weighted: bool = False
    stop_rounds: int = 0
    stop_inner: float = 0.0
    stop_metric: str = ""
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def label(self) -> str:
        return text(self.estimator)

    @property
    def subject(self) -> str:
        return self.estimator.name


@dataclass(frozen=True)
class Predict(Op):
    """Predictions of a fit on the validation rows of each fold. Input: a Fit.

    Value per fold: (n_valid,) values or labels, or (n_valid, classes) probabilities. Of
    `methods` the first that the fitted model has is used, as scikit-learn's scorers do.
    """

    methods: tuple[Method, ...]
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.ANSWER
    kept: ClassVar[bool] = True

    @property
    def label(self) -> str:
        return "predict"


@dataclass(frozen=True)
class Member(Op):
    """Predictions of one member of a group. Input: the group node."""

    index: int
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.ANSWER

    @property
    def label(self) -> str:
        return f"member {self.index}"


@dataclass(frozen=True)
class Score(Op):
    """A metric of predictions on the validation rows of each fold.

    Inputs: predictions, folds, the target as given, then score weights if `weighted`.
    `metric` is the canonical text of the metric (see `planner.metrics`); `positive` the repr of
    the positive class where the spec names one. Value per fold: a float.
    """

    metric: str
    task: Task
    positive: str | None = None
    weighted: bool = False
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.SCORE

    @property
    def label(self) -> str:
        return f"score {self.metric}"


@dataclass(frozen=True)
class Materialise(Op):
    """Physical: one fused query run and its result kept as a table block. No inputs."""

    query: Query
    plane: ClassVar[Plane] = Plane.WHOLE

    @property
    def label(self) -> str:
        return "query"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MAX_NAMES])
    return shown + (f", ... ({len(names)})" if len(names) > _MAX_NAMES else "")
