"""The Rust backend: work that a kernel of `rust_exec` serves, one module per kernel.

Input: ops that a planner rule made for it. Output: what the Python backend would give. Each
module has a table `RUN` of its ops; where a kernel declines, the module runs the library.
"""

from collections.abc import Callable, Sequence
from typing import Any

from executor.backends.base import Context, Work
from planner.graph import Op
from planner.ops import Score

_RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {}

try:
    import rust_exec
    from executor.backends.rust import components, encoding, linear, metrics

    HAS_KERNELS = bool(rust_exec.version())
    for _table in (components.RUN, encoding.RUN, linear.RUN):
        _RUN.update(_table)
except ImportError:  # a platform without a built extension: the Python backend serves all
    HAS_KERNELS = False


class RustBackend:
    """Runs the kernel groups, where the extension could be loaded."""

    name = "rust"

    def supports(self, op: Op) -> bool:
        return HAS_KERNELS and type(op) in _RUN

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> Any:
        return _RUN[type(op)](op, inputs, context)

    def gathers(self, op: Op) -> bool:
        return HAS_KERNELS and isinstance(op, Score)

    def together(self, works: Sequence[Work]) -> list[Any | None]:
        return list(metrics.scores(works))
