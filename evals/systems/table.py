"""The systems by name, as data."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = "evals.systems.scripts"
_PLAN = "evals.systems.skrub_plan"
_ENGINE = "evals.systems.engine"
_CLIENT = "evals.systems.stdio"
_ENGINES = (_ENGINE, _CLIENT)

# One thread per fit: OpenMP and BLAS by the first, LightGBM and joblib by the last.
ONE_THREAD = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
    )
}


@dataclass(frozen=True)
class System:
    """A system under comparison.

    Attributes:
        adapter: Its module.
        options: See the adapter.
        environment: Folder of an environment of its own, and the make target that makes it.
        env: Added to the environment variables.
        one_thread: Fits use one thread each, so that scores of boosting libraries are those of
            the reference; at other numbers of threads they differ a little.
        foreign: Somebody else's system: that it crashes is shown, and is not our failure.
    """

    name: str
    title: str
    adapter: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: tuple[str, str] | None = None
    env: dict[str, str] = field(default_factory=dict)
    one_thread: bool = False
    foreign: bool = False

    def fails_with(self, status: str) -> bool:
        """Whether an end with `status` makes the evaluation fail. Only the whole engine has to
        end in time: baselines, and engines with parts off, may be too slow for the size."""
        if status == "timeout":
            return self.adapter in _ENGINES and "off" not in self.options
        return status == "crashed" and not self.foreign


REFERENCE = System(
    "reference",
    "scripts in a pool, one thread a fit",
    _SCRIPTS,
    {"mode": "concurrent", "record": True},
    env=ONE_THREAD,
    one_thread=True,
)
FULL = System("stratum", "Stratum, cold", _ENGINE, one_thread=True)
SYSTEMS = {
    system.name: system
    for system in (
        System("sequential", "scripts one after another, one process", _SCRIPTS),
        System("scripts", "scripts in a process each", _SCRIPTS, {"mode": "processes"}),
        System("concurrent", "scripts in a pool of processes", _SCRIPTS, {"mode": "concurrent"}),
        System("joblib", "Pipeline(memory=) in GridSearchCV", "evals.systems.joblib_search",
               foreign=True),
        System("skrub", "one DataOps plan with choices", _PLAN, foreign=True),
        System(
            "sklearnex",
            "scripts with scikit-learn-intelex",
            _SCRIPTS,
            {"intel": True},
            environment=(".venv-sklearnex", "evals-sklearnex"),
            foreign=True,
        ),
        System(
            "upstream",
            "stratum-ai, the paper's prototype",
            _PLAN,
            {"scheduler": True},
            environment=(".venv-upstream", "evals-upstream"),
            foreign=True,
        ),
        FULL,
        System("stratum-warm", "Stratum, same batch again", _ENGINE, {"warm": True},
               one_thread=True),
        System("stratum-incremental", "Stratum, one pipeline at a time", _ENGINE,
               {"mode": "incremental"}, one_thread=True),
        System("stratum-statistical", "Stratum, cold, fidelity: statistical", _ENGINE,
               {"fidelity": "statistical"}, one_thread=True),
        System("stratum-stdio", "Stratum, through an MCP client", _CLIENT,
               one_thread=True),
    )
}  # fmt: skip
DEFAULT = ("sequential", "concurrent", "stratum")
PARTS = ("sharing", "groups", "kernels", "parallel")


def without(parts: tuple[str, ...]) -> System:
    """Stratum with some of `PARTS` switched off."""
    if not parts:
        return FULL
    options: dict[str, Any] = {"off": list(parts)}
    if "sharing" in parts:
        options["mode"] = "apart"
    name = "stratum-without-" + "-".join(parts)
    return replace(FULL, name=name, title="Stratum without " + ", ".join(parts), options=options)
