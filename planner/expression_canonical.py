"""Raw calls to canonical `Call` values: names looked up, arguments bound, defaults left out.

Input: `Raw` trees and a `Registry`. Output: `Call`s in which equal meaning is equal text.
"""

from collections import Counter
from collections.abc import Iterable

from planner.errors import SpecError, did_you_mean
from planner.expression_syntax import Raw, RawCall, RawItems, RawName, RawPairs
from planner.expression_types import Call, Function, Items, Literal, Pairs, same
from planner.registry import NoDefault, Operator, Parameter, Registry

# These never change a result; threads and logging are the engine's. `copy=False` would let a
# transformer overwrite rows that other pipelines share.
_DROPPED = frozenset(
    "n_jobs nthread num_threads thread_count verbose verbosity silent logging_level memory "
    "allow_writing_files copy copy_X copy_X_train copy_x".split()
)
_EARLY = frozenset("early_stopping_rounds early_stopping_round".split())
_CALLABLE = frozenset("func inverse_func score_func".split())
_NAMED = frozenset("steps transformers transformer_list estimators".split())
_EXACT_FLOAT = 2**53


class Canonical:
    """One pass over one expression. Errors carry no path; the caller puts it on."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def top(self, raw: Raw) -> Call:
        """The call that an expression stands for; a bare class name is called."""
        value = self.value(raw)
        if isinstance(value, Call):
            return value
        what = f"'{value}'" if isinstance(value, Function) else "This"
        raise SpecError(
            "invalid_expression",
            f"{what} is not an estimator.",
            hint="Write a constructor call such as Ridge(alpha=0.1).",
        )

    def value(self, raw: Raw, parameter: Parameter | None = None) -> Literal:
        """The canonical value of `raw`, given for `parameter`."""
        match raw:
            case RawName():
                return self._name(raw)
            case RawCall():
                return self.call(raw)
            case RawItems():
                return self._items(raw, parameter)
            case RawPairs():
                return Pairs(
                    tuple((self.value(key), self.value(value)) for key, value in raw.items)
                )
        if parameter is not None:
            if isinstance(raw, str) and parameter.name in _CALLABLE:
                return self._function(raw)
            if parameter.real and type(raw) is int and abs(raw) <= _EXACT_FLOAT:
                return float(raw)
        return raw

    def call(self, raw: RawCall) -> Call | Function:
        """The canonical form of a call."""
        name = raw.function.name
        if name == "partial":
            return self._partial(raw)
        operator = self._lookup(raw.function)
        match name:
            case "make_pipeline":
                return self._composed(raw, "Pipeline", "steps")
            case "make_union":
                return self._composed(raw, "FeatureUnion", "transformer_list")
            case "make_column_transformer":
                return self._composed(raw, "ColumnTransformer", "transformers")
        if operator.kind in ("function", "type"):
            raise SpecError(
                "invalid_expression",
                f"{name} is a function, which is named and not called.",
                hint=f"Write {name} without parentheses.",
            )
        return Call(name, self._bind(operator, raw))

    def _lookup(self, name: RawName) -> Operator:
        operator = self._registry.lookup(name.name)
        if name.library and operator.library != name.library:
            raise SpecError(
                "unknown_estimator",
                f"{name.library} has no '{name.name}'.",
                hint=f"It is {operator.library}'s; write {name.name} alone.",
            )
        return operator

    def _name(self, raw: RawName) -> Literal:
        if raw.name in ("nan", "inf", "NaN", "Inf"):
            return float(raw.name)
        operator = self._lookup(raw)
        if operator.kind in ("function", "type"):
            return Function(operator.name)
        return self.call(RawCall(raw))

    def _function(self, name: str) -> Function:
        operator = self._registry.operators.get(name)
        if operator is None or operator.kind != "function":
            functions = [o.name for o in self._registry.operators.values() if o.kind == "function"]
            raise SpecError(
                "unknown_function",
                f"There is no function '{name[:80]}'.",
                hint=did_you_mean(name, functions, f"Functions are: {', '.join(functions)}."),
            )
        return Function(operator.name)

    def _partial(self, raw: RawCall) -> Function:
        function = self.value(raw.args[0]) if len(raw.args) == 1 else None
        if not isinstance(function, Function) or function.params:
            raise SpecError(
                "invalid_expression",
                "partial(...) needs one function by position, its arguments by keyword.",
                hint="Write partial(mutual_info_regression, random_state=0).",
            )
        operator = self._registry.lookup(function.name)
        return Function(
            function.name, self._bind(operator, RawCall(raw.function, (), raw.keywords))
        )

    def _items(self, raw: RawItems, parameter: Parameter | None) -> Items:
        kind = raw.kind
        if parameter is not None and kind == "list":
            default = parameter.default
            if isinstance(default, Items) and default.kind == "tuple":
                kind = "tuple"  # JSON has no tuples, and no such parameter tells them apart
        values = []
        for item in raw.values:
            if (
                parameter is not None
                and parameter.name in _NAMED
                and isinstance(item, RawItems)
                and item.kind == "list"
            ):
                item = RawItems("tuple", item.values)
            values.append(self.value(item))
        return Items(kind, tuple(values))

    def _composed(self, raw: RawCall, name: str, field: str) -> Call:
        """make_pipeline, make_union or make_column_transformer, named as scikit-learn names."""
        operator = self._registry.lookup(name)
        parts: list[Literal] = [self.value(arg) for arg in raw.args]
        heads: list[Literal] = []
        for part in parts:
            if name == "ColumnTransformer":
                if not (isinstance(part, Items) and len(part.values) == 2):
                    raise SpecError(
                        "invalid_expression",
                        "make_column_transformer takes pairs of a transformer and its columns.",
                        hint="Write make_column_transformer((StandardScaler(), ['a', 'b'])).",
                    )
                heads.append(part.values[0])
            else:
                heads.append(part)
        named = tuple(
            Items("tuple", (label, *(part.values if isinstance(part, Items) else (part,))))
            for label, part in zip(step_names(heads), parts, strict=True)
        )
        if any(key == field for key, _ in raw.keywords):
            raise _unknown(field, raw.function.name, [])
        rest = self._bind(operator, RawCall(RawName(name), (), raw.keywords), given=(field,))
        return Call(name, tuple(sorted([*rest, (field, Items("list", named))])))

    def _bind(
        self, operator: Operator, raw: RawCall, given: tuple[str, ...] = ()
    ) -> tuple[tuple[str, Literal], ...]:
        """Canonical parameters of `raw`; those in `given` are supplied by the caller."""
        positional = [p.name for p in operator.parameters if p.positional]
        if len(raw.args) > len(positional):
            raise SpecError(
                "too_many_arguments",
                f"{operator.name} takes {len(positional)} arguments by position, "
                f"not {len(raw.args)}.",
                hint="Name the parameters: " + _listed(operator) + ".",
            )
        written: dict[str, str] = {}
        params: dict[str, Literal] = {}
        pairs = [*zip(positional, raw.args, strict=False), *raw.keywords]
        for spelled, item in pairs:
            name = _canonical_name(operator, spelled)
            parameter = operator.by_name.get(name)
            value = self.value(item, parameter)
            if name in written:
                other = "" if written[name] == spelled else f", as '{written[name]}'"
                raise SpecError(
                    "duplicate_parameter",
                    f"{operator.name} is given '{spelled}' twice{other}.",
                    hint="Keep one of the two.",
                )
            written[name] = spelled
            if name in _DROPPED:
                continue
            _check_value(operator, name, value)
            default = operator.default(name)
            if isinstance(default, NoDefault) or not same(value, default):
                params[name] = value
        for parameter in operator.parameters:
            missing = parameter.name not in written and parameter.name not in given
            if parameter.default is NoDefault.REQUIRED and missing:
                raise SpecError(
                    "missing_parameter",
                    f"{operator.name} needs '{parameter.name}'.",
                    hint=f"It takes: {_listed(operator)}.",
                )
        return tuple(sorted(params.items()))


def _canonical_name(operator: Operator, spelled: str) -> str:
    name = operator.alias_of.get(spelled, spelled)
    for refused, why in operator.refused:
        if spelled == refused:
            raise SpecError(
                "refused_parameter", f"{operator.name}: '{spelled}' is not accepted.", hint=why
            )
    if name in _EARLY and operator.kind != "function":
        raise SpecError(
            "refused_parameter",
            f"{operator.name}: '{spelled}' needs a validation set.",
            hint='Write the pipeline\'s own field: "early_stopping": {"rounds": 50}.',
        )
    if name not in operator.by_name and name not in operator.extra:
        known = [*operator.by_name, *operator.extra, *operator.alias_of]
        raise _unknown(spelled, operator.name, known, _listed(operator))
    return name


def _unknown(name: str, operator: str, known: Iterable[str], listed: str = "") -> SpecError:
    near = did_you_mean(name, known)
    hints = [near] if near else []
    if listed:
        hints.append(f"{operator} takes: {listed}.")
    return SpecError(
        "unknown_parameter",
        f"{operator} has no parameter '{name[:80]}'.",
        hint=" ".join(hints),
    )


def _listed(operator: Operator) -> str:
    names = [p.name for p in operator.parameters]
    shown = ", ".join(names[:40]) or "no parameters"
    return shown + (", ..." if len(names) > 40 or operator.extra else "")


def _check_value(operator: Operator, name: str, value: Literal) -> None:
    if operator.text and name == "input" and value != "content":
        raise SpecError(
            "refused_parameter",
            f"{operator.name}: input={value!r} would open files named by the data.",
            hint="Leave `input` out; the column holds the text itself.",
        )


def step_names(parts: Iterable[Literal]) -> list[str]:
    """Names of unnamed steps as scikit-learn makes them: lower case, ``-1``, ``-2`` if repeated."""
    names = [part.name.lower() if isinstance(part, Call) else str(part) for part in parts]
    total, seen = Counter(names), Counter[str]()
    result = []
    for name in names:
        seen[name] += 1
        result.append(f"{name}-{seen[name]}" if total[name] > 1 else name)
    return result
