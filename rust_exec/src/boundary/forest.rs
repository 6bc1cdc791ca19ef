//! Random forests and extremely randomised trees: `forest`.

use ndarray::Array4;
use numpy::{IntoPyArray, PyArray4};
use pyo3::prelude::*;

use super::{borrow, check_length, check_matrix, check_threads, row_numbers, run, shaped, values};
use crate::errors::KernelError;
use crate::kernels::trees::bins::{Bins, MAX_BINS, Wanted};
use crate::kernels::trees::codes::Order;
use crate::kernels::trees::encode::looked_at;
use crate::kernels::trees::forest::{Task, Training, forests};
use crate::kernels::trees::grow::Shape;
use crate::kernels::trees::sample::Sampling;
use crate::kernels::trees::walk::Asked;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(forest, module)?)
}

/// See `rust_exec.forest`.
#[pyfunction]
#[pyo3(signature = (x_train, y_train, x_valid, sizes, seeds, *, classes=0, entropy=false, weights=None, draws=None, balanced=false, random_cuts=false, max_features=1, max_depth=None, min_samples_split=2, min_samples_leaf=1, min_weight_fraction_leaf=0.0, min_impurity_decrease=0.0, max_leaf_nodes=None, train_rows=None, valid_rows=None, threads=1))]
#[allow(clippy::too_many_arguments)]
fn forest<'py>(
    py: Python<'py>,
    x_train: &Bound<'py, PyAny>,
    y_train: &Bound<'py, PyAny>,
    x_valid: &Bound<'py, PyAny>,
    sizes: Vec<i64>,
    seeds: Vec<i128>,
    classes: i64,
    entropy: bool,
    weights: Option<&Bound<'py, PyAny>>,
    draws: Option<i64>,
    balanced: bool,
    random_cuts: bool,
    max_features: i64,
    max_depth: Option<i64>,
    min_samples_split: i64,
    min_samples_leaf: i64,
    min_weight_fraction_leaf: f64,
    min_impurity_decrease: f64,
    max_leaf_nodes: Option<i64>,
    train_rows: Option<&Bound<'py, PyAny>>,
    valid_rows: Option<&Bound<'py, PyAny>>,
    threads: i64,
) -> PyResult<Bound<'py, PyArray4<f64>>> {
    let x_train = borrow::<f64, ndarray::Ix2>(x_train, "x_train", "float64")?;
    let y_train = borrow::<f64, ndarray::Ix1>(y_train, "y_train", "float64")?;
    let x_valid = borrow::<f64, ndarray::Ix2>(x_valid, "x_valid", "float64")?;
    let weights = weights
        .map(|weights| borrow::<f64, ndarray::Ix1>(weights, "weights", "float64"))
        .transpose()?;
    let (x, y, x_valid) = (x_train.as_array(), y_train.as_array(), x_valid.as_array());
    let weights = weights.as_ref().map(|weights| weights.as_array());
    let rows = row_numbers(py, train_rows, "train_rows", x.nrows())?;
    let valid_rows = row_numbers(py, valid_rows, "valid_rows", x_valid.nrows())?;
    let (asked, seed_count, size_count) = (valid_rows.len(), seeds.len(), sizes.len());
    // What is below zero is refused as zero is; a depth of nothing is a single leaf.
    let count = |value: i64| usize::try_from(value).unwrap_or(0);
    let shape = Shape {
        max_features: count(max_features),
        max_depth: max_depth.map_or(usize::MAX, count),
        min_samples_split: count(min_samples_split),
        min_samples_leaf: count(min_samples_leaf),
        min_weight_fraction_leaf,
        min_impurity_decrease,
        max_leaf_nodes: max_leaf_nodes.map(count),
        random_cuts,
    };
    let sampling = Sampling {
        draws: draws.map(count),
        balanced,
    };
    let task = if classes == 0 {
        Task::Regression
    } else {
        Task::Classes {
            count: count(classes),
            entropy,
        }
    };
    let sizes: Vec<usize> = sizes.into_iter().map(count).collect();
    let found = run(py, move || {
        let seeds = seeds.iter().map(|&seed| u64::try_from(seed));
        let Ok(seeds) = seeds.collect::<Result<Vec<_>, _>>() else {
            let message = "seeds must be between 0 and 2^64 - 1";
            return Err(KernelError::input("bad_seed", message));
        };
        if sizes.iter().any(|&size| size > MAX_TREES) {
            let message = format!("more than {MAX_TREES} trees");
            return Err(KernelError::input("bad_size", message));
        }
        if sampling
            .draws
            .is_some_and(|draws| draws > u32::MAX as usize)
        {
            let message = format!("more than {} draws", u32::MAX);
            return Err(KernelError::input("bad_shape", message));
        }
        check_matrix("x_train", x.shape())?;
        check_length("y_train", y.len(), "x_train", rows.len())?;
        if task.width() > MAX_CLASSES {
            let message = format!("{} classes, more than {MAX_CLASSES}", task.width());
            return Err(KernelError::input("too_many_classes", message));
        }
        // What scikit-learn's trees take: NaN, or a float32.
        let greatest = f64::from(f32::MAX);
        if looked_at(&x_valid, 0..x_valid.ncols(), &valid_rows, greatest).1 {
            let message = "a feature is infinite, or too large for float32";
            return Err(KernelError::input("infinite", message));
        }
        let workers = check_threads(threads)?;
        let wanted = Wanted {
            categorical: &[],
            max_bins: MAX_BINS,
            order: Order::of(x.ncols(), shape.max_features),
            greatest,
        };
        let bins = Bins::even(x, &rows, wanted, &workers)?;
        drop(rows);
        let (y, weights) = (values(y), weights.map(values));
        let training = Training {
            bins: &bins,
            y: &y,
            weights: weights.as_deref(),
            task,
        };
        forests(
            &training,
            &shape,
            &sampling,
            (&seeds, &sizes),
            Asked {
                x: x_valid,
                rows: &valid_rows,
            },
            &workers,
        )
    })?;
    let shape = (seed_count, size_count, asked, task.width());
    Ok(shaped(py, Array4::from_shape_vec(shape, found))?.into_pyarray(py))
}

/// Most classes; each node of a tree has as many numbers.
const MAX_CLASSES: usize = 1000;

/// Most trees; more would not end.
const MAX_TREES: usize = 1 << 24;
