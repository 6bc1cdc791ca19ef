//! Ridge regression over all folds and penalties at once.
//!
//! Input: a matrix, a target, folds, penalties. Output per fold: coefficients on the raw
//! features, intercepts and validation predictions for every penalty, or the reason why the fold
//! was declined. Semantics are those of scikit-learn's
//! `make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha))` with either step optional.
//!
//! One pass over the rows gives every fold's moments, a second one the predictions. Between
//! them each penalty costs one Cholesky factorisation of a small matrix. (An eigendecomposition
//! serves every penalty but costs as much as about thirty factorisations, and loses the small
//! columns when units differ widely.)

use faer::Mat;
use ndarray::{ArrayView1, ArrayView2};

use super::block::Source;
use super::folds::{Fold, Group, group};
use super::models::Models;
use super::moments::{Frame, column_means, moments, target_mean};
use super::normal::{Normal, Preparation, Refusal, Training, normal_equations};
use super::workers::Workers;
use crate::errors::Declined;

/// Greatest relative change of a fold's mean squared error that may come from rounding.
pub const PROMISE: f64 = 1e-9;
/// Margin between the greatest of so few probes and what to expect.
const PROBE_MARGIN: f64 = 4.0;
/// Moments kept at once, in values: two gigabytes.
const MAX_MOMENT_VALUES: usize = 1 << 28;
/// Rows that the shift of the moments is taken from; it need not be exact.
const CENTRE_ROWS: usize = 1024;
/// With this many features and fewer than half as many rows, the dual solver wins.
const WIDE: usize = 256;

/// The data and how to fit it.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    pub x: ArrayView2<'a, f64>,
    pub y: ArrayView1<'a, f64>,
    pub alphas: &'a [f64],
    pub impute: bool,
    pub preparation: Preparation,
}

/// What one fold gives: all penalties, in the order of `alphas`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// (alphas, p) row by row.
    pub coef: Vec<f64>,
    /// (alphas,)
    pub intercept: Vec<f64>,
    /// (rows, alphas) row by row.
    pub predictions: Vec<f64>,
}

/// Rows to predict, and their target where there is one.
struct Validation<'a> {
    source: Source<'a>,
    y: Option<ArrayView1<'a, f64>>,
    rows: &'a [u32],
}

/// Fits every fold with every penalty.
pub fn ridge_folds<'a>(
    problem: &Problem<'a>,
    folds: &'a [Fold],
    workers: &Workers,
) -> Vec<Result<Fitted, Declined>> {
    if problem.x.ncols().saturating_pow(2) > MAX_MOMENT_VALUES / 4 {
        return vec![Err(Declined::TooManyFeatures); folds.len()];
    }
    let mut results = Vec::with_capacity(folds.len());
    for part in group(folds, problem.x.nrows()) {
        match part {
            Group::Partition(range) => results.extend(partition(problem, &folds[range], workers)),
            Group::Single(k) => results.push(single(problem, &folds[k], workers)),
        }
    }
    results
}

/// Fits one training matrix with every penalty and predicts the rows of another.
pub fn ridge_path(
    problem: &Problem<'_>,
    x_valid: ArrayView2<'_, f64>,
    workers: &Workers,
) -> Result<Fitted, Declined> {
    if problem.x.ncols().saturating_pow(2) > MAX_MOMENT_VALUES / 4 {
        return Err(Declined::TooManyFeatures);
    }
    let train: Vec<u32> = (0..problem.x.nrows() as u32).collect();
    let valid: Vec<u32> = (0..x_valid.nrows() as u32).collect();
    let validation = Validation {
        source: Source::new(x_valid),
        y: None,
        rows: &valid,
    };
    direct(problem, &train, &validation, workers)
}

