"""Classifiers on the bundled data sets and on strings, with the default cross-validation."""

from typing import Any

import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from tests.oracle import LGBM, XGB, Encoded, Make, Reference
from tests.parity.harness import ITERATIVE, Batch

BATCH = Batch(
    "classification",
    {},
    lambda reference: StratifiedKFold(5, shuffle=True, random_state=0).split(
        reference.X, reference.y
    ),
)
PLAIN = [{"columns": "numeric"}]
SCALED = [{"columns": "numeric", "steps": ["StandardScaler()"]}]


def on(frame: pd.DataFrame, target: str, make: Make, *columns: str, **more: Any) -> Reference:
    features = frame[list(columns)] if columns else frame.drop(columns=target)
    return Reference(make, features, frame[target], frame, **more)


@BATCH.case(
    "cancer",
    "target",
    "LogisticRegression(C=0.5, max_iter=500)",
    ["roc_auc", "neg_log_loss", "logloss", "brier", "accuracy", "f1", "gini"],
    tolerance=ITERATIVE,
)
def logistic(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        lambda: make_pipeline(
            SimpleImputer(), StandardScaler(), LogisticRegression(C=0.5, max_iter=500)
        ),
    )


@BATCH.case(
    "cancer",
    "target",
    "LinearSVC(C=0.1)",
    ["roc_auc", "average_precision", "matthews_corrcoef"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def linear_svc(frame: pd.DataFrame) -> Reference:
    """Ranked by decision values: there are no probabilities."""
    return on(
        frame, "target", lambda: make_pipeline(StandardScaler(), LinearSVC(C=0.1, random_state=0))
    )


@BATCH.case(
    "cancer",
    "target",
    "RidgeClassifier(class_weight='balanced')",
    ["roc_auc", "balanced_accuracy", "jaccard"],
    features=SCALED,
)
def ridge_classifier(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        lambda: make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced")),
    )


@BATCH.case(
    "cancer",
    "target",
    "make_pipeline(SelectKBest(f_classif, k=8), GaussianNB())",
    ["roc_auc", "neg_brier_score", "recall", "precision"],
)
def naive_bayes(frame: pd.DataFrame) -> Reference:
    return on(frame, "target", lambda: make_pipeline(SelectKBest(f_classif, k=8), GaussianNB()))


@BATCH.case(
    "cancer",
    "target",
    "LGBMClassifier(n_estimators=25, num_leaves=7)",
    ["roc_auc", "average_precision", "logloss"],
    features=PLAIN,
)
def lightgbm(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        # Names with spaces are no matter for arrays.
        lambda: make_pipeline(
            VarianceThreshold(0.0).set_output(transform="default"),
            LGBMClassifier(n_estimators=25, num_leaves=7, random_state=0, **LGBM),
        ),
    )


@BATCH.case(
    "cancer",
    "target",
    "XGBClassifier(n_estimators=20, max_depth=3)",
    ["roc_auc", "neg_log_loss", "fbeta(beta=2)"],
    features=PLAIN,
)
def xgboost(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        lambda: XGBClassifier(n_estimators=20, max_depth=3, random_state=0, **XGB),
    )


@BATCH.case(
    "cancer", "target", "HistGradientBoostingClassifier(max_iter=20)", ["roc_auc", "error_rate"]
)
def histogram_boosting(frame: pd.DataFrame) -> Reference:
    return on(frame, "target", lambda: HistGradientBoostingClassifier(max_iter=20, random_state=0))


@BATCH.case(
    "wine",
    "target",
    "KNeighborsClassifier(5)",
    ["accuracy", "f1_macro", "roc_auc_ovo", "kappa"],
    features=SCALED,
)
def neighbours(frame: pd.DataFrame) -> Reference:
    return on(frame, "target", lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(5)))


@BATCH.case(
    "wine",
    "target",
    "SVC(C=2)",
    ["accuracy", "precision_macro"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def support_vectors(frame: pd.DataFrame) -> Reference:
    return on(frame, "target", lambda: make_pipeline(StandardScaler(), SVC(C=2, random_state=0)))


@BATCH.case(
    "wine",
    "target",
    "RandomForestClassifier(n_estimators=20, class_weight='balanced')",
    ["roc_auc_ovr", "roc_auc_ovr_weighted", "logloss", "recall_weighted"],
    features=PLAIN,
)
def forest(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        lambda: RandomForestClassifier(n_estimators=20, class_weight="balanced", random_state=0),
    )


@BATCH.case(
    "wine",
    "target",
    "ExtraTreesClassifier(n_estimators=15)",
    ["accuracy", "quadratic_kappa"],
    features=PLAIN,
    seeds=[4, 5],
)
def extra_trees_of_two_seeds(frame: pd.DataFrame) -> Reference:
    makes: list[Make] = [
        lambda seed=seed: ExtraTreesClassifier(n_estimators=15, random_state=seed)
        for seed in (4, 5)
    ]
    return Reference(makes, frame.drop(columns="target"), frame["target"], frame)


@BATCH.case(
    "wine",
    "target",
    "LinearDiscriminantAnalysis()",
    ["neg_log_loss", "top_k_accuracy(k=1)"],
    features=SCALED,
)
def discriminant(frame: pd.DataFrame) -> Reference:
    return on(
        frame, "target", lambda: make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    )


@BATCH.case(
    "iris",
    "species",
    "DecisionTreeClassifier(max_depth=3)",
    ["balanced_accuracy", "f1_weighted", "accuracy"],
    features=PLAIN,
)
def tree_of_strings(frame: pd.DataFrame) -> Reference:
    return on(frame, "species", lambda: DecisionTreeClassifier(max_depth=3, random_state=0))


@BATCH.case(
    "iris",
    "species",
    "XGBClassifier(n_estimators=10, max_depth=2)",
    ["accuracy", "logloss", "roc_auc_ovr"],
    features=PLAIN,
)
def xgboost_of_strings(frame: pd.DataFrame) -> Reference:
    model = {"n_estimators": 10, "max_depth": 2, "random_state": 0}
    return on(frame, "species", lambda: Encoded(XGBClassifier(**model, **XGB)))


@BATCH.case(
    "iris",
    "species",
    "LGBMClassifier(n_estimators=10, num_leaves=4, class_weight='balanced')",
    ["logloss", "accuracy"],
    features=PLAIN,
)
def lightgbm_of_strings(frame: pd.DataFrame) -> Reference:
    model = {"n_estimators": 10, "num_leaves": 4, "class_weight": "balanced", "random_state": 0}
    return on(frame, "species", lambda: LGBMClassifier(**model, **LGBM))


@BATCH.case(
    "iris",
    "species",
    "VotingClassifier([('n', GaussianNB()), ('k', KNeighborsClassifier(3))], voting='soft')",
    ["accuracy", "logloss"],
    features=PLAIN,
)
def soft_voting(frame: pd.DataFrame) -> Reference:
    members = [("n", GaussianNB()), ("k", KNeighborsClassifier(3))]
    return on(frame, "species", lambda: VotingClassifier(members, voting="soft"))


@BATCH.case(
    "iris",
    "species",
    "StackingClassifier([('n', GaussianNB()), ('t', DecisionTreeClassifier(max_depth=2))], cv=3)",
    ["accuracy", "logloss"],
    tolerance=ITERATIVE,
    features=PLAIN,
)
def stacking(frame: pd.DataFrame) -> Reference:
    members = [
        ("n", GaussianNB()),
        ("t", DecisionTreeClassifier(max_depth=2, random_state=0)),
    ]
    return on(frame, "species", lambda: StackingClassifier(members, cv=3))


@BATCH.case(
    "iris", "species", "DummyClassifier(strategy='stratified')", ["accuracy"], features=PLAIN
)
def dummy(frame: pd.DataFrame) -> Reference:
    return on(frame, "species", lambda: DummyClassifier(strategy="stratified", random_state=0))


@BATCH.case(
    "iris",
    "species",
    "MLPClassifier((6,), max_iter=40)",
    ["logloss"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def network(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "species",
        lambda: make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=40, random_state=0)),
    )


@BATCH.case(
    "digits",
    "target",
    "KNeighborsClassifier(7)",
    ["accuracy", "top_k_accuracy(k=3)", "f1_micro"],
    features=[{"columns": "numeric", "steps": ["PCA(n_components=12)"]}],
)
def digits_by_neighbours(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        lambda: make_pipeline(PCA(n_components=12, random_state=0), KNeighborsClassifier(7)),
    )


@BATCH.case(
    "digits",
    "target",
    "make_pipeline(Binarizer(threshold=7.5), BernoulliNB())",
    ["accuracy", "logloss"],
)
def digits_by_naive_bayes(frame: pd.DataFrame) -> Reference:
    return on(frame, "target", lambda: make_pipeline(Binarizer(threshold=7.5), BernoulliNB()))


HOME = ["area", "age", "city", "street"]


def encoded_home(model: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["area", "age"]),
            (OneHotEncoder(handle_unknown="ignore"), ["city"]),
            (TargetEncoder(random_state=0), ["street"]),
        ),
        model,
    )


ENCODED_HOME = [
    {"columns": ["area", "age"], "steps": ["SimpleImputer()", "StandardScaler()"]},
    {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
    {"columns": ["street"], "steps": ["TargetEncoder()"]},
]


@BATCH.case(
    "homes",
    "sold",
    "LogisticRegression(class_weight='balanced')",
    ["roc_auc", "f1", "f1(pos_label='ja')", "recall", "average_precision", "brier"],
    tolerance=ITERATIVE,
    features=ENCODED_HOME,
)
def strings_with_the_greater_label_positive(frame: pd.DataFrame) -> Reference:
    return on(
        frame, "sold", lambda: encoded_home(LogisticRegression(class_weight="balanced")), *HOME
    )


@BATCH.case(
    "homes",
    "grade",
    "RandomForestClassifier(n_estimators=15)",
    ["quadratic_kappa", "roc_auc_ovr"],
    features=ENCODED_HOME,
)
def multiclass_target_encoding(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "grade",
        lambda: encoded_home(RandomForestClassifier(n_estimators=15, random_state=0)),
        *HOME,
    )
