//! Second moments of every fold, and what a family of models makes of them.
//!
//! Input: a matrix, targets, folds, and a family. Output per fold: what the family fits. Folds
//! whose validation sets partition their rows share one pass over the rows: training moments are
//! totals less the fold's own. Where that loses digits that a model needs, and for all other
//! folds, training rows are summed by themselves.

use faer::Mat;
use ndarray::ArrayView2;

use super::answers::Fitted;
use super::block::Source;
use super::categories::Categories;
use super::folds::{Fold, Group, group};
use super::models::Validation;
use super::moments::{Frame, column_means, moments, target_means};
use super::normal::{Known, Normal, Preparation, Refusal, Training, normal_equations};
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

/// The rows, and what comes before the family's own models.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    pub x: ArrayView2<'a, f64>,
    /// (n, t)
    pub y: ArrayView2<'a, f64>,
    /// Replace NaN by the training mean of the column.
    pub impute: bool,
    pub preparation: Preparation,
    /// One-hot columns beside those of `x`.
    pub categories: Option<&'a Categories<'a>>,
    /// All features in the order in which the linear model has them.
    pub order: Option<&'a [usize]>,
    /// Statistics by fold; empty if there are none.
    pub known: &'a [Known],
}

impl<'a> Data<'a> {
    pub fn source(&self) -> Source<'a> {
        Source::new(self.x).with_categories(self.categories)
    }

    /// Number of features, those of categories included.
    pub fn features(&self) -> usize {
        self.source().features()
    }
}

/// Models that are functions of the second moments of their training rows.
pub trait Family: Sync {
    fn members(&self) -> usize;

    /// Fits all members, and predicts the validation rows.
    fn finish(
        &self,
        data: &Data<'_>,
        normal: &Normal,
        frame: &Frame,
        validation: &Validation<'_>,
    ) -> Fitted;
}

/// One family on one set of rows.
struct Job<'a> {
    data: Data<'a>,
    family: &'a dyn Family,
}

/// Fits every fold with every member.
pub fn fit_folds<'a>(
    data: &Data<'a>,
    family: &'a dyn Family,
    folds: &'a [Fold],
    workers: &Workers,
) -> Vec<Fitted> {
    let job = &Job {
        data: *data,
        family,
    };
    if job.data.features().saturating_pow(2) > MAX_MOMENT_VALUES / 4 {
        let none = |fold: &Fold| none(job, fold.valid.len(), Declined::TooManyFeatures);
        return folds.iter().map(none).collect();
    }
    let mut results = Vec::with_capacity(folds.len());
    for part in group(folds, job.data.x.nrows()) {
        match part {
            Group::Partition(range) => {
                let first = range.start;
                results.extend(partition(job, &folds[range], first, workers));
            }
            Group::Single(k) => results.push(single(job, &folds[k], k, workers)),
        }
    }
    results
}

/// Fits one training matrix with every member and predicts the rows of another.
pub fn fit_path<'a>(
    data: &Data<'a>,
    family: &'a dyn Family,
    x_valid: ArrayView2<'_, f64>,
    workers: &Workers,
) -> Fitted {
    let job = &Job {
        data: *data,
        family,
    };
    if job.data.x.ncols().saturating_pow(2) > MAX_MOMENT_VALUES / 4 {
        return none(job, x_valid.nrows(), Declined::TooManyFeatures);
    }
    let train: Vec<u32> = (0..job.data.x.nrows() as u32).collect();
    let valid: Vec<u32> = (0..x_valid.nrows() as u32).collect();
    let validation = Validation {
        source: Source::new(x_valid),
        y: None,
        rows: &valid,
    };
    direct(job, &train, &validation, None, workers)
}

fn none(job: &Job<'_>, rows: usize, reason: Declined) -> Fitted {
    Fitted::none(job.family.members(), job.data.features(), rows, reason)
}

