//! Boosting: `boosting`.

use ndarray::Array3;
use numpy::{IntoPyArray, PyArray3};
use pyo3::prelude::*;

use super::{borrow, check_matrix, check_threads, row_numbers, run, shaped, to_python, values};
use crate::errors::KernelError;
use crate::kernels::boosting::Prepared;
use crate::kernels::boosting::cuts::{cut, most_bins};
use crate::kernels::boosting::losses::Targets;
use crate::kernels::boosting::options::{Categories, Library, Loss, Options};
use crate::kernels::trees::bins::{Bins, Wanted, check_bins};
use crate::kernels::trees::codes::Order;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BinnedRows>()?;
    module.add_function(wrap_pyfunction!(boosting, module)?)
}

/// `rust_exec.BoostingModel`, attribute by attribute.
#[derive(FromPyObject)]
struct Member {
    loss: String,
    classes: i64,
    curvature: f64,
    step: f64,
    level: f64,
    learning_rate: f64,
    stages: Vec<i64>,
    leaves: Option<i64>,
    depth: Option<i64>,
    leaf_rows: i64,
    leaf_curvature: f64,
    l1: f64,
    l2: f64,
    gain: f64,
    row_share: f64,
    row_interval: i64,
    column_share: f64,
    library: String,
    category_one_hot: i64,
    category_most: i64,
    category_rows: i64,
    category_l2: f64,
    category_smooth: f64,
    seed: u64,
}

impl Member {
    fn checked(&self) -> Result<Options, KernelError> {
        // What is below zero is refused as zero is.
        let count = |value: i64| usize::try_from(value).unwrap_or(0);
        if self.leaf_rows < 0 {
            let message = "leaf_rows is out of range";
            return Err(KernelError::input("bad_option", message));
        }
        let loss = match self.loss.as_str() {
            "squared" => Loss::Squared,
            "logistic" => Loss::Logistic,
            "softmax" => Loss::Softmax {
                classes: count(self.classes),
                curvature: self.curvature,
            },
            "poisson" => Loss::Poisson { step: self.step },
            "quantile" => Loss::Quantile { level: self.level },
            "absolute" => Loss::Absolute,
            other => {
                let message = format!("there is no loss {other:?}");
                return Err(KernelError::input("bad_option", message));
            }
        };
        let options = Options {
            loss,
            learning_rate: self.learning_rate,
            stages: self.stages.iter().copied().map(count).collect(),
            // Without a limit a tree has a leaf per row at most.
            leaves: self.leaves.map_or(1 << 17, count),
            depth: self.depth.map_or(usize::MAX, count),
            leaf_rows: count(self.leaf_rows),
            leaf_curvature: self.leaf_curvature,
            l1: self.l1,
            l2: self.l2,
            gain: self.gain,
            row_share: self.row_share,
            row_interval: count(self.row_interval),
            column_share: self.column_share,
            library: library(&self.library)?,
            categories: Categories {
                one_hot: count(self.category_one_hot),
                most: count(self.category_most),
                rows: count(self.category_rows),
                l2: self.category_l2,
                smooth: self.category_smooth,
            },
            seed: self.seed,
        };
        options.checked()
    }
}

fn library(name: &str) -> Result<Library, KernelError> {
    match name {
        "lightgbm" => Ok(Library::LightGbm),
        "xgboost" => Ok(Library::XgBoost),
        "histogram" => Ok(Library::Histogram),
        other => {
            let message = format!("there is no library {other:?}");
            Err(KernelError::input("bad_option", message))
        }
    }
}

/// See `rust_exec.BinnedRows`.
#[pyclass(frozen)]
struct BinnedRows {
    prepared: Prepared,
}

