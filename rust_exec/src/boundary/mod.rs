//! The Python boundary: checks and borrows NumPy arrays, releases the GIL, runs a kernel, and
//! turns every failure, a panic included, into a Python exception. Nothing is computed here.

mod boosting;
mod components;
mod design;
mod encoding;
mod family;
mod fits;
mod forest;
mod linear;
mod metrics;
mod neighbours;
mod strings;

use std::borrow::Cow;

use ndarray::{Array2, ShapeBuilder};
use numpy::{
    Element, IntoPyArray, PyArray, PyArray2, PyArrayMethods, PyReadonlyArray, PyUntypedArrayMethods,
};
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::errors::{KernelError, guarded};
use crate::kernels::folds::row_set;
use crate::kernels::simd;
use crate::kernels::workers::Workers;

create_exception!(
    rust_exec,
    KernelInputError,
    PyValueError,
    "An argument has the wrong type, shape or value; `code` names the fault."
);
create_exception!(
    rust_exec,
    KernelInternalError,
    PyRuntimeError,
    "A kernel broke one of its own promises; `code` is \"kernel_internal\"."
);

/// A borrowed array; the guard keeps Python code that asks from writing to it.
pub(crate) type Borrowed<'py, T, D> = PyReadonlyArray<'py, T, D>;

fn to_python(py: Python<'_>, error: &KernelError) -> PyErr {
    let message = error.to_string();
    let raised = match error {
        KernelError::Input { .. } => KernelInputError::new_err(message),
        KernelError::Internal { .. } => KernelInternalError::new_err(message),
    };
    match raised.value(py).setattr("code", error.code()) {
        Ok(()) => raised,
        Err(other) => other,
    }
}

/// Runs a kernel without the GIL.
fn run<T: Send>(
    py: Python<'_>,
    kernel: impl FnOnce() -> Result<T, KernelError> + Send,
) -> PyResult<T> {
    py.detach(|| guarded(kernel))
        .map_err(|error| to_python(py, &error))
}

/// Borrows an array of exactly this type and number of dimensions.
///
/// Values that are not aligned, or lie at strides that are no multiple of their size (fields of
/// a structured array), cannot be viewed and are refused.
pub(crate) fn borrow<'py, T: Element, D: ndarray::Dimension>(
    value: &Bound<'py, PyAny>,
    name: &str,
    dtype: &str,
) -> PyResult<Borrowed<'py, T, D>> {
    let py = value.py();
    let fault = |code, message| to_python(py, &KernelError::input(code, message));
    let wanted = D::NDIM.unwrap_or(0);
    let Ok(array) = value.cast::<PyArray<T, D>>() else {
        let kind = value.get_type();
        let found = match (value.getattr("dtype"), value.getattr("ndim")) {
            (Ok(dtype), Ok(ndim)) => format!("{ndim}-d {dtype}"),
            _ => kind.name()?.to_string(),
        };
        let message = format!("{name} must be a {wanted}-d NumPy array of {dtype}, got {found}");
        return Err(fault("bad_array", message));
    };
    let aligned: bool = array.getattr("flags")?.get_item("ALIGNED")?.extract()?;
    let item = size_of::<T>() as isize;
    if !aligned || array.strides().iter().any(|stride| stride % item != 0) {
        let message = format!("{name} is not aligned; pass a copy of it");
        return Err(fault("bad_array", message));
    }
    array
        .try_readonly()
        .map_err(|_| fault("bad_array", format!("{name} is being written to elsewhere")))
}

fn check_length(name: &str, found: usize, other: &str, wanted: usize) -> Result<(), KernelError> {
    if found == wanted {
        return Ok(());
    }
    let message = format!("{name} has {found} rows, but {other} has {wanted}");
    Err(KernelError::input("shape_mismatch", message))
}

fn check_matrix(name: &str, shape: &[usize]) -> Result<(), KernelError> {
    if shape[1] == 0 {
        let message = format!("{name} has shape ({}, {})", shape[0], shape[1]);
        return Err(KernelError::input("empty_matrix", message));
    }
    check_rows(name, shape)
}

fn check_rows(name: &str, shape: &[usize]) -> Result<(), KernelError> {
    if shape[0] == 0 {
        let message = format!("{name} has shape ({}, {})", shape[0], shape[1]);
        return Err(KernelError::input("empty_matrix", message));
    }
    // Row numbers are kept in 32 bits.
    if shape[0] >= u32::MAX as usize {
        let message = format!("{name} has {} rows, more than the kernel counts", shape[0]);
        return Err(KernelError::input("too_many_rows", message));
    }
    Ok(())
}

