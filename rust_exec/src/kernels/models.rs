//! The solved models of one fold and what they predict.
//!
//! Input: normal equations and penalties. Output: coefficients, predictions, and an estimate of
//! how far rounding, ours or the reference library's, may have moved the predictions. The
//! estimate comes from probes: right-hand sides the size of rounding errors, solved for and
//! predicted like any other model, so that collinear features count for as much as they matter
//! to the validation rows and no more.

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, MatMut, Par, Side};
use ndarray::ArrayView1;

use super::block::{Block, Missing, Source};
use super::moments::Frame;
use super::normal::{Normal, Preparation};
use crate::errors::Declined;

/// Perturbed systems solved per fold to see how far rounding moves the predictions.
const PROBES: usize = 4;
/// Size of a probe, in units of the rounding error of one sum.
const PROBE_SIZE: f64 = 8.0;

/// Linear models on centred raw features: one per penalty, then the probes.
pub struct Models<'a> {
    frame: &'a Frame,
    /// (p, alphas + PROBES)
    pub coef: Mat<f64>,
    /// (alphas + PROBES,) prediction at the frame's centre.
    level: Vec<f64>,
    /// (alphas,) prediction at zero.
    pub intercept: Vec<f64>,
    /// Least residual sum of squares over the training rows.
    pub training_error: f64,
    /// Rounding of the reference library's predictions that no probe stands for.
    pub rounding: f64,
}

pub struct Predicted {
    /// (rows, alphas) row by row.
    pub values: Vec<f64>,
    /// Least mean squared error over the penalties, where there is a target.
    pub error: Option<f64>,
    /// Greatest mean square of a probe's predictions.
    pub probed: f64,
}

impl<'a> Models<'a> {
    /// Solves for every penalty; `doubtful` is the reason given when a system is singular.
    pub fn solve(
        alphas: &[f64],
        preparation: Preparation,
        normal: &Normal,
        frame: &'a Frame,
        doubtful: Declined,
    ) -> Result<Self, Declined> {
        let p = frame.features();
        let a = alphas.len();
        let size = normal.active.len();
        let smallest = alphas.iter().copied().fold(f64::INFINITY, f64::min);
        if size < p && smallest == 0.0 {
            return Err(Declined::ConstantColumn);
        }
        let mut coef = Mat::zeros(p, a + PROBES);
        let mut training_error = f64::INFINITY;
        let mut rounding = 0.0_f64;
        for (k, &alpha) in alphas.iter().enumerate() {
            let mut system = normal.matrix.clone();
            for (i, penalty) in normal.penalty.iter().enumerate() {
                system[(i, i)] += alpha * penalty;
            }
            let factor = system.llt(Side::Lower).map_err(|_| doubtful)?;
            // The matrix has a unit diagonal: a smaller pivot is only rounding.
            let pivots = (0..size).map(|i| factor.L()[(i, i)].powi(2));
            if pivots.fold(1.0, f64::min) < PROBE_SIZE * f64::EPSILON * size as f64 {
                return Err(doubtful);
            }
            let mut weights = Mat::from_fn(size, 1, |i, _| normal.rhs[i]);
            factor.solve_in_place(weights.as_mut());
            normal.unscale(&weights, &mut coef, k);
            let left = residual(normal, &weights);
            training_error = training_error.min(left);
            if normal.rows < p as f64 {
                rounding = rounding.max(dual_rounding(normal, alpha, left));
            }
            // The smallest penalty leaves the system closest to singular.
            if alpha == smallest {
                let mut errors = probe_errors(normal, preparation, &weights);
                factor.solve_in_place(errors.as_mut());
                normal.unscale(&errors, &mut coef, a);
                for (j, noise) in normal.constant_noise.iter().enumerate() {
                    if *noise > 0.0 {
                        (a..a + PROBES).for_each(|k| coef[(j, k)] = noise / alpha);
                    }
                }
            }
        }
        let mut models = Self {
            frame,
            coef,
            level: Vec::with_capacity(a + PROBES),
            intercept: Vec::with_capacity(a),
            training_error,
            rounding,
        };
        models.set_levels(preparation, normal);
        Ok(models)
    }

    /// Fills in the predictions at the centre and at zero, and their rounding.
    fn set_levels(&mut self, preparation: Preparation, normal: &Normal) {
        let p = self.frame.features();
        let a = self.intercept.capacity();
        let centre = &self.frame.centre;
        // From the centre, where predictions start, to where the coefficients apply.
        let shift = if preparation.centred() {
            &normal.offset
        } else {
            centre
        };
        let at_mean = if preparation.fit_intercept {
            normal.y_mean
        } else {
            0.0
        };
        for k in 0..a + PROBES {
            let coef = self.coef.col(k);
            let along = |x: &[f64]| x.iter().zip(coef.iter()).map(|(x, c)| x * c).sum::<f64>();
            // A probe is a change of the coefficients only.
            let at_mean = if k < a { at_mean } else { 0.0 };
            let (at_centre, at_zero) = if preparation.centred() {
                let at_centre = at_mean - along(shift);
                (at_centre, at_centre - along(centre))
            } else {
                (along(shift), 0.0)
            };
            self.level.push(at_centre);
            if k < a {
                self.intercept.push(at_zero);
                let rounded = preparation.mean_rounding(normal.rows);
                let term = |j: usize| {
                    let mean = centre[j] + normal.offset[j];
                    (rounded * mean.abs() + 2.0 * shift[j].abs()) * coef[j].abs()
                };
                let units = 4.0 * at_mean.abs() + (0..p).map(term).sum::<f64>();
                self.rounding = self.rounding.max(f64::EPSILON * units);
            }
        }
    }

