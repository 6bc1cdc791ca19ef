"""What libraries do not say of themselves, and where their public names are.

Input: a name. Output: the object it stands for (`locate`). The tables are the allow-list: an
object outside of them is never imported for an agent.
"""

import importlib
import importlib.util
from functools import cache
from types import ModuleType
from typing import Any

SKLEARN_MODULES = (
    "sklearn.linear_model",
    "sklearn.ensemble",
    "sklearn.preprocessing",
    "sklearn.pipeline",
    "sklearn.compose",
    "sklearn.impute",
    "sklearn.feature_selection",
    "sklearn.feature_extraction.text",
    "sklearn.feature_extraction",
    "sklearn.decomposition",
    "sklearn.model_selection",
    "sklearn.neighbors",
    "sklearn.svm",
    "sklearn.tree",
    "sklearn.naive_bayes",
    "sklearn.neural_network",
    "sklearn.discriminant_analysis",
    "sklearn.gaussian_process",
    "sklearn.gaussian_process.kernels",
    "sklearn.kernel_ridge",
    "sklearn.kernel_approximation",
    "sklearn.random_projection",
    "sklearn.cluster",
    "sklearn.mixture",
    "sklearn.manifold",
    "sklearn.covariance",
    "sklearn.cross_decomposition",
    "sklearn.calibration",
    "sklearn.dummy",
    "sklearn.isotonic",
    "sklearn.multiclass",
    "sklearn.multioutput",
    "sklearn.semi_supervised",
    "sklearn.frozen",
)

# Estimators of targets, of images, or with no use on a table; and base classes.
EXCLUDED = frozenset(
    "LabelEncoder LabelBinarizer MultiLabelBinarizer PatchExtractor SparseCoder KernelCenterer "
    "SpectralBiclustering SpectralCoclustering FrozenEstimator BaseShuffleSplit "
    "BaseCrossValidator".split()
)

LIGHTGBM = ("LGBMRegressor", "LGBMClassifier", "LGBMRanker")
XGBOOST = ("XGBRegressor", "XGBClassifier", "XGBRanker", "XGBRFRegressor", "XGBRFClassifier")
CATBOOST = ("CatBoostRegressor", "CatBoostClassifier")
# Not here: encoders that download models (TextEncoder), joiners (they hold a second table),
# and what works on the target (AggTarget).
SKRUB = (
    "ApplyToCols",
    "CatEncoder",
    "Cleaner",
    "DatetimeEncoder",
    "DropCols",
    "DropSimilar",
    "DropUninformative",
    "DurationToFloat",
    "GapEncoder",
    "MinHashEncoder",
    "SelectCols",
    "SessionEncoder",
    "SimilarityEncoder",
    "SquashingScaler",
    "StringEncoder",
    "TableVectorizer",
    "ToCategorical",
    "ToDatetime",
    "ToFloat",
)
COMPOSERS = {
    "make_pipeline": "sklearn.pipeline",
    "make_union": "sklearn.pipeline",
    "make_column_transformer": "sklearn.compose",
}
DISTRIBUTIONS: dict[str, tuple[tuple[str, bool], ...]] = {
    # Parameters and whether they are required; for RandomizedSearchCV.
    "loguniform": (("a", True), ("b", True)),
    "uniform": (("loc", False), ("scale", False)),
    "randint": (("low", True), ("high", True)),
}

# Score functions, and element-wise functions: a FunctionTransformer of one is row-wise.
FUNCTIONS = {
    **dict.fromkeys(
        "f_regression f_classif r_regression chi2 mutual_info_regression "
        "mutual_info_classif".split(),
        "sklearn.feature_selection",
    ),
    **dict.fromkeys(
        "abs arcsinh arctan cbrt ceil cos exp exp2 expm1 floor log log10 log1p log2 negative "
        "reciprocal rint sign sin sinh sqrt square tanh".split(),
        "numpy",
    ),
}
TYPES = {
    **dict.fromkeys(
        "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 number".split(), "numpy"
    ),
    **dict.fromkeys("bool float int object str".split(), "builtins"),
}

