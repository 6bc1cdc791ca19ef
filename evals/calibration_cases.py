"""What is measured to calibrate the cost model: operators, the terms of their cost, and sizes.

Output: plain tables. The letters of terms are explained in `planner.cost_factors`.
"""

from dataclasses import dataclass

Size = tuple[int, int]  # rows, columns

USUAL: tuple[Size, ...] = ((800, 8), (800, 60), (6000, 8), (6000, 60), (25000, 20))
SMALL: tuple[Size, ...] = ((300, 8), (800, 40), (2500, 8), (2500, 40))
TREES = ("1", "rvd")


@dataclass(frozen=True)
class Case:
    """An operator with variants of its parameters, of which each is measured at every size.

    The first expression names the entry of the table. `data` says what it reads: numbers,
    numbers of which some are missing, categories, text; for the metrics, `expressions` are metrics.
    """

    expressions: tuple[str, ...]
    terms: tuple[str, ...]
    predict: tuple[str, ...] = ("1", "vp")
    sizes: tuple[Size, ...] = USUAL
    data: str = "numbers"
    classes: int = 0


_BOOST = ("1", "np", "cr", "crn", "crnp", "crsp")
_FOREST = ("1", "r", "rnm", "rnmd")

FITS: tuple[Case, ...] = (
    Case(("Ridge()",), ("1", "np", "npp")),
    Case(("RidgeCV()",), ("1", "np", "npp", "nnp"), sizes=SMALL),
    Case(("LinearRegression()",), ("1", "np", "npp")),
    Case(("Lasso(alpha=0.01)", "Lasso(alpha=0.1)"), ("1", "np", "npp")),
    Case(("ElasticNet(alpha=0.01)", "ElasticNet(alpha=0.1)"), ("1", "np", "npp")),
    Case(("LassoCV()",), ("1", "rnp", "rpp"), sizes=((800, 8), (6000, 8), (6000, 40))),
    Case(("LogisticRegression()", "LogisticRegression(C=1000)"), ("1", "cnp", "cn"), classes=2),
    Case(("SGDRegressor(random_state=0)",), ("1", "np", "n")),
    Case(("LinearSVC(random_state=0)",), ("1", "cnp"), classes=2, sizes=SMALL),
    Case(("SVR()",), ("1", "nn", "nnp"), ("1", "vn", "vnp"), SMALL),
    Case(("SVC()",), ("1", "nn", "nnp"), ("1", "vn", "vnp"), SMALL, classes=2),
    Case(("KernelRidge()",), ("1", "nnn", "nnp"), ("1", "vn", "vnp"), SMALL),
    Case(
        ("GaussianProcessRegressor(random_state=0)",),
        ("1", "nnn", "nnp"),
        ("1", "vn", "vnp"),
        ((200, 8), (600, 8), (1000, 20)),
    ),
    Case(
        ("KNeighborsRegressor()", "KNeighborsRegressor(40)"),
        ("1", "np", "knpl"),
        ("1", "bvnp", "bvn", "kvlp", "vs"),
    ),
    Case(("GaussianNB()",), ("1", "np"), ("1", "vp"), classes=2),
    Case(("LinearDiscriminantAnalysis()",), ("1", "np", "npp"), classes=2),
    Case(("DecisionTreeRegressor(random_state=0)",), ("1", "nm", "nmd"), ("1", "vd")),
    Case(
        (
            "RandomForestRegressor(n_estimators=10, random_state=0)",
            "RandomForestRegressor(n_estimators=20, max_features=0.4, random_state=0)",
            "RandomForestRegressor(n_estimators=20, min_samples_leaf=20, random_state=0)",
        ),
        _FOREST,
        TREES,
        ((800, 8), (800, 40), (6000, 8), (6000, 40)),
    ),
    Case(
        (
            "RandomForestClassifier(n_estimators=20, random_state=0)",
            "RandomForestClassifier(n_estimators=20, min_samples_leaf=20, random_state=0)",
        ),
        _FOREST,
        TREES,
        ((800, 8), (6000, 8), (6000, 40)),
        classes=2,
    ),
    Case(
        (
            "ExtraTreesRegressor(n_estimators=10, random_state=0)",
            "ExtraTreesRegressor(n_estimators=20, min_samples_leaf=20, random_state=0)",
        ),
        _FOREST,
        TREES,
        ((800, 8), (6000, 8), (6000, 40)),
    ),
    Case(
        (
            "GradientBoostingRegressor(n_estimators=20, random_state=0)",
            "GradientBoostingRegressor(n_estimators=20, max_depth=6, random_state=0)",
        ),
        ("1", "r", "rnm", "rnmd"),
        TREES,
        ((800, 8), (800, 40), (6000, 8), (6000, 40)),
    ),
    Case(
        ("AdaBoostRegressor(n_estimators=20, random_state=0)",),
        ("1", "r", "rnp"),
        TREES,
        ((800, 8), (6000, 8), (6000, 40)),
    ),
    Case(
        (
            "HistGradientBoostingRegressor(max_iter=30, random_state=0)",
            "HistGradientBoostingRegressor(max_iter=90, max_leaf_nodes=15, random_state=0)",
        ),
        _BOOST,
        ("1", "r", "rvd"),
    ),
    Case(
        (
            "LGBMRegressor(n_estimators=30)",
            "LGBMRegressor(n_estimators=150, num_leaves=63)",
            "LGBMRegressor(n_estimators=60, num_leaves=8)",
        ),
        _BOOST,
        ("1", "r", "rvd"),
    ),
    Case(
        (
            "XGBRegressor(n_estimators=20)",
            "XGBRegressor(n_estimators=80, max_depth=4)",
            "XGBRegressor(n_estimators=30, max_depth=9)",
        ),
        _BOOST,
        ("1", "r", "rvd"),
        ((800, 8), (800, 40), (6000, 8), (6000, 40)),
    ),
    Case(
        (
            "MLPRegressor(max_iter=15, random_state=0)",
            "MLPRegressor(hidden_layer_sizes=(50, 50), max_iter=15, random_state=0)",
            "MLPRegressor(hidden_layer_sizes=(300, 200), max_iter=4, random_state=0)",
        ),
        ("1", "rn", "rns"),
        ("1", "v", "vs"),
        SMALL,
    ),
)

