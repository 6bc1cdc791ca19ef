"""How wide feature blocks are expected to be.

Input: a transformer and the width of what it reads. Output: the `Width` of what it makes, from
its parameters and the distinct values of the columns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from planner.expressions import Call, Items, param
from planner.schema import Column

_FEW = 8  # distinct values of a text or category column of which nothing is known
_TOKENS = 12.0  # terms that a text is expected to have
_CARDINALITY = 40  # distinct values from which TableVectorizer does not encode one by one
_DATE_PARTS = 4
_SPARSE = 0.3  # the density below which a ColumnTransformer keeps a block sparse

# Transformers whose output has as many columns as a parameter says.
_COMPONENTS = {
    "PCA": 0, "TruncatedSVD": 2, "NMF": 0, "FastICA": 0, "IncrementalPCA": 0, "KernelPCA": 0,
    "FactorAnalysis": 0, "SparsePCA": 0, "LatentDirichletAllocation": 10, "Nystroem": 100,
    "RBFSampler": 100, "GaussianRandomProjection": 0, "GapEncoder": 10, "MinHashEncoder": 30,
    "StringEncoder": 30, "TextEncoder": 30, "AdditiveChi2Sampler": 0, "PLSRegression": 2,
    "SkewedChi2Sampler": 100, "DictionaryLearning": 0, "BernoulliRBM": 256, "Isomap": 2,
    "PolynomialCountSketch": 100,
}  # fmt: skip
_TEXT = ("CountVectorizer", "TfidfVectorizer")


@dataclass(frozen=True)
class Width:
    """The columns of a block.

    Attributes:
        columns: How many.
        stored: Values per row that are stored, where the block is sparse; else 0.
        distinct: Distinct values of each column, None where unknown; () if nothing is known.
    """

    columns: int
    stored: float = 0.0
    distinct: tuple[int | None, ...] = ()

    @property
    def values(self) -> float:
        """Values per row that are not zero, as far as that is known."""
        return self.stored or float(self.columns)


def beside(blocks: Sequence[Width], threshold: float | None) -> Width:
    """Blocks next to each other; sparse as ColumnTransformer (threshold) or FeatureUnion are."""
    columns = sum(block.columns for block in blocks)
    stored = sum(block.values for block in blocks)
    sparse = any(block.stored for block in blocks)
    if threshold is not None:
        sparse = sparse and stored < threshold * max(columns, 1)
    known = all(len(block.distinct) == block.columns for block in blocks)
    distinct = tuple(d for block in blocks for d in block.distinct) if known else ()
    return Width(columns, stored if sparse else 0.0, distinct)


def after(call: Call, block: Width, rows: int, classes: int = 1) -> Width:
    """The width of what the transformer `call` makes of `block`, fitted on `rows` rows."""
    name, columns = call.name, block.columns
    if name == "OneHotEncoder":
        return _one_hot(call, block)
    if name in _TEXT:
        return _text(call, block, rows)
    if name == "HashingVectorizer":
        return Width(_number(param(call, "n_features"), 2**20), _TOKENS)
    if name in _COMPONENTS:
        return Width(_components(call, _COMPONENTS[name], columns, rows))
    if name == "SelectKBest":
        k = param(call, "k")
        return _some(block, columns if k == "all" else min(_number(k, 10), columns))
    if name == "SelectPercentile":
        return _some(block, columns * _number(param(call, "percentile"), 10) // 100)
    if name in ("RFE", "SequentialFeatureSelector"):
        wanted = _number(param(call, "n_features_to_select"), columns // 2)
        return _some(block, min(wanted, columns))
    if name in ("SelectFromModel", "RFECV"):
        return _some(block, columns // 2)
    if name == "PolynomialFeatures":
        return Width(_polynomial(call, columns))
    if name == "SplineTransformer":
        knots, degree = _number(param(call, "n_knots"), 5), _number(param(call, "degree"), 3)
        return Width(columns * (knots + degree - 1))
    if name == "KBinsDiscretizer":
        if param(call, "encode") in ("ordinal", "onehot-dense"):
            many = 1 if param(call, "encode") == "ordinal" else _number(param(call, "n_bins"), 5)
            return Width(columns * many)
        return Width(columns * _number(param(call, "n_bins"), 5), float(columns))
    if name == "TargetEncoder":
        return Width(columns * (classes if classes > 2 else 1))
    if name in ("KMeans", "MiniBatchKMeans"):
        return Width(_number(param(call, "n_clusters"), 8))
    if name == "LinearDiscriminantAnalysis":
        return Width(max(classes - 1, 1))
    if name == "DatetimeEncoder":
        return Width(columns * 6)
    return Width(columns, block.stored, block.distinct)


def vectorised(call: Call, columns: Sequence[Column]) -> Width:
    """The width of what skrub's TableVectorizer makes of `columns` of a table."""
    few = _number(param(call, "cardinality_threshold"), _CARDINALITY)
    dense = Call("OneHotEncoder", (("drop", "if_binary"), ("sparse_output", False)))
    given = param(call, "high_cardinality")
    encoder = given if isinstance(given, Call) else Call("StringEncoder")
    total = 0
    for column in columns:
        if column.kind == "date":
            total += _DATE_PARTS
        elif column.kind not in ("string", "categorical"):
            total += 1
        elif column.distinct is not None and column.distinct >= few:
            total += after(encoder, Width(1), column.distinct).columns
        else:
            total += _one_hot(dense, Width(1, 0.0, (column.distinct,))).columns
    return Width(max(total, 1))


