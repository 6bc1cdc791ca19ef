"""Made-up tables for demos and measurements: a number of rows in, a data frame out.

pandas and NumPy are imported by the functions, since the server process does without them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_STARTS = (
    "Ash Bad Barn Black Brad Brent Bur Cam Car Chel Ches Clay Col Cran Dart Dor East Elm Ex Far "
    "Glen Graves Hal Har Hen Here Hunt Ips Ken King Lan Leo Lin Long Maid Mar Mel Mid New North "
    "Oak Pem Pres Read Rom Sal Shef South Staf Stock Sun Tam Thorn Wake West Whit Win Wood York"
).split()
_ENDS = (
    "bourne bridge bury by caster combe dale don field ford gate ham hampton haven hurst ley "
    "mere minster mouth port pool shire side stead stoke thorpe ton well wich wick worth"
).split()
COUNTIES, DISTRICTS, TOWNS = 112, 411, 1150
FIRST_DAY, LAST_DAY = "1995-01-01", "2017-06-29"


def uk_housing(rows: int, seed: int = 0) -> "pd.DataFrame":
    """House sales in the schema of HM Land Registry's price-paid data, England and Wales.

    The rows are made up, with the cardinalities (112 counties, 411 districts, 1,150 towns, few of
    them frequent) and the structure of the real ones: prices are log-normal and depend on place,
    type, tenure, age and date; the capital is dear. The same `rows` and `seed` give the same
    table.

    Returns:
        `rows` sales in no order: `transaction_id`, `price` (pounds), `date_of_transfer` (ISO
        date), `property_type` (D, S, T, F, O), `old_new` (Y: new), `duration` (F, L),
        `town_city`, `district`, `county`, `ppd_category_type` (A, B), `record_status` (A).
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    # The places are the same whatever the number of rows.
    places = np.random.default_rng(seed + 1)
    town_district = np.sort(places.integers(0, DISTRICTS, TOWNS))
    district_county = np.sort(places.integers(0, COUNTIES, DISTRICTS))
    county_level = places.normal(0, 0.30, COUNTIES)
    county_level[0] = 0.85
    town_level = places.normal(0, 0.18, TOWNS)
    weights = 1 / (places.permutation(TOWNS) + 8.0) ** 0.9
    capital = district_county[town_district] == 0
    weights[capital] *= 0.12 / weights[capital].sum()
    weights[~capital] *= 0.88 / weights[~capital].sum()
    town = rng.choice(TOWNS, rows, p=weights)
    district = town_district[town]
    county = district_county[district]

    kind = rng.choice(5, rows, p=(0.22, 0.27, 0.30, 0.18, 0.03))
    flat = kind == 3
    leasehold = rng.random(rows) < np.where(flat, 0.95, 0.07)
    new = rng.random(rows) < np.where(flat, 0.16, 0.09)
    additional = (kind == 4) | (rng.random(rows) < 0.03)
    first = pd.Timestamp(FIRST_DAY)
    days = rng.integers(0, (pd.Timestamp(LAST_DAY) - first).days + 1, rows)
    years = days / 365.25
    level = (
        10.95
        + 0.085 * years
        - 0.22 * np.exp(-(((years - 14.2) / 1.1) ** 2))  # the crisis of 2009
        + 0.02 * np.sin(2 * np.pi * (years - 0.3))
        + np.array([0.48, 0.10, -0.08, -0.02, 0.55])[kind]
        + np.where(leasehold & ~flat, -0.15, 0.0)
        + np.where(new, 0.12, 0.0)
        + county_level[county]
        + town_level[town]
        + np.where(county == 0, 0.018 * years, 0.0)
        + rng.normal(0, np.where(additional, 0.75, 0.33))
    )
    names = _place_names(places)
    return pd.DataFrame(
        {
            "transaction_id": _identifiers(rng, rows),
            "price": _rounded(np.exp(level)),
            "date_of_transfer": (first + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d"),
            "property_type": np.array(list("DSTFO"))[kind],
            "old_new": np.where(new, "Y", "N"),
            "duration": np.where(leasehold, "L", "F"),
            "town_city": names[:TOWNS][town],
            "district": names[TOWNS : TOWNS + DISTRICTS][district],
            "county": names[TOWNS + DISTRICTS :][county],
            "ppd_category_type": np.where(additional, "B", "A"),
            "record_status": "A",
        }
    )


def _place_names(places: "np.random.Generator") -> "np.ndarray":
    """Distinct upper-case names: towns, then districts, then counties."""
    import numpy as np

    whole = [f"{start}{end}".upper() for start in _STARTS for end in _ENDS]
    order = places.permutation(len(whole))[: TOWNS + DISTRICTS + COUNTIES]
    found = np.array(whole, dtype=object)[order]
    found[-COUNTIES] = "GREATER LONDON"
    return found


def _identifiers(rng: "np.random.Generator", rows: int) -> list[str]:
    digits = rng.bytes(16 * rows).hex().upper()
    return [
        f"{{{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}}}"
        for h in (digits[32 * row : 32 * row + 32] for row in range(rows))
    ]


def _rounded(price: "np.ndarray") -> "np.ndarray":
    """As people set prices: to 50, 500 or 5,000 pounds, by size."""
    import numpy as np

    step = np.select([price < 100_000, price < 1_000_000], [50, 500], 5_000)
    whole: np.ndarray = (np.round(price / step) * step).astype(np.int64)
    return whole
