//! How inexact ranks in single precision are, so that none of the nearest points is lost.
//!
//! Values are centred and scaled by a power of two before they are rounded. The bounds are those
//! of running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, ch. 3), and
//! hold for sums in any order, fused or not. Ranks here are `|y|^2 - 2 x.y` of scaled values, less
//! by `|x|^2` than squared distances.

use ndarray::{ArrayView1, ArrayView2};

use super::panels::Arithmetic;

/// Rows that the centre is taken from; any centre will do.
const SAMPLE: usize = 512;

pub struct Frame {
    pub centre: Vec<f64>,
    /// A power of two: scaled values are at most 1.
    pub scale: f64,
    arithmetic: Arithmetic,
    /// Norm of the centre, scaled.
    offset: f64,
    /// Rounding of a rank in single precision, relative to `|y|^2 + 2 |x| |y|`.
    single: f64,
    /// Rounding of the library's ranks, and what it may make of ties, relative to the square of
    /// the norms' sum.
    double: f64,
}

/// What may underflow of a rank.
const TINY: f64 = 1e-38;

impl Frame {
    /// `most` is the greatest absolute value of points and queries.
    pub fn new(points: ArrayView2<f64>, most: f64, arithmetic: Arithmetic) -> Self {
        let (rows, features) = points.dim();
        let step = rows.div_ceil(SAMPLE).max(1);
        let mut centre = vec![0.0; features];
        for row in (0..rows).step_by(step) {
            for (sum, value) in centre.iter_mut().zip(points.row(row)) {
                *sum += *value;
            }
        }
        let taken = rows.div_ceil(step) as f64;
        centre.iter_mut().for_each(|sum| *sum /= taken);
        let exponent = if most > 0.0 { most.log2().ceil() } else { 0.0 };
        let scale = (-exponent - 2.0).clamp(-1000.0, 1000.0).exp2();
        let squares: f64 = centre.iter().map(|value| (value * scale).powi(2)).sum();
        let p = features as f64;
        Self {
            centre,
            scale,
            arithmetic,
            offset: squares.sqrt() * (1.0 + 1e-6),
            single: 1.1 * (2.0 * p + 16.0) * f64::from(f32::EPSILON) / 2.0,
            double: 128.0 * (p + 8.0) * f64::EPSILON,
        }
    }

    pub fn place(&self, feature: usize, value: f64) -> f64 {
        (value - self.centre[feature]) * self.scale
    }

    /// The norm of a query within the frame, rounded up.
    pub fn norm(&self, query: ArrayView1<f64>) -> f64 {
        let values = query.iter().enumerate();
        let squares: f64 = values.map(|(k, v)| self.place(k, *v).powi(2)).sum();
        squares.sqrt() * (1.0 + 1e-6)
    }

    /// Ranks above it are not among the nearest of a query of this `norm`, nor tied with the last
    /// of them, where `last` is the rank of the last.
    pub fn limit(&self, norm: f64, last: f32) -> f32 {
        let (error, last) = (self.single, f64::from(last));
        // How far from the centre a point of that rank can be, and how far in truth a neighbour.
        let large = norm * (1.0 + error);
        let shrunk = if last > 0.0 {
            last
        } else {
            (1.0 - error) * last
        };
        let far = (large + (large * large + shrunk).max(0.0).sqrt()) / (1.0 - error);
        let rank = last + self.inexact(norm, far) + self.library(norm, far);
        self.reach(norm, rank)
    }

    /// Points whose squared distance, as the library rounds it, is at most `squared` have no rank
    /// above it.
    pub fn within(&self, norm: f64, squared: f64) -> f32 {
        self.reach(
            norm,
            squared * self.scale * self.scale - norm * norm * (1.0 - 4e-6),
        )
    }

    fn reach(&self, norm: f64, rank: f64) -> f32 {
        let far = norm + (norm * norm + rank).max(0.0).sqrt();
        let far = far + self.library(norm, far).sqrt();
        let limit = rank + self.inexact(norm, far) + self.library(norm, far);
        (limit + limit.abs() * f64::from(f32::EPSILON)) as f32
    }

    fn inexact(&self, norm: f64, far: f64) -> f64 {
        self.single * (far * far + 2.0 * norm * far) + TINY
    }

    fn library(&self, norm: f64, far: f64) -> f64 {
        let offset = match self.arithmetic {
            // Norms of the values as they are.
            Arithmetic::Expanded => 2.0 * self.offset,
            Arithmetic::Differences => 0.0,
        };
        self.double * (norm + far + offset).powi(2)
    }
}
