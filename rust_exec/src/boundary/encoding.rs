//! Encoding: `encode_fold`, `scale_pair`, `count_codes` and `column_sums`.

use ndarray::{ArrayView1, ArrayView2, Axis};
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::{Borrowed, borrow, check_threads, run, to_python};
use crate::errors::{Declined, KernelError};
use crate::kernels::encoding::matrix::{fit_columns, map};
use crate::kernels::encoding::statistics::{Fill, Scale};
use crate::kernels::encoding::{Order, Source, count, encode, summation};
use crate::kernels::folds::row_set;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encode_fold, module)?)?;
    module.add_function(wrap_pyfunction!(scale_pair, module)?)?;
    module.add_function(wrap_pyfunction!(count_codes, module)?)?;
    module.add_function(wrap_pyfunction!(column_sums, module)?)
}

type Pair<'py> = (
    Option<(Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>)>,
    Option<&'static str>,
);

/// A source with the guards of its arrays.
enum Given<'py> {
    Number(Borrowed<'py, f64, ndarray::Ix1>, Fill, Scale),
    OneHot(
        Borrowed<'py, i32, ndarray::Ix1>,
        Borrowed<'py, i32, ndarray::Ix1>,
        usize,
    ),
    Table(
        Borrowed<'py, i32, ndarray::Ix1>,
        Borrowed<'py, f64, ndarray::Ix1>,
    ),
    Block(
        Borrowed<'py, f64, ndarray::Ix2>,
        Borrowed<'py, f64, ndarray::Ix2>,
    ),
}

impl<'py> Given<'py> {
    fn read(item: &Bound<'py, PyAny>, k: usize) -> PyResult<Self> {
        let tag = item.get_item(0).and_then(|tag| tag.extract::<String>());
        let Ok(tag) = tag else {
            return Err(fault(item.py(), format!("sources[{k}] is no source")));
        };
        let name = |what: &str| format!("sources[{k}] {what}");
        let vector = |at: usize, what: &str| borrow(&item.get_item(at)?, &name(what), "float64");
        let codes = |at: usize, what: &str| borrow(&item.get_item(at)?, &name(what), "int32");
        let block = |at: usize, what: &str| borrow(&item.get_item(at)?, &name(what), "float64");
        match tag.as_str() {
            "number" => {
                let (fill, scale) = steps(&item.get_item(2)?, &item.get_item(3)?)?;
                Ok(Self::Number(vector(1, "values")?, fill, scale))
            }
            "one_hot" => {
                let width: i64 = item.get_item(3)?.extract()?;
                let Ok(width) = usize::try_from(width) else {
                    let message = format!("sources[{k}] has {width} columns");
                    return Err(fault(item.py(), message));
                };
                Ok(Self::OneHot(codes(1, "codes")?, codes(2, "places")?, width))
            }
            "table" => Ok(Self::Table(codes(1, "codes")?, vector(2, "values")?)),
            "block" => Ok(Self::Block(block(1, "train")?, block(2, "valid")?)),
            _ => Err(fault(
                item.py(),
                format!("sources[{k}] is of the unknown kind '{tag}'"),
            )),
        }
    }

    fn view(&self, k: usize) -> PyResult<Source<'_>> {
        Ok(match self {
            Self::Number(values, fill, scale) => Source::Number {
                values: values.as_array(),
                fill: *fill,
                scale: *scale,
            },
            Self::OneHot(codes, places, width) => Source::OneHot {
                codes: contiguous(codes, k)?,
                places: contiguous(places, k)?,
                width: *width,
            },
            Self::Table(codes, values) => Source::Table {
                codes: contiguous(codes, k)?,
                values: contiguous(values, k)?,
            },
            Self::Block(train, valid) => Source::Block {
                train: train.as_array(),
                valid: valid.as_array(),
            },
        })
    }
}

fn contiguous<'a, T: Element>(
    array: &'a Borrowed<'_, T, ndarray::Ix1>,
    k: usize,
) -> PyResult<&'a [T]> {
    let fault = |_| {
        let message = format!("sources[{k}] has codes or values that are not contiguous");
        to_python(array.py(), &KernelError::input("bad_array", message))
    };
    array.as_slice().map_err(fault)
}

