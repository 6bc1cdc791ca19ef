"""The compiled module; `rust_exec` says what the functions do."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

class KernelInputError(ValueError):
    code: str

class KernelInternalError(RuntimeError):
    code: str

def linear_folds(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    train: list[NDArray[np.int64]],
    valid: list[NDArray[np.int64]],
    alphas: NDArray[np.float64],
    nets: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    impute: bool = False,
    scale: bool = False,
    fit_intercept: bool = True,
    threads: int = 1,
    categories: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]] | None = None,
    order: NDArray[np.int64] | None = None,
    fills: NDArray[np.float64] | None = None,
    divisors: NDArray[np.float64] | None = None,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    list[NDArray[np.float64]],
    NDArray[np.float64],
    list[list[str | None]],
]: ...
def linear_path(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    alphas: NDArray[np.float64],
    nets: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    fit_intercept: bool = True,
    threads: int = 1,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    list[str | None],
]: ...
def score_numbers(
    target: NDArray[np.float64],
    vectors: list[NDArray[np.float64]],
    metrics: list[str],
    *,
    threads: int = 1,
) -> NDArray[np.float64]: ...
def score_binary(
    hits: NDArray[np.uint8],
    vectors: list[NDArray[np.float64]],
    metrics: list[str],
    *,
    threads: int = 1,
) -> NDArray[np.float64]: ...
def score_multiclass(
    codes: NDArray[np.int64],
    tables: list[NDArray[np.float64]],
    classes: int,
    metrics: list[str],
    *,
    threads: int = 1,
) -> NDArray[np.float64]: ...
def confusion_matrices(
    target: NDArray[np.int64],
    vectors: list[NDArray[np.int64]],
    labels: NDArray[np.int64],
    *,
    threads: int = 1,
) -> NDArray[np.int64]: ...

# Members (place among the sizes, weighed by distance), target, classes, chances.
_Asked: TypeAlias = tuple[list[tuple[int, bool]], NDArray[Any], int, bool]

# Lists and those of queries with ties; of members that are asked, answers.
def neighbours_brute(
    points: NDArray[np.float64],
    queries: NDArray[np.float64],
    point_norms: NDArray[np.float64],
    query_norms: NDArray[np.float64],
    sizes: Sequence[int],
    *,
    merged: bool = False,
    single: bool = False,
    asked: _Asked | None = None,
    threads: int = 1,
) -> Any: ...
def neighbours_tree(
    points: NDArray[np.float64],
    queries: NDArray[np.float64],
    order: NDArray[np.int64],
    nodes: NDArray[np.int64],
    bounds: NDArray[np.float64],
    sizes: Sequence[int],
    *,
    asked: _Asked | None = None,
    threads: int = 1,
) -> Any: ...

_Texts = tuple[NDArray[np.uint8], NDArray[np.int64]]
_Rows = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]
StringsSettings = tuple[
    str, int, tuple[int, int], bool, _Texts, tuple[NDArray[np.uint32], NDArray[np.uint8]]
]

def strings_alphabet(texts: _Texts) -> NDArray[np.uint32]: ...
def strings_count(
    texts: _Texts, settings: StringsSettings, threads: int
) -> tuple[_Texts, _Rows]: ...
def strings_count_known(texts: _Texts, settings: StringsSettings, vocabulary: _Texts) -> _Rows: ...
def strings_hash(
    texts: _Texts, settings: StringsSettings, columns: int, alternate_sign: bool
) -> _Rows: ...
def equal_rows(
    matrix: tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]], width: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None: ...
def component_folds(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    train: list[NDArray[np.int64]],
    valid: list[NDArray[np.int64]],
    members: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    impute: bool = False,
    scale: bool = False,
    whiten: bool = False,
    solver: str = "auto",
    threads: int = 1,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    list[NDArray[np.float64]],
    list[list[str | None]],
]: ...
def component_path(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    members: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    whiten: bool = False,
    solver: str = "auto",
    threads: int = 1,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    list[str | None],
]: ...
def encode_fold(
    sources: list[tuple[object, ...]],
    train: NDArray[np.int64],
    valid: NDArray[np.int64],
    *,
    by_columns: bool = False,
    threads: int = 1,
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]] | None, str | None]: ...
def scale_pair(
    train: NDArray[np.float64],
    valid: NDArray[np.float64],
    fill: tuple[str, float],
    scale: tuple[str, float, float],
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]] | None, str | None]: ...
def count_codes(
    codes: NDArray[np.int32], size: int, rows: NDArray[np.int64]
) -> NDArray[np.int64]: ...
def column_sums(matrix: NDArray[np.float64]) -> NDArray[np.float64]: ...
def forest(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    sizes: list[int],
    seeds: list[int],
    *,
    classes: int = 0,
    entropy: bool = False,
    weights: NDArray[np.float64] | None = None,
    draws: int | None = None,
    balanced: bool = False,
    random_cuts: bool = False,
    max_features: int = 1,
    max_depth: int | None = None,
    min_samples_split: int = 2,
    min_samples_leaf: int = 1,
    min_weight_fraction_leaf: float = 0.0,
    min_impurity_decrease: float = 0.0,
    max_leaf_nodes: int | None = None,
    train_rows: NDArray[np.int64] | None = None,
    valid_rows: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> NDArray[np.float64]: ...

class BinnedRows:
    combinations: list[int]
    nbytes: int

    def __init__(
        self,
        x_train: NDArray[np.float64],
        x_valid: NDArray[np.float64],
        *,
        max_bins: int = 255,
        cuts: str = "even",
        derived: list[list[int]] = ...,
        detect: bool = True,
        categorical: list[int] = ...,
        train_rows: NDArray[np.int64] | None = None,
        valid_rows: NDArray[np.int64] | None = None,
        threads: int = 1,
    ) -> None: ...

def boosting(
    rows: BinnedRows,
    y_train: NDArray[np.float64],
    models: Sequence[object],
    *,
    weight: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> list[NDArray[np.float64]]: ...
def version() -> str: ...
def cpu_features() -> list[str]: ...
def vector_level() -> str: ...
