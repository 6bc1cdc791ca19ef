//! Ridge regression and least squares in closed form, from the normal equations of one fold.
//!
//! Input: normal equations and penalties. Output: coefficients, with probes: right-hand sides the
//! size of rounding errors, solved for like any other. A penalty of zero is least squares.

use faer::linalg::solvers::Solve;
use faer::{Mat, Scale, Side};

use super::models::{PROBE_SIZE, PROBES, Solved, Unsolved};
use super::normal::{Normal, Preparation, RightSide};
use super::spectrum::Spectrum;
use crate::errors::Declined;

/// Rounding of the reference library's decomposition, in units of a probe: its errors are those of
/// one orthogonal factorisation, not of many sums.
const LIBRARY: Scale<f64> = Scale(0.125);

/// Solves for every penalty of one target. `doubtful` is the reason given when a system is singular.
pub fn solve(
    alphas: &[f64],
    preparation: Preparation,
    normal: &Normal,
    side: &RightSide,
    doubtful: Declined,
) -> Result<Solved, Unsolved> {
    let p = normal.offset.len();
    let a = alphas.len();
    let size = normal.active.len();
    let smallest = alphas.iter().copied().fold(f64::INFINITY, f64::min);
    let suspects = || (0..a).filter(|&k| alphas[k] == smallest).collect();
    let unsolved = |reason| Unsolved {
        reason,
        suspects: suspects(),
    };
    let spectrum = (smallest == 0.0).then(|| Spectrum::new(normal));
    let spectrum = spectrum.transpose().map_err(unsolved)?;
    let mut solved = Solved {
        coef: Mat::zeros(p, a + PROBES),
        training_error: f64::INFINITY,
        rounding: 0.0,
        suspects: suspects(),
    };
    // The smallest penalty first: it leaves the system closest to singular.
    let mut order: Vec<usize> = (0..a).collect();
    order.sort_by(|&i, &j| alphas[i].total_cmp(&alphas[j]));
    let rhs = Mat::from_fn(size, 1, |i, _| side.rhs[i]);
    for (turn, &k) in order.iter().enumerate() {
        let alpha = alphas[k];
        if let (0.0, Some(spectrum)) = (alpha, &spectrum)
            && !spectrum.is_full()
        {
            let weights = spectrum.solve(&rhs);
            normal.unscale(&weights, &mut solved.coef, k);
            solved.training_error = residual(normal, side, &weights);
            if turn == 0 {
                let mut noise = Noise::default();
                let factors = Mat::from_fn(size, PROBES, |_, _| PROBE_SIZE * noise.draw());
                let left = solved.training_error;
                let errors = probe_errors(normal, side, preparation, &weights, left);
                let errors = spectrum.solve(&errors)
                    + spectrum.tilt(&weights, &factors)
                    + spectrum.rounding(&weights, left, &factors) * LIBRARY;
                normal.unscale(&errors, &mut solved.coef, a);
            }
            continue;
        }
        let mut system = normal.matrix.clone();
        for (i, penalty) in normal.penalty.iter().enumerate() {
            system[(i, i)] += alpha * penalty;
        }
        let factor = system.llt(Side::Lower).map_err(|_| unsolved(doubtful))?;
        // The matrix has a unit diagonal: a smaller pivot is only rounding.
        let pivots = (0..size).map(|i| factor.L()[(i, i)].powi(2));
        if pivots.fold(1.0, f64::min) < PROBE_SIZE * f64::EPSILON * size as f64 {
            return Err(unsolved(doubtful));
        }
        let mut weights = rhs.clone();
        factor.solve_in_place(weights.as_mut());
        normal.unscale(&weights, &mut solved.coef, k);
        let left = residual(normal, side, &weights);
        solved.training_error = solved.training_error.min(left);
        if normal.rows < p as f64 {
            solved.rounding = solved
                .rounding
                .max(dual_rounding(normal, side, alpha, left));
        }
        if turn == 0 {
            let mut errors = probe_errors(normal, side, preparation, &weights, left);
            factor.solve_in_place(errors.as_mut());
            if let (0.0, Some(spectrum)) = (alpha, &spectrum) {
                let mut noise = Noise::default();
                let factors = Mat::from_fn(size, PROBES, |_, _| PROBE_SIZE * noise.draw());
                errors += spectrum.rounding(&weights, left, &factors) * LIBRARY;
            }
            normal.unscale(&errors, &mut solved.coef, a);
            for (j, noise) in normal.constant_noise.iter().enumerate() {
                // Without a penalty the reference library leaves constant columns out.
                if *noise > 0.0 && alpha > 0.0 {
                    let noise = noise * side.y_size / alpha;
                    (a..a + PROBES).for_each(|k| solved.coef[(j, k)] = noise);
                }
            }
        }
    }
    Ok(solved)
}

/// Training residual sum of squares of equilibrated weights; never below zero.
fn residual(normal: &Normal, side: &RightSide, weights: &Mat<f64>) -> f64 {
    let mut sum = side.y_squares;
    for i in 0..weights.nrows() {
        let row = normal.matrix.col(i).iter().zip(weights.col(0).iter());
        let fitted: f64 = row.map(|(r, v)| r * v).sum();
        sum += weights[(i, 0)] * (fitted - 2.0 * side.rhs[i]);
    }
    sum.max(0.0)
}

/// Rounding of predictions from the dual system, which the reference library solves when there
/// are more features than rows: its condition is the trace of the kernel matrix over alpha, and
/// its solution the training residuals over alpha. Columns of other units cannot be balanced
/// there.
fn dual_rounding(normal: &Normal, side: &RightSide, alpha: f64, residual: f64) -> f64 {
    let trace: f64 = normal.penalty.iter().map(|penalty| 1.0 / penalty).sum();
    // The residual is a difference of sums about the size of the target's.
    let residual = residual.max(1e-14 * side.y_squares) / normal.rows;
    2.0 * PROBE_SIZE * f64::EPSILON * trace / alpha * residual.sqrt()
}

/// (a, PROBES) right-hand sides as large as the rounding errors of the normal equations, with
/// fixed pseudo-random factors: solving for them shows how far rounding can move the solution.
fn probe_errors(
    normal: &Normal,
    side: &RightSide,
    preparation: Preparation,
    weights: &Mat<f64>,
    residual: f64,
) -> Mat<f64> {
    let filled_errors = normal.filled_errors(weights, residual);
    let losses = weights.col(0).iter().zip(&normal.loss);
    // Errors of different sums are independent, so they add like random walks.
    let fitted = losses.map(|(w, loss)| (w * loss).powi(2)).sum::<f64>();
    let size = PROBE_SIZE * (side.y_norm + fitted.sqrt());
    let mut noise = Noise::default();
    Mat::from_fn(weights.nrows(), PROBES, |i, _| {
        let sums = f64::EPSILON * size * normal.loss[i];
        noise.draw()
            * (sums + normal.mean_error(side, preparation, i) + PROBE_SIZE * filled_errors[i])
    })
}

/// Fixed pseudo-random numbers of mean 0 and variance 1, evenly spread (xorshift64). Signs alone
/// would leave out differences of two columns half of the time.
pub struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Noise {
    pub fn draw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let share = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        (2.0 * share - 1.0) * 3.0_f64.sqrt()
    }
}
