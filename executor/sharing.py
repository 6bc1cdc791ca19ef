"""Values that several readers share, and library code that may write into what it is given.

Input: values of a worker (arrays, pairs, splits, sparse matrices, frames, fitted models). Output:
the same values, protected or copied. Arrays are protected by their flag, which costs nothing;
where a library insists on writing, it gets copies. Frames are safe behind a shallow copy, since
pandas copies on write.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from executor.models import FittedModel

# NumPy's and Cython's words for a refused write, and numba's.
_REFUSED = re.compile(r"read-?\s?only", re.IGNORECASE)


def freeze(value: Any) -> None:
    """Makes every array in `value` read-only, in place."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, tuple | list):
        for item in value:
            freeze(item)
    elif isinstance(value, FittedModel):
        freeze(value.valid)
    elif sp.issparse(value):
        for part in ("data", "indices", "indptr"):
            freeze(getattr(value, part, None))


def copied(value: Any) -> Any:
    """`value` with arrays of its own, all of them writable."""
    if isinstance(value, np.ndarray | pd.DataFrame | pd.Series) or sp.issparse(value):
        return value.copy()
    if isinstance(value, tuple | list):
        return type(value)(copied(item) for item in value)
    if isinstance(value, FittedModel):
        return replace(value, valid=copied(value.valid))
    return value


def refused_write(error: Exception) -> bool:
    """Whether `error` says that something tried to write into a read-only array."""
    return isinstance(error, ValueError | TypeError) and bool(_REFUSED.search(str(error)))