/// Folds whose validation sets partition their rows: training moments are differences.
/// `first` is the number of the first of them.
fn partition<'a>(job: &Job<'a>, folds: &'a [Fold], first: usize, workers: &Workers) -> Vec<Fitted> {
    let p = job.data.x.ncols();
    let source = job.data.source();
    let used: Vec<u32> = folds
        .iter()
        .flat_map(|fold| fold.valid.iter().copied())
        .collect();
    let (mut centre, missing) = if job.data.impute {
        column_means(&source, &used)
    } else {
        let step = used.len().div_ceil(CENTRE_ROWS);
        let sample: Vec<u32> = used.iter().copied().step_by(step).collect();
        column_means(&source, &sample)
    };
    let indicators: Vec<usize> = (0..p)
        .filter(|&j| job.data.impute && missing[j] > 0)
        .collect();
    centre.resize(source.features(), 0.0);
    let frame = Frame {
        centre,
        y_centre: target_means(job.data.y, &used),
        indicators,
        impute: job.data.impute,
    };
    // Summing each fold's training rows by themselves takes (folds - 1) times the rows but no
    // indicators, and no memory for the folds' moments.
    let width = frame.width();
    let dense = width - (source.features() - p);
    let shared_work = dense * dense;
    let plain = p + 1 + frame.targets();
    let alone_work = (folds.len() - 1) * plain * plain;
    if shared_work > alone_work || width * width * folds.len() > MAX_MOMENT_VALUES {
        let alone = folds.iter().enumerate();
        return alone
            .map(|(k, fold)| single(job, fold, first + k, workers))
            .collect();
    }
    let sets: Vec<&[u32]> = folds.iter().map(|fold| fold.valid.as_slice()).collect();
    let parts = moments(&source, job.data.y, &sets, &frame, workers);
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
            known: job.data.known.get(first + k),
            order: job.data.order,
        };
        let normal = normal_equations(&training, &source, job.data.preparation, false)?;
        let fitted = job
            .family
            .finish(&job.data, &normal, &frame, &validation(job, &folds[k]));
        // Digits lost by subtraction come back when the rows are summed by themselves.
        let lossy = normal.loss.iter().any(|loss| *loss > LOSSY);
        let mut declined = fitted.declined.iter().flatten();
        if lossy && declined.any(|reason| reason.is_rounding()) {
            return Err(Refusal::SumDirectly);
        }
        Ok(fitted)
    });
    let fits = shared.into_iter().zip(folds).enumerate();
    fits.map(|(k, (fit, fold))| match fit {
        Ok(fit) => fit,
        Err(Refusal::Declined(reason)) => none(job, fold.valid.len(), reason),
        Err(Refusal::SumDirectly) => single(job, fold, first + k, workers),
    })
    .collect()
}

fn validation<'a>(job: &Job<'a>, fold: &'a Fold) -> Validation<'a> {
    Validation {
        source: job.data.source(),
        y: Some(job.data.y),
        rows: &fold.valid,
    }
}

/// Fold number `k` by itself.
fn single<'a>(job: &Job<'a>, fold: &'a Fold, k: usize, workers: &Workers) -> Fitted {
    let known = job.data.known.get(k);
    direct(job, &fold.train, &validation(job, fold), known, workers)
}

/// One fold from the moments of its own training rows about their own means.
fn direct(
    job: &Job<'_>,
    train: &[u32],
    validation: &Validation<'_>,
    known: Option<&Known>,
    workers: &Workers,
) -> Fitted {
    let p = job.data.x.ncols();
    let declined = |reason| none(job, validation.rows.len(), reason);
    if job.data.features() > WIDE && job.data.features() > 2 * train.len() {
        return declined(Declined::FewerRowsThanFeatures);
    }
    let source = job.data.source();
    let (mut centre, missing) = column_means(&source, train);
    if job.data.impute && missing.contains(&(train.len() as u64)) {
        return declined(Declined::EmptyColumn);
    }
    centre.resize(source.features(), 0.0);
    // About their own means, missing values are zero where the mean stands for them.
    let filled = known.is_some_and(|known| known.fills.is_some());
    let indicators: Vec<usize> = (0..p).filter(|&j| filled && missing[j] > 0).collect();
    let y_centre = target_means(job.data.y, train);
    let present = |j: usize| (train.len() as u64 - missing[j]).max(1) as f64;
    // A second round takes place only where rounding left the means too far from the centre.
    for round in 0.. {
        let frame = Frame {
            centre: centre.clone(),
            y_centre: y_centre.clone(),
            indicators: indicators.clone(),
            impute: job.data.impute,
        };
        let sums = moments(&source, job.data.y, &[train], &frame, workers).remove(0);
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
            order: job.data.order,
        };
        let normal = match normal_equations(&training, &source, job.data.preparation, true) {
            Ok(normal) => normal,
            Err(Refusal::Declined(reason)) => return declined(reason),
            Err(Refusal::SumDirectly) => return declined(Declined::IllConditioned),
        };
        return job.family.finish(&job.data, &normal, &frame, validation);
    }
    declined(Declined::IllConditioned)
}

fn diagonal(matrix: &Mat<f64>) -> Vec<f64> {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).collect()
}
