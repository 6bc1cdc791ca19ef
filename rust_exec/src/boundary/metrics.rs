//! Metrics: `score_numbers`, `score_binary`, `score_multiclass` and `confusion_matrices`.

use ndarray::Array3;
use numpy::{Element, IntoPyArray, PyArray2, PyArray3};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::{Borrowed, borrow, check_threads, matrix, run, shaped, to_python};
use crate::errors::KernelError;
use crate::kernels::metrics::{binary, confusion, multiclass, numbers};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(score_numbers, module)?)?;
    module.add_function(wrap_pyfunction!(score_binary, module)?)?;
    module.add_function(wrap_pyfunction!(score_multiclass, module)?)?;
    module.add_function(wrap_pyfunction!(confusion_matrices, module)?)
}

/// See `rust_exec.score_numbers`.
#[pyfunction]
#[pyo3(signature = (target, vectors, metrics, *, threads=1))]
fn score_numbers<'py>(
    py: Python<'py>,
    target: &Bound<'py, PyAny>,
    vectors: &Bound<'py, PyAny>,
    metrics: &Bound<'py, PyAny>,
    threads: i64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let target = borrow::<f64, ndarray::Ix1>(target, "target", "float64")?;
    let vectors = list::<f64, ndarray::Ix1>(vectors, "float64")?;
    let names = strings(metrics)?;
    let (target, views) = (target.as_array(), views(&vectors));
    let (rows, columns) = (views.len(), names.len());
    let values = run(py, move || {
        numbers::score(target, &views, &names, &check_threads(threads)?)
    })?;
    matrix(py, values, rows, columns)
}

/// See `rust_exec.score_binary`.
#[pyfunction]
#[pyo3(signature = (hits, vectors, metrics, *, threads=1))]
fn score_binary<'py>(
    py: Python<'py>,
    hits: &Bound<'py, PyAny>,
    vectors: &Bound<'py, PyAny>,
    metrics: &Bound<'py, PyAny>,
    threads: i64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let hits = borrow::<u8, ndarray::Ix1>(hits, "hits", "uint8")?;
    let vectors = list::<f64, ndarray::Ix1>(vectors, "float64")?;
    let names = strings(metrics)?;
    let (hits, views) = (hits.as_array(), views(&vectors));
    let (rows, columns) = (views.len(), names.len());
    let values = run(py, move || {
        binary::score(hits, &views, &names, &check_threads(threads)?)
    })?;
    matrix(py, values, rows, columns)
}

/// See `rust_exec.score_multiclass`.
#[pyfunction]
#[pyo3(signature = (codes, tables, classes, metrics, *, threads=1))]
fn score_multiclass<'py>(
    py: Python<'py>,
    codes: &Bound<'py, PyAny>,
    tables: &Bound<'py, PyAny>,
    classes: i64,
    metrics: &Bound<'py, PyAny>,
    threads: i64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let codes = borrow::<i64, ndarray::Ix1>(codes, "codes", "int64")?;
    let tables = list::<f64, ndarray::Ix2>(tables, "float64")?;
    let names = strings(metrics)?;
    let (codes, views) = (codes.as_array(), views(&tables));
    let (rows, columns) = (views.len(), names.len());
    let values = run(py, move || {
        let classes = usize::try_from(classes).unwrap_or(0);
        let workers = check_threads(threads)?;
        multiclass::score(codes, &views, classes, &names, &workers)
    })?;
    matrix(py, values, rows, columns)
}

/// See `rust_exec.confusion_matrices`.
#[pyfunction]
#[pyo3(signature = (target, vectors, labels, *, threads=1))]
fn confusion_matrices<'py>(
    py: Python<'py>,
    target: &Bound<'py, PyAny>,
    vectors: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    threads: i64,
) -> PyResult<Bound<'py, PyArray3<i64>>> {
    let target = borrow::<i64, ndarray::Ix1>(target, "target", "int64")?;
    let vectors = list::<i64, ndarray::Ix1>(vectors, "int64")?;
    let labels = borrow::<i64, ndarray::Ix1>(labels, "labels", "int64")?;
    let labels = labels.as_array().to_vec();
    let (target, views) = (target.as_array(), views(&vectors));
    let shape = (views.len(), labels.len(), labels.len());
    let counts = run(py, move || {
        confusion::count(target, &views, &labels, &check_threads(threads)?)
    })?;
    Ok(shaped(py, Array3::from_shape_vec(shape, counts))?.into_pyarray(py))
}

fn list<'py, T: Element, D: ndarray::Dimension>(
    value: &Bound<'py, PyAny>,
    dtype: &str,
) -> PyResult<Vec<Borrowed<'py, T, D>>> {
    let Ok(items) = value.cast::<PyList>() else {
        let message = format!("a list of NumPy arrays of {dtype} is needed");
        return Err(to_python(
            value.py(),
            &KernelError::input("bad_array", message),
        ));
    };
    let each = items.iter().enumerate();
    each.map(|(place, item)| borrow(&item, &format!("vector {place}"), dtype))
        .collect()
}

fn views<'a, T: Element, D: ndarray::Dimension>(
    arrays: &'a [Borrowed<'_, T, D>],
) -> Vec<ndarray::ArrayView<'a, T, D>> {
    arrays.iter().map(|array| array.as_array()).collect()
}

fn strings(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if let Ok(items) = value.cast::<PyList>()
        && let Ok(names) = items.extract()
    {
        return Ok(names);
    }
    let error = KernelError::input("bad_metrics", "metrics must be a list of strings");
    Err(to_python(value.py(), &error))
}