/// Folds whose validation sets partition their rows: training moments are differences.
fn partition<'a>(
    problem: &Problem<'a>,
    folds: &'a [Fold],
    workers: &Workers,
) -> Vec<Result<Fitted, Declined>> {
    let p = problem.x.ncols();
    let source = Source::new(problem.x);
    let used: Vec<u32> = folds
        .iter()
        .flat_map(|fold| fold.valid.iter().copied())
        .collect();
    let (centre, missing) = if problem.impute {
        column_means(&source, &used)
    } else {
        let step = used.len().div_ceil(CENTRE_ROWS);
        let sample: Vec<u32> = used.iter().copied().step_by(step).collect();
        column_means(&source, &sample)
    };
    let indicators: Vec<usize> = (0..p)
        .filter(|&j| problem.impute && missing[j] > 0)
        .collect();
    let frame = Frame {
        centre,
        y_centre: target_mean(problem.y, &used),
        indicators,
        impute: problem.impute,
    };
    // Summing each fold's training rows by themselves takes (folds - 1) times the rows but no
    // indicators, and no memory for the folds' moments.
    let width = frame.width();
    let shared_work = width * width;
    let alone_work = (folds.len() - 1) * (p + 2) * (p + 2);
    if shared_work > alone_work || shared_work * folds.len() > MAX_MOMENT_VALUES {
        return folds
            .iter()
            .map(|fold| single(problem, fold, workers))
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
        };
        let normal = normal_equations(&training, &source, problem.preparation, false)?;
        let validation = validation(problem, &folds[k]);
        finish(problem, &normal, &frame, &validation).map_err(|reason| {
            // Digits lost by subtraction come back when the rows are summed by themselves.
            let lossy = normal.loss.iter().any(|loss| *loss > 4.0);
            if lossy && reason != Declined::NonFinite {
                Refusal::SumDirectly
            } else {
                Refusal::Declined(reason)
            }
        })
    });
    let fits = shared.into_iter().zip(folds);
    fits.map(|(fit, fold)| match fit {
        Ok(fit) => Ok(fit),
        Err(Refusal::Declined(reason)) => Err(reason),
        Err(Refusal::SumDirectly) => single(problem, fold, workers),
    })
    .collect()
}

fn validation<'a>(problem: &Problem<'a>, fold: &'a Fold) -> Validation<'a> {
    Validation {
        source: Source::new(problem.x),
        y: Some(problem.y),
        rows: &fold.valid,
    }
}

fn single<'a>(
    problem: &Problem<'a>,
    fold: &'a Fold,
    workers: &Workers,
) -> Result<Fitted, Declined> {
    direct(problem, &fold.train, &validation(problem, fold), workers)
}

/// One fold from the moments of its own training rows about their own means.
fn direct(
    problem: &Problem<'_>,
    train: &[u32],
    validation: &Validation<'_>,
    workers: &Workers,
) -> Result<Fitted, Declined> {
    let p = problem.x.ncols();
    if p > WIDE && p > 2 * train.len() {
        return Err(Declined::FewerRowsThanFeatures);
    }
    let source = Source::new(problem.x);
    let (mut centre, missing) = column_means(&source, train);
    if problem.impute && missing.contains(&(train.len() as u64)) {
        return Err(Declined::EmptyColumn);
    }
    let y_centre = target_mean(problem.y, train);
    let present = |j: usize| (train.len() as u64 - missing[j]).max(1) as f64;
    // A second round takes place only where rounding left the means too far from the centre.
    for round in 0.. {
        let frame = Frame {
            centre: centre.clone(),
            y_centre,
            indicators: Vec::new(),
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
        };
        let normal = match normal_equations(&training, &source, problem.preparation, true) {
            Ok(normal) => normal,
            Err(Refusal::Declined(reason)) => return Err(reason),
            Err(Refusal::SumDirectly) => return Err(Declined::IllConditioned),
        };
        return finish(problem, &normal, &frame, validation);
    }
    Err(Declined::IllConditioned)
}

fn diagonal(matrix: &Mat<f64>) -> Vec<f64> {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).collect()
}

