"""What the scripted agent may write: drafts, changes, mistakes. Output: pipelines of a workload.

An idea is a feature set, a model and its parameters. A mistake is one parameter outside its
range, which every library refuses; taking it back repairs the idea.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from evals.workloads import churn_features, churn_trace, uk_housing
from evals.workloads.base import Pipeline

MISTAKE_RATE = 0.15
_TRIES = 50

_BOOSTING: dict[str, tuple[Any, ...]] = {
    "n_estimators": (100, 200, 400),
    "learning_rate": (0.03, 0.05, 0.1, 0.2),
    "colsample_bytree": (0.5, 0.75, 1.0),
}
_LIGHTGBM = {**_BOOSTING, "num_leaves": (7, 15, 31), "min_child_samples": (10, 20, 40)}
_XGBOOST = {**_BOOSTING, "max_depth": (2, 3, 4, 6), "min_child_weight": (1, 5, 20)}
# Values per parameter in the order of their size; the first idea takes the middle ones.
CHOICES: dict[str, dict[str, tuple[Any, ...]]] = {
    "LGBMClassifier": _LIGHTGBM,
    "LGBMRegressor": _LIGHTGBM,
    "XGBClassifier": _XGBOOST,
    "XGBRegressor": _XGBOOST,
    "HistGradientBoostingClassifier": {
        "max_iter": (100, 200, 400),
        "learning_rate": (0.02, 0.05, 0.1),
        "max_leaf_nodes": (7, 15, 31),
    },
    "LogisticRegression": {"C": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0), "max_iter": (1000,)},
    "Ridge": {"alpha": (0.01, 0.1, 1.0, 10.0, 100.0)},
    "ElasticNet": {"alpha": (0.0003, 0.001, 0.003, 0.01), "l1_ratio": (0.1, 0.3, 0.5, 0.7, 0.9)},
}
MISTAKES: dict[str, tuple[str, Any]] = {
    "LGBMClassifier": ("num_leaves", 1),
    "LGBMRegressor": ("num_leaves", 1),
    "XGBClassifier": ("max_depth", -1),
    "XGBRegressor": ("max_depth", -1),
    "HistGradientBoostingClassifier": ("learning_rate", -0.1),
    "LogisticRegression": ("C", -1.0),
    "Ridge": ("alpha", -1.0),
    "ElasticNet": ("l1_ratio", 2.0),
}


@dataclass(frozen=True)
class Idea:
    """What one pipeline is to be; parameters are sorted pairs."""

    features: str
    model: str
    params: tuple[tuple[str, Any], ...]
    mistake: bool = False

    def repaired(self) -> "Idea":
        return replace(self, mistake=False)


@dataclass(frozen=True)
class Grammar:
    """The ideas of a workload, and how they are written down; greater scores are better."""

    features: tuple[str, ...]
    models: tuple[str, ...]
    write: Callable[[str, str, str, dict[str, Any]], Pipeline]


GRAMMARS: Mapping[str, Grammar] = {
    "churn_trace": Grammar(
        tuple(churn_features.SETS),
        (
            "LogisticRegression",
            "LGBMClassifier",
            "XGBClassifier",
            "HistGradientBoostingClassifier",
        ),
        churn_trace.pipeline,
    ),
    "uk_housing": Grammar(
        tuple(uk_housing.FEATURES),
        ("Ridge", "LGBMRegressor", "XGBRegressor", "ElasticNet"),
        uk_housing.pipeline,
    ),
}


@dataclass
class Writer:
    """Proposes ideas that were not proposed before; equal seeds give equal proposals."""

    grammar: Grammar
    random: Random
    _seen: set[Idea] = field(default_factory=set)

    def draft(self, number: int) -> Idea:
        """A fresh start: models and feature sets in turn, middle parameters."""
        models, features = self.grammar.models, self.grammar.features
        model = models[number % len(models)]
        params = tuple(
            sorted((name, values[len(values) // 2]) for name, values in CHOICES[model].items())
        )
        turn = (number + number // len(models)) % len(features)
        return self._new(lambda: Idea(features[turn], model, params))

    def improve(self, idea: Idea) -> Idea:
        """One change: other features, another model, or a parameter one step up or down."""
        return self._new(lambda: self._changed(idea))

    def pipeline(self, name: str, idea: Idea) -> Pipeline:
        params = dict(idea.params)
        if idea.mistake:
            wrong, value = MISTAKES[idea.model]
            params[wrong] = value
        return self.grammar.write(name, idea.features, idea.model, params)

    def _new(self, propose: Callable[[], Idea]) -> Idea:
        """A proposal that is new, if one is found soon; sometimes written with a mistake."""
        idea = propose()
        for _ in range(_TRIES):
            if idea not in self._seen:
                break
            idea = self._changed(idea)
        self._seen.add(idea)
        return replace(idea, mistake=self.random.random() < MISTAKE_RATE)

    def _changed(self, idea: Idea) -> Idea:
        roll = self.random.random()
        if roll < 0.25:
            others = [name for name in self.grammar.features if name != idea.features]
            return replace(idea, features=self.random.choice(others))
        if roll < 0.35:
            model = self.random.choice([m for m in self.grammar.models if m != idea.model])
            params = {name: self.random.choice(values) for name, values in CHOICES[model].items()}
            return replace(idea, model=model, params=tuple(sorted(params.items())))
        params = dict(idea.params)
        name = self.random.choice(sorted(params))
        values = CHOICES[idea.model][name]
        place = values.index(params[name]) + self.random.choice((-1, 1))
        params[name] = values[max(0, min(place, len(values) - 1))]
        return replace(idea, params=tuple(sorted(params.items())))