def _one_hot(call: Call, block: Width) -> Width:
    counts: Sequence[int | None] = block.distinct or (None,) * block.columns
    most = param(call, "max_categories")
    total = 0
    for count in counts:
        found = _FEW if count is None else max(count, 1)
        if isinstance(most, int) and most > 0:
            found = min(found, most)
        drop = param(call, "drop")
        if drop == "first" or (drop == "if_binary" and found == 2):
            found -= 1
        total += found
    if param(call, "min_frequency") is not None:
        total = max(total // 2, block.columns)
    dense = param(call, "sparse_output", True) is False
    return Width(max(total, 1), 0.0 if dense else float(block.columns))


def _text(call: Call, block: Width, rows: int) -> Width:
    """Heaps' law, with the growth usual of short texts."""
    grams = param(call, "ngram_range")
    longest = grams.values[1] if isinstance(grams, Items) and len(grams.values) == 2 else 1
    longest = longest if isinstance(longest, int) else 1
    texts = next((d for d in block.distinct if d is not None), rows)
    words = 30 * math.sqrt(min(texts, rows)) * longest**2
    if param(call, "analyzer") in ("char", "char_wb"):
        words = 200 * longest**2
    if param(call, "min_df") not in (None, 1, 1.0):
        words /= 4
    most = param(call, "max_features")
    columns = int(min(words, most)) if isinstance(most, int) and most > 0 else int(words)
    return Width(max(columns, 1), min(_TOKENS * longest, max(columns, 1)))


def _components(call: Call, usual: int, columns: int, rows: int) -> int:
    given = param(call, "n_components")
    if isinstance(given, float) and 0 < given < 1:
        return max(int(columns * given * 0.7), 1)
    most = min(columns, rows) if usual in (0, 2) else 10**9
    return max(min(_number(given, usual or columns), most), 1)


def _some(block: Width, columns: int) -> Width:
    columns = max(columns, 1)
    return Width(columns, block.stored * columns / max(block.columns, 1))


def _polynomial(call: Call, columns: int) -> int:
    degree = _number(param(call, "degree"), 2)
    if param(call, "interaction_only") is True:
        total = sum(math.comb(columns, k) for k in range(degree + 1))
    else:
        total = math.comb(columns + degree, degree)
    return max(total - (param(call, "include_bias") is False), 1)


def _number(value: object, usual: int) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if good and isinstance(value, int) else usual