/// Solves, predicts, and checks that rounding cannot have moved the score.
fn finish(
    problem: &Problem<'_>,
    normal: &Normal,
    frame: &Frame,
    validation: &Validation<'_>,
) -> Result<Fitted, Declined> {
    let doubtful = if normal.rows <= normal.active.len() as f64 {
        Declined::FewerRowsThanFeatures
    } else {
        Declined::IllConditioned
    };
    let models = Models::solve(problem.alphas, problem.preparation, normal, frame, doubtful)?;
    let fill = problem.impute.then_some(normal.offset.as_slice());
    let Validation { source, y, rows } = validation;
    let predicted = models.predict(source, *y, rows, fill);
    if !predicted.values.iter().all(|v| v.is_finite()) {
        return Err(Declined::NonFinite);
    }
    let training_error = models.training_error / normal.rows;
    let error = predicted.error.unwrap_or(training_error);
    if error.is_nan() || error.is_infinite() {
        return Err(Declined::NonFinite);
    }
    // A change of d in the predictions changes a mean squared error r^2 by at most 2 r d.
    let change = PROBE_MARGIN * predicted.probed.sqrt() + models.rounding;
    // A NaN is not within the promise either.
    let kept = 2.0 * change <= PROMISE * error.sqrt();
    if !kept {
        return Err(doubtful);
    }
    let a = problem.alphas.len();
    let mut coef = Vec::with_capacity(a * frame.features());
    for k in 0..a {
        coef.extend(models.coef.col(k).iter());
    }
    Ok(Fitted {
        coef,
        intercept: models.intercept,
        predictions: predicted.values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    const ALPHAS: [f64; 3] = [10.0, 0.1, 1.0];

    fn data(n: usize) -> (Array2<f64>, Array1<f64>) {
        let x = Array2::from_shape_fn((n, 3), |(i, j)| ((i * i + 5 * i * j + j) % 17) as f64);
        let y = Array1::from_shape_fn(n, |i| x[[i, 0]] - 0.5 * x[[i, 2]] + (i % 3) as f64);
        (x, y)
    }

    fn problem<'a>(x: &'a Array2<f64>, y: &'a Array1<f64>, impute: bool) -> Problem<'a> {
        Problem {
            x: x.view(),
            y: y.view(),
            alphas: &ALPHAS,
            impute,
            preparation: Preparation {
                scale: true,
                fit_intercept: true,
            },
        }
    }

    fn k_fold(n: u32, count: u32) -> Vec<Fold> {
        let fold = |k| Fold {
            train: (0..n).filter(|row| row % count != k).collect(),
            valid: (0..n).filter(|row| row % count == k).collect(),
        };
        (0..count).map(fold).collect()
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-11;
        a.len() == b.len() && a.iter().zip(b).all(near)
    }

    #[test]
    fn shared_moments_give_what_each_fold_gives_alone() {
        let (mut x, y) = data(60);
        for impute in [false, true] {
            if impute {
                x[[7, 1]] = f64::NAN;
                x[[20, 1]] = f64::NAN;
            }
            let problem = problem(&x, &y, impute);
            let folds = k_fold(60, 4);
            let workers = Workers::new(1).unwrap();
            let shared = ridge_folds(&problem, &folds, &workers);
            assert_eq!(
                shared,
                ridge_folds(&problem, &folds, &Workers::new(2).unwrap())
            );
            for (fold, shared) in folds.iter().zip(shared) {
                let (alone, shared) = (single(&problem, fold, &workers).unwrap(), shared.unwrap());
                assert!(close(&alone.coef, &shared.coef));
                assert!(close(&alone.intercept, &shared.intercept));
                assert!(close(&alone.predictions, &shared.predictions));
            }
        }
    }

    #[test]
    fn one_feature_has_the_textbook_solution() {
        let x = Array2::from_shape_vec((4, 1), vec![0.0, 1.0, 2.0, 3.0]).unwrap();
        let y = Array1::from_vec(vec![1.0, 2.0, 4.0, 4.0]);
        let mut problem = problem(&x, &y, false);
        problem.preparation.scale = false;
        let fit = ridge_path(&problem, x.view(), &Workers::new(1).unwrap()).unwrap();
        for (k, alpha) in ALPHAS.iter().enumerate() {
            let slope = 5.5 / (5.0 + alpha);
            assert!((fit.coef[k] - slope).abs() < 1e-14);
            assert!((fit.intercept[k] - (2.75 - 1.5 * slope)).abs() < 1e-14);
            assert!((fit.predictions[2 * 3 + k] - (2.75 + 0.5 * slope)).abs() < 1e-14);
        }
    }

    #[test]
    fn folds_out_of_reach_are_declined_one_by_one() {
        let (mut x, y) = data(30);
        let folds = k_fold(30, 3);
        let workers = Workers::new(1).unwrap();
        x.column_mut(1).assign(&y);
        let exact = ridge_folds(&problem(&x, &y, false), &folds, &workers);
        assert!(
            exact.iter().all(Result::is_ok),
            "the penalty leaves an error"
        );
        let mut unpenalised = problem(&x, &y, false);
        unpenalised.alphas = &[0.0];
        let exact = ridge_folds(&unpenalised, &folds, &workers);
        assert_eq!(exact, vec![Err(Declined::IllConditioned); 3]);

        let filtered = [
            folds[0].clone(),
            Fold {
                train: vec![1, 2],
                valid: vec![0],
            },
        ];
        x[[0, 2]] = f64::INFINITY;
        let mixed = ridge_folds(&problem(&x, &y, false), &filtered, &workers);
        assert_eq!(mixed[1], Err(Declined::NonFinite));
        let (x, y) = data(30);
        let few = ridge_folds(&problem(&x, &y, false), &filtered, &workers);
        assert!(few[0].is_ok());
    }
}
