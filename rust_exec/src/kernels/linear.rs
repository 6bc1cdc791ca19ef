//! The linear family over all folds and penalties at once.
//!
//! Input: a matrix, a target, folds, penalties. Output per fold: coefficients on the raw
//! features, intercepts and validation predictions for every member of the family, or the reason
//! why a member was declined. Semantics are those of scikit-learn's
//! `make_pipeline(SimpleImputer(), StandardScaler(), model)` with either step optional, where the
//! model is `LinearRegression`, `Ridge(alpha)`, `Lasso` or `ElasticNet`.
//!
//! One pass over the rows gives every fold's moments, a second one the predictions. Between
//! them each ridge penalty costs one Cholesky factorisation of a small matrix, and each elastic
//! net a coordinate descent on it. (An eigendecomposition serves every ridge penalty but costs as
//! much as about thirty factorisations, and loses the small columns when units differ widely.)

use faer::Mat;
use ndarray::{ArrayView1, ArrayView2};

use super::answers::{Fitted, Validation, finish};
use super::block::Source;
use super::categories::Categories;
use super::descent::Net;
use super::folds::{Fold, Group, group};
use super::moments::{Frame, column_means, moments, target_mean};
use super::normal::{Known, Preparation, Refusal, Training, normal_equations};
use super::workers::Workers;
use crate::errors::Declined;

/// Moments kept at once, in values: two gigabytes.
const MAX_MOMENT_VALUES: usize = 1 << 28;
/// Rows that the shift of the moments is taken from; it need not be exact.
const CENTRE_ROWS: usize = 1024;
/// With this many features and fewer than half as many rows, the dual solver wins.
const WIDE: usize = 256;
/// Loss of digits by subtraction from which summing a fold by itself is worth the time.
const LOSSY: f64 = 4.0;

/// The data and how to fit it. Members are the closed forms, then the nets.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    pub x: ArrayView2<'a, f64>,
    pub y: ArrayView1<'a, f64>,
    /// Ridge penalties; 0 is least squares.
    pub alphas: &'a [f64],
    pub nets: &'a [Net],
    pub impute: bool,
    pub preparation: Preparation,
    /// One-hot columns beside those of `x`.
    pub categories: Option<&'a Categories<'a>>,
    /// All features in the order in which the linear model has them.
    pub order: Option<&'a [usize]>,
    /// Statistics by fold; empty if there are none.
    pub known: &'a [Known],
}

impl<'a> Problem<'a> {
    pub fn members(&self) -> usize {
        self.alphas.len() + self.nets.len()
    }

    pub fn source(&self) -> Source<'a> {
        Source::new(self.x).with_categories(self.categories)
    }

    /// Number of features, those of categories included.
    pub fn features(&self) -> usize {
        self.source().features()
    }
}

/// Fits every fold with every member.
pub fn linear_folds<'a>(
    problem: &Problem<'a>,
    folds: &'a [Fold],
    workers: &Workers,
) -> Vec<Fitted> {
    if problem.features().saturating_pow(2) > MAX_MOMENT_VALUES / 4 {
        let none = |fold: &Fold| none(problem, fold.valid.len(), Declined::TooManyFeatures);
        return folds.iter().map(none).collect();
    }
    let mut results = Vec::with_capacity(folds.len());
    for part in group(folds, problem.x.nrows()) {
        match part {
            Group::Partition(range) => {
                let first = range.start;
                results.extend(partition(problem, &folds[range], first, workers));
            }
            Group::Single(k) => results.push(single(problem, &folds[k], k, workers)),
        }
    }
    results
}

/// Fits one training matrix with every member and predicts the rows of another.
pub fn linear_path(
    problem: &Problem<'_>,
    x_valid: ArrayView2<'_, f64>,
    workers: &Workers,
) -> Fitted {
    if problem.x.ncols().saturating_pow(2) > MAX_MOMENT_VALUES / 4 {
        return none(problem, x_valid.nrows(), Declined::TooManyFeatures);
    }
    let train: Vec<u32> = (0..problem.x.nrows() as u32).collect();
    let valid: Vec<u32> = (0..x_valid.nrows() as u32).collect();
    let validation = Validation {
        source: Source::new(x_valid),
        y: None,
        rows: &valid,
    };
    direct(problem, &train, &validation, None, workers)
}

fn none(problem: &Problem<'_>, rows: usize, reason: Declined) -> Fitted {
    Fitted::none(problem.members(), problem.features(), rows, reason)
}

