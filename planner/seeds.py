"""Fixes what an expression leaves to chance.

Input: a call and a seed. Output: the call with every open ``random_state`` that can change a
result set, and the list of places that were.
"""

from typing import NamedTuple

from planner.expression_types import Call, Function, Items, Literal, Pairs
from planner.registry import NoDefault, Registry

# These draw only where they shuffle, and most refuse a random_state where they do not.
_SHUFFLERS = frozenset(
    "GroupKFold KFold StratifiedGroupKFold StratifiedKFold TargetEncoder".split()
)

# Estimators whose random_state is read for some values of a parameter only. Setting it for the
# others would keep equal fits apart.
_DRAWS_IF: dict[str, tuple[str, frozenset[Literal]]] = {
    **dict.fromkeys(("Ridge", "RidgeClassifier"), ("solver", frozenset({"sag", "saga"}))),
    **dict.fromkeys(
        (
            "ElasticNet",
            "ElasticNetCV",
            "Lasso",
            "LassoCV",
            "MultiTaskElasticNet",
            "MultiTaskElasticNetCV",
            "MultiTaskLasso",
            "MultiTaskLassoCV",
        ),
        ("selection", frozenset({"random"})),
    ),
    "LogisticRegression": ("solver", frozenset({"sag", "saga", "liblinear"})),
    "SVC": ("probability", frozenset({True})),
    "NuSVC": ("probability", frozenset({True})),
    "DummyClassifier": ("strategy", frozenset({"stratified", "uniform"})),
}


class Seeded(NamedTuple):
    """A call with its seeds fixed, and which were: ``RandomForestRegressor.random_state``."""

    call: Call
    places: tuple[str, ...]


def fill_seeds(call: Call, seed: int, registry: Registry) -> Call:
    """`call` with `seed` for every random_state that is None or left out, at any depth.

    Estimators that stand in a parameter by default (skrub's ``high_cardinality``) and the
    score functions that draw random numbers (``mutual_info_regression``) are seeded too. Where
    a random_state is never read (Ridge's closed-form solvers) it stays as it is.
    """
    return seeded(call, seed, registry).call


def seeded(call: Call, seed: int, registry: Registry) -> Seeded:
    """As `fill_seeds`, with the places that were filled, in the order of the expression."""
    places: list[str] = []
    return Seeded(_Filler(seed, registry, places).call(call), tuple(places))


class _Filler:
    def __init__(self, seed: int, registry: Registry, places: list[str]) -> None:
        self.seed = seed
        self.registry = registry
        self.places = places

    def value(self, value: Literal) -> Literal:
        match value:
            case Call():
                return self.call(value)
            case Function():
                return self.function(value)
            case Items(kind=kind, values=values):
                return Items(kind, tuple(map(self.value, values)))
            case Pairs(items=items):
                return Pairs(tuple((key, self.value(item)) for key, item in items))
        return value

    def function(self, function: Function) -> Function:
        operator = self.registry.operators.get(function.name)
        params = dict(function.params)
        if operator is None or not operator.seeded or params.get("random_state") is not None:
            return function
        self.places.append(f"{function.name}.random_state")
        params["random_state"] = self.seed
        return Function(function.name, tuple(sorted(params.items())))

    def call(self, call: Call) -> Call:
        operator = self.registry[call.name]
        params = {name: self.value(value) for name, value in call.params}
        for parameter in operator.parameters:
            default = parameter.default
            if parameter.name not in params and isinstance(default, Call):
                inner = self.call(default)
                if inner != default:
                    params[parameter.name] = inner
        if operator.seeded and self._open(call.name, params):
            params["random_state"] = self.seed
            self.places.append(f"{call.name}.random_state")
        return Call(call.name, tuple(sorted(params.items())))

    def _open(self, name: str, params: dict[str, Literal]) -> bool:
        operator = self.registry[name]

        def effective(parameter: str) -> Literal | NoDefault:
            return params.get(parameter, operator.default(parameter))

        # scikit-learn 1.9 deprecates TargetEncoder's, which yet decides its folds.
        if effective("random_state") not in (None, "deprecated"):
            return False
        if name in _SHUFFLERS:
            return effective("shuffle") is not False and not isinstance(effective("cv"), Call)
        if name in _DRAWS_IF:
            parameter, values = _DRAWS_IF[name]
            return effective(parameter) in values
        return True
