//! Criteria of splits: what a row carries, sums of it by bin, and the worth of a cut.
//!
//! The worth of a split orders the splits of a node as scikit-learn's decrease of impurity does.

use super::bins::MISSING;
use super::codes::View;

/// What a leaf must hold at least.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub rows: f64,
    pub weight: f64,
}

/// Codes up to `last` go left; `next` is the smallest present one that goes right, if any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    pub last: u8,
    pub next: Option<u8>,
    pub missing_left: bool,
    pub worth: f64,
}

impl Cut {
    /// The cut, if it is worth more than `best`.
    #[inline]
    pub fn better(
        (last, next, missing_left): (u8, Option<u8>, bool),
        worth: f64,
        best: &Option<Self>,
    ) -> Option<Self> {
        let least = best.map_or(f64::NEG_INFINITY, |best| best.worth);
        (worth > least).then_some(Self {
            last,
            next,
            missing_left,
            worth,
        })
    }
}

/// A feature, and how many bins of present values it has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Binned {
    pub feature: usize,
    pub bins: usize,
}

/// Sums of rows, and the worth of splits of them.
pub trait Criterion: Sync {
    /// Features that are filled at a time.
    const TILE: usize;
    /// What a row carries through the search.
    type Row: Copy + Send;
    /// Sums over the rows of a node.
    type Total: Clone;
    /// Sums by code.
    type Cells;

    /// `weight` is the number of times it was drawn, or its sample weight.
    fn row(&self, index: usize, weight: f32) -> Self::Row;
    fn total(&self, rows: &[Self::Row]) -> Self::Total;
    fn weight(&self, total: &Self::Total) -> f64;
    /// Whether nothing is to be gained from a split.
    fn pure(&self, total: &Self::Total, rows: &[Self::Row]) -> bool;
    /// By how much the impurity of the node, times its weight, decreases.
    fn gain(&self, total: &Self::Total, cut: &Cut) -> f64;
    /// Numbers of a leaf.
    fn width(&self) -> usize;
    fn leaf(&self, total: &Self::Total, values: &mut [f64]);

    /// Empty cells for [`Criterion::TILE`] features.
    fn cells(&self) -> Self::Cells;
    /// Adds rows to empty cells, those of one feature after the other. There are at least as
    /// many cells as features.
    fn fill(
        &self,
        cells: &mut Self::Cells,
        codes: &View,
        features: &[Binned],
        numbers: &[u32],
        rows: &[Self::Row],
    );
    /// The best cut of the feature at a place in `fill`, if it is better than `best`; None if
    /// the rows have one code only. Its cells are empty then.
    fn best(
        &self,
        cells: &mut Self::Cells,
        place: (usize, Binned),
        total: &Self::Total,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Option<Cut>>;
    /// Sums over the rows whose code is at most `last`, or missing if `missing_left`.
    fn left(&self, codes: &[u8], rows: &[Self::Row], last: u8, missing_left: bool) -> Self::Total;
    /// The given cut, if it is allowed and better than `best`.
    fn judge(
        &self,
        left: &Self::Total,
        total: &Self::Total,
        limits: Limits,
        cut: (u8, Option<u8>, bool),
        best: &Option<Cut>,
    ) -> Option<Cut>;
}

/// The side of a row.
#[inline(always)]
pub fn goes_left(code: u8, last: u8, missing_left: bool) -> bool {
    ((code <= last) & (code != MISSING)) | ((code == MISSING) & missing_left)
}

/// `w ln w`, and 0 at 0.
pub fn logged(value: f64) -> f64 {
    if value > 0.0 { value * value.ln() } else { 0.0 }
}
