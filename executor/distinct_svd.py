"""Randomised decompositions of matrices in which rows repeat, from the distinct rows.

Input: a sparse matrix. Output: components and projected rows as scikit-learn's TruncatedSVD with
the same random state gives them. The method (Halko, Martinsson and Tropp, 2011) reads X only in
X.T @ X: components depend on that, and on the random matrix, drawn as the library draws it. X.T
@ X is that of the distinct rows, each times the root of its number. In exact arithmetic both are
equal, converged or not; in float64 they differ by rounding over the gaps between singular values.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD as _TruncatedSVD
from sklearn.utils.extmath import randomized_svd, svd_flip
from sklearn.utils.sparsefuncs import mean_variance_axis

from executor.repeated_rows import RepeatedRows, repeated_rows

# Of the largest singular value. Rounding turns components by about eps / gap (measured: 1e-13 at
# a gap of 4e-4), and a feature of a small value is scaled up by what follows.
_GAP = 1e-4
_LEAST = 1e-2
# By how much the largest entry of a component exceeds those of the other sign, in proportion:
# it decides the component's sign.
_CLEAR = 1e-6


# It keeps its name, which stands in the library's messages.
class TruncatedSVD(_TruncatedSVD):  # type: ignore[misc]
    """scikit-learn's TruncatedSVD but for rounding; or to 1e-9 of it, if `near`."""

    near = False

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        rows = repeated_rows(X)
        found = None
        if (
            isinstance(rows, RepeatedRows)
            and rows.distinct is not None
            and np.isfinite(rows.distinct.data).all()
        ):
            self._validate_params()
            found = self._decomposed(rows)
        if found is None:
            return super().fit_transform(rows, y)
        self.components_, self.singular_values_ = found
        self.n_features_in_ = X.shape[1]
        projected = rows.distinct @ self.components_.T
        weights = np.bincount(rows.codes).astype(rows.dtype)
        self.explained_variance_ = _variance(projected, weights)
        _, spread = mean_variance_axis(rows.distinct, axis=0, weights=weights)
        self.explained_variance_ratio_ = self.explained_variance_ / spread.sum()
        return projected[rows.codes]

    def _decomposed(self, rows: RepeatedRows) -> tuple[np.ndarray, np.ndarray] | None:
        """Components and singular values; None where the library is to find them."""
        size = self.n_components + self.n_oversamples
        # Wide matrices the library turns, and draws a number for each row, equal or not.
        wide = rows.shape[0] < rows.shape[1] or size >= min(rows.distinct.shape)
        if self.algorithm != "randomized" or wide:
            return None
        if self.near and (rows.dtype != np.float64 or not isinstance(self.random_state, int)):
            return None
        weights = np.sqrt(np.bincount(rows.codes)).astype(rows.dtype)
        u, values, components = randomized_svd(
            sp.csr_matrix(sp.diags(weights) @ rows.distinct),
            size,  # all of them, to see what lies next to the last that is wanted
            n_oversamples=0,
            n_iter=self.n_iter,
            power_iteration_normalizer=self.power_iteration_normalizer,
            transpose=False,
            flip_sign=False,
            random_state=self.random_state,
        )
        _, components = svd_flip(u, components, u_based_decision=False)
        k = self.n_components
        if self.near and not (_apart(values, k) and _signed(components[:k])):
            return None
        return components[:k], values[:k]


class NearTruncatedSVD(TruncatedSVD):
    """Where rounding might show beyond 1e-9, scikit-learn decomposes."""

    near = True


NearTruncatedSVD.__name__ = "TruncatedSVD"


def _variance(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(p,) variances of the columns, each row standing for `weights` equal ones."""
    total = weights.sum()
    centred = values - weights @ values / total
    return np.asarray(weights @ centred**2 / total)


def _apart(values: np.ndarray, k: int) -> bool:
    """Whether the first `k` of more singular values lie apart, and none is tiny."""
    if len(values) <= k:
        return False
    gaps = values[:k] - values[1 : k + 1]
    return bool(gaps.min() >= _GAP * values[0] and values[k - 1] >= _LEAST * values[0] > 0)


def _signed(components: np.ndarray) -> bool:
    """Whether it is clear of which sign the largest entry of each component is."""
    up, down = components.max(axis=1), -components.min(axis=1)
    return bool((np.abs(up - down) > _CLEAR * np.maximum(up, down)).all())
