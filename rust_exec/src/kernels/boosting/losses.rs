//! Losses: initial scores, first and second derivatives, and leaf values that are quantiles.
//!
//! Input: targets (n,), weights, raw scores (outputs x n). Output: derivatives, or constants.

use super::options::Loss;
use crate::errors::KernelError;

const SMALL: f64 = 1e-15;

/// Targets of the training rows and their weights.
#[derive(Clone, Copy)]
pub struct Targets<'a> {
    pub y: &'a [f64],
    pub weights: Option<&'a [f64]>,
}

impl<'a> Targets<'a> {
    /// Refuses targets that the loss is not defined for.
    pub fn checked(self, loss: Loss) -> Result<Self, KernelError> {
        let allowed = |v: f64| match loss {
            Loss::Logistic => v == 0.0 || v == 1.0,
            Loss::Softmax { classes, .. } => v >= 0.0 && v < classes as f64 && v.fract() == 0.0,
            Loss::Poisson { .. } => v.is_finite() && v >= 0.0,
            _ => v.is_finite(),
        };
        if let Some(bad) = self.y.iter().find(|v| !allowed(**v)) {
            let message = format!("y has a value that the loss does not allow: {bad}");
            return Err(KernelError::input("bad_target", message));
        }
        let Some(weights) = self.weights else {
            return Ok(self);
        };
        if weights.len() != self.y.len() {
            let message = format!("weight has {} rows, y has {}", weights.len(), self.y.len());
            return Err(KernelError::input("shape_mismatch", message));
        }
        let wrong = weights.iter().any(|w| !(w.is_finite() && *w >= 0.0));
        if wrong || weights.iter().sum::<f64>() <= 0.0 {
            let message = "weights must be finite, not negative, and not all zero";
            return Err(KernelError::input("bad_weight", message));
        }
        Ok(self)
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    fn total(&self) -> f64 {
        match self.weights {
            None => self.y.len() as f64,
            Some(weights) => weights.iter().sum(),
        }
    }

    fn mean(&self) -> f64 {
        let sum: f64 = match self.weights {
            None => self.y.iter().sum(),
            Some(weights) => self.y.iter().zip(weights).map(|(y, w)| y * w).sum(),
        };
        sum / self.total()
    }
}

/// The scores that boosting starts from, one for each output: the constants that fit best.
pub fn initial(loss: Loss, targets: Targets<'_>) -> Vec<f64> {
    let mean = targets.mean();
    match loss {
        Loss::Squared => vec![mean],
        Loss::Logistic => {
            let share = mean.clamp(SMALL, 1.0 - SMALL);
            vec![(share / (1.0 - share)).ln()]
        }
        Loss::Poisson { .. } => vec![mean.max(SMALL).ln()],
        Loss::Softmax { classes, .. } => {
            let mut shares = vec![0.0; classes];
            for (row, &y) in targets.y.iter().enumerate() {
                shares[y as usize] += targets.weight(row);
            }
            let total = targets.total();
            shares.iter().map(|s| (s / total).max(SMALL).ln()).collect()
        }
        Loss::Quantile { .. } | Loss::Absolute => {
            let level = loss.renewed().unwrap_or(0.5);
            let rows = 0..targets.y.len();
            let pairs = rows.map(|r| (targets.y[r], targets.weight(r))).collect();
            vec![quantile(pairs, level, targets.weights.is_some())]
        }
    }
}

/// First and second derivatives by output and row, at these scores.
///
/// `second` stays empty where it is 1 throughout.
pub fn derivatives(
    loss: Loss,
    targets: Targets<'_>,
    scores: &[Vec<f64>],
    first: &mut [Vec<f32>],
    second: &mut [Vec<f32>],
) {
    if let Loss::Softmax { curvature, .. } = loss {
        softmax(targets, scores, curvature, first, second);
        return;
    }
    let scores = &scores[0];
    let (g, h) = (&mut first[0], &mut second[0]);
    let rows = g.iter_mut().zip(targets.y.iter().zip(scores));
    match loss {
        Loss::Squared => rows.for_each(|(g, (y, s))| *g = (s - y) as f32),
        Loss::Absolute => rows.for_each(|(g, (y, s))| *g = sign(s - y)),
        Loss::Quantile { level } => rows.for_each(|(g, (y, s))| {
            *g = if s > y { 1.0 - level } else { -level } as f32;
        }),
        Loss::Logistic => {
            for ((g, (y, s)), h) in rows.zip(h.iter_mut()) {
                let p = 1.0 / (1.0 + (-s).exp());
                *g = (p - y) as f32;
                *h = (p * (1.0 - p)) as f32;
            }
        }
        Loss::Poisson { step } => {
            let factor = step.exp();
            for ((g, (y, s)), h) in rows.zip(h.iter_mut()) {
                let rate = s.exp();
                *g = (rate - y) as f32;
                *h = (rate * factor) as f32;
            }
        }
        Loss::Softmax { .. } => {}
    }
    if let Some(weights) = targets.weights {
        for (g, w) in g.iter_mut().zip(weights) {
            *g *= *w as f32;
        }
        if loss.constant_curvature() {
            h.iter_mut().zip(weights).for_each(|(h, w)| *h = *w as f32);
        } else {
            h.iter_mut().zip(weights).for_each(|(h, w)| *h *= *w as f32);
        }
    }
}

fn sign(v: f64) -> f32 {
    if v > 0.0 {
        1.0
    } else if v < 0.0 {
        -1.0
    } else {
        0.0
    }
}

fn softmax(
    targets: Targets<'_>,
    scores: &[Vec<f64>],
    curvature: f64,
    first: &mut [Vec<f32>],
    second: &mut [Vec<f32>],
) {
    let mut shares = vec![0.0; scores.len()];
    for (row, &y) in targets.y.iter().enumerate() {
        let top = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(s[row]));
        let mut sum = 0.0;
        for (share, score) in shares.iter_mut().zip(scores) {
            *share = (score[row] - top).exp();
            sum += *share;
        }
        let weight = targets.weight(row);
        for (class, share) in shares.iter().enumerate() {
            let p = share / sum;
            let is = f64::from(u8::from(y == class as f64));
            first[class][row] = (weight * (p - is)) as f32;
            second[class][row] = (weight * curvature * p * (1.0 - p)) as f32;
        }
    }
}

/// The weighted quantile of (value, weight) pairs.
///
/// Without weights it is interpolated as LightGBM does for its leaves; with them it is the
/// least value that has `level` of the weight at or below it.
pub fn quantile(mut pairs: Vec<(f64, f64)>, level: f64, weighted: bool) -> f64 {
    if pairs.is_empty() {
        return 0.0;
    }
    let by_value = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0);
    let n = pairs.len();
    if !weighted {
        let place = n as f64 * (1.0 - level); // from the top
        let whole = place as usize;
        let last = n - whole.clamp(1, n);
        let (_, upper, _) = pairs.select_nth_unstable_by(last, by_value);
        let upper = upper.0;
        if whole < 1 || whole >= n {
            return upper;
        }
        let below = pairs[..last].iter().map(|p| p.0);
        let lower = below.fold(f64::NEG_INFINITY, f64::max);
        return upper - (upper - lower) * (place - whole as f64);
    }
    pairs.sort_unstable_by(by_value);
    let wanted = level * pairs.iter().map(|p| p.1).sum::<f64>();
    let mut sum = 0.0;
    for (value, weight) in &pairs {
        sum += weight;
        if sum >= wanted && *weight > 0.0 {
            return *value;
        }
    }
    pairs[n - 1].0
}
