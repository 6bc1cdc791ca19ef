//! Least squares as scikit-learn's `LinearRegression` has it: without the directions whose
//! singular value is below a millionth of the greatest, and of least norm.
//!
//! Input: normal equations. Output: their spectrum in the units of the linear model, and solutions
//! from the directions that count. Eigenvalues are squares of singular values, so the bound lies
//! well above their rounding; a design with a value near the bound is declined.

use faer::linalg::solvers::{Llt, Solve};
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
    /// (a, kept) the directions that count, equilibrated and of length 1.
    basis: Mat<f64>,
    /// Of the equilibrated system along them. (Eigenvalues would lose the digits of small ones.)
    factor: Llt<f64>,
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
        let directions = eigen.U().to_owned();
        let mut basis = Mat::from_fn(size, kept, |i, k| directions[(i, dropped + k)] * length[i]);
        for k in 0..kept {
            let norm = basis.col(k).norm_l2();
            basis.col_mut(k).iter_mut().for_each(|value| *value /= norm);
        }
        let along = basis.transpose() * (&normal.matrix * &basis);
        let factor = along
            .llt(Side::Lower)
            .map_err(|_| Declined::IllConditioned)?;
        Ok(Self {
            directions,
            basis,
            factor,
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
        let mut along = self.basis.transpose() * rhs;
        self.factor.solve_in_place(along.as_mut());
        &self.basis * &along
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

    /// Equilibrated weights by which the rounding of the reference library's own decomposition may
    /// move `weights`: it works on the features as they are, whose error is in proportion to
    /// their greatest singular value. `residual` is a sum of squares.
    pub fn rounding(&self, weights: &Mat<f64>, residual: f64, factors: &Mat<f64>) -> Mat<f64> {
        let size = self.length.len();
        let norm = (0..size).map(|i| (weights[(i, 0)] / self.length[i]).powi(2));
        let (norm, left) = (norm.sum::<f64>().sqrt(), residual.sqrt());
        let unit = f64::EPSILON * self.squares[size - 1].sqrt();
        let along = Mat::from_fn(size, factors.ncols(), |i, k| {
            let singular = self.squares[i].max(0.0).sqrt();
            if i < self.dropped || singular == 0.0 {
                0.0
            } else {
                unit * (norm / singular + left / singular / singular) * factors[(i, k)]
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
