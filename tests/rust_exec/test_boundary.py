"""The Python boundary: wrong calls give typed errors, and the stub tells the truth."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import rust_exec
from rust_exec import KernelInputError, LinearFolds, _native, linear_folds, linear_path

X = np.random.default_rng(0).normal(size=(12, 2))
Y = (X.sum(axis=1) + np.arange(12) % 3)[:, None]
ROWS = np.arange(12)
NETS = np.array([[0.1, 0.5, 1e-4, 100.0]])
CALL: dict[str, Any] = {
    "x": X,
    "y": Y,
    "train": [ROWS[:8]],
    "valid": [ROWS[8:]],
    "alphas": np.array([1.0]),
    "nets": NETS,
}
PATH_CALL: dict[str, Any] = {
    "x_train": X,
    "y_train": Y,
    "x_valid": X,
    "alphas": np.array([1.0]),
    "nets": NETS,
}


def swapped(x: np.ndarray) -> np.ndarray:
    return x.astype(x.dtype.newbyteorder())


def unaligned(x: np.ndarray) -> np.ndarray:
    return np.frombuffer(b"\0" + x.tobytes(), dtype=np.uint8)[1:].view(x.dtype).reshape(x.shape)


def fields(x: np.ndarray) -> np.ndarray:
    """Every value aligned or not, but at strides of 12 bytes."""
    records = np.zeros(x.shape, dtype=[("v", "f8"), ("w", "f4")])
    records["v"] = x
    return records["v"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x": X.astype(np.float32)}, "bad_array"),
        ({"x": X.astype(object)}, "bad_array"),
        ({"x": X[:, 0]}, "bad_array"),
        ({"x": X[None]}, "bad_array"),
        ({"x": X.tolist()}, "bad_array"),
        ({"x": None}, "bad_array"),
        ({"x": swapped(X)}, "bad_array"),
        ({"x": unaligned(X)}, "bad_array"),
        ({"x": fields(X)}, "bad_array"),
        ({"y": Y[:, 0]}, "bad_array"),
        ({"y": Y.astype(int)}, "bad_array"),
        ({"y": Y[:-1]}, "shape_mismatch"),
        ({"x": X[:0], "y": Y[:0], "train": [], "valid": []}, "empty_matrix"),
        ({"x": X[:, :0]}, "empty_matrix"),
        ({"train": [ROWS[:8].astype(np.int32)]}, "bad_array"),
        ({"train": [ROWS[:8].astype(float)]}, "bad_array"),
        ({"train": [ROWS > 3]}, "bad_array"),
        ({"train": [[0, 1]]}, "bad_array"),
        ({"train": [ROWS[:0]]}, "empty_fold"),
        ({"valid": [ROWS[:0]]}, "empty_fold"),
        ({"valid": [np.array([12])]}, "index_out_of_range"),
        ({"valid": [np.array([-1])]}, "index_out_of_range"),
        ({"train": [np.array([2**40])]}, "index_out_of_range"),
        ({"train": []}, "shape_mismatch"),
        ({"train": [], "valid": []}, "shape_mismatch"),
        ({"alphas": np.array([]), "nets": NETS[:0]}, "no_members"),
        ({"nets": NETS[0]}, "bad_array"),
        ({"nets": NETS.astype(np.float32)}, "bad_array"),
        ({"nets": NETS[:, :3]}, "shape_mismatch"),
        ({"nets": NETS * [0, 1, 1, 1]}, "bad_net"),
        ({"nets": NETS * [np.nan, 1, 1, 1]}, "bad_net"),
        ({"nets": NETS * [1, 0, 1, 1]}, "bad_net"),
        ({"nets": NETS * [1, 3, 1, 1]}, "bad_net"),
        ({"nets": NETS * [1, 1, -1, 1]}, "bad_net"),
        ({"nets": NETS * [1, 1, np.inf, 1]}, "bad_net"),
        ({"nets": NETS * [1, 1, 1, 0]}, "bad_net"),
        ({"nets": NETS * [1, 1, 1, 0.001]}, "bad_net"),
        ({"nets": NETS * [1, 1, 1, 1e30]}, "bad_net"),
        ({"alphas": np.array([1.0, -1.0])}, "bad_alpha"),
        ({"alphas": np.array([np.nan])}, "bad_alpha"),
        ({"alphas": np.array([np.inf])}, "bad_alpha"),
        ({"alphas": [1.0]}, "bad_array"),
        ({"y": Y[:, :0]}, "index_out_of_range"),
        ({"targets": np.array([0, 1])}, "index_out_of_range"),
        ({"targets": np.array([0, -1])}, "index_out_of_range"),
        ({"targets": np.array([0])}, "shape_mismatch"),
        ({"targets": np.zeros(2)}, "bad_array"),
        ({"threads": 0}, "bad_threads"),
        ({"threads": -1}, "bad_threads"),
        ({"threads": 10**6}, "bad_threads"),
    ],
    ids=str,
)
def test_wrong_calls_of_linear_folds(change: dict[str, Any], code: str) -> None:
    with pytest.raises(KernelInputError) as error:
        linear_folds(**{**CALL, **change})
    assert error.value.code == code
    assert str(error.value)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x_train": X.astype(np.float32)}, "bad_array"),
        ({"x_valid": X[:, 0]}, "bad_array"),
        ({"x_valid": X[:, :1]}, "shape_mismatch"),
        ({"x_valid": X[:0]}, "empty_matrix"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "empty_matrix"),
        ({"y_train": Y[:3]}, "shape_mismatch"),
        ({"alphas": np.array([-1e-9])}, "bad_alpha"),
        ({"nets": NETS - 1}, "bad_net"),
        ({"targets": np.array([0, 0, 1])}, "shape_mismatch"),
        ({"threads": 0}, "bad_threads"),
    ],
    ids=str,
)
def test_wrong_calls_of_linear_path(change: dict[str, Any], code: str) -> None:
    with pytest.raises(KernelInputError) as error:
        linear_path(**{**PATH_CALL, **change})
    assert error.value.code == code


def test_messages_say_which_argument_and_what_was_found() -> None:
    with pytest.raises(KernelInputError, match=r"x must be a 2-d .* float64, got 2-d float32"):
        linear_folds(**{**CALL, "x": X.astype(np.float32)})
    with pytest.raises(KernelInputError, match=r"valid\[0\] holds row 12, .* 0 to 11"):
        linear_folds(**{**CALL, "valid": [np.array([12])]})
    with pytest.raises(KernelInputError, match="y has 11 rows, but x has 12"):
        linear_folds(**{**CALL, "y": Y[:-1]})


def test_too_many_features_are_declined_before_any_work() -> None:
    wide = np.broadcast_to(np.float64(1.0), (12, 100_000))
    assert linear_folds(**{**CALL, "x": wide}).declined == [["too_many_features"] * 2]


SPECIAL = st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, 1e-308, 5e-324, 1e155])


@settings(max_examples=150, deadline=None)
@given(
    x=npst.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=SPECIAL),
    rows=st.data(),
    alphas=npst.arrays(
        np.float64, st.integers(1, 3), elements=st.sampled_from([0.0, 5e-324, 1e308])
    ),
    nets=st.lists(
        st.tuples(
            st.sampled_from([5e-324, 1e-9, 1.0, 1e308]),
            st.sampled_from([5e-324, 0.5, 1.0]),
            st.sampled_from([0.0, 1e-4, 1e308]),
            st.sampled_from([1.0, 50.0]),
        ),
        max_size=3,
    ).map(lambda rows: np.array(rows, dtype=np.float64).reshape(-1, 4)),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_no_values_break_the_kernel(
    x: np.ndarray,
    rows: st.DataObject,
    alphas: np.ndarray,
    nets: np.ndarray,
    flags: tuple[bool, bool, bool],
) -> None:
    n = x.shape[0]
    index = npst.arrays(np.int64, st.integers(1, 6), elements=st.integers(0, n - 1))
    train = rows.draw(st.lists(index, min_size=1, max_size=3))
    valid = [rows.draw(index) for _ in train]
    impute, scale, fit_intercept = flags
    result = linear_folds(
        x,
        x[:, :1],
        train,
        valid,
        alphas,
        nets,
        impute=impute,
        scale=scale,
        fit_intercept=fit_intercept,
    )
    assert isinstance(result, LinearFolds)
    for reasons, predictions in zip(result.declined, result.predictions, strict=True):
        for reason, column in zip(reasons, predictions.T, strict=True):
            assert np.isnan(column).all() if reason else np.isfinite(column).all()


def test_one_training_row_predicts_its_target() -> None:
    result = linear_folds(X, Y, [ROWS[:1]], [ROWS[1:]], np.array([1.0]), NETS[:0], scale=True)
    assert result.declined == [[None]]
    np.testing.assert_allclose(result.predictions[0], Y[0, 0])


def test_input_is_neither_changed_nor_needs_to_be_writable() -> None:
    x, y = X.copy(), Y.copy()
    x.setflags(write=False)
    linear_folds(**{**CALL, "x": x, "y": y}, scale=True, impute=True)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_version_and_cpu_features() -> None:
    crate = Path(rust_exec.__file__).with_name("Cargo.toml").read_text()
    assert f'version = "{rust_exec.version()}"' in crate
    features = rust_exec.cpu_features()
    assert len(set(features)) == len(features)


def stub() -> ast.Module:
    return ast.parse(Path(rust_exec.__file__).with_name("_native.pyi").read_text())


def test_stub_names_are_the_modules_names() -> None:
    defined = (ast.FunctionDef, ast.ClassDef)
    in_stub = {node.name for node in stub().body if isinstance(node, defined)}
    in_module = {name for name in dir(_native) if not name.startswith("_")}
    assert in_stub == in_module


def shape(signature: inspect.Signature) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


def stub_shape(node: ast.FunctionDef) -> list[tuple[str, Any, Any]]:
    """Of what the stub says; annotations are left out."""
    node.returns = None
    for argument in node.args.args + node.args.kwonlyargs:
        argument.annotation = None
    namespace: dict[str, Any] = {}
    exec(ast.unparse(node), namespace)
    return shape(inspect.signature(namespace[node.name]))


# Facades that put arguments together, so that their own signatures are others.
OTHERS = {"equal_rows"}


def test_stub_signatures_are_the_modules_and_the_facades() -> None:
    functions = [node for node in stub().body if isinstance(node, ast.FunctionDef)]
    assert functions
    for node in functions:
        expected = stub_shape(node)
        assert shape(inspect.signature(getattr(_native, node.name))) == expected
        facade = getattr(rust_exec, node.name, None)
        if facade and node.name not in OTHERS:
            assert shape(inspect.signature(facade)) == expected


def test_stub_classes_are_the_modules() -> None:
    classes = [node for node in stub().body if isinstance(node, ast.ClassDef)]
    assert classes
    for node in classes:
        found = getattr(_native, node.name)
        for part in node.body:
            if isinstance(part, ast.FunctionDef):
                assert part.name == "__init__"
                _, *expected = [name for name, _, _ in stub_shape(part)]
                assert list(inspect.signature(found).parameters) == expected
            elif not issubclass(found, Exception):
                assert isinstance(part, ast.AnnAssign)
                assert isinstance(part.target, ast.Name)
                assert hasattr(found, part.target.id)


def test_native_functions_have_facades() -> None:
    modules = Path(rust_exec.__file__).parent.glob("*.py")
    source = "\n".join(path.read_text() for path in modules)
    used = set(re.findall(r"_native\.(\w+)\(", source))
    functions = {name for name in dir(_native) if inspect.isbuiltin(getattr(_native, name))}
    assert functions
    assert functions <= used


def test_errors_are_what_they_say() -> None:
    assert issubclass(_native.KernelInputError, ValueError)
    assert issubclass(_native.KernelInternalError, RuntimeError)
    assert set(rust_exec.__all__) >= {"KernelInputError", "KernelInternalError"}
