"""Variants of a good pipeline that may be nearly free once it has run.

Input: a spec (JSON) and the registry. Output: a bounded list of candidate edits, as JSON merge
patches. They are only candidates: what they cost is for the planner to say, from what is stored
and what is grouped (see `tools.variants`). Each proposal is a function in `PROPOSALS`; a rule or
a spec field that a proposal hopes for may be missing, in which case its candidates cost what any
other pipeline costs, and are not advised.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner import expressions
from planner.errors import StratumError
from planner.expressions import Call, Items, Literal, param, text, with_params
from planner.registry import NoDefault, Operator, Registry

JsonObject = dict[str, Any]

MOST = 12  # candidates of one pipeline


@dataclass(frozen=True)
class Candidate:
    """An edit of a pipeline: `patch` goes beside ``from``; `kind` groups like edits."""

    patch: JsonObject
    kind: str
    why: str


@dataclass(frozen=True)
class Subject:
    """The pipeline that is edited: its spec, the call of its model, and the predictor in it."""

    spec: Mapping[str, Any]
    model: Call
    predictor: Call
    operator: Operator
    registry: Registry

    @property
    def regression(self) -> bool:
        return self.operator.kind == "regressor"

    def given(self, name: str) -> Literal:
        """The value of a parameter of the predictor, the default where it is left open."""
        usual = self.operator.default(name)
        return param(self.predictor, name, None if isinstance(usual, NoDefault) else usual)

    def edited(self, **params: Literal) -> JsonObject:
        """The patch that sets parameters of the predictor."""
        return {"model": text(_replaced(self.model, with_params(self.predictor, **params)))}


Proposal = Callable[[Subject], Iterator[Candidate]]


def candidates(spec: Mapping[str, Any], registry: Registry, limit: int = MOST) -> list[Candidate]:
    """Candidate edits of `spec`, one kind after the other; none if it has no plain model."""
    subject = _subject(spec, registry)
    if subject is None:
        return []
    found: list[Candidate] = []
    for proposal in PROPOSALS:
        found.extend(proposal(subject))
    return found[:limit]


def _subject(spec: Mapping[str, Any], registry: Registry) -> Subject | None:
    source = spec.get("model")
    if not isinstance(source, str | Mapping):
        return None
    try:
        model = expressions.parse(source, registry)
    except StratumError:
        return None
    predictor = _last(model)
    if predictor.name not in registry:
        return None
    return Subject(spec, model, predictor, registry[predictor.name], registry)


def _last(model: Call) -> Call:
    """The last step of a Pipeline, or the model itself."""
    while model.name == "Pipeline":
        steps = param(model, "steps")
        last = steps.values[-1] if isinstance(steps, Items) and steps.values else None
        if not isinstance(last, Items) or not isinstance(last.values[-1], Call):
            break
        model = last.values[-1]
    return model


def _replaced(model: Call, predictor: Call) -> Call:
    """`model` with its last step replaced."""
    if model.name != "Pipeline":
        return predictor
    steps = param(model, "steps")
    assert isinstance(steps, Items)
    last = steps.values[-1]
    assert isinstance(last, Items)
    inner = last.values[-1]
    assert isinstance(inner, Call)
    step = Items(last.kind, (*last.values[:-1], _replaced(inner, predictor)))
    return with_params(model, steps=Items(steps.kind, (*steps.values[:-1], step)))


# -- proposals ------------------------------------------------------------------------------------


def _grids(subject: Subject) -> Iterator[Candidate]:
    """Other strengths of a penalty: a linear group has them from the same moments or path."""
    for name in ("alpha", "C"):
        value = subject.given(name) if subject.operator.family == "linear" else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            for factor in (10.0, 0.1):
                scaled = float(f"{value * factor:.6g}")
                yield Candidate(subject.edited(**{name: scaled}), name, f"another {name}")
    ratio = subject.given("l1_ratio")
    if subject.predictor.name == "ElasticNet" and isinstance(ratio, float):
        for other in (0.2, 0.5, 0.9):
            if other != ratio:
                yield Candidate(subject.edited(l1_ratio=other), "l1_ratio", "another l1_ratio")


def _neighbours(subject: Subject) -> Iterator[Candidate]:
    """Other numbers of neighbours, of those that were found."""
    value = subject.given("n_neighbors")
    if "KNeighbors" in subject.predictor.name and isinstance(value, int):
        for other in dict.fromkeys((max(value // 2, 1), value * 2)):
            if other != value:
                yield Candidate(subject.edited(n_neighbors=other), "k", "other neighbours")


def _prefixes(subject: Subject) -> Iterator[Candidate]:
    """Fewer rounds or trees: a prefix of what was fitted."""
    for name in ("n_estimators", "max_iter", "iterations"):
        if subject.operator.family in ("boosting", "forest") and name in subject.operator.by_name:
            value = subject.given(name)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 20:
                for other in (value // 2, value // 4):
                    yield Candidate(subject.edited(**{name: other}), name, f"fewer {name}")
                return


def _metrics(subject: Subject) -> Iterator[Candidate]:
    """Another metric of predictions that are kept."""
    wanted = ("mae", "rmse") if subject.regression else ("average_precision", "accuracy")
    given = subject.spec.get("metrics") or []
    for metric in wanted:
        if metric not in given:
            patch = {"metrics": [metric]}
            yield Candidate(patch, "metric", "another metric of kept predictions")


def _models(subject: Subject) -> Iterator[Candidate]:
    """Another model on the same features: what is stored is not made again."""
    usual = _REGRESSORS if subject.regression else _CLASSIFIERS
    for family, expression in usual:
        name = expression.partition("(")[0]
        if family != subject.operator.family and name in subject.registry:
            if subject.model.name == "Pipeline":
                call = expressions.parse(expression, subject.registry)
                expression = text(_replaced(subject.model, call))
            yield Candidate({"model": expression}, "model", "another model on stored features")


_REGRESSORS = (
    ("linear", "Ridge()"),
    ("boosting", "LGBMRegressor(n_estimators=100)"),
    ("boosting", "HistGradientBoostingRegressor()"),
    ("neighbors", "KNeighborsRegressor()"),
)
_CLASSIFIERS = (
    ("linear", "LogisticRegression()"),
    ("boosting", "LGBMClassifier(n_estimators=100)"),
    ("boosting", "HistGradientBoostingClassifier()"),
    ("neighbors", "KNeighborsClassifier()"),
)

# In the order of the usual gain; those at the end are cut first.
PROPOSALS: tuple[Proposal, ...] = (_grids, _neighbours, _prefixes, _metrics, _models)


def blends(ids: Sequence[str]) -> list[JsonObject]:
    """Pipelines that combine finished ones, best first: the mean of the best two and three."""
    return [{"blend": {"of": list(ids[:count])}} for count in (2, 3) if len(ids) >= count]