/// Folds whose validation sets partition their rows: training moments are differences.
/// `first` is the number of the first of them.
fn partition<'a>(
    problem: &Problem<'a>,
    folds: &'a [Fold],
    first: usize,
    workers: &Workers,
) -> Vec<Fitted> {
    let p = problem.x.ncols();
    let source = problem.source();
    let used: Vec<u32> = folds
        .iter()
        .flat_map(|fold| fold.valid.iter().copied())
        .collect();
    let (mut centre, missing) = if problem.impute {
        column_means(&source, &used)
    } else {
        let step = used.len().div_ceil(CENTRE_ROWS);
        let sample: Vec<u32> = used.iter().copied().step_by(step).collect();
        column_means(&source, &sample)
    };
    let indicators: Vec<usize> = (0..p)
        .filter(|&j| problem.impute && missing[j] > 0)
        .collect();
    centre.resize(source.features(), 0.0);
    let frame = Frame {
        centre,
        y_centre: target_mean(problem.y, &used),
        indicators,
        impute: problem.impute,
    };
    // Summing each fold's training rows by themselves takes (folds - 1) times the rows but no
    // indicators, and no memory for the folds' moments.
    let width = frame.width();
    let dense = width - (source.features() - p);
    let shared_work = dense * dense;
    let alone_work = (folds.len() - 1) * (p + 2) * (p + 2);
    if shared_work > alone_work || width * width * folds.len() > MAX_MOMENT_VALUES {
        let alone = folds.iter().enumerate();
        return alone
            .map(|(k, fold)| single(problem, fold, first + k, workers))
            .collect();
    }
    let sets: Vec<&[u32]> = folds.iter().map(|fold| fold.valid.as_slice()).collect();
    let parts = moments(&source, problem.y, &sets, &frame, workers);
    let mut total = Mat::<f64>::zeros(width, width);
    for part in &parts {
        total += part;
    }
    let base = diagonal(&total);
    let shared = workers.map(folds.len(), |k| {
        let training = Training {
            moments: &(&total - &parts[k]),
            base: &base,
            rows: &folds[k].train,
            frame: &frame,
            known: problem.known.get(first + k),
            order: problem.order,
        };
        let normal = normal_equations(&training, &source, problem.preparation, false)?;
        let fitted = finish(problem, &normal, &frame, &validation(problem, &folds[k]));
        // Digits lost by subtraction come back when the rows are summed by themselves.
        let lossy = normal.loss.iter().any(|loss| *loss > LOSSY);
        let regain = |reason: &Declined| *reason != Declined::NonFinite;
        if lossy && fitted.declined.iter().flatten().any(regain) {
            return Err(Refusal::SumDirectly);
        }
        Ok(fitted)
    });
    let fits = shared.into_iter().zip(folds).enumerate();
    fits.map(|(k, (fit, fold))| match fit {
        Ok(fit) => fit,
        Err(Refusal::Declined(reason)) => none(problem, fold.valid.len(), reason),
        Err(Refusal::SumDirectly) => single(problem, fold, first + k, workers),
    })
    .collect()
}

fn validation<'a>(problem: &Problem<'a>, fold: &'a Fold) -> Validation<'a> {
    Validation {
        source: problem.source(),
        y: Some(problem.y),
        rows: &fold.valid,
    }
}

/// Fold number `k` by itself.
fn single<'a>(problem: &Problem<'a>, fold: &'a Fold, k: usize, workers: &Workers) -> Fitted {
    let known = problem.known.get(k);
    direct(
        problem,
        &fold.train,
        &validation(problem, fold),
        known,
        workers,
    )
}

/// One fold from the moments of its own training rows about their own means.
fn direct(
    problem: &Problem<'_>,
    train: &[u32],
    validation: &Validation<'_>,
    known: Option<&Known>,
    workers: &Workers,
) -> Fitted {
    let p = problem.x.ncols();
    let declined = |reason| none(problem, validation.rows.len(), reason);
    if problem.features() > WIDE && problem.features() > 2 * train.len() {
        return declined(Declined::FewerRowsThanFeatures);
    }
    let source = problem.source();
    let (mut centre, missing) = column_means(&source, train);
    if problem.impute && missing.contains(&(train.len() as u64)) {
        return declined(Declined::EmptyColumn);
    }
    centre.resize(source.features(), 0.0);
    // About their own means, missing values are zero where the mean stands for them.
    let filled = known.is_some_and(|known| known.fills.is_some());
    let indicators: Vec<usize> = (0..p).filter(|&j| filled && missing[j] > 0).collect();
    let y_centre = target_mean(problem.y, train);
    let present = |j: usize| (train.len() as u64 - missing[j]).max(1) as f64;
    // A second round takes place only where rounding left the means too far from the centre.
    for round in 0.. {
        let frame = Frame {
            centre: centre.clone(),
            y_centre,
            indicators: indicators.clone(),
            impute: problem.impute,
        };
        let sums = moments(&source, problem.y, &[train], &frame, workers).remove(0);
        let shift = |j: usize| sums[(frame.one(), j)] / present(j);
        let off = |j: usize| {
            let shift = shift(j);
            shift * shift * train.len() as f64 > 1e-24 * sums[(j, j)]
        };
        if round == 0 && (0..p).any(off) {
            (0..p).for_each(|j| centre[j] += shift(j));
            continue;
        }
        let training = Training {
            moments: &sums,
            base: &diagonal(&sums),
            rows: train,
            frame: &frame,
            known,
            order: problem.order,
        };
        let normal = match normal_equations(&training, &source, problem.preparation, true) {
            Ok(normal) => normal,
            Err(Refusal::Declined(reason)) => return declined(reason),
            Err(Refusal::SumDirectly) => return declined(Declined::IllConditioned),
        };
        return finish(problem, &normal, &frame, validation);
    }
    declined(Declined::IllConditioned)
}

fn diagonal(matrix: &Mat<f64>) -> Vec<f64> {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).collect()
}

#[cfg(test)]
mod tests;
