"""What can be named in an expression: operators as plain data, made by `executor.introspect`.

Input: JSON. Output: a `Registry` that looks operators up, searches them, and knows of a call
what kind it is and whether its fit reads the target.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from planner.errors import SpecError, did_you_mean, nearest
from planner.expression_syntax import read_literal
from planner.expression_types import Call, Items, Literal, param, text
from planner.registry_hints import hint_for


class NoDefault(Enum):
    """Stands for a default that no literal can express."""

    REQUIRED = "required"  # there is none: the parameter must be given
    OPAQUE = "opaque"  # an object of the library's own


@dataclass(frozen=True)
class Parameter:
    """One constructor parameter.

    Attributes:
        name: Its name.
        default: The library's default.
        type: What the library accepts, in words; empty if unknown.
        real: Whether a real number is wanted and an integer means the same (so that ``1`` is
            ``1.0``; not so for ``max_features``, where 1 is a count and 1.0 a fraction).
        positional: Whether it may be given by position.
    """

    name: str
    default: Literal | NoDefault
    type: str = ""
    real: bool = False
    positional: bool = False


@dataclass(frozen=True)
class Operator:
    """One name that expressions may use.

    Attributes:
        name: The name, unique in the registry.
        module: Public module that has it.
        kind: classifier, regressor, ranker, transformer, pipeline, wrapper (is what its
            `estimator` is), splitter, clusterer, outlier_detector, density, kernel, function,
            type, selector, distribution, composer (make_pipeline and the like) or other.
        library: Top-level package.
        family: linear, tree, forest, boosting, neighbors, svm, ...; empty if none.
        summary: One line.
        parameters: In signature order.
        extra: Further parameter names that its ``**kwargs`` really know.
        aliases: Pairs (other name, name meant).
        refused: Pairs (parameter, why it is not accepted).
        supervised: Whether fitting it as a transformer may read the target.
        composite: Whether it only passes data to the estimators it is given; then `supervised`
            is True to be safe, and `Registry.supervised` asks the estimators.
        stateless: Unfitted and row-wise: the same over all rows as fold by fold.
        handles_missing: Accepts missing values.
        handles_strings: Accepts string or categorical columns.
        text: Takes one column as a 1-D sequence of strings.
        single_column: Takes exactly one column (skrub's column transformers).
        methods: Which of transform, predict, predict_proba, decision_function it may have.
    """

    name: str
    module: str
    kind: str
    library: str
    family: str = ""
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    extra: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    supervised: bool = True
    composite: bool = False
    stateless: bool = False
    handles_missing: bool = False
    handles_strings: bool = False
    text: bool = False
    single_column: bool = False
    methods: tuple[str, ...] = ()

    @property
    def seeded(self) -> bool:
        """Whether it draws random numbers from a ``random_state`` parameter."""
        return "random_state" in self.by_name

    @property
    def accepts_any(self) -> bool:
        """Whether its constructor takes ``**kwargs`` (checked here against `extra`)."""
        return bool(self.extra)

    @cached_property
    def by_name(self) -> dict[str, Parameter]:
        """Its parameters by name, without `extra`."""
        return {parameter.name: parameter for parameter in self.parameters}

    @cached_property
    def alias_of(self) -> dict[str, str]:
        """Canonical names by alias."""
        return dict(self.aliases)

    def default(self, name: str) -> Literal | NoDefault:
        """The default of parameter `name`; OPAQUE for one of `extra`."""
        found = self.by_name.get(name)
        return NoDefault.OPAQUE if found is None else found.default

    def fits(self, kinds: frozenset[str]) -> bool:
        """Whether it can stand where one of `kinds` is wanted, as itself or by its methods."""
        return self.kind in kinds or ("transformer" in kinds and "transform" in self.methods)


class Registry:
    """All operators by name. Immutable but for `memo`, in which parsed expressions are kept."""

    def __init__(self, operators: Iterable[Operator], versions: Mapping[str, str]) -> None:
        self.operators = {operator.name: operator for operator in operators}
        self.versions = dict(versions)
        self.memo: dict[str, Call] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.operators

    def __getitem__(self, name: str) -> Operator:
        return self.operators[name]

    def lookup(self, name: str, path: str = "") -> Operator:
        """The operator called `name`.

        Raises:
            SpecError: `unknown_estimator`, with what is installable, or meant, or looks alike.
        """
        found = self.operators.get(name)
        if found is not None:
            return found
        hint = hint_for(name, self.operators) or did_you_mean(
            name, self.operators, "list_operators searches what there is."
        )
        raise SpecError(
            "unknown_estimator", f"There is no operator '{name[:80]}'.", path=path, hint=hint
        )

    def search(self, query: str = "", kind: str | None = None, limit: int = 20) -> list[Operator]:
        """Operators that match every word of `query`, best first; near names if none does."""
        words = query.casefold().split()
        ranked: list[tuple[int, str, Operator]] = []
        for operator in self.operators.values():
            if kind is not None and not operator.fits(frozenset({kind})):
                continue
            scores = [_match(word, operator) for word in words]
            if all(scores):
                ranked.append((-sum(scores), operator.name.casefold(), operator))
        if not ranked and words:
            names = [o.name for o in self.operators.values() if kind in (None, o.kind)]
            return [self.operators[name] for name in nearest(query, names, limit)]
        ranked.sort(key=lambda item: item[:2])
        return [operator for _, _, operator in ranked[:limit]]

    def kind_of(self, call: Call) -> str:
        """The kind of `call`: of a Pipeline its last step's, of a wrapper its estimator's."""
        return self.operators[self.resolved(call).name].kind

    def resolved(self, call: Call) -> Call:
        """`call`, or the last step or wrapped estimator that decides what it can do."""
        while True:
            operator = self.operators[call.name]
            inner: Literal = None
            if operator.kind == "pipeline":
                steps = param(call, "steps")
                last = steps.values[-1] if isinstance(steps, Items) and steps.values else None
                if isinstance(last, Items) and len(last.values) == 2:
                    inner = last.values[1]
                if inner == "passthrough" and isinstance(steps, Items):
                    return call
            elif operator.kind == "wrapper":
                inner = param(call, "estimator")
            if not isinstance(inner, Call):
                return call
            call = inner

    def fits(self, call: Call, kinds: frozenset[str]) -> bool:
        """Whether `call` can stand where one of `kinds` is wanted."""
        return self.operators[call.name].kind in kinds or self.operators[
            self.resolved(call).name
        ].fits(kinds)

    def supervised(self, call: Call) -> bool:
        """Whether fitting `call` as a transformer may read the target."""
        operator = self.operators[call.name]
        if not operator.composite:
            return operator.supervised
        given = dict(call.params)
        values = (given.get(p.name, p.default) for p in operator.parameters)
        return any(
            self.supervised(inner)
            for value in values
            if not isinstance(value, NoDefault)
            for inner in _nearest_calls(value)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data that `from_json` reads."""
        return {
            "versions": self.versions,
            "operators": [operator_to_json(o) for o in self.operators.values()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Registry":
        """The registry that `to_json` or `executor.introspect.introspect` described."""
        return cls(map(operator_from_json, data["operators"]), data["versions"])


def _nearest_calls(value: Literal) -> list[Call]:
    """The outermost calls in `value`."""
    if isinstance(value, Call):
        return [value]
    if isinstance(value, Items):
        return [call for item in value.values for call in _nearest_calls(item)]
    return []


def _match(word: str, operator: Operator) -> int:
    name = operator.name.casefold()
    if name == word:
        return 8
    if name.startswith(word):
        return 5
    if word in name:
        return 4
    if word in (operator.kind, operator.family, operator.library):
        return 3
    if word in operator.summary.casefold():
        return 2
    return int(word in operator.by_name)


def operator_to_json(operator: Operator) -> dict[str, Any]:
    """`operator` as JSON data; fields at their defaults are left out."""
    data: dict[str, Any] = {}
    for name, field in Operator.__dataclass_fields__.items():
        value = getattr(operator, name)
        if name != "parameters" and value != field.default:
            data[name] = list(value) if isinstance(value, tuple) else value
    data["parameters"] = [_parameter_to_json(parameter) for parameter in operator.parameters]
    return data


def operator_from_json(data: Mapping[str, Any]) -> Operator:
    """The operator that `operator_to_json` wrote."""
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name == "parameters":
            fields[name] = tuple(map(_parameter_from_json, value))
        elif name in ("aliases", "refused"):
            fields[name] = tuple((str(left), str(right)) for left, right in value)
        else:
            fields[name] = tuple(value) if isinstance(value, list) else value
    return Operator(**fields)


def _parameter_to_json(parameter: Parameter) -> dict[str, Any]:
    data: dict[str, Any] = {"name": parameter.name}
    if isinstance(parameter.default, NoDefault):
        data["no_default"] = parameter.default.value
    else:
        data["default"] = text(parameter.default)
    if parameter.type:
        data["type"] = parameter.type
    data.update({flag: True for flag in ("real", "positional") if getattr(parameter, flag)})
    return data


def _parameter_from_json(data: Mapping[str, Any]) -> Parameter:
    default: Literal | NoDefault
    if "no_default" in data:
        default = NoDefault(data["no_default"])
    else:
        default = read_literal(data["default"])
    return Parameter(
        data["name"],
        default,
        data.get("type", ""),
        data.get("real", False),
        data.get("positional", False),
    )
