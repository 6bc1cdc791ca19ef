"""Which libraries are installed, from package metadata: nothing is imported.

Input: the environment. Output: versions, and a key that changes whenever results or operators
might.
"""

from functools import cache
from hashlib import blake2b
from importlib import metadata

LIBRARIES = (
    "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "duckdb", "lightgbm", "xgboost",
    "catboost", "skrub",
)  # fmt: skip
# Raised when the description of operators changes its meaning.
DESCRIPTION = 1


@cache
def library_versions() -> dict[str, str]:
    """Installed versions by distribution name; absent ones are left out."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def versions_key() -> str:
    """A short hex digest of the versions."""
    text = f"{DESCRIPTION} {sorted(library_versions().items())}"
    return blake2b(text.encode(), digest_size=8).hexdigest()
