//! Linear models: `linear_folds` and `linear_path`.

use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use super::design::{self, Design};
use super::family::{Family, Targets};
use super::fits::{FoldsAnswer, PathAnswer, lengths, packed, packed_folds, paired};
use super::{borrow, check_length, check_matrix, check_rows, check_threads, index_sets, run};
use crate::errors::KernelError;
use crate::kernels::categories::Categories;
use crate::kernels::linear::{self, Problem};
use crate::kernels::normal::Preparation;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(linear_folds, module)?)?;
    module.add_function(wrap_pyfunction!(linear_path, module)?)
}

/// See `rust_exec.linear_folds`.
#[pyfunction]
#[pyo3(signature = (x, y, train, valid, alphas, nets, *, targets=None, impute=false, scale=false, fit_intercept=true, threads=1, categories=None, order=None, fills=None, divisors=None))]
#[allow(clippy::too_many_arguments)]
fn linear_folds<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    train: &Bound<'py, PyAny>,
    valid: &Bound<'py, PyAny>,
    alphas: &Bound<'py, PyAny>,
    nets: &Bound<'py, PyAny>,
    targets: Option<&Bound<'py, PyAny>>,
    impute: bool,
    scale: bool,
    fit_intercept: bool,
    threads: i64,
    categories: Option<[Bound<'py, PyAny>; 3]>,
    order: Option<&Bound<'py, PyAny>>,
    fills: Option<&Bound<'py, PyAny>>,
    divisors: Option<&Bound<'py, PyAny>>,
) -> PyResult<FoldsAnswer<'py>> {
    let x = borrow::<f64, ndarray::Ix2>(x, "x", "float64")?;
    let y = borrow::<f64, ndarray::Ix2>(y, "y", "float64")?;
    let targets = Targets::read(targets)?;
    let family = Family::read(alphas, nets)?;
    let train = index_sets(train, "train", x.shape()[0])?;
    let valid = index_sets(valid, "valid", x.shape()[0])?;
    let beside = categories.as_ref().map(|categories| categories.each_ref());
    let design = Design::read(beside, order, fills, divisors)?;
    let codes = design.codes.as_ref().map(|codes| codes.as_array());
    let (sizes, drop, order) = (design.sizes, design.drop, design.order);
    let (fills, divisors) = (design.fills, design.divisors);
    let (x, y) = (x.as_array(), y.as_array());
    let (members, lengths) = (family.members(), lengths(&valid));
    let count = sizes
        .iter()
        .fold(0_i64, |sum, size| sum.saturating_add(*size));
    let p = x.ncols() + usize::try_from(count).unwrap_or(0);
    let fits = run(py, move || {
        if codes.is_some() {
            check_rows("x", x.shape())?;
        } else {
            check_matrix("x", x.shape())?;
        }
        check_length("y", y.nrows(), "x", x.nrows())?;
        let folds = paired(train, valid)?;
        let (alphas, nets) = family.checked()?;
        let targets = targets.checked(members, y.ncols())?;
        let categories = design::categories(codes, &sizes, &drop, x.nrows())?;
        let count = categories.as_ref().map_or(0, Categories::count);
        if x.ncols() + count == 0 {
            let message = "there is neither a column nor a category";
            return Err(KernelError::input("empty_matrix", message));
        }
        let order = design::order(order, x.ncols() + count)?;
        let mixed = divisors.is_some() || scale && count > 0;
        let shape = (folds.len(), x.ncols());
        let known = design::known(fills, divisors, scale && count > 0, shape)?;
        if !fit_intercept && mixed {
            let message = "columns that are not prepared alike ask for an intercept";
            return Err(KernelError::input("needs_intercept", message));
        }
        let problem = Problem {
            x,
            y,
            alphas: &alphas,
            nets: &nets,
            targets: &targets,
            categories: categories.as_ref(),
            order: order.as_deref(),
            known: &known,
            impute,
            preparation: Preparation {
                scale: scale && !mixed,
                fit_intercept,
            },
        };
        Ok(linear::linear_folds(
            &problem,
            &folds,
            &check_threads(threads)?,
        ))
    })?;
    packed_folds(py, fits, lengths, members, p)
}

/// See `rust_exec.linear_path`.
#[pyfunction]
#[pyo3(signature = (x_train, y_train, x_valid, alphas, nets, *, targets=None, fit_intercept=true, threads=1))]
#[allow(clippy::too_many_arguments)]
fn linear_path<'py>(
    py: Python<'py>,
    x_train: &Bound<'py, PyAny>,
    y_train: &Bound<'py, PyAny>,
    x_valid: &Bound<'py, PyAny>,
    alphas: &Bound<'py, PyAny>,
    nets: &Bound<'py, PyAny>,
    targets: Option<&Bound<'py, PyAny>>,
    fit_intercept: bool,
    threads: i64,
) -> PyResult<PathAnswer<'py>> {
    let x_train = borrow::<f64, ndarray::Ix2>(x_train, "x_train", "float64")?;
    let y_train = borrow::<f64, ndarray::Ix2>(y_train, "y_train", "float64")?;
    let targets = Targets::read(targets)?;
    let x_valid = borrow::<f64, ndarray::Ix2>(x_valid, "x_valid", "float64")?;
    let family = Family::read(alphas, nets)?;
    let (x, y, x_valid) = (x_train.as_array(), y_train.as_array(), x_valid.as_array());
    let (members, p, rows) = (family.members(), x.ncols(), x_valid.nrows());
    let fit = run(py, move || {
        check_matrix("x_train", x.shape())?;
        check_matrix("x_valid", x_valid.shape())?;
        check_length("y_train", y.nrows(), "x_train", x.nrows())?;
        if x_valid.ncols() != x.ncols() {
            let (valid, train) = (x_valid.ncols(), x.ncols());
            let message = format!("x_valid has {valid} columns, but x_train has {train}");
            return Err(KernelError::input("shape_mismatch", message));
        }
        let (alphas, nets) = family.checked()?;
        let targets = targets.checked(members, y.ncols())?;
        let problem = Problem {
            x,
            y,
            alphas: &alphas,
            nets: &nets,
            targets: &targets,
            impute: false,
            categories: None,
            order: None,
            known: &[],
            preparation: Preparation {
                scale: false,
                fit_intercept,
            },
        };
        Ok(linear::linear_path(
            &problem,
            x_valid,
            &check_threads(threads)?,
        ))
    })?;
    packed(py, fit, rows, members, p)
}
