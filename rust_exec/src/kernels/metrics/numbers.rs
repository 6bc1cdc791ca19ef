//! Metrics of predicted quantities.

use ndarray::ArrayView1;

use super::sums::Order;
use super::{check_rows, check_target, contiguous, read};
use crate::errors::KernelError;
use crate::kernels::simd::dispatch;
use crate::kernels::workers::Workers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    Mse,
    Rmse,
    Mae,
    Mape,
    MedianError,
    MaxError,
    R2,
    ExplainedVariance,
}

fn named(name: &str) -> Option<Metric> {
    Some(match name {
        "mean_squared_error" => Metric::Mse,
        "root_mean_squared_error" => Metric::Rmse,
        "mean_absolute_error" => Metric::Mae,
        "mean_absolute_percentage_error" => Metric::Mape,
        "median_absolute_error" => Metric::MedianError,
        "max_error" => Metric::MaxError,
        "r2_score" => Metric::R2,
        "explained_variance_score" => Metric::ExplainedVariance,
        _ => return None,
    })
}

/// Values (vectors, metrics), row by row; NaN where a vector is not finite or a metric undefined.
pub fn score(
    target: ArrayView1<'_, f64>,
    vectors: &[ArrayView1<'_, f64>],
    names: &[String],
    workers: &Workers,
) -> Result<Vec<f64>, KernelError> {
    let metrics = read(names, named)?;
    check_target(target.len())?;
    for (place, vector) in vectors.iter().enumerate() {
        check_rows(place, vector.len(), target.len())?;
    }
    let values = contiguous(&target);
    let target = Target::new(&values);
    let rows = workers.map(vectors.len(), |place| {
        target.score(&contiguous(&vectors[place]), &metrics)
    });
    Ok(rows.concat())
}

/// A target, and what only it decides.
struct Target<'a> {
    values: &'a [f64],
    order: Order,
    /// Sum of the squared distances from the mean.
    spread: f64,
    finite: bool,
}

impl<'a> Target<'a> {
    fn new(values: &'a [f64]) -> Self {
        let order = Order::new(values.len());
        let mean = order.sum(values, values, |y, _| y) / values.len() as f64;
        let spread = order.sum(values, values, |y, _| (y - mean) * (y - mean));
        Self {
            values,
            order,
            spread,
            finite: finite(values),
        }
    }

    fn score(&self, predicted: &[f64], metrics: &[Metric]) -> Vec<f64> {
        if self.values.is_empty() || !self.finite || !finite(predicted) {
            return vec![f64::NAN; metrics.len()];
        }
        let mut shared = Shared {
            target: self,
            predicted,
            squares: None,
        };
        metrics.iter().map(|&metric| shared.value(metric)).collect()
    }
}

/// One vector, and what several of its metrics need.
struct Shared<'a> {
    target: &'a Target<'a>,
    predicted: &'a [f64],
    squares: Option<f64>,
}

impl Shared<'_> {
    fn value(&mut self, metric: Metric) -> f64 {
        let n = self.predicted.len() as f64;
        let (y, p) = (self.target.values, self.predicted);
        match metric {
            Metric::Mse => self.squares() / n,
            Metric::Rmse => (self.squares() / n).sqrt(),
            Metric::R2 if p.len() < 2 => f64::NAN,
            Metric::R2 => explained(self.squares(), self.target.spread),
            Metric::Mae => self.sum(|y, p| (p - y).abs()) / n,
            Metric::Mape => self.sum(|y, p| (p - y).abs() / y.abs().max(f64::EPSILON)) / n,
            Metric::ExplainedVariance => {
                let mean = self.sum(|y, p| y - p) / n;
                let left = self.sum(|y, p| (y - p - mean) * (y - p - mean)) / n;
                explained(left, self.target.spread / n)
            }
            Metric::MaxError => {
                let errors = y.iter().zip(p).map(|(y, p)| (y - p).abs());
                errors.fold(0.0, f64::max)
            }
            Metric::MedianError => {
                let mut errors: Vec<f64> = y.iter().zip(p).map(|(y, p)| (p - y).abs()).collect();
                median(&mut errors)
            }
        }
    }

    fn squares(&mut self) -> f64 {
        match self.squares {
            Some(known) => known,
            None => *self.squares.insert(self.sum(|y, p| (y - p) * (y - p))),
        }
    }

    fn sum(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        let (y, p) = (self.target.values, self.predicted);
        dispatch(
            #[inline(always)]
            || self.target.order.sum(y, p, term),
        )
    }
}

fn finite(values: &[f64]) -> bool {
    dispatch(
        #[inline(always)]
        || {
            // Without an early end, so that it runs in vector instructions.
            let mut all = true;
            for value in values {
                all &= value.is_finite();
            }
            all
        },
    )
}

/// 1 - left / all, with the library's conventions where one of them is zero.
fn explained(left: f64, all: f64) -> f64 {
    if left == 0.0 {
        1.0
    } else if all == 0.0 {
        0.0
    } else {
        1.0 - left / all
    }
}

/// The middle value, or the mean of the middle two; of values that are not NaN.
fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    let (below, &mut middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + middle) / 2.0
}
