"""Feature sets of P1: data steps, and the columns and branches that they add."""

from typing import Any

NUMBERS = ["SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"]
SERVICES = ["OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV",
            "StreamingMovies"]  # fmt: skip
CATEGORIES = ["gender", "Partner", "Dependents", "PhoneService", "MultipleLines",
              "InternetService", *SERVICES, "Contract", "PaperlessBilling",
              "PaymentMethod"]  # fmt: skip
# Blanks stand for customers without a bill as yet.
READ: dict[str, Any] = {"derive": {"TotalCharges": "coalesce(try_cast(TotalCharges as double), 0)"}}
DROP: dict[str, Any] = {"drop": ["customerID"]}

_RATIOS = {
    "charges_per_month": "TotalCharges / (tenure + 1)",
    "monthly_to_total": "MonthlyCharges / (TotalCharges + 1)",
    "expected_total": "MonthlyCharges * tenure",
    "total_gap": "TotalCharges - expected_total",
    "charge_trend": "MonthlyCharges / (charges_per_month + 1)",
}
_SERVICES = {
    "services": " + ".join(f"cast({name} = 'Yes' as integer)" for name in SERVICES),
    "streaming": "cast(StreamingTV = 'Yes' or StreamingMovies = 'Yes' as integer)",
    "protected": "cast(OnlineSecurity = 'Yes' and TechSupport = 'Yes' as integer)",
    "alone": "cast(Partner = 'No' and Dependents = 'No' as integer)",
    "automatic": "cast(PaymentMethod like '%automatic%' as integer)",
    "tenure_bin": "case when tenure <= 12 then 0 when tenure <= 24 then 1 "
    "when tenure <= 48 then 2 when tenure <= 60 then 3 else 4 end",
}
_GROUPS = [["Contract"], ["InternetService"], ["PaymentMethod"], ["Contract", "InternetService"]]
_PAIRS = {
    "contract_payment": "Contract || '|' || PaymentMethod",
    "contract_internet": "Contract || '|' || InternetService",
    "payment_billing": "PaymentMethod || '|' || PaperlessBilling",
    "internet_security": "InternetService || '|' || OnlineSecurity",
}


def _group(by: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    stem = "_".join(by)
    steps: list[dict[str, Any]] = [
        {
            "aggregate": {
                "by": by,
                "columns": {
                    f"{stem}_mean": "avg(MonthlyCharges)",
                    f"{stem}_std": "stddev(MonthlyCharges)",
                    f"{stem}_tenure": "avg(tenure)",
                },
            }
        },
        {"derive": {f"{stem}_apart": f"MonthlyCharges - {stem}_mean"}},
    ]
    return steps, [f"{stem}_{what}" for what in ("mean", "std", "tenure", "apart")]


_GROUPED = [_group(by) for by in _GROUPS]
_FREQUENCY_STEPS: list[dict[str, Any]] = [
    *({"aggregate": {"by": [name], "columns": {f"{name}_n": "count(*)"}}} for name in CATEGORIES),
    {"aggregate": {"columns": {"customers": "count(*)"}}},
    {"derive": {f"{name}_freq": f"{name}_n / customers" for name in CATEGORIES}},
]

# What each set does to the table, the numbers and the strings it uses, and further branches.
SETS: dict[str, dict[str, Any]] = {
    "raw": {"steps": [], "numbers": NUMBERS, "strings": CATEGORIES, "branches": []},
    "ratios": {
        "steps": [{"derive": _RATIOS}],
        "numbers": [*NUMBERS, *_RATIOS],
        "strings": CATEGORIES,
        "branches": [],
    },
    "services": {
        "steps": [{"derive": _SERVICES}],
        "numbers": [*NUMBERS, *_SERVICES],
        "strings": CATEGORIES,
        "branches": [
            {
                "columns": ["MonthlyCharges", "TotalCharges"],
                "steps": ["KBinsDiscretizer(n_bins=8, encode='ordinal', strategy='quantile')"],
            }
        ],
    },
    "groups": {
        "steps": [step for steps, _ in _GROUPED for step in steps],
        "numbers": [*NUMBERS, *(name for _, names in _GROUPED for name in names)],
        "strings": CATEGORIES,
        "branches": [],
    },
    "pairs": {
        "steps": [{"derive": _PAIRS}],
        "numbers": NUMBERS,
        "strings": CATEGORIES,
        "branches": [{"columns": list(_PAIRS), "steps": ["TargetEncoder(random_state=0)"]}],
    },
    "frequency": {
        "steps": _FREQUENCY_STEPS,
        "numbers": [*NUMBERS, *(f"{name}_freq" for name in CATEGORIES)],
        "strings": [],
        "branches": [],
    },
}
ONE_HOT = "OneHotEncoder(drop='if_binary', handle_unknown='ignore', sparse_output=False)"
ORDINAL = "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)"


def fields(name: str, *, linear: bool) -> dict[str, Any]:
    """`prepare` and `features` of a set; linear models get scaled numbers and one-hot strings."""
    chosen = SETS[name]
    scaled = {"steps": ["StandardScaler()"]} if linear else {}
    branches: list[dict[str, Any]] = [{"columns": chosen["numbers"], **scaled}]
    if chosen["strings"]:
        encoder = ONE_HOT if linear else ORDINAL
        branches.append({"columns": chosen["strings"], "steps": [encoder]})
    for branch in chosen["branches"]:
        steps = [*branch["steps"], *scaled.get("steps", [])]
        branches.append({"columns": branch["columns"], "steps": steps})
    return {"prepare": [READ, DROP, *chosen["steps"]], "features": branches}
