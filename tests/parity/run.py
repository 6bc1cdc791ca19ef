"""The door to the engine: data frames and a batch in, the printed JSON out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[2]
SECONDS = 110


def run(
    datasets: dict[str, pd.DataFrame], batch: dict[str, Any], home: Path | None = None
) -> dict[str, Any]:
    """What ``stratum run BATCH.json --json`` prints for `batch` over `datasets`.

    Args:
        datasets: Tables by name; written as Parquet next to the batch.
        batch: ``{"evaluate": {...}, "pipelines": [spec, ...]}``.
        home: Directory of the engine's files and of the tables; kept.

    Raises:
        RuntimeError: The command printed no JSON; with the end of what it wrote instead.
    """
    assert home is not None
    paths = {}
    for name, frame in datasets.items():
        path = home / f"{name}.parquet"
        if not path.exists():
            frame.to_parquet(path, index=False)
        paths[name] = str(path)
    file = home / "batch.json"
    file.write_text(json.dumps({"datasets": paths, **batch}, ensure_ascii=False))
    command = [sys.executable, "-m", "mcp_server.cli", "run", str(file), "--json"]
    done = subprocess.run(
        [*command, "--home", str(home / "engine")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        wrote = (done.stdout[-2000:] + "\n" + done.stderr[-4000:]).strip()
        raise RuntimeError(f"the command ended with {done.returncode}:\n{wrote}") from None
    return answer