# Transformers whose fit is known not to read the target; every other one counts as supervised.
UNSUPERVISED = frozenset(
    """
    AdditiveChi2Sampler BernoulliRBM Binarizer Birch BisectingKMeans CountVectorizer
    DictVectorizer DictionaryLearning FactorAnalysis FastICA
    FeatureAgglomeration FeatureHasher FunctionTransformer
    GaussianRandomProjection HashingVectorizer IncrementalPCA Isomap IterativeImputer
    KBinsDiscretizer KMeans KNNImputer KNeighborsTransformer KernelPCA
    LatentDirichletAllocation LocallyLinearEmbedding MaxAbsScaler MinMaxScaler
    MiniBatchDictionaryLearning MiniBatchKMeans MiniBatchNMF MiniBatchSparsePCA
    MissingIndicator NMF Normalizer Nystroem OneHotEncoder OrdinalEncoder PCA
    PolynomialCountSketch PolynomialFeatures PowerTransformer QuantileTransformer RBFSampler
    RadiusNeighborsTransformer RandomTreesEmbedding RobustScaler SimpleImputer
    SkewedChi2Sampler SparsePCA SparseRandomProjection SplineTransformer StandardScaler
    TfidfTransformer TfidfVectorizer TruncatedSVD VarianceThreshold
    Cleaner DatetimeEncoder DropCols DropSimilar DropUninformative DurationToFloat
    GapEncoder MinHashEncoder SelectCols SimilarityEncoder SquashingScaler StringEncoder
    ToCategorical ToDatetime ToFloat
    """.split()
)
# They pass data to the estimators they are given, and do nothing of their own with the target.
COMPOSITE = frozenset("ApplyToCols ColumnTransformer FeatureUnion Pipeline TableVectorizer".split())
WRAPPERS = frozenset(
    "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV".split()
)
# Same rows out whether all rows or one fold are given, and nothing is learnt but the width.
STATELESS = frozenset(
    "AdditiveChi2Sampler Binarizer FunctionTransformer HashingVectorizer Normalizer "
    "PolynomialFeatures".split()
)
TEXT = frozenset("CountVectorizer HashingVectorizer TfidfVectorizer".split())
STRINGS = frozenset(
    """
    ColumnTransformer FunctionTransformer MissingIndicator OneHotEncoder OrdinalEncoder Pipeline
    FeatureUnion SimpleImputer TargetEncoder
    """.split()
) | TEXT.union(SKRUB)


def optional(library: str) -> ModuleType | None:
    """The optional library, imported, or None where it is not installed."""
    if importlib.util.find_spec(library) is None:
        return None
    return importlib.import_module(library)


def experimental() -> None:
    """Make scikit-learn's experimental estimators importable from their modules."""
    for name in ("enable_iterative_imputer", "enable_halving_search_cv"):
        if importlib.util.find_spec(f"sklearn.experimental.{name}") is not None:
            importlib.import_module(f"sklearn.experimental.{name}")


@cache
def locate(name: str) -> tuple[str, Any]:
    """The public module and object of a name of the registry.

    Raises:
        KeyError: No table has it, or its library is not installed.
    """
    for names, module in (
        (LIGHTGBM, "lightgbm"),
        (XGBOOST, "xgboost"),
        (CATBOOST, "catboost"),
        (SKRUB, "skrub"),
    ):
        if name in names:
            library = optional(module)
            if library is None or not hasattr(library, name):
                raise KeyError(name)
            return module, getattr(library, name)
    if name in DISTRIBUTIONS:
        return "scipy.stats", getattr(importlib.import_module("scipy.stats"), name)
    if name in FUNCTIONS or name in TYPES:
        module = (FUNCTIONS | TYPES)[name]
        return module, getattr(importlib.import_module(module), name)
    return _in_sklearn(name)


def _in_sklearn(name: str) -> tuple[str, Any]:
    """A public class of scikit-learn that is an estimator, a splitter or a kernel."""
    experimental()
    if name in EXCLUDED or name.startswith("_"):
        raise KeyError(name)
    for module in SKLEARN_MODULES:
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError:  # a module of a later scikit-learn
            continue
        if found is not None and is_public(found):
            return module, found
    raise KeyError(name)


def is_public(found: object) -> bool:
    """Whether `found` is a class of scikit-learn that expressions may construct."""
    from sklearn.base import BaseEstimator
    from sklearn.compose import make_column_selector
    from sklearn.gaussian_process.kernels import Kernel

    if not isinstance(found, type) or not found.__module__.startswith("sklearn."):
        return False
    if getattr(found, "__abstractmethods__", None):
        return False
    if issubclass(found, Kernel):
        return found.__name__ not in ("Kernel", "CompoundKernel", "KernelOperator")
    return issubclass(found, BaseEstimator) or found is make_column_selector or _is_splitter(found)


def _is_splitter(found: type) -> bool:
    return hasattr(found, "split") and hasattr(found, "get_n_splits")