    /// Predicts rows of a matrix; NaN there become `fill`, given about the centre.
    pub fn predict(
        &self,
        source: &Source<'_>,
        y: Option<ArrayView1<'_, f64>>,
        rows: &[u32],
        fill: Option<&[f64]>,
    ) -> Predicted {
        let p = self.frame.features();
        let a = self.intercept.len();
        let width = a + PROBES;
        let missing = fill.map_or(Missing::Keep, Missing::Fill);
        let mut values = vec![0.0; rows.len() * a];
        let mut squares = vec![0.0; width];
        let mut block = Block::new(p);
        let capacity = Block::capacity(p);
        let mut product = vec![0.0; capacity * width];
        for (rows, values) in rows.chunks(capacity).zip(values.chunks_mut(capacity * a)) {
            source.pack(rows, &self.frame.centre, missing, &mut block);
            let product = &mut product[..rows.len() * width];
            matmul(
                MatMut::from_row_major_slice_mut(product, rows.len(), width),
                Accum::Replace,
                block.view(),
                self.coef.as_ref(),
                1.0,
                Par::Seq,
            );
            let products = product.chunks_exact(width);
            for ((product, values), &row) in products.zip(values.chunks_exact_mut(a)).zip(rows) {
                let target = y.map_or(0.0, |y| y[row as usize]);
                for (k, value) in values.iter_mut().enumerate() {
                    *value = product[k] + self.level[k];
                    squares[k] += (*value - target) * (*value - target);
                }
                for k in a..width {
                    let value = product[k] + self.level[k];
                    squares[k] += value * value;
                }
            }
        }
        let mean = |k: usize| squares[k] / rows.len() as f64;
        // Unlike f64::min and f64::max, these keep a NaN.
        let least = |a: f64, b: f64| if a.is_nan() || a < b { a } else { b };
        let greatest = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
        Predicted {
            error: y.map(|_| (0..a).map(mean).fold(f64::INFINITY, least)),
            probed: (a..width).map(mean).fold(0.0, greatest),
            values,
        }
    }
}

/// Training residual sum of squares of equilibrated weights; never below zero.
fn residual(normal: &Normal, weights: &Mat<f64>) -> f64 {
    let mut sum = normal.y_squares;
    for i in 0..weights.nrows() {
        let row = normal.matrix.col(i).iter().zip(weights.col(0).iter());
        let fitted: f64 = row.map(|(r, v)| r * v).sum();
        sum += weights[(i, 0)] * (fitted - 2.0 * normal.rhs[i]);
    }
    sum.max(0.0)
}

/// Rounding of predictions from the dual system, which the reference library solves when there
/// are more features than rows: its condition is the trace of the kernel matrix over alpha, and
/// its solution the training residuals over alpha. Columns of other units cannot be balanced
/// there.
fn dual_rounding(normal: &Normal, alpha: f64, residual: f64) -> f64 {
    let trace: f64 = normal.penalty.iter().map(|penalty| 1.0 / penalty).sum();
    // The residual is a difference of sums about the size of the target's.
    let residual = residual.max(1e-14 * normal.y_squares) / normal.rows;
    2.0 * PROBE_SIZE * f64::EPSILON * trace / alpha * residual.sqrt()
}

/// (a, PROBES) right-hand sides as large as the rounding errors of the normal equations, with
/// fixed pseudo-random signs: solving for them shows how far rounding can move the solution.
fn probe_errors(normal: &Normal, preparation: Preparation, weights: &Mat<f64>) -> Mat<f64> {
    let losses = weights.col(0).iter().zip(&normal.loss);
    // Errors of different sums are independent, so they add like random walks.
    let fitted = losses.map(|(w, loss)| (w * loss).powi(2)).sum::<f64>();
    let size = PROBE_SIZE * (normal.y_norm + fitted.sqrt());
    // Features of a rounded mean, times a target that keeps its own.
    let uncentred = if preparation.scale && !preparation.fit_intercept {
        preparation.mean_rounding(normal.rows) * normal.rows * normal.y_mean.abs()
    } else {
        0.0
    };
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    Mat::from_fn(weights.nrows(), PROBES, |i, _| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let sign = if state & 1 == 0 { 1.0 } else { -1.0 };
        let mean = normal.mean[i].abs() / normal.unit[i];
        sign * f64::EPSILON * (size * normal.loss[i] + uncentred * mean)
    })
}