fn fault(py: Python<'_>, message: String) -> PyErr {
    to_python(py, &KernelError::input("bad_source", message))
}

fn steps(fill: &Bound<'_, PyAny>, scale: &Bound<'_, PyAny>) -> PyResult<(Fill, Scale)> {
    let py = fill.py();
    let (kind, value): (String, f64) = fill.extract()?;
    let fill = match kind.as_str() {
        "none" => Fill::None,
        "mean" => Fill::Mean,
        "median" => Fill::Median,
        "constant" => Fill::Constant(value),
        _ => return Err(fault(py, format!("unknown fill '{kind}'"))),
    };
    let (kind, a, b): (String, f64, f64) = scale.extract()?;
    let scale = match kind.as_str() {
        "none" => Scale::None,
        "standard" => Scale::Standard {
            mean: a != 0.0,
            deviation: b != 0.0,
        },
        "min_max" => Scale::MinMax { low: a, high: b },
        "max_abs" => Scale::MaxAbs,
        _ => return Err(fault(py, format!("unknown scale '{kind}'"))),
    };
    Ok((fill, scale))
}

fn row_numbers(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<u32>> {
    let rows = borrow::<i64, ndarray::Ix1>(value, name, "int64")?;
    // How many rows there are is known of each source by itself.
    let rows = row_set(rows.as_array().iter().copied(), u32::MAX as usize, name);
    rows.map_err(|error| to_python(value.py(), &error))
}

/// See `rust_exec.encode_fold`.
#[pyfunction]
#[pyo3(signature = (sources, train, valid, *, by_columns=false, threads=1))]
fn encode_fold<'py>(
    py: Python<'py>,
    sources: &Bound<'py, PyAny>,
    train: &Bound<'py, PyAny>,
    valid: &Bound<'py, PyAny>,
    by_columns: bool,
    threads: i64,
) -> PyResult<Pair<'py>> {
    let Ok(sources) = sources.cast::<PyList>() else {
        return Err(fault(py, "sources must be a list".into()));
    };
    let given: Vec<Given<'py>> = sources
        .iter()
        .enumerate()
        .map(|(k, item)| Given::read(&item, k))
        .collect::<PyResult<_>>()?;
    let (train, valid) = (row_numbers(train, "train")?, row_numbers(valid, "valid")?);
    let (rows, rows_valid) = (train.len(), valid.len());
    let views = given.iter().enumerate().map(|(k, one)| one.view(k));
    let views: Vec<Source<'_>> = views.collect::<PyResult<_>>()?;
    let order = order(by_columns);
    let widths = views.iter().map(Source::width);
    let width = widths.fold(0, usize::saturating_add);
    let out = zeros(py, [rows, width], order)?;
    let out_valid = zeros(py, [rows_valid, width], order)?;
    let found = {
        let (mut first, mut second) = (out.try_readwrite()?, out_valid.try_readwrite()?);
        let sides = (first.as_slice_mut()?, second.as_slice_mut()?);
        run(py, move || {
            let workers = check_threads(threads)?;
            encode(&views, (&train, &valid), order, &workers, sides)
        })?
    };
    Ok(match found {
        Err(declined) => (None, Some(declined.as_str())),
        Ok(()) => (Some((out, out_valid)), None),
    })
}