#[pymethods]
impl BinnedRows {
    #[new]
    #[expect(clippy::too_many_arguments)]
    #[pyo3(signature = (x_train, x_valid, *, max_bins=255, cuts="even", derived=Vec::new(), detect=true, categorical=Vec::new(), train_rows=None, valid_rows=None, threads=1))]
    fn new(
        py: Python<'_>,
        x_train: &Bound<'_, PyAny>,
        x_valid: &Bound<'_, PyAny>,
        max_bins: i64,
        cuts: &str,
        derived: Vec<Vec<i64>>,
        detect: bool,
        categorical: Vec<i64>,
        train_rows: Option<&Bound<'_, PyAny>>,
        valid_rows: Option<&Bound<'_, PyAny>>,
        threads: i64,
    ) -> PyResult<Self> {
        let x = borrow::<f64, ndarray::Ix2>(x_train, "x_train", "float64")?;
        let valid = borrow::<f64, ndarray::Ix2>(x_valid, "x_valid", "float64")?;
        let (x, valid) = (x.as_array(), valid.as_array());
        let rows = row_numbers(py, train_rows, "train_rows", x.nrows())?;
        let asked = row_numbers(py, valid_rows, "valid_rows", valid.nrows())?;
        let prepared = run(py, move || {
            check_matrix("x_train", x.shape())?;
            let workers = check_threads(threads)?;
            let derived = columns(&derived);
            let max_bins = usize::try_from(max_bins).unwrap_or(0);
            let categorical = flags(&categorical, x.ncols())?;
            let wanted = Wanted {
                categorical: &categorical,
                max_bins,
                order: Order::Columns,
                greatest: f64::INFINITY,
            };
            let bins = if cuts == "even" {
                Bins::even(x, &rows, wanted, &workers)?
            } else {
                let library = library(cuts)?;
                check_bins(max_bins, most_bins(library))?;
                let cut = |values: &mut Vec<f64>, missing| cut(library, values, missing, max_bins);
                Bins::fit_by(x, &rows, wanted, &workers, &cut)?
            };
            let codes = bins.apply(valid, &asked, &workers)?;
            Prepared::new(bins, codes, &derived, detect)
        })?;
        Ok(Self { prepared })
    }

    #[getter]
    fn combinations(&self) -> Vec<usize> {
        self.prepared.combinations()
    }

    #[getter]
    fn nbytes(&self) -> usize {
        self.prepared.bytes()
    }
}

fn member((k, model): (usize, &Bound<'_, PyAny>)) -> PyResult<Member> {
    model.extract().map_err(|error: PyErr| {
        let py = model.py();
        let cause = error
            .cause(py)
            .map_or(String::new(), |why| format!(" ({why})"));
        let message = format!("models[{k}] is no BoostingModel: {error}{cause}");
        to_python(py, &KernelError::input("bad_option", message))
    })
}

/// Of groups of columns those that can be column numbers; the kernel passes over the others, too.
fn columns(groups: &[Vec<i64>]) -> Vec<Vec<u32>> {
    let column = |&number: &i64| u32::try_from(number).ok();
    let group = |group: &Vec<i64>| group.iter().filter_map(column).collect();
    groups.iter().map(group).collect()
}

/// By column whether it is among `numbers`.
fn flags(numbers: &[i64], columns: usize) -> Result<Vec<bool>, KernelError> {
    let mut flags = vec![false; columns];
    for &number in numbers {
        let place = usize::try_from(number).ok();
        match place.and_then(|place| flags.get_mut(place)) {
            Some(flag) => *flag = true,
            None => {
                let message = format!("column {number} of {columns} is no categorical one");
                return Err(KernelError::input("index_out_of_range", message));
            }
        }
    }
    Ok(flags)
}

/// See `rust_exec.boosting`.
#[pyfunction]
#[pyo3(signature = (rows, y_train, models, *, weight=None, threads=1))]
fn boosting<'py>(
    py: Python<'py>,
    rows: &Bound<'py, BinnedRows>,
    y_train: &Bound<'py, PyAny>,
    models: Vec<Bound<'py, PyAny>>,
    weight: Option<&Bound<'py, PyAny>>,
    threads: i64,
) -> PyResult<Vec<Bound<'py, PyArray3<f64>>>> {
    let vector = |value, name| borrow::<f64, ndarray::Ix1>(value, name, "float64");
    let y = vector(y_train, "y_train")?;
    let weight = weight.map(|w| vector(w, "weight")).transpose()?;
    let y = y.as_array();
    let weight = weight.as_ref().map(|weight| weight.as_array());
    let prepared = &rows.get().prepared;
    let members = models.iter().enumerate().map(member);
    let models = members.collect::<PyResult<Vec<_>>>()?;
    let answers = run(py, move || {
        let workers = check_threads(threads)?;
        let (y, weight) = (values(y), weight.map(values));
        let targets = Targets {
            y: &y,
            weights: weight.as_deref(),
        };
        let fit = |model: &Member| {
            let options = model.checked()?;
            let scores = prepared.boost(targets, &options, &workers)?;
            Ok((scores, options.stages.len(), options.loss.outputs()))
        };
        models.iter().map(fit).collect::<Result<Vec<_>, _>>()
    })?;
    let arrays = answers.into_iter().map(|(scores, stages, outputs)| {
        let array = Array3::from_shape_vec((stages, outputs, prepared.valid_rows()), scores);
        Ok(shaped(py, array)?.into_pyarray(py))
    });
    arrays.collect()
}
