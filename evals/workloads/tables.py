"""Tables of a wanted size. Input: real tables or generators. Output: files that systems read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 0


def sized(
    frame: pd.DataFrame, rows: int | None, jitter: Sequence[str] = (), serial: str | None = None
) -> pd.DataFrame:
    """`rows` rows of `frame`: a seeded sample in table order, or the table several times over.

    Args:
        jitter: Float columns that get 1 % of multiplicative noise in repeated rows, so that
            copies are not exact.
        serial: Column of row numbers, counted on in repeated rows.
    """
    if rows is None or rows == len(frame):
        return frame
    rng = np.random.default_rng(SEED)
    if rows < len(frame):
        chosen = np.sort(rng.choice(len(frame), rows, replace=False))
        return frame.iloc[chosen].reset_index(drop=True)
    positions = np.arange(rows) % len(frame)
    grown = frame.iloc[positions].reset_index(drop=True)
    copies = np.arange(rows) >= len(frame)
    for name in jitter:
        noise = np.where(copies, rng.normal(1.0, 0.01, rows), 1.0)
        grown[name] = (grown[name] * noise).round(4)
    if serial is not None:
        grown[serial] = np.arange(1, rows + 1)
    return grown


def written(frame: pd.DataFrame, folder: Path, name: str) -> str:
    """Path of `frame` as CSV, or as Parquet if `name` ends so."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return str(path)