/// Allocated by NumPy, which asks for large pages; its own function says when there is no room.
fn zeros(py: Python<'_>, shape: [usize; 2], order: Order) -> PyResult<Bound<'_, PyArray2<f64>>> {
    let order = if order == Order::Columns { "F" } else { "C" };
    let made = py
        .import("numpy")?
        .call_method1("zeros", (shape, "f8", order));
    Ok(made.map_err(|error| too_large(py, &error))?.cast_into()?)
}

fn too_large(py: Python<'_>, error: &PyErr) -> PyErr {
    to_python(py, &KernelError::input("too_large", error.to_string()))
}

fn order(by_columns: bool) -> Order {
    if by_columns {
        Order::Columns
    } else {
        Order::Rows
    }
}

/// See `rust_exec.scale_pair`.
#[pyfunction]
#[pyo3(signature = (train, valid, fill, scale))]
fn scale_pair<'py>(
    py: Python<'py>,
    train: &Bound<'py, PyAny>,
    valid: &Bound<'py, PyAny>,
    fill: &Bound<'py, PyAny>,
    scale: &Bound<'py, PyAny>,
) -> PyResult<Pair<'py>> {
    let (fill, scale) = steps(fill, scale)?;
    let train = borrow::<f64, ndarray::Ix2>(train, "train", "float64")?;
    let valid = borrow::<f64, ndarray::Ix2>(valid, "valid", "float64")?;
    let shape = [train.shape()[0], train.shape()[1]];
    let shape_valid = [valid.shape()[0], valid.shape()[1]];
    let orders = (
        order(!train.is_c_contiguous()),
        order(!valid.is_c_contiguous()),
    );
    let (train, valid) = (train.as_array(), valid.as_array());
    let out = zeros(py, shape, orders.0)?;
    let out_valid = zeros(py, shape_valid, orders.1)?;
    let found = {
        let (mut first, mut second) = (out.try_readwrite()?, out_valid.try_readwrite()?);
        let sides = (first.as_slice_mut()?, second.as_slice_mut()?);
        run(py, move || {
            if train.ncols() != valid.ncols() || train.is_empty() {
                let (a, b) = (train.shape(), valid.shape());
                let message = format!("train has shape {a:?}, valid {b:?}");
                return Err(KernelError::input("shape_mismatch", message));
            }
            let mut scaled = || {
                let maps = fit_columns(train, fill, scale, orders.0)?;
                map(train, &maps, orders.0, sides.0)?;
                map(valid, &maps, orders.1, sides.1)
            };
            Ok(scaled())
        })?
    };
    Ok(match found {
        Err(declined) => (None, Some(Declined::as_str(declined))),
        Ok(()) => (Some((out, out_valid)), None),
    })
}

/// See `rust_exec.count_codes`.
#[pyfunction]
fn count_codes<'py>(
    py: Python<'py>,
    codes: &Bound<'py, PyAny>,
    size: i64,
    rows: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let codes = borrow::<i32, ndarray::Ix1>(codes, "codes", "int32")?;
    let rows = borrow::<i64, ndarray::Ix1>(rows, "rows", "int64")?;
    let codes = contiguous(&codes, 0)?;
    let rows = rows.as_array();
    if !(0..=i64::from(i32::MAX)).contains(&size) {
        let message = format!("size is {size}, which is no number of codes");
        return Err(to_python(py, &KernelError::input("bad_codes", message)));
    }
    let made = py.import("numpy")?.call_method1("zeros", (size, "i8"));
    let made = made.map_err(|error| too_large(py, &error))?;
    let out: Bound<'py, PyArray1<i64>> = made.cast_into()?;
    {
        let mut counts = out.try_readwrite()?;
        let counts = counts.as_slice_mut()?;
        run(py, move || count(codes, rows, counts))?;
    }
    Ok(out)
}

/// See `rust_exec.column_sums`.
#[pyfunction]
fn column_sums<'py>(
    py: Python<'py>,
    matrix: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let matrix = borrow::<f64, ndarray::Ix2>(matrix, "matrix", "float64")?;
    let by_rows = matrix.is_c_contiguous() && matrix.shape()[1] > 1;
    let matrix = matrix.as_array();
    let sums = run(py, move || Ok(sums(matrix, by_rows)))?;
    Ok(sums.into_pyarray(py))
}

fn sums(matrix: ArrayView2<'_, f64>, by_rows: bool) -> Vec<f64> {
    let column = |column: ArrayView1<'_, f64>| {
        if by_rows {
            column.iter().fold(0.0, |sum, &value| sum + value)
        } else {
            summation::plain(&column.to_vec())
        }
    };
    matrix.axis_iter(Axis(1)).map(column).collect()
}
