//! Nearest neighbours: `neighbours_brute` and `neighbours_tree`.

use std::hint::black_box;

use ndarray::{ArrayView1, ArrayView2, Ix1, Ix2, Ix3};
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;

use super::{Borrowed, borrow, check_length, check_matrix, check_threads, matrix, run, shaped};
use crate::errors::KernelError;
use crate::kernels::neighbours::votes::{Member, Target};
use crate::kernels::neighbours::walk::Tree;
use crate::kernels::neighbours::{Lists, Method, Neighbours, Problem, answers, nearest};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(neighbours_brute, module)?)?;
    module.add_function(wrap_pyfunction!(neighbours_tree, module)?)
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

/// See `rust_exec.nearest_brute` and `rust_exec.answers_brute`.
#[pyfunction]
#[pyo3(signature = (points, queries, point_norms, query_norms, sizes, *, merged=false, single=false, asked=None, threads=1))]
#[allow(clippy::too_many_arguments)]
fn neighbours_brute<'py>(
    py: Python<'py>,
    points: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    point_norms: &Bound<'py, PyAny>,
    query_norms: &Bound<'py, PyAny>,
    sizes: Vec<i64>,
    merged: bool,
    single: bool,
    asked: Option<Asked<'py>>,
    threads: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let points = borrow::<f64, Ix2>(points, "points", "float64")?;
    let queries = borrow::<f64, Ix2>(queries, "queries", "float64")?;
    let point_norms = borrow::<f64, Ix1>(point_norms, "point_norms", "float64")?;
    let query_norms = borrow::<f64, Ix1>(query_norms, "query_norms", "float64")?;
    let (points, queries) = (points.as_array(), queries.as_array());
    let norms = (point_norms.as_array(), query_norms.as_array());
    let asked = Models::of(asked)?;
    let (members, target) = asked.parts();
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
        Ok((found(&problem, members, target, threads)?, sizes))
    })?;
    answer(py, found, &sizes, rows)
}

/// See `rust_exec.nearest_tree` and `rust_exec.answers_tree`.
#[pyfunction]
#[pyo3(signature = (points, queries, order, nodes, bounds, sizes, *, asked=None, threads=1))]
#[allow(clippy::too_many_arguments)]
fn neighbours_tree<'py>(
    py: Python<'py>,
    points: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    order: &Bound<'py, PyAny>,
    nodes: &Bound<'py, PyAny>,
    bounds: &Bound<'py, PyAny>,
    sizes: Vec<i64>,
    asked: Option<Asked<'py>>,
    threads: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let points = borrow::<f64, Ix2>(points, "points", "float64")?;
    let queries = borrow::<f64, Ix2>(queries, "queries", "float64")?;
    let order = borrow::<i64, Ix1>(order, "order", "int64")?;
    let nodes = borrow::<i64, Ix2>(nodes, "nodes", "int64")?;
    let bounds = borrow::<f64, Ix3>(bounds, "bounds", "float64")?;
    let (points, queries) = (points.as_array(), queries.as_array());
    let (order, nodes, bounds) = (order.as_array(), nodes.as_array(), bounds.as_array());
    let asked = Models::of(asked)?;
    let (members, target) = asked.parts();
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
        Ok((found(&problem, members, target, threads)?, sizes))
    })?;
    answer(py, found, &sizes, rows)
}

/// Models to answer for: (place among the sizes, weighed by distance) each; what the points have,
/// float64, or int64 codes of classes; the number of classes; whether probabilities are wanted.
type Asked<'py> = (Vec<(i64, bool)>, Bound<'py, PyAny>, i64, bool);

/// What is asked beside the lists, borrowed.
enum Models<'py> {
    None,
    Values(Vec<(i64, bool)>, Borrowed<'py, f64, Ix1>),
    Classes(Vec<(i64, bool)>, Borrowed<'py, i64, Ix1>, i64, bool),
}

type Members<'a> = &'a [(i64, bool)];

/// As `Target`, unchecked.
#[derive(Clone, Copy)]
enum Given<'a> {
    None,
    Values(ArrayView1<'a, f64>),
    Classes(ArrayView1<'a, i64>, i64, bool),
}

impl<'py> Models<'py> {
    fn of(asked: Option<Asked<'py>>) -> PyResult<Self> {
        Ok(match asked {
            None => Self::None,
            Some((members, target, 0, _)) => {
                Self::Values(members, borrow::<f64, Ix1>(&target, "target", "float64")?)
            }
            Some((members, target, classes, chances)) => {
                let codes = borrow::<i64, Ix1>(&target, "target", "int64")?;
                Self::Classes(members, codes, classes, chances)
            }
        })
    }

    fn parts(&self) -> (Members<'_>, Given<'_>) {
        match self {
            Self::None => (&[], Given::None),
            Self::Values(members, values) => (members, Given::Values(values.as_array())),
            Self::Classes(members, codes, classes, chances) => (
                members,
                Given::Classes(codes.as_array(), *classes, *chances),
            ),
        }
    }
}

enum Found {
    Lists(Neighbours),
    /// Answers and how many there are of a query.
    Answers(Vec<f64>, usize),
}

fn found(
    problem: &Problem,
    members: Members,
    target: Given,
    threads: i64,
) -> Result<Found, KernelError> {
    let workers = check_threads(threads)?;
    let n = problem.points.nrows();
    let (values, codes);
    let target = match target {
        Given::None => return Ok(Found::Lists(nearest(problem, &workers))),
        Given::Values(given) => {
            check_length("target", given.len(), "points", n)?;
            values = given.to_vec();
            check_values("target", values.iter(), f64::MAX)?;
            Target::Values(&values)
        }
        Given::Classes(given, classes, chances) => {
            check_length("target", given.len(), "points", n)?;
            let classes = if classes > n as i64 { 0 } else { classes };
            let code = |code: &i64| (0..classes).contains(code).then_some(*code as u32);
            let Some(found) = given.iter().map(code).collect::<Option<Vec<u32>>>() else {
                let message =
                    format!("target has codes outside of classes, of which there are at most {n}");
                return Err(KernelError::input("bad_codes", message));
            };
            codes = found;
            Target::Classes {
                codes: &codes,
                classes: classes as usize,
                chances,
            }
        }
    };
    let member = |(size, weighted): &(i64, bool)| {
        let size = usize::try_from(*size).ok()?;
        (size < problem.sizes.len()).then_some(Member {
            size,
            weighted: *weighted,
        })
    };
    let members: Option<Vec<Member>> = members.iter().map(member).collect();
    match members {
        Some(members) if !members.is_empty() => {
            let width = members.len() * target.width();
            let answers = answers(problem, &members, target, &workers);
            Ok(Found::Answers(answers, width))
        }
        _ => {
            let message = "members must be some, with places among the sizes";
            Err(KernelError::input("bad_members", message))
        }
    }
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
    found: Found,
    sizes: &[usize],
    rows: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let found = match found {
        Found::Answers(answers, width) => {
            return Ok(matrix(py, answers, rows, width)?.into_any());
        }
        Found::Lists(found) => found,
    };
    let largest = sizes.last().copied().unwrap_or(0);
    let mut tied = Vec::with_capacity(sizes.len());
    for ((queries, lists), size) in found.tied.into_iter().zip(sizes) {
        let (distances, points) = arrays(py, lists, queries.len(), *size)?;
        tied.push((queries.into_pyarray(py), distances, points));
    }
    let answer: Answer = (arrays(py, found.all, rows, largest)?, tied);
    Ok(answer.into_pyobject(py)?.into_any())
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
