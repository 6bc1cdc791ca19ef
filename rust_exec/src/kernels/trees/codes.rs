//! Codes of a training set in the order in which trees read them.

use super::bins::Bins;

/// By how many times the features may outnumber those that a node tries, for rows to be kept
/// together: beyond that, most of what is read with a row is of no use.
const SPARSE: usize = 8;
/// A line of the processor's cache, in bytes.
const LINE: usize = 64;
/// Rows that are turned over together.
const BLOCK: usize = 512;

/// Codes by row, or by feature as the bins have them.
pub struct Codes<'a> {
    bins: &'a Bins,
    /// Rows of `stride` codes each; empty if the bins' own are read.
    by_row: Vec<u8>,
    stride: usize,
}

/// Where the code of a row in a feature is.
#[derive(Clone, Copy)]
pub struct View<'a> {
    codes: &'a [u8],
    row: usize,
    feature: usize,
}

impl<'a> Codes<'a> {
    /// For nodes that try `tried` features each. A small node's rows are far apart: with its
    /// codes side by side, a row costs a line of the cache or two, not one per feature.
    pub fn of(bins: &'a Bins, tried: usize) -> Self {
        let features = bins.features;
        if features > SPARSE * tried {
            return Self {
                bins,
                by_row: Vec::new(),
                stride: 0,
            };
        }
        let stride = if features <= LINE {
            features.next_power_of_two()
        } else {
            features.next_multiple_of(LINE)
        };
        let mut by_row = vec![0; bins.rows * stride];
        for (block, rows) in by_row.chunks_mut(BLOCK * stride).enumerate() {
            for feature in 0..features {
                let codes = &bins.column(feature)[block * BLOCK..];
                for (row, &code) in rows.chunks_exact_mut(stride).zip(codes) {
                    row[feature] = code;
                }
            }
        }
        Self {
            bins,
            by_row,
            stride,
        }
    }

    pub fn view(&self) -> View<'_> {
        if self.stride > 0 {
            View {
                codes: &self.by_row,
                row: self.stride,
                feature: 1,
            }
        } else {
            View {
                codes: &self.bins.codes,
                row: 1,
                feature: self.bins.rows,
            }
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
