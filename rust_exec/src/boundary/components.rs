//! Linear models on principal components: `component_folds` and `component_path`.

use ndarray::Array2;
use numpy::{PyArray1, PyArray2, PyArray3, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::family::Targets;
use super::fits::{lengths, packed, packed_folds, paired};
use super::{borrow, check_length, check_matrix, check_threads, index_sets, run};
use crate::errors::KernelError;
use crate::kernels::components::{self, Member, Problem, Solver};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(component_folds, module)?)?;
    module.add_function(wrap_pyfunction!(component_path, module)?)
}

/// Coefficients, intercepts, predictions per fold, reasons.
type FoldsAnswer<'py> = (
    Bound<'py, PyArray3<f64>>,
    Bound<'py, PyArray2<f64>>,
    Vec<Bound<'py, PyArray2<f64>>>,
    Vec<Vec<Option<&'static str>>>,
);

/// The same of one fold.
type PathAnswer<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray2<f64>>,
    Vec<Option<&'static str>>,
);

/// See `rust_exec.component_folds`.
#[pyfunction]
#[pyo3(signature = (x, y, train, valid, members, *, targets=None, impute=false, scale=false, whiten=false, solver="auto", threads=1))]
#[allow(clippy::too_many_arguments)]
fn component_folds<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    train: &Bound<'py, PyAny>,
    valid: &Bound<'py, PyAny>,
    members: &Bound<'py, PyAny>,
    targets: Option<&Bound<'py, PyAny>>,
    impute: bool,
    scale: bool,
    whiten: bool,
    solver: &str,
    threads: i64,
) -> PyResult<FoldsAnswer<'py>> {
    let x = borrow::<f64, ndarray::Ix2>(x, "x", "float64")?;
    let y = borrow::<f64, ndarray::Ix2>(y, "y", "float64")?;
    let targets = Targets::read(targets)?;
    let members = borrow::<f64, ndarray::Ix2>(members, "members", "float64")?;
    let members = members.as_array().to_owned();
    let train = index_sets(train, "train", x.shape()[0])?;
    let valid = index_sets(valid, "valid", x.shape()[0])?;
    let (x, y) = (x.as_array(), y.as_array());
    let (count, p, sizes) = (members.nrows(), x.ncols(), lengths(&valid));
    let fits = run(py, move || {
        check_matrix("x", x.shape())?;
        check_length("y", y.nrows(), "x", x.nrows())?;
        let folds = paired(train, valid)?;
        let members = checked(&members, targets, y.ncols())?;
        let problem = Problem {
            x,
            y,
            members: &members,
            impute,
            scale,
            whiten,
            solver: Solver::named(solver)?,
        };
        let workers = check_threads(threads)?;
        Ok(components::component_folds(&problem, &folds, &workers))
    })?;
    let (coef, intercept, predictions, _, declined) = packed_folds(py, fits, sizes, count, p)?;
    Ok((coef, intercept, predictions, declined))
}

/// See `rust_exec.component_path`.
#[pyfunction]
#[pyo3(signature = (x_train, y_train, x_valid, members, *, targets=None, whiten=false, solver="auto", threads=1))]
#[allow(clippy::too_many_arguments)]
fn component_path<'py>(
    py: Python<'py>,
    x_train: &Bound<'py, PyAny>,
    y_train: &Bound<'py, PyAny>,
    x_valid: &Bound<'py, PyAny>,
    members: &Bound<'py, PyAny>,
    targets: Option<&Bound<'py, PyAny>>,
    whiten: bool,
    solver: &str,
    threads: i64,
) -> PyResult<PathAnswer<'py>> {
    let x_train = borrow::<f64, ndarray::Ix2>(x_train, "x_train", "float64")?;
    let y_train = borrow::<f64, ndarray::Ix2>(y_train, "y_train", "float64")?;
    let targets = Targets::read(targets)?;
    let x_valid = borrow::<f64, ndarray::Ix2>(x_valid, "x_valid", "float64")?;
    let members = borrow::<f64, ndarray::Ix2>(members, "members", "float64")?;
    let members = members.as_array().to_owned();
    let (x, y, x_valid) = (x_train.as_array(), y_train.as_array(), x_valid.as_array());
    let (count, p, rows) = (members.nrows(), x.ncols(), x_valid.nrows());
    let fit = run(py, move || {
        check_matrix("x_train", x.shape())?;
        check_matrix("x_valid", x_valid.shape())?;
        check_length("y_train", y.nrows(), "x_train", x.nrows())?;
        if x_valid.ncols() != x.ncols() {
            let (valid, train) = (x_valid.ncols(), x.ncols());
            let message = format!("x_valid has {valid} columns, but x_train has {train}");
            return Err(KernelError::input("shape_mismatch", message));
        }
        let members = checked(&members, targets, y.ncols())?;
        let problem = Problem {
            x,
            y,
            members: &members,
            impute: false,
            scale: false,
            whiten,
            solver: Solver::named(solver)?,
        };
        let workers = check_threads(threads)?;
        Ok(components::component_path(&problem, x_valid, &workers))
    })?;
    let (coef, intercept, predictions, _, declined) = packed(py, fit, rows, count, p)?;
    Ok((coef, intercept, predictions, declined))
}

fn checked(
    members: &Array2<f64>,
    targets: Targets,
    columns: usize,
) -> Result<Vec<Member>, KernelError> {
    if members.nrows() == 0 {
        return Err(KernelError::input("no_members", "members is empty"));
    }
    if members.ncols() != 2 {
        let message = format!("members must have 2 columns, got {}", members.ncols());
        return Err(KernelError::input("shape_mismatch", message));
    }
    let targets = targets.checked(members.nrows(), columns)?;
    let rows = members.rows().into_iter().zip(targets);
    rows.map(|(row, target)| Member::checked(row[0], row[1], target))
        .collect()
}
