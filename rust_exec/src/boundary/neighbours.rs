//! Nearest neighbours: `nearest_brute` and `nearest_tree`.

use std::hint::black_box;

use ndarray::{ArrayView2, Ix1, Ix2, Ix3};
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;

use super::{borrow, check_length, check_matrix, check_threads, matrix, run, shaped};
use crate::errors::KernelError;
use crate::kernels::neighbours::walk::Tree;
use crate::kernels::neighbours::{Lists, Method, Neighbours, Problem, nearest};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(nearest_brute, module)?)?;
    module.add_function(wrap_pyfunction!(nearest_tree, module)?)
}

/// Absolute values above it may overflow when squared and summed.
const MOST: f64 = 1e150;

type ListsAnswer<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<i64>>);
type TiedAnswer<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray2<i64>>,
);
type Answer<'py> = (ListsAnswer<'py>, Vec<TiedAnswer<'py>>);

/// See `rust_exec.nearest_brute`.
#[pyfunction]
#[pyo3(signature = (points, queries, point_norms, query_norms, sizes, *, merged=false, single=false, threads=1))]
#[allow(clippy::too_many_arguments)]
fn nearest_brute<'py>(
    py: Python<'py>,
    points: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    point_norms: &Bound<'py, PyAny>,
    query_norms: &Bound<'py, PyAny>,
    sizes: Vec<i64>,
    merged: bool,
    single: bool,
    threads: i64,
) -> PyResult<Answer<'py>> {
    let points = borrow::<f64, Ix2>(points, "points", "float64")?;
    let queries = borrow::<f64, Ix2>(queries, "queries", "float64")?;
    let point_norms = borrow::<f64, Ix1>(point_norms, "point_norms", "float64")?;
    let query_norms = borrow::<f64, Ix1>(query_norms, "query_norms", "float64")?;
    let (points, queries) = (points.as_array(), queries.as_array());
    let norms = (point_norms.as_array(), query_norms.as_array());
    let rows = queries.nrows();
    let (found, sizes) = run(py, move || {
        let sizes = checked(points, queries, &sizes)?;
        check_length("point_norms", norms.0.len(), "points", points.nrows())?;
        check_length("query_norms", norms.1.len(), "queries", queries.nrows())?;
        let (point_norms, query_norms) = (norms.0.to_vec(), norms.1.to_vec());
        check_values("point_norms", point_norms.iter(), MOST.powi(2))?;
        check_values("query_norms", query_norms.iter(), MOST.powi(2))?;
        let method = Method::Brute {
            point_norms: &point_norms,
            query_norms: &query_norms,
            merged,
            single,
        };
        let problem = Problem {
            points,
            queries,
            sizes: &sizes,
            method,
        };
        Ok((nearest(&problem, &check_threads(threads)?), sizes))
    })?;
    answer(py, found, &sizes, rows)
}

/// See `rust_exec.nearest_tree`.
#[pyfunction]
#[pyo3(signature = (points, queries, order, nodes, bounds, sizes, *, threads=1))]
#[allow(clippy::too_many_arguments)]
fn nearest_tree<'py>(
    py: Python<'py>,
    points: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    order: &Bound<'py, PyAny>,
    nodes: &Bound<'py, PyAny>,
    bounds: &Bound<'py, PyAny>,
    sizes: Vec<i64>,
    threads: i64,
) -> PyResult<Answer<'py>> {
    let points = borrow::<f64, Ix2>(points, "points", "float64")?;
    let queries = borrow::<f64, Ix2>(queries, "queries", "float64")?;
    let order = borrow::<i64, Ix1>(order, "order", "int64")?;
    let nodes = borrow::<i64, Ix2>(nodes, "nodes", "int64")?;
    let bounds = borrow::<f64, Ix3>(bounds, "bounds", "float64")?;
    let (points, queries) = (points.as_array(), queries.as_array());
    let (order, nodes, bounds) = (order.as_array(), nodes.as_array(), bounds.as_array());
    let rows = queries.nrows();
    let (found, sizes) = run(py, move || {
        let sizes = checked(points, queries, &sizes)?;
        let tree = Tree {
            order: order.reborrow(),
            nodes: nodes.reborrow(),
            bounds: bounds.reborrow(),
            // Not known to the compiler, which would write a product for the library's `pow`.
            power: black_box(2.0),
        };
        if !tree.is_sound(points.nrows(), points.ncols()) {
            let message = "order, nodes and bounds are not those of a tree of the points";
            return Err(KernelError::input("bad_tree", message));
        }
        let problem = Problem {
            points,
            queries,
            sizes: &sizes,
            method: Method::Tree(tree),
        };
        Ok((nearest(&problem, &check_threads(threads)?), sizes))
    })?;
    answer(py, found, &sizes, rows)
}

fn checked(
    points: ArrayView2<f64>,
    queries: ArrayView2<f64>,
    sizes: &[i64],
) -> Result<Vec<usize>, KernelError> {
    check_matrix("points", points.shape())?;
    check_matrix("queries", queries.shape())?;
    if points.ncols() != queries.ncols() {
        let (p, q) = (points.ncols(), queries.ncols());
        let message = format!("queries has {q} columns, but points has {p}");
        return Err(KernelError::input("shape_mismatch", message));
    }
    check_values("points", points.iter(), MOST)?;
    check_values("queries", queries.iter(), MOST)?;
    let found: Vec<usize> = sizes
        .iter()
        .filter_map(|size| usize::try_from(*size).ok())
        .collect();
    let ascending = found.windows(2).all(|pair| pair[0] < pair[1]);
    let within = found.first().is_some_and(|size| *size > 0)
        && found.last().is_some_and(|size| *size <= points.nrows());
    if found.len() != sizes.len() || !ascending || !within {
        let rows = points.nrows();
        let message = format!("sizes must ascend from at least 1 to at most {rows}, the points");
        return Err(KernelError::input("bad_sizes", message));
    }
    Ok(found)
}

fn check_values<'a>(
    name: &str,
    values: impl Iterator<Item = &'a f64>,
    most: f64,
) -> Result<(), KernelError> {
    // The greatest first: one loop without branches over what is nearly always in order.
    let values = values.map(|value| {
        if value.abs() <= most {
            0
        } else {
            1 + u32::from(!value.is_finite())
        }
    });
    match values.fold(0, u32::max) {
        0 => Ok(()),
        1 => Err(KernelError::input(
            "too_large",
            format!("{name} has values above {most:e}"),
        )),
        _ => Err(KernelError::input(
            "non_finite",
            format!("{name} has NaN or infinite values"),
        )),
    }
}

fn answer<'py>(
    py: Python<'py>,
    found: Neighbours,
    sizes: &[usize],
    rows: usize,
) -> PyResult<Answer<'py>> {
    let largest = sizes.last().copied().unwrap_or(0);
    let mut tied = Vec::with_capacity(sizes.len());
    for ((queries, lists), size) in found.tied.into_iter().zip(sizes) {
        let (distances, points) = arrays(py, lists, queries.len(), *size)?;
        tied.push((queries.into_pyarray(py), distances, points));
    }
    Ok((arrays(py, found.all, rows, largest)?, tied))
}

fn arrays<'py>(
    py: Python<'py>,
    lists: Lists,
    rows: usize,
    size: usize,
) -> PyResult<ListsAnswer<'py>> {
    let points = ndarray::Array2::from_shape_vec((rows, size), lists.points);
    Ok((
        matrix(py, lists.distances, rows, size)?,
        shaped(py, points)?.into_pyarray(py),
    ))
}
