"""Encoders of categories from dictionary codes.

Input: columns, folds and codes of the columns. Output: what OneHotEncoder, OrdinalEncoder and
TargetEncoder make of the rows of a fold. Everything but looking values up is scikit-learn's own
code: its encoders are handed row numbers, and find categories and codes by counting. What would
end in an error or a warning about unknown categories is left to the library as a whole, for it
names the values.
"""

import inspect
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn import preprocessing
from sklearn.preprocessing._encoders import _BaseEncoder

from executor.backends.base import Context
from executor.backends.duckdb import to_frame
from executor.backends.sides import training_target
from executor.construct import value
from planner.graph import Op
from planner.ops import Encode
from planner.ops_encode import CodedEncode, Codes

Coded = tuple[np.ndarray, np.ndarray]  # (n,) int32 codes; sorted categories, NaN last

_INT32 = 2**31 - 1
# What the library's own methods take, in the versions whose work is repeated here.
_SIGNATURES = {
    "_fit": "self X handle_unknown ensure_all_finite return_counts "
    "return_and_ignore_missing_for_infrequent",
    "_transform": "self X handle_unknown ensure_all_finite warn_on_unknown ignore_category_indices",
}
_KNOWN = all(
    " ".join(inspect.signature(getattr(_BaseEncoder, name)).parameters) == parameters
    for name, parameters in _SIGNATURES.items()
)


class UnknownError(Exception):
    """A category that the training rows do not have, where the library would tell of it."""


def codes_of(table: pa.Table, names: Sequence[str], threads: int = 1) -> tuple[Coded | None, ...]:
    """Codes of columns; None for those that are neither text nor plain numbers."""
    if threads < 2 or len(names) < 2:
        return tuple(_codes(table, name) for name in names)
    with ThreadPoolExecutor(min(threads, len(names))) as pool:
        return tuple(pool.map(partial(_codes, table), names))


def _codes(table: pa.Table, name: str) -> Coded | None:
    column = table.column(name)
    if len(column) >= _INT32:
        return None
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _text_codes(column)
    values = to_frame(table, [name])[name].to_numpy()
    if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and np.isinf(values).any()):
        return None
    categories, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int32), categories


def _text_codes(column: pa.ChunkedArray) -> Coded:
    # Joining copies, even a single one.
    single = column.num_chunks == 1
    encoded = (column.chunk(0) if single else column.combine_chunks()).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    rank = np.empty(len(texts) + 1, np.int32)
    rank[order] = np.arange(len(texts), dtype=np.int32)
    rank[-1] = len(texts)
    missing = column.null_count > 0
    categories = np.empty(len(texts) + missing, object)
    categories[: len(texts)] = [texts[place] for place in order]
    if missing:
        categories[-1] = np.nan
    places = pc.fill_null(encoded.indices, len(texts)) if missing else encoded.indices
    return rank[places.to_numpy(zero_copy_only=False)], categories


def counts(codes: np.ndarray, size: int, rows: np.ndarray) -> np.ndarray:
    """How often each code comes up among `rows`: (size,) int64."""
    return np.bincount(codes[rows], minlength=size)


class _FromCodes:
    """Finds categories and codes by row numbers, which are handed over as `X`."""

    given: Sequence[Coded]

    def _fit(
        self,
        X: Any,
        handle_unknown: str = "error",
        ensure_all_finite: Any = True,
        return_counts: bool = False,
        return_and_ignore_missing_for_infrequent: bool = False,
    ) -> dict[str, Any]:
        encoder: Any = self
        encoder._check_infrequent_enabled()
        rows = X[:, 0]
        encoder.n_features_in_ = len(self.given)
        encoder.categories_ = []
        self._places: list[np.ndarray] = []
        found = []
        for codes, categories in self.given:
            count = counts(codes, len(categories), rows)
            present = count > 0
            places = np.full(len(categories), -1, np.int64)
            places[present] = np.arange(np.count_nonzero(present))
            self._places.append(places)
            encoder.categories_.append(categories[present])
            found.append(count[present])
        output: dict[str, Any] = {"n_samples": len(rows)}
        if return_counts:
            output["category_counts"] = found
        missing = {}
        if return_and_ignore_missing_for_infrequent:
            for place, categories in enumerate(encoder.categories_):
                if _is_nan(categories[-1]):
                    missing[place] = categories.size - 1
            output["missing_indices"] = missing
        if encoder._infrequent_enabled:
            encoder._fit_infrequent_category_mapping(len(rows), found, missing)
        return output

    def _transform(
        self,
        X: Any,
        handle_unknown: str = "error",
        ensure_all_finite: Any = True,
        warn_on_unknown: bool = False,
        ignore_category_indices: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = X[:, 0]
        found = np.zeros((len(rows), len(self.given)), dtype=int)
        known = np.ones((len(rows), len(self.given)), dtype=bool)
        for place, (codes, _) in enumerate(self.given):
            taken = self._places[place][codes[rows]]
            unknown = taken < 0
            if unknown.any():
                if handle_unknown == "error" or warn_on_unknown:
                    raise UnknownError
                known[:, place] = ~unknown
                taken[unknown] = 0
            found[:, place] = taken
        encoder: Any = self
        encoder._map_infrequent_categories(found, known, ignore_category_indices)
        return found, known


# Named as what they stand for, whose name is in the library's messages.
class OneHotEncoder(_FromCodes, preprocessing.OneHotEncoder):  # type: ignore[misc]
    pass


class OrdinalEncoder(_FromCodes, preprocessing.OrdinalEncoder):  # type: ignore[misc]
    pass


class TargetEncoder(_FromCodes, preprocessing.TargetEncoder):  # type: ignore[misc]
    pass


_ENCODERS = {kind.__name__: kind for kind in (OneHotEncoder, OrdinalEncoder, TargetEncoder)}


def _is_nan(category: Any) -> bool:
    return isinstance(category, float | np.floating) and bool(np.isnan(category))


@dataclass(frozen=True)
class Table:
    """The functions of this module's ops; `encode` is what runs an Encode."""

    encode: Callable[[Encode, Sequence[Any], Context], Any]
    warn: Callable[[Any, Any], None]

    def coded(self, op: CodedEncode, inputs: Sequence[Any], context: Context) -> Any:
        """The encoder on codes, or on the columns themselves where there is none."""
        columns, folds, codes, *target = inputs
        train, valid = folds[context.position]
        if _KNOWN and all(codes) and len(train):
            encoder = _ENCODERS[op.transformer.name](
                **{name: value(item) for name, item in op.transformer.params}
            )
            encoder.given = codes
            y = [training_target(column, folds, context) for column in target]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    fitted = encoder.fit_transform(train.reshape(-1, 1), *y)
                    pair = fitted, encoder.transform(valid.reshape(-1, 1))
                except UnknownError:
                    pair = None
            if pair is not None:
                for one in caught:
                    warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
                self.warn(op, encoder)
                return pair
        return self.encode(
            Encode(op.transformer, op.supervised), [columns, folds, *target], context
        )


def _codes_op(op: Codes, inputs: Sequence[Any], context: Context) -> Any:
    return codes_of(inputs[0], op.names, context.threads)


def table(
    encode: Callable[[Any, Sequence[Any], Context], Any], warn: Callable[[Any, Any], None]
) -> dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]]:
    """What runs these ops; `encode` runs an Encode, `warn` tells of classes of an encoder."""
    return {Codes: _codes_op, CodedEncode: Table(encode, warn).coded}
