"""Sparse matrices with equal rows: products that give SciPy's bits from the distinct rows.

Input: a matrix in compressed sparse rows (counts of terms of a column in which texts repeat).
Output: the same matrix as far as any library can see, but that ``X @ Q`` is computed for the
distinct rows: each row of a product is computed from its row alone, and has SciPy's bits. A
decomposition is therefore the library's to the last bit; its own algorithm runs. Should SciPy
come to multiply by another method, that method is used.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD as _TruncatedSVD

from executor.term_counts import kernel

# With more distinct rows, finding them costs as much as it saves.
_WORTH = 0.5
_KINDS = (np.dtype(np.float32), np.dtype(np.float64))


class RepeatedRows(sp.csr_matrix):  # type: ignore[misc]
    """A csr_matrix that knows its distinct rows.

    Attributes:
        distinct: The distinct rows as a csr_matrix; None where nothing is known of them.
        codes: (n,) int64, which of them each row is.
    """

    distinct: Any = None
    codes: Any = None

    @classmethod
    def of(cls, distinct: Any, codes: np.ndarray) -> Any:
        if len(codes) == distinct.shape[0]:  # none repeats
            return distinct
        return cls.known(distinct[codes], distinct, codes)

    @classmethod
    def known(cls, whole: Any, distinct: Any, codes: np.ndarray) -> "RepeatedRows":
        made = cls((whole.data, whole.indices, whole.indptr), shape=whole.shape, copy=False)
        made.distinct, made.codes = sp.csr_matrix(distinct), codes
        return made

    def astype(self, dtype: Any, casting: str = "unsafe", copy: bool = True) -> Any:
        if self.distinct is None or np.dtype(dtype) == self.dtype:
            return self
        return type(self).of(self.distinct.astype(dtype, casting, copy), self.codes)

    def _matmul_multivector(self, other: np.ndarray) -> Any:
        if self.distinct is None:
            return super()._matmul_multivector(other)
        return (self.distinct @ other)[self.codes]


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
