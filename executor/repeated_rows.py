"""Sparse matrices with equal rows: products that give SciPy's bits from the distinct rows.

Input: a matrix in compressed sparse rows (counts of terms of a column in which texts repeat).
Output: the same matrix as far as any library can see. ``X @ Q`` is computed for the distinct rows:
each row of a product is computed from its row alone, and has SciPy's bits. ``X.T @ Q`` is summed
row after row, some of them written out at a time. A decomposition is therefore the library's to
the last bit; its own algorithm runs. Should SciPy come to multiply by another method, that method
is used.
"""

from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD as _TruncatedSVD

from executor.term_counts import expanded, kernel

# With more distinct rows, finding them costs as much as it saves.
_WORTH = 0.5
_KINDS = (np.dtype(np.float32), np.dtype(np.float64))
_PARTS = ("data", "indices", "indptr")
# Rows that are written out at a time; they stay in the cache.
_ROWS = 1024


class RepeatedRows(sp.csr_matrix):  # type: ignore[misc]
    """A csr_matrix that knows its distinct rows.

    Attributes:
        distinct: The distinct rows as a csr_matrix; None where nothing is known of them.
        codes: (n,) int64, which of them each row is.
        implied: Whether all rows are written out only while somebody reads them, and no longer
            than until the next product.
    """

    distinct: Any = None
    codes: Any = None
    implied = False

    @classmethod
    def of(cls, distinct: Any, codes: np.ndarray) -> Any:
        if len(codes) == distinct.shape[0]:  # none repeats
            return distinct
        made = cls((len(codes), distinct.shape[1]), dtype=distinct.dtype)
        made.distinct, made.codes, made.implied = sp.csr_matrix(distinct), codes, True
        made._let_go()
        return made

    @classmethod
    def known(cls, whole: Any, distinct: Any, codes: np.ndarray) -> "RepeatedRows":
        made = cls((whole.data, whole.indices, whole.indptr), shape=whole.shape, copy=False)
        made.distinct, made.codes = sp.csr_matrix(distinct), codes
        return made

    def __getattr__(self, name: str) -> Any:
        if name not in _PARTS or not self.implied:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        whole = expanded(self.distinct, self.codes)
        self.data, self.indices, self.indptr = whole.data, whole.indices, whole.indptr
        return getattr(self, name)

    def _let_go(self) -> None:
        if self.implied:
            for name in _PARTS:
                self.__dict__.pop(name, None)

    @property
    def dtype(self) -> Any:
        return self.data.dtype if self.distinct is None else self.distinct.dtype

    def astype(self, dtype: Any, casting: str = "unsafe", copy: bool = True) -> Any:
        if self.distinct is None or np.dtype(dtype) == self.dtype:
            return self
        return type(self).of(self.distinct.astype(dtype, casting, copy), self.codes)

    def transpose(self, axes: Any = None, copy: bool = False) -> Any:
        if not self.implied or copy or not _streams():
            return super().transpose(axes, copy)
        return _Turned.of(self)

    def _matmul_multivector(self, other: np.ndarray) -> Any:
        if self.distinct is None:
            return super()._matmul_multivector(other)
        self._let_go()
        return (self.distinct @ other)[self.codes]


class _Turned(sp.csc_matrix):  # type: ignore[misc]
    """The transpose of rows that are not written out."""

    rows: RepeatedRows

    @classmethod
    def of(cls, rows: RepeatedRows) -> "_Turned":
        made = cls(rows.shape[::-1], dtype=rows.dtype)
        made.rows = rows
        for name in _PARTS:
            delattr(made, name)
        return made

    def __getattr__(self, name: str) -> Any:
        if name not in _PARTS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.rows, name)

    @property
    def dtype(self) -> Any:
        return self.rows.dtype

    def transpose(self, axes: Any = None, copy: bool = False) -> Any:
        return super().transpose(axes, copy) if copy else self.rows

    def _matmul_multivector(self, other: np.ndarray) -> Any:
        self.rows._let_go()
        return _summed(self.rows.distinct, self.rows.codes, other, _ROWS)


def _summed(distinct: Any, codes: np.ndarray, other: np.ndarray, size: int) -> np.ndarray:
    """``distinct[codes].T @ other``, as SciPy adds it up; `size` rows written out at a time."""
    from scipy.sparse import _sparsetools

    terms, vectors = distinct.shape[1], other.shape[1]
    result = np.zeros((terms, vectors), dtype=np.result_type(distinct.dtype, other.dtype))
    codes = codes.astype(distinct.indices.dtype)
    lengths = np.diff(distinct.indptr)
    whole = distinct.indptr, distinct.indices, distinct.data
    for start in range(0, len(codes), size):
        rows = codes[start : start + size]
        ends = np.zeros(len(rows) + 1, distinct.indptr.dtype)
        np.cumsum(lengths[rows], out=ends[1:])
        indices = np.empty(ends[-1], distinct.indices.dtype)
        data = np.empty(ends[-1], distinct.dtype)
        _sparsetools.csr_row_index(len(rows), rows, *whole, indices, data)
        some = other[start : start + size].ravel()
        shape = terms, len(rows), vectors
        _sparsetools.csc_matvecs(*shape, ends, indices, data, some, result.ravel())
    return result


@cache
def _streams() -> bool:
    """Whether the installed SciPy adds up as `_summed` does."""
    seed = np.random.default_rng(0)
    distinct = sp.random(9, 7, 0.5, "csr", np.float32, seed)
    codes = seed.integers(0, 9, 50)
    other = seed.normal(size=(50, 3)).astype(np.float32)
    try:
        found = _summed(distinct, codes, other, 8)
    except (ImportError, AttributeError, TypeError, ValueError):
        return False
    return np.array_equal(found, distinct[codes].T @ other)


def repeated_rows(matrix: Any) -> Any:
    """`matrix`, as a RepeatedRows if that pays."""
    if isinstance(matrix, RepeatedRows) and matrix.distinct is not None:
        return matrix
    if not sp.issparse(matrix) or matrix.format != "csr" or matrix.dtype not in _KINDS:
        return matrix
    if matrix.indices.dtype != np.int32 or matrix.indptr.dtype != np.int32:
        return matrix
    found = kernel() and kernel().equal_rows(matrix, int(_WORTH * matrix.shape[0]))
    if not found:
        return matrix
    codes, firsts = found
    return RepeatedRows.known(matrix, matrix[firsts], codes)


# It keeps its name, which stands in the library's messages.
class TruncatedSVD(_TruncatedSVD):  # type: ignore[misc]
    """scikit-learn's TruncatedSVD."""

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        return super().fit_transform(repeated_rows(X), y)
