//! Imputation in the moments: an imputed column is x0 + fill * m, linear in its
//! missing-value indicator m, so its moments follow from theirs.
//!
//! Input: moments of one fold's training rows. Output: moments of the imputed columns.

use faer::Mat;

use super::moments::Frame;
use crate::errors::Declined;

/// Moments of the columns after imputation.
pub struct Imputed<'a> {
    moments: &'a Mat<f64>,
    one: usize,
    /// (p,) what stands for missing values, about the centre; 0 without an indicator.
    fill: Vec<f64>,
    /// (p,) position of the column's indicator.
    indicator: Vec<Option<usize>>,
}

impl<'a> Imputed<'a> {
    /// Columns are filled with their mean, or with what `fills`, where it is a number, says.
    ///
    /// Declines when a column has no value to take a mean of.
    pub fn new(
        moments: &'a Mat<f64>,
        frame: &Frame,
        fills: Option<&[f64]>,
    ) -> Result<Self, Declined> {
        let p = frame.features();
        let one = frame.one();
        let n = moments[(one, one)];
        let mut fill = vec![0.0; p];
        let mut indicator = vec![None; p];
        for (q, &column) in frame.indicators.iter().enumerate() {
            let missing = moments[(one, p + q)];
            if missing >= n {
                return Err(Declined::EmptyColumn);
            }
            let known = fills.map(|fills| fills[column]).filter(|f| !f.is_nan());
            fill[column] = match known {
                Some(value) => value - frame.centre[column],
                None => moments[(one, column)] / (n - missing),
            };
            indicator[column] = (missing > 0.0).then_some(p + q);
        }
        Ok(Self {
            moments,
            one,
            fill,
            indicator,
        })
    }

    /// Moment of two positions in any order: only the lower triangle is stored.
    fn at(&self, i: usize, j: usize) -> f64 {
        self.moments[(i.max(j), i.min(j))]
    }

    /// With what is at position `other`, which is no imputed column.
    pub fn with(&self, i: usize, other: usize) -> f64 {
        let plain = self.at(i, other);
        self.indicator[i].map_or(plain, |m| plain + self.fill[i] * self.at(m, other))
    }

    pub fn sum(&self, i: usize) -> f64 {
        self.with(i, self.one)
    }

    pub fn product(&self, i: usize, j: usize) -> f64 {
        let plain = self.with(i, j);
        self.indicator[j].map_or(plain, |m| plain + self.fill[j] * self.with(i, m))
    }

    /// Squares that the imputed values add to the column's own.
    pub fn filled_squares(&self, i: usize) -> f64 {
        let filled = |m: usize| self.fill[i] * self.fill[i] * self.at(m, m);
        self.indicator[i].map_or(0.0, filled)
    }
}
