"""Target transforms: what a model is fitted on, and how predictions come back.

Input: the `transform` of a target. Output: the name of an element-wise function (applied once
for all folds) or a transformer call (fitted on the training rows of each fold), with the
semantics of scikit-learn's TransformedTargetRegressor.
"""

from planner import expressions
from planner.errors import SpecError, did_you_mean
from planner.expressions import TRANSFORMERS, Call
from planner.ops import Task
from planner.registry import Registry

# Name -> name of the inverse, both of NumPy.
FUNCTIONS = {"log1p": "expm1", "log": "exp", "sqrt": "square", "expm1": "log1p"}


def target_transform(
    transform: str | None, task: Task, registry: Registry, path: str
) -> tuple[str | None, Call | None]:
    """``(function name, None)``, ``(None, transformer)`` or ``(None, None)``."""
    if transform is None:
        return None, None
    if task != "regression":
        raise SpecError(
            "transform_not_numeric",
            "A target transform needs a regressor.",
            path=path,
            hint="Drop `transform`; class labels are encoded automatically.",
        )
    name = transform.strip()
    if name in FUNCTIONS:
        return name, None
    if name.isidentifier() and name not in registry:
        raise SpecError(
            "unknown_transform",
            f"There is no target transform '{name}'.",
            path=path,
            hint=did_you_mean(name, FUNCTIONS, f"Known: {', '.join(FUNCTIONS)}, or a transformer "
                              "such as StandardScaler()."),
        )  # fmt: skip
    call = expressions.parse(name, registry, path)
    if not registry.fits(call, TRANSFORMERS):
        raise SpecError(
            "unknown_transform",
            f"'{call.name}' is no transformer.",
            path=path,
            hint=f"Use one of {', '.join(FUNCTIONS)}, or a transformer with an inverse such as "
            "StandardScaler().",
        )
    return None, call
