//! The principal components of one fold, from its normal equations.
//!
//! Input: normal equations of the training rows. Output: the squares of all singular values of
//! the centred (and scaled) rows with their directions, greatest first, and how large rounding
//! may be along each direction: ours, and that of the reference library, which sums products of
//! rows that are not centred.

use faer::{Mat, Side};

use super::models::PROBE_SIZE;
use super::moments::Frame;
use super::normal::{Normal, Preparation, RightSide};
use crate::errors::Declined;

/// Rounding of one sum of products, in units of the lengths of what is multiplied.
const UNIT: f64 = PROBE_SIZE * f64::EPSILON;
/// How many times rounding the gap between two squares must be for them to be told apart.
const CLEAR: f64 = 1e3;

/// How the reference library decomposes, where it does so completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complete {
    /// The covariance matrix, from products of rows that are not centred.
    Covariance,
    /// A singular value decomposition of the centred rows.
    Full,
}

pub struct Principal {
    /// (a,) squares of singular values, descending, none below 0.
    pub squares: Vec<f64>,
    /// (a, a) directions in the units of the decomposition, as columns.
    directions: Mat<f64>,
    /// (a,) length of each active column as the decomposition sees it.
    length: Vec<f64>,
    /// (a,) length of each projected column as sums of products see it.
    seen: Vec<f64>,
    /// The columns without variance, and their lengths as sums of products see them.
    constant: Vec<(usize, f64)>,
    /// (a, a) row by row: how far rounding turns one direction towards another.
    turns: Vec<f64>,
    /// Rounding of the squares.
    noise: f64,
}

/// A target as the components see it.
pub struct Along {
    /// (a,) products of the target with the projected rows.
    pub products: Vec<f64>,
    y_norm: f64,
}

