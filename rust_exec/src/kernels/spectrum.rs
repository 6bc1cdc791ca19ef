//! Least squares as scikit-learn's `LinearRegression` has it: without the directions whose
//! singular value is below a millionth of the greatest, and of least norm.
//!
//! Input: normal equations. Output: their spectrum in the units of the linear model, and solutions
//! from the directions that count. Eigenvalues are squares of singular values, so the bound lies
//! well above their rounding; a design with a value near the bound is declined.

use faer::{Mat, Side};

use super::normal::Normal;
use crate::errors::Declined;

/// `LinearRegression` leaves out singular values below this share of the greatest.
const LEAST_SINGULAR: f64 = 1e-6;
/// How far from that bound, as a factor, every singular value must be.
const CLEAR: f64 = 2.0;

pub struct Spectrum {
    /// (a, a) directions in the units of the linear model, as columns.
    directions: Mat<f64>,
    /// (a,) ascending squares of singular values.
    squares: Vec<f64>,
    /// Directions that do not count; the first ones.
    dropped: usize,
    /// (a,) length of each column as the linear model sees it.
    length: Vec<f64>,
}

impl Spectrum {
    pub fn new(normal: &Normal) -> Result<Self, Declined> {
        let size = normal.active.len();
        let length: Vec<f64> = normal.penalty.iter().map(|x| 1.0 / x.sqrt()).collect();
        let gram = Mat::from_fn(size, size, |i, j| {
            normal.matrix[(i, j)] * length[i] * length[j]
        });
        let eigen = gram
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| Declined::IllConditioned)?;
        let squares: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        let Some(greatest) = squares.last() else {
            return Err(Declined::ConstantColumn);
        };
        let bound = LEAST_SINGULAR * greatest.sqrt();
        // Were it not left out, a constant column's rounding would count as a direction.
        if normal.constant_norm * CLEAR > bound {
            return Err(Declined::ConstantColumn);
        }
        let singular = |square: &f64| square.max(0.0).sqrt();
        let dropped = squares
            .iter()
            .filter(|s| singular(s) * CLEAR < bound)
            .count();
        let kept = squares
            .iter()
            .filter(|s| singular(s) > CLEAR * bound)
            .count();
        // A NaN is neither.
        if kept == 0 || dropped + kept != size {
            return Err(Declined::RankDeficient);
        }
        Ok(Self {
            directions: eigen.U().to_owned(),
            squares,
            dropped,
            length,
        })
    }

    /// Whether every direction counts.
    pub fn is_full(&self) -> bool {
        self.dropped == 0
    }

    /// Equilibrated weights of least norm for equilibrated right-hand sides.
    pub fn solve(&self, rhs: &Mat<f64>) -> Mat<f64> {
        let (size, count) = (self.length.len(), rhs.ncols());
        let scaled = Mat::from_fn(size, count, |i, k| rhs[(i, k)] * self.length[i]);
        let mut along = self.directions.transpose() * &scaled;
        for k in 0..count {
            for i in 0..size {
                let square = self.squares[i];
                along[(i, k)] = if i < self.dropped {
                    0.0
                } else {
                    along[(i, k)] / square
                };
            }
        }
        self.equilibrated(&along)
    }

    /// Equilibrated weights that rounding of the directions may add to `weights`: some of those
    /// left out. `factors` are one number per direction and column of the result.
    pub fn tilt(&self, weights: &Mat<f64>, factors: &Mat<f64>) -> Mat<f64> {
        let size = self.length.len();
        let norm = |i: usize| weights[(i, 0)] / self.length[i];
        let norm = (0..size).map(|i| norm(i).powi(2)).sum::<f64>().sqrt();
        let gap = self.squares[self.dropped] / self.squares[size - 1];
        let amount = f64::EPSILON * norm / gap;
        let along = Mat::from_fn(size, factors.ncols(), |i, k| {
            if i < self.dropped {
                amount * factors[(i, k)]
            } else {
                0.0
            }
        });
        self.equilibrated(&along)
    }

    fn equilibrated(&self, along: &Mat<f64>) -> Mat<f64> {
        let mut weights = &self.directions * along;
        for k in 0..weights.ncols() {
            for i in 0..weights.nrows() {
                weights[(i, k)] *= self.length[i];
            }
        }
        weights
    }
}
