//! Codes of a training set in the order in which trees read them.

use super::bins::Bins;

/// By how many times the features may outnumber those that a node tries, for rows to be kept
/// together: beyond that, most of what is read with a row is of no use.
const SPARSE: usize = 8;
/// A line of the processor's cache, in bytes.
const LINE: usize = 64;

/// How codes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The code of row `i` in feature `f` is at `f * rows + i`.
    Columns,
    /// It is at `i * stride + f`.
    Rows { stride: usize },
}

impl Order {
    /// For nodes that try `tried` features each. A small node's rows are far apart: with its
    /// codes side by side, a row costs a line of the cache or two, not one per feature.
    pub fn of(features: usize, tried: usize) -> Self {
        if features > SPARSE.saturating_mul(tried) {
            return Self::Columns;
        }
        let stride = if features <= LINE {
            features.next_power_of_two()
        } else {
            features.next_multiple_of(LINE)
        };
        Self::Rows { stride }
    }

    /// Codes of so many rows and features, with what lies between them.
    pub fn length(self, rows: usize, features: usize) -> usize {
        match self {
            Self::Columns => rows * features,
            Self::Rows { stride } => rows * stride,
        }
    }

    /// From one row to the next, and from one feature to the next.
    pub fn steps(self, rows: usize) -> (usize, usize) {
        match self {
            Self::Columns => (1, rows),
            Self::Rows { stride } => (stride, 1),
        }
    }
}

/// Where the code of a row in a feature is.
#[derive(Clone, Copy)]
pub struct View<'a> {
    codes: &'a [u8],
    row: usize,
    feature: usize,
}

impl<'a> View<'a> {
    pub fn of(bins: &'a Bins) -> Self {
        let (row, feature) = bins.order.steps(bins.rows);
        Self {
            codes: &bins.codes,
            row,
            feature,
        }
    }
}

impl View<'_> {
    /// The code of a row in the feature of a [`View::place`].
    #[inline(always)]
    pub fn at(&self, row: u32, place: usize) -> u8 {
        self.codes[row as usize * self.row + place]
    }

    #[inline(always)]
    pub fn place(&self, feature: usize) -> usize {
        feature * self.feature
    }
}