impl Principal {
    pub fn new(
        normal: &Normal,
        frame: &Frame,
        preparation: Preparation,
        by: Complete,
    ) -> Result<Self, Declined> {
        let size = normal.active.len();
        let length: Vec<f64> = normal.penalty.iter().map(|x| 1.0 / x.sqrt()).collect();
        let gram = Mat::from_fn(size, size, |i, j| {
            normal.matrix[(i, j)] * length[i] * length[j]
        });
        let eigen = gram
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| Declined::IllConditioned)?;
        let ascending = eigen.S().column_vector();
        let squares: Vec<f64> = (0..size).rev().map(|i| ascending[i].max(0.0)).collect();
        let Some(&greatest) = squares.first() else {
            return Err(Declined::RankDeficient);
        };
        if !(greatest.is_finite() && greatest > 0.0) {
            return Err(Declined::NonFinite);
        }
        let directions = eigen.U().reverse_cols().to_owned();
        let uncentred = by == Complete::Covariance && !preparation.scale;
        let from_origin = |mean: f64| {
            if uncentred {
                normal.rows.sqrt() * mean.abs()
            } else {
                0.0
            }
        };
        let column = |i: usize| {
            let ours = length[i] * normal.loss[i];
            ours.max(length[i].hypot(from_origin(normal.mean[i])))
        };
        let lengths: Vec<f64> = (0..size).map(column).collect();
        let mut active = normal.active.iter().copied().peekable();
        let constant: Vec<(usize, f64)> = (0..frame.features())
            .filter(|j| active.next_if_eq(j).is_none())
            .map(|j| {
                let value = frame.centre[j] + normal.offset[j];
                (j, normal.constant_norm.max(from_origin(value)))
            })
            .collect();
        let longest = lengths.iter().chain(constant.iter().map(|(_, norm)| norm));
        let longest = longest.fold(0.0, |a: f64, b| a.max(*b));
        let seen: Vec<f64> = (directions.col_iter())
            .map(|direction| {
                let parts = direction.iter().zip(&lengths);
                let squares = parts.map(|(part, length)| (part * length) * (part * length));
                squares.sum::<f64>().sqrt()
            })
            .collect();
        let mut turns = Vec::with_capacity(size * size);
        for (one, square) in seen.iter().zip(&squares) {
            let others = seen.iter().zip(&squares);
            turns
                .extend(others.map(|(other, least)| {
                    UNIT * (one * other + greatest) / (square - least).abs()
                }));
        }
        Ok(Self {
            turns,
            seen,
            noise: UNIT * (longest * longest + greatest),
            constant,
            squares,
            directions,
            length,
        })
    }

    /// What `side` is along the components.
    pub fn along(&self, side: &RightSide) -> Along {
        let target: Vec<f64> = (side.rhs.iter().zip(&self.length))
            .map(|(r, l)| r * l)
            .collect();
        let product = |direction: faer::ColRef<'_, f64>| {
            let parts = direction.iter().zip(&target);
            parts.map(|(part, target)| part * target).sum::<f64>()
        };
        Along {
            products: self.directions.col_iter().map(product).collect(),
            y_norm: side.y_norm,
        }
    }

    /// Components of some variance, and of none that is not rounding.
    pub fn rank(&self) -> usize {
        self.squares.len()
    }

    /// Whether all columns have variance.
    pub fn is_complete(&self) -> bool {
        self.constant.is_empty()
    }

    /// Whether the first `count` components and no others are surely the longest, and longer than
    /// rounding.
    pub fn is_clear(&self, count: usize) -> bool {
        let next = self.squares.get(count).copied().unwrap_or(0.0);
        self.squares[count - 1] - next > CLEAR * self.noise
    }

    /// (a,) how far rounding may move each of the weights of `filter` times `along`, and (c,) of
    /// the constant columns: first-order perturbation of a function of a symmetric matrix.
    pub fn errors(&self, filter: &Filter, along: &Along) -> (Vec<f64>, Vec<f64>) {
        let (count, size) = (filter.count, self.rank());
        let greatest = self.squares[0];
        let weights = self.weights(filter, along);
        // Among the components that are kept, errors of their products: squares of
        // UNIT * (seen[i] * seen[j] + greatest), summed over j.
        let mut sums = [0.0; 3];
        for (weight, seen) in weights.iter().zip(&self.seen) {
            let square = (UNIT * weight).powi(2);
            sums[0] += square;
            sums[1] += square * seen;
            sums[2] += square * seen * seen;
        }
        let products = |seen: f64| {
            greatest * greatest * sums[0] + 2.0 * greatest * seen * sums[1] + seen * seen * sums[2]
        };
        let mut errors = Vec::with_capacity(size);
        for i in 0..size {
            // Turns between what is kept and what is not.
            let turns = &self.turns[i * size..][..size];
            if i < count {
                let pairs = turns[count..].iter().zip(&along.products[count..]);
                let turned: f64 = pairs.map(|(turn, along)| (turn * along).powi(2)).sum();
                let factor = self.factor(filter, i);
                let moved = (products(self.seen[i]) / filter.gain.powi(2) + turned).sqrt();
                errors.push(factor * (moved + UNIT * self.seen[i] * along.y_norm));
            } else {
                let pairs = turns.iter().zip(&weights);
                let turned: f64 = pairs.map(|(turn, weight)| (turn * weight).powi(2)).sum();
                errors.push(turned.sqrt());
            }
        }
        let constant = self.constant.iter().map(|(_, norm)| {
            let term = |j: usize| {
                let rounding = UNIT * (norm * self.seen[j] + greatest);
                weights[j] / self.squares[j] * rounding
            };
            (0..count).map(|j| term(j).powi(2)).sum::<f64>().sqrt()
        });
        (errors, constant.collect())
    }

    fn factor(&self, filter: &Filter, i: usize) -> f64 {
        filter.gain / (self.squares[i] + filter.shift)
    }

    /// (count,) weights of the projected columns.
    pub fn weights(&self, filter: &Filter, along: &Along) -> Vec<f64> {
        let weight = |i: usize| self.factor(filter, i) * along.products[i];
        (0..filter.count).map(weight).collect()
    }

    /// Writes weights of the projected columns, one model a column, as raw coefficients.
    pub fn unscale(&self, normal: &Normal, weights: &Mat<f64>, coef: &mut Mat<f64>) {
        let mut columns = &self.directions * weights;
        for k in 0..columns.ncols() {
            for i in 0..columns.nrows() {
                columns[(i, k)] *= self.length[i];
            }
        }
        normal.unscale(&columns, coef, 0);
    }

    /// The columns without variance.
    pub fn constant(&self) -> impl Iterator<Item = usize> {
        self.constant.iter().map(|(column, _)| *column)
    }

    /// Rounding of a prediction from projecting rows whose means are `mean` from the origin.
    pub fn projecting(&self, mean: &[f64], weights: &[f64]) -> f64 {
        let along = |i: usize| {
            let parts = weights.iter().enumerate();
            parts
                .map(|(k, w)| (self.directions[(i, k)] * w).abs())
                .sum::<f64>()
        };
        let units = mean.iter().enumerate();
        f64::EPSILON * units.map(|(i, mean)| mean.abs() * along(i)).sum::<f64>()
    }
}

/// Weights of the first components: `gain / (square + shift)` times the target along them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filter {
    pub count: usize,
    pub gain: f64,
    pub shift: f64,
}