TRANSFORMS: tuple[Case, ...] = (
    Case(("StandardScaler()",), ("1", "np")),
    Case(("RobustScaler()",), ("1", "w", "np")),
    Case(("SimpleImputer()",), ("1", "np")),
    Case(("QuantileTransformer(random_state=0)",), ("1", "w", "np"), sizes=SMALL),
    Case(("PowerTransformer()",), ("1", "w", "np"), sizes=SMALL),
    Case(("KBinsDiscretizer()",), ("1", "w", "np")),
    Case(("SplineTransformer()",), ("1", "w", "no")),
    Case(("PolynomialFeatures()",), ("1", "no"), sizes=((800, 8), (6000, 8), (6000, 25))),
    Case(("PCA(5, random_state=0)", "PCA(0.9, random_state=0)"), ("1", "np", "npp")),
    Case(("TruncatedSVD(5, random_state=0)", "TruncatedSVD(7, random_state=0)"),
         ("1", "np", "npo", "noo")),
    Case(("Nystroem(n_components=50, random_state=0)",), ("1", "no", "npo"), sizes=SMALL),
    Case(("SelectKBest(f_regression, k=5)",), ("1", "np")),
    Case(("SelectKBest(mutual_info_regression, k=5)",), ("1", "npl"),
         sizes=((300, 8), (800, 8), (800, 20))),
    Case(("KNNImputer()",), ("1", "nnp"), data="missing", sizes=((300, 8), (800, 8), (800, 30))),
    Case(("OneHotEncoder(handle_unknown='ignore')",), ("1", "w", "np"), data="categories",
         sizes=((800, 2), (800, 10), (8000, 2), (8000, 10))),
    Case(("OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)",),
         ("1", "w", "np"), data="categories", sizes=((800, 2), (8000, 2), (8000, 10))),
    Case(("TargetEncoder(random_state=0, target_type='continuous')",), ("1", "w", "np"),
         data="categories", sizes=((800, 2), (8000, 2), (8000, 10))),
    Case(("TableVectorizer()",), ("1", "w", "np"), data="categories",
         sizes=((500, 2), (3000, 2), (3000, 10))),
    Case(("StringEncoder()",), ("1", "n"), data="text", sizes=((500, 1), (3000, 1))),
    Case(("TfidfVectorizer()",), ("1", "n"), data="text", sizes=((500, 1), (3000, 1))),
)  # fmt: skip

SCORES: tuple[Case, ...] = (
    Case(("r2", "rmse", "mae", "neg_root_mean_squared_error", "rmsle"), ("1", "v"),
         sizes=((500, 1), (20_000, 1), (100_000, 1))),
    Case(("roc_auc", "average_precision"), ("1", "v", "vl"), classes=2,
         sizes=((500, 1), (20_000, 1), (100_000, 1))),
    Case(("accuracy", "f1", "logloss", "neg_log_loss", "balanced_accuracy"), ("1", "v"),
         classes=2, sizes=((500, 1), (20_000, 1), (100_000, 1))),
)  # fmt: skip
