"""The demo's data files: a folder in, CSV files in it out."""

from pathlib import Path

from tools.sample_data import uk_housing


def write(folder: Path, *, smoke: bool) -> list[Path]:
    """scikit-learn's diabetes and breast cancer sets, and made-up house sales."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    frames = {
        "diabetes": load_diabetes(as_frame=True).frame,
        "breast_cancer": load_breast_cancer(as_frame=True).frame,
        "uk_housing": uk_housing(3_000 if smoke else 20_000, seed=0),
    }
    paths = []
    for name, frame in frames.items():
        path = folder / f"{name}.csv"
        frame.to_csv(path, index=False)
        paths.append(path)
    return paths
