//! What the families of models take and give, as Python has it.

use ndarray::{Array1, Array3};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3};
use pyo3::prelude::*;

use super::{columns, matrix, shaped};
use crate::errors::{Declined, KernelError};
use crate::kernels::answers::Fitted;
use crate::kernels::folds::Fold;

/// Coefficients, intercepts, predictions per fold, descent, reasons.
pub type FoldsAnswer<'py> = (
    Bound<'py, PyArray3<f64>>,
    Bound<'py, PyArray2<f64>>,
    Vec<Bound<'py, PyArray2<f64>>>,
    Bound<'py, PyArray3<f64>>,
    Vec<Vec<Option<&'static str>>>,
);

/// The same of one fold.
pub type PathAnswer<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray2<f64>>,
    Vec<Option<&'static str>>,
);

/// Folds of as many training as validation sets.
pub fn paired(train: Vec<Vec<u32>>, valid: Vec<Vec<u32>>) -> Result<Vec<Fold>, KernelError> {
    if train.len() != valid.len() || train.is_empty() {
        let (train, valid) = (train.len(), valid.len());
        let message = format!("{train} training and {valid} validation sets");
        return Err(KernelError::input("shape_mismatch", message));
    }
    let pairs = train.into_iter().zip(valid);
    Ok(pairs.map(|(train, valid)| Fold { train, valid }).collect())
}

pub fn lengths(sets: &[Vec<u32>]) -> Vec<usize> {
    sets.iter().map(Vec::len).collect()
}

/// `rows` are the validation rows of each fold.
pub fn packed_folds<'py>(
    py: Python<'py>,
    fits: Vec<Fitted>,
    rows: Vec<usize>,
    members: usize,
    p: usize,
) -> PyResult<FoldsAnswer<'py>> {
    let folds = fits.len();
    let mut coef = Vec::with_capacity(folds * members * p);
    let mut intercept = Vec::with_capacity(folds * members);
    let mut predictions = Vec::with_capacity(folds);
    let mut descent = Vec::with_capacity(folds * members * 3);
    let mut declined = Vec::with_capacity(folds);
    for (fit, rows) in fits.into_iter().zip(rows) {
        declined.push(reasons(&fit));
        coef.extend(fit.coef);
        intercept.extend(fit.intercept);
        predictions.push(columns(py, fit.predictions, rows, members)?);
        descent.extend(fit.descent);
    }
    let coef = shaped(py, Array3::from_shape_vec((folds, members, p), coef))?;
    let descent = shaped(py, Array3::from_shape_vec((folds, members, 3), descent))?;
    Ok((
        coef.into_pyarray(py),
        matrix(py, intercept, folds, members)?,
        predictions,
        descent.into_pyarray(py),
        declined,
    ))
}

pub fn packed<'py>(
    py: Python<'py>,
    fit: Fitted,
    rows: usize,
    members: usize,
    p: usize,
) -> PyResult<PathAnswer<'py>> {
    let declined = reasons(&fit);
    Ok((
        matrix(py, fit.coef, members, p)?,
        Array1::from_vec(fit.intercept).into_pyarray(py),
        columns(py, fit.predictions, rows, members)?,
        matrix(py, fit.descent, members, 3)?,
        declined,
    ))
}

fn reasons(fit: &Fitted) -> Vec<Option<&'static str>> {
    let text = |reason: &Option<Declined>| reason.map(Declined::as_str);
    fit.declined.iter().map(text).collect()
}
