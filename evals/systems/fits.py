"""Which model fits a script makes, and how long each takes. Input: a call. Output: `FitRecord`s.

Python's profiling hook tells when a function called `fit` begins and ends, so nothing of the
libraries is replaced. A fit is known by its model, its parameters and the bytes of its data:
equal fits of several scripts have equal keys, and a system that shares needs only one of them.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from types import FrameType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

T = TypeVar("T")

_LIBRARIES = ("lightgbm", "xgboost", "catboost")
_MODULES = tuple(
    f"sklearn.{name}"
    for name in ("linear_model", "ensemble", "svm", "neighbors", "neural_network", "tree",
                 "naive_bayes", "gaussian_process", "discriminant_analysis", "kernel_ridge")
)  # fmt: skip


@dataclass(frozen=True)
class FitRecord:
    """One fit: a key of everything it depends on, its model class, seconds."""

    key: str
    model: str
    seconds: float


class _Recorder:
    """The profiling hook: watches for the outermost fit of a model."""

    def __init__(self) -> None:
        self.found: list[FitRecord] = []
        self._frame: FrameType | None = None
        self._key = ""
        self._model = ""
        self._began = 0.0

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            if self._frame is None and frame.f_code.co_name == "fit":
                model = frame.f_locals.get("self")
                if _is_model(model):
                    self._frame = frame
                    self._model = type(model).__name__
                    self._key = _key(model, frame.f_locals)
                    self._began = time.perf_counter()
        elif event == "return" and frame is self._frame:
            seconds = time.perf_counter() - self._began
            self.found.append(FitRecord(self._key, self._model, seconds))
            self._frame = None


def recorded(call: Callable[[], T]) -> tuple[T, list[FitRecord]]:
    """The result of `call`, and the model fits on this thread that it made."""
    recorder = _Recorder()
    sys.setprofile(recorder)
    try:
        result = call()
    finally:
        sys.setprofile(None)
    return result, recorder.found


def _is_model(value: Any) -> bool:
    if not hasattr(value, "get_params") or not hasattr(value, "predict"):
        return False
    module = type(value).__module__
    if module.startswith(_LIBRARIES):
        return True
    # Meta-estimators only pass on; what they hold fits models of its own.
    held = {"estimators", "base_estimator"} & value.get_params(deep=False).keys()
    return module.startswith(_MODULES) and not held


def _key(model: Any, values: dict[str, Any]) -> str:
    digest = blake2b(type(model).__qualname__.encode(), digest_size=12)
    shown = {k: v for k, v in model.get_params().items() if k not in ("n_jobs", "verbose")}
    digest.update(repr(sorted(shown.items(), key=lambda item: item[0])).encode())
    for name in ("X", "y", "sample_weight", "eval_set"):
        _update(digest, values.get(name))
    return digest.hexdigest()


def _update(digest: Any, value: Any) -> None:
    """Adds the content of arrays and tables, whatever holds them."""
    if isinstance(value, pd.DataFrame | pd.Series):
        digest.update(pd.util.hash_pandas_object(value, index=False).to_numpy().tobytes())
    elif isinstance(value, np.ndarray):
        if value.dtype == object:
            value = pd.util.hash_array(value.ravel())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif hasattr(value, "tocsr"):
        matrix = value.tocsr()
        for part in (matrix.data, matrix.indices, matrix.indptr):
            digest.update(np.ascontiguousarray(part).tobytes())
    elif isinstance(value, list | tuple):
        for item in value:
            _update(digest, item)