fn check_threads(threads: i64) -> Result<Workers, KernelError> {
    Workers::new(usize::try_from(threads).unwrap_or(0))
}

fn index_sets(value: &Bound<'_, PyAny>, name: &str, n: usize) -> PyResult<Vec<Vec<u32>>> {
    let py = value.py();
    let Ok(items) = value.cast::<PyList>() else {
        let message = format!("{name} must be a list of 1-d NumPy arrays of int64");
        return Err(to_python(py, &KernelError::input("bad_array", message)));
    };
    let mut sets = Vec::with_capacity(items.len());
    for (k, item) in items.iter().enumerate() {
        let label = format!("{name}[{k}]");
        let rows = borrow::<i64, ndarray::Ix1>(&item, &label, "int64")?;
        let rows = row_set(rows.as_array().iter().copied(), n, &label);
        sets.push(rows.map_err(|error| to_python(py, &error))?);
    }
    Ok(sets)
}

/// Row numbers of a matrix of `n` rows, in their order: those of an array of int64, which may
/// repeat, or all of them.
fn row_numbers(
    py: Python<'_>,
    value: Option<&Bound<'_, PyAny>>,
    name: &str,
    n: usize,
) -> PyResult<Vec<u32>> {
    let fault = |code, message| Err(to_python(py, &KernelError::input(code, message)));
    if n >= u32::MAX as usize {
        return fault("too_many_rows", format!("{name} of a matrix with {n} rows"));
    }
    let Some(value) = value else {
        return Ok((0..n as u32).collect());
    };
    let given = borrow::<i64, ndarray::Ix1>(value, name, "int64")?;
    let given = given.as_array();
    if let Some(row) = given.iter().find(|row| !(0..n as i64).contains(row)) {
        let message = format!("{name} holds row {row} of a matrix with {n} rows");
        return fault("index_out_of_range", message);
    }
    Ok(given.iter().map(|&row| row as u32).collect())
}

/// Values side by side, which are copied only where they are not.
fn values<'a>(array: ndarray::ArrayView1<'a, f64>) -> Cow<'a, [f64]> {
    array
        .to_slice()
        .map_or_else(|| Cow::Owned(array.to_vec()), Cow::Borrowed)
}

fn shaped<T>(py: Python<'_>, array: Result<T, ndarray::ShapeError>) -> PyResult<T> {
    array.map_err(|error| to_python(py, &KernelError::internal(error.to_string())))
}

fn matrix<'py>(
    py: Python<'py>,
    values: Vec<f64>,
    rows: usize,
    columns: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    Ok(shaped(py, Array2::from_shape_vec((rows, columns), values))?.into_pyarray(py))
}

/// A matrix from its columns, laid out as they are.
fn columns<'py>(
    py: Python<'py>,
    values: Vec<f64>,
    rows: usize,
    columns: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let array = Array2::from_shape_vec((rows, columns).f(), values);
    Ok(shaped(py, array)?.into_pyarray(py))
}

/// Version of the crate.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Vector instruction sets of this processor that the kernels make use of, widest last.
#[pyfunction]
fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            ("sse2", std::arch::is_x86_feature_detected!("sse2")),
            ("avx", std::arch::is_x86_feature_detected!("avx")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ];
        found.extend(known.iter().filter(|(_, has)| *has).map(|(name, _)| *name));
    }
    #[cfg(target_arch = "aarch64")]
    found.push("neon");
    found
}

/// The instruction set that the kernels' own loops run with: `portable`, `v3` or `neon`.
#[pyfunction]
fn vector_level() -> &'static str {
    simd::level()
}

#[pymodule]
pub fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("KernelInputError", py.get_type::<KernelInputError>())?;
    module.add("KernelInternalError", py.get_type::<KernelInternalError>())?;
    components::register(module)?;
    encoding::register(module)?;
    boosting::register(module)?;
    forest::register(module)?;
    linear::register(module)?;
    metrics::register(module)?;
    neighbours::register(module)?;
    strings::register(module)?;
    module.add_function(wrap_pyfunction!(version, module)?)?;
    module.add_function(wrap_pyfunction!(cpu_features, module)?)?;
    module.add_function(wrap_pyfunction!(vector_level, module)?)
}
