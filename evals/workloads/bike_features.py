"""Feature sets of P2: four ways to use the date, and three sets of lags. Data steps and columns."""

from typing import Any

# In UCI form, these two add up to the target.
LEAKS = ["casual", "registered"]
WEATHER = ["holiday", "weathersit", "temp", "atemp", "hum", "windspeed"]
_READ: dict[str, Any] = {"cast": {"date": "TIMESTAMP"}}
_DROP: dict[str, Any] = {"drop": LEAKS}
_PARTS = {
    "hour": "hour(date)",
    "weekday": "isodow(date) - 1",
    "month": "month(date)",
    "year": "year(date)",
}
_CYCLIC = {
    "hour_sin": "sin(2 * pi() * hour(date) / 24)",
    "hour_cos": "cos(2 * pi() * hour(date) / 24)",
    "weekday_sin": "sin(2 * pi() * (isodow(date) - 1) / 7)",
    "weekday_cos": "cos(2 * pi() * (isodow(date) - 1) / 7)",
    "month_sin": "sin(2 * pi() * month(date) / 12)",
    "month_cos": "cos(2 * pi() * month(date) / 12)",
    "year": "year(date)",
}
_RUSH = {
    **_PARTS,
    "week": "weekofyear(date)",
    "day_of_year": "dayofyear(date)",
    "working": "cast(weekday < 5 and holiday = 0 as integer)",
    "rush": "cast(working = 1 and hour in (7, 8, 9, 16, 17, 18, 19) as integer)",
    "working_hour": "working * hour",
}
_SEASONS = {
    "hour": "hour(date)",
    "part_of_day": "case when hour < 6 then 'night' when hour < 12 then 'morning' "
    "when hour < 18 then 'afternoon' else 'evening' end",
    "season": "case when month(date) in (12, 1, 2) then 'winter' when month(date) <= 5 "
    "then 'spring' when month(date) <= 8 then 'summer' else 'autumn' end",
    "months": "(year(date) - 2011) * 12 + month(date)",
    "weekend": "cast(isodow(date) >= 6 as integer)",
    "comfort": "temp * (1 - hum)",
    "feels": "atemp - temp",
}


def _lags(columns: list[str], hours: list[int]) -> dict[str, str]:
    return {f"{c}_lag{h}": f"lag({c}, {h})" for c in columns for h in hours}


def _rolling(columns: list[str], hours: int) -> dict[str, Any]:
    return {
        "window": {
            "order_by": ["date"],
            "frame": f"rows between {hours - 1} preceding and current row",
            "columns": {f"{c}_mean{hours}": f"round(avg({c}), 6)" for c in columns},
        }
    }


def _windowed(steps: list[dict[str, Any]], made: list[str]) -> dict[str, Any]:
    return {
        "prepare": [_READ, _DROP, {"derive": _RUSH}, *steps],
        "features": [{"columns": [*WEATHER, *_RUSH, *made]}],
    }


_LAGGED = _lags(["temp", "hum", "windspeed"], [1, 2, 24])
_LAG_STEP: dict[str, Any] = {"window": {"order_by": ["date"], "columns": _LAGGED}}
_CHANGES = {
    "temp_change": "temp - temp_lag1",
    "hum_change": "hum - hum_lag1",
    "temp_change_day": "temp - temp_lag24",
}
_ROLLED = [f"{c}_mean{h}" for h in (3, 24) for c in ("temp", "hum")]
_ROLL_STEPS = [_rolling(["temp", "hum"], 3), _rolling(["temp", "hum"], 24)]

DATE_PARTS: dict[str, dict[str, Any]] = {
    "parts": {
        "prepare": [_READ, _DROP, {"derive": _PARTS}],
        "features": [{"columns": [*WEATHER, *_PARTS]}],
    },
    "cyclic": {
        "prepare": [_READ, _DROP, {"derive": _CYCLIC}],
        "features": [{"columns": [*WEATHER, *_CYCLIC]}],
    },
    "rush": {
        "prepare": [_READ, _DROP, {"derive": _RUSH}],
        "features": [{"columns": [*WEATHER, *_RUSH]}],
    },
    "seasons": {
        "prepare": [_READ, _DROP, {"derive": _SEASONS}],
        "features": [
            {"columns": [*WEATHER, "hour", "months", "weekend", "comfort", "feels"]},
            {
                "columns": ["part_of_day", "season"],
                "steps": ["OneHotEncoder(handle_unknown='ignore', sparse_output=False)"],
            },
        ],
    },
}
WINDOWS: dict[str, dict[str, Any]] = {
    "lags": _windowed([_LAG_STEP], list(_LAGGED)),
    "changes": _windowed([_LAG_STEP, {"derive": _CHANGES}], [*_LAGGED, *_CHANGES]),
    "rolling": _windowed([_LAG_STEP, *_ROLL_STEPS], [*_LAGGED, *_ROLLED]),
}
