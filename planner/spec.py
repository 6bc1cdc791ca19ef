"""The request models of the planner: one pipeline, and the settings of an evaluation.

Input: JSON from an agent. Output: validated, immutable models; JSON Schema is generated from
them. Names (columns, estimators, SQL) are resolved later, by the builder.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_NAME = 200
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Expression = Annotated[str, Field(min_length=1, max_length=20_000)]


class Model(BaseModel):
    """Base: unknown fields are refused, instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EstimatorDict(Model):
    """The dict form of an estimator: ``{"estimator": "Ridge", "params": {"alpha": 1}}``."""

    estimator: Name
    params: dict[str, Any] = {}


Estimator = Expression | EstimatorDict


class Target(Model):
    """What is predicted, and the transform it is fitted under.

    `transform` is ``log1p``, ``log``, ``sqrt`` or a transformer expression such as
    ``StandardScaler()``; predictions are transformed back before they are scored.
    """

    column: Name
    transform: Expression | None = None


class RegexSelector(Model):
    """Columns whose name matches (search) the regular expression."""

    regex: Annotated[str, Field(min_length=1, max_length=500)]


class ExceptSelector(Model):
    """All feature columns but these (names or selector words)."""

    except_: list[Name] = Field(alias="except")


class KindSelector(Model):
    """Columns of a kind, bounded by their number of distinct values."""

    kind: Literal["numeric", "string", "categorical", "date", "boolean", "all"]
    min_cardinality: Annotated[int, Field(ge=0)] | None = None
    max_cardinality: Annotated[int, Field(ge=0)] | None = None


Selector = Name | list[Name] | RegexSelector | ExceptSelector | KindSelector


class FeatureBranch(Model):
    """Columns and the transformers they pass through, in order; no steps hands them on."""

    columns: Selector
    steps: list[Estimator] = []


class InnerSplit(Model):
    """A fraction of the training rows."""

    inner: Annotated[float, Field(gt=0, lt=1)]


class EarlyStopping(Model):
    """Early stopping of a boosting model.

    `on` is ``"validation"`` (the scored fold; warned of) or ``{"inner": fraction}`` of the
    training rows; `metric` is the library's own name, its default if omitted.
    """

    rounds: Annotated[int, Field(ge=1, le=100_000)]
    on: Literal["validation"] | InnerSplit = "validation"
    metric: str | None = None


class MetricSpec(BaseModel):
    """A metric with arguments: ``{"metric": "fbeta", "beta": 2}``."""

    model_config = ConfigDict(extra="allow", frozen=True)
    metric: Name


Metric = Name | MetricSpec


class Holdout(Model):
    """A cross-validation of one split: `holdout` is the validation fraction, and its scores rank.

    Not the hold-out that the server keeps, see `KeptHoldout`.
    """

    holdout: Annotated[float, Field(gt=0, lt=1)]
    seed: int = 0
    stratify: bool = False


class KeptHoldout(Model):
    """Rows that the server keeps aside from every fold, to confirm finalists on.

    Attributes:
        fraction: Of the prepared rows.
        seed: Of the draw.
        stratify: By the target; by default where that is a class.
        groups: Column whose values are kept whole; by default evaluate.groups.
    """

    fraction: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    stratify: bool | None = None
    groups: Name | None = None


class Budget(Model):
    """Bounds of a job: wall seconds, memory such as ``"8GB"``, seconds of one pipeline."""

    seconds: Annotated[float, Field(gt=0, le=7 * 86_400)] | None = None
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s*([KMGT]i?)?B?$")] | None = None
    pipeline_seconds: Annotated[float, Field(gt=0, le=7 * 86_400)] | None = None


class EvaluateSpec(Model):
    """How the pipelines of a batch are scored.

    Attributes:
        cv: A scikit-learn splitter expression, or a hold-out. If omitted, five shuffled folds,
            stratified for classification, by group where `groups` is given; reported.
        metrics: Metric names or metric objects; the first ranks the leaderboard. If empty, a
            default is chosen by task (r2, or roc_auc / accuracy) and reported.
        holdout: Fraction of the rows that no fold sees; finalists are confirmed on them.
        groups: Column handed to group splitters.
        order_by: Column(s) the rows are sorted by before splitting (stable).
        seed: Used wherever a random_state is left open.
        positive: The positive class of binary metrics; by default the greater label.
        task: What the models are for; one of another kind is refused.
        fidelity: ``exact`` scores are the library's own. Under ``statistical`` faster kernels stand
            in for forests: scores equal in distribution, labelled; a search confirms its best three
            exactly.
    """

    cv: Expression | Holdout | None = None
    holdout: Annotated[float, Field(gt=0, lt=1)] | KeptHoldout | None = None
    metrics: list[Metric] = []
    groups: Name | None = None
    order_by: Name | list[Name] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    positive: bool | int | float | str | None = None
    task: Literal["regression", "classification"] | None = None
    budget: Budget = Budget()
    fidelity: Literal["exact", "statistical"] = "exact"


class PipelineSpec(Model):
    """One pipeline: where the rows come from, how features are made, which model is fitted.

    `prepare` holds the data steps (see `planner.steps`); they are validated there.
    """

    name: Name | None = None
    dataset: Name
    target: Name | Target
    prepare: Annotated[list[dict[str, Any]], Field(max_length=200)] = []
    features: Annotated[list[FeatureBranch], Field(max_length=200)] | Estimator | None = None
    remainder: Literal["drop", "passthrough"] = "drop"
    model: Estimator
    early_stopping: EarlyStopping | None = None
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(max_length=100)] = []
    sample_weight: Name | None = None
    score_weight: Name | None = None
    metrics: list[Metric] | None = None


class BlendSpec(Model):
    """Which pipelines are combined, and how.

    Attributes:
        of: Names of pipelines of the call, or ids or names of earlier evaluations.
        how: The mean of predictions, of their ranks within a fold (for metrics of order), or a
            model fitted on the out-of-fold predictions.
        weights: Of a mean, one a member.
        model: What a stack fits.
    """

    of: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    how: Literal["mean", "rank_mean", "stack"] = "mean"
    weights: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None
    model: Estimator | None = None


class BlendPipeline(Model):
    """A blend: it stands where a pipeline stands, and has the rows and target of its members."""

    name: Name | None = None
    blend: BlendSpec
    metrics: list[Metric] | None = None
