//! Metrics of scores or probabilities of one class against the rest.

use ndarray::ArrayView1;

use super::ranks::scored_areas;
use super::sums::Order;
use super::{check_rows, check_target, contiguous, loss, read};
use crate::errors::KernelError;
use crate::kernels::workers::Workers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    Area,
    AveragePrecision,
    LogLoss,
    Brier,
}

fn named(name: &str) -> Option<Metric> {
    Some(match name {
        "roc_auc_score" => Metric::Area,
        "average_precision_score" => Metric::AveragePrecision,
        "log_loss" => Metric::LogLoss,
        "brier_score_loss" => Metric::Brier,
        _ => return None,
    })
}

/// Values (vectors, metrics), row by row; NaN where a vector is not finite, has no place in the
/// metric's domain, or the target has one class.
pub fn score(
    hits: ArrayView1<'_, u8>,
    vectors: &[ArrayView1<'_, f64>],
    names: &[String],
    workers: &Workers,
) -> Result<Vec<f64>, KernelError> {
    let metrics = read(names, named)?;
    check_target(hits.len())?;
    for (place, vector) in vectors.iter().enumerate() {
        check_rows(place, vector.len(), hits.len())?;
    }
    let hits: Vec<bool> = hits.iter().map(|&hit| hit != 0).collect();
    let target = Target {
        positives: hits.iter().filter(|hit| **hit).count(),
        order: Order::new(hits.len()),
        hits,
    };
    let rows = workers.map(vectors.len(), |place| {
        target.score(&contiguous(&vectors[place]), &metrics)
    });
    Ok(rows.concat())
}

struct Target {
    hits: Vec<bool>,
    positives: usize,
    order: Order,
}

impl Target {
    fn score(&self, scores: &[f64], metrics: &[Metric]) -> Vec<f64> {
        let one_class = self.positives == 0 || self.positives == self.hits.len();
        if one_class || scores.iter().any(|score| !score.is_finite()) {
            return vec![f64::NAN; metrics.len()];
        }
        let ranking = |metric| matches!(metric, Metric::Area | Metric::AveragePrecision);
        let ranked = metrics.iter().any(|&metric| ranking(metric));
        let (area, precision) = if ranked {
            scored_areas(scores, &self.hits)
        } else {
            (f64::NAN, f64::NAN)
        };
        let probable = scores.iter().all(|score| (0.0..=1.0).contains(score));
        let value = |&metric: &Metric| match metric {
            Metric::Area => area,
            Metric::AveragePrecision => precision,
            _ if !probable => f64::NAN,
            Metric::LogLoss => self.log_loss(scores),
            Metric::Brier => self.brier(scores),
        };
        metrics.iter().map(value).collect()
    }

    /// The probability that was given to what happened, row by row.
    fn chances(&self, scores: &[f64]) -> Vec<f64> {
        let rows = scores.iter().zip(&self.hits);
        rows.map(|(score, hit)| if *hit { *score } else { 1.0 - score })
            .collect()
    }

    fn log_loss(&self, scores: &[f64]) -> f64 {
        let chances = self.chances(scores);
        self.order.sum(&chances, &chances, |p, _| loss(p)) / chances.len() as f64
    }

    fn brier(&self, scores: &[f64]) -> f64 {
        let gaps: Vec<f64> = (scores.iter().zip(&self.hits))
            .map(|(score, hit)| if *hit { 1.0 - score } else { *score })
            .collect();
        self.order.sum(&gaps, &gaps, |gap, _| gap * gap) / gaps.len() as f64
    }
}
