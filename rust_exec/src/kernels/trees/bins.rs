//! Bins of float64 features: in goes a matrix, out comes one byte per value.

use ndarray::{ArrayView1, ArrayView2};

use super::codes::Order;
use super::encode::{gather, in_tiles, looked_at};
use crate::errors::KernelError;
use crate::kernels::workers::Workers;

/// Most bins of present values; codes are `0..MAX_BINS`.
pub const MAX_BINS: usize = 255;
/// The code of a missing value (NaN), and of a category that was not seen in training.
pub const MISSING: u8 = 255;
/// Rows that quantiles are taken from, at most. A bin of 255 then still has some 250 of them.
const SAMPLE: usize = 1 << 16;

/// Lowest and highest value that was seen in a bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub low: f64,
    pub high: f64,
}

/// Edges and spans of bins of these ascending values, beside which there are missing ones or not.
pub type Cut<'a> = dyn Fn(&mut Vec<f64>, bool) -> (Vec<f64>, Vec<Span>) + Sync + 'a;

/// The bins of a training set, and the codes of its rows.
///
/// A value `v` is in bin `b` where `edges[b - 1] < v <= edges[b]`: a split "code <= b" is the
/// split "value <= edges[b]". Edges lie halfway between neighbouring distinct values. With at
/// most `max_bins` distinct values each has a bin; with more, bins hold about equally many rows.
#[derive(Debug, Clone)]
pub struct Bins {
    pub codes: Vec<u8>,
    pub order: Order,
    pub rows: usize,
    pub features: usize,
    /// Ascending, one fewer than the feature has bins; none if it has at most one value.
    pub edges: Vec<Vec<f64>>,
    /// One per bin; empty if the feature has no value at all.
    pub spans: Vec<Vec<Span>>,
    /// Whether any of `rows` has a NaN there.
    pub missing: Vec<bool>,
    /// Whether the order of the codes means nothing.
    pub categorical: Vec<bool>,
}

/// What is asked of bins.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// One flag per feature, or empty for none; values of such a feature get one bin each, and
    /// more than `max_bins` of them are refused.
    pub categorical: &'a [bool],
    /// At most so many bins of a feature, one fewer than 256 where values are missing.
    pub max_bins: usize,
    pub order: Order,
    /// Values greater in size are refused.
    pub greatest: f64,
}

impl Bins {
    /// Bins of `rows` of `x`, which must be row numbers of it and may repeat, column by column.
    /// `max_bins` is between 2 and 255.
    pub fn fit(
        x: ArrayView2<f64>,
        rows: &[u32],
        categorical: &[bool],
        max_bins: usize,
        workers: &Workers,
    ) -> Result<Self, KernelError> {
        let wanted = Wanted {
            categorical,
            max_bins,
            order: Order::Columns,
            greatest: f64::INFINITY,
        };
        Self::even(x, rows, wanted, workers)
    }

    /// As [`Bins::fit`], with all that may be wanted.
    pub fn even(
        x: ArrayView2<f64>,
        rows: &[u32],
        wanted: Wanted<'_>,
        workers: &Workers,
    ) -> Result<Self, KernelError> {
        check_bins(wanted.max_bins, MAX_BINS)?;
        let cut = |values: &mut Vec<f64>, _: bool| quantiles(values, wanted.max_bins);
        Self::fit_by(x, rows, wanted, workers, &cut)
    }

    /// As [`Bins::even`], with bins of numbers as `cut` has them; `max_bins` may be 256.
    pub fn fit_by(
        x: ArrayView2<f64>,
        rows: &[u32],
        wanted: Wanted<'_>,
        workers: &Workers,
        cut: &Cut<'_>,
    ) -> Result<Self, KernelError> {
        check(&x, rows, wanted.categorical, wanted.max_bins)?;
        let features = x.ncols();
        let sample = sampled(rows);
        let is_category = |f: usize| wanted.categorical.get(f).copied().unwrap_or(false);
        let columns = in_tiles(features, workers, |tile| {
            let (missing, beyond) = looked_at(&x, tile.clone(), rows, wanted.greatest);
            if beyond {
                let message = "a feature is infinite, or too large for float32";
                return vec![Err(KernelError::input("infinite", message))];
            }
            let mut gathered = vec![0.0; tile.len() * sample.len()];
            gather(&x, tile.clone(), &sample, &mut gathered);
            let cut = |(place, (f, missing)): (usize, (usize, bool))| {
                let (edges, spans) = if is_category(f) {
                    let values = distinct(&x.column(f), rows);
                    if values.len() > wanted.max_bins.min(MAX_BINS) {
                        let most = wanted.max_bins.min(MAX_BINS);
                        return Err(too_many(f, values.len(), most));
                    }
                    between(&values)
                } else {
                    let values = &gathered[place * sample.len()..][..sample.len()];
                    cut(&mut present(values.iter().copied()), missing)
                };
                Ok((edges, spans, missing))
            };
            tile.zip(missing).enumerate().map(cut).collect()
        });
        let mut bins = Self {
            codes: Vec::new(),
            order: wanted.order,
            rows: rows.len(),
            features,
            edges: Vec::with_capacity(features),
            spans: Vec::with_capacity(features),
            missing: Vec::with_capacity(features),
            categorical: (0..features).map(is_category).collect(),
        };
        for column in columns {
            let (edges, spans, missing) = column?;
            bins.missing.push(missing);
            bins.edges.push(edges);
            bins.spans.push(spans);
        }
        bins.codes = bins.encoded(&x, rows, wanted.order, workers);
        Ok(bins)
    }

    /// Codes of other rows, column by column. `x` has as many columns as the training set.
    pub fn apply(
        &self,
        x: ArrayView2<f64>,
        rows: &[u32],
        workers: &Workers,
    ) -> Result<Vec<u8>, KernelError> {
        if x.ncols() != self.features {
            let message = format!("{} columns, but bins of {}", x.ncols(), self.features);
            return Err(KernelError::input("shape_mismatch", message));
        }
        check_rows(&x, rows)?;
        Ok(self.encoded(&x, rows, Order::Columns, workers))
    }

    /// The codes of one feature, where they are kept column by column.
    pub fn column(&self, feature: usize) -> &[u8] {
        &self.codes[feature * self.rows..(feature + 1) * self.rows]
    }

    /// Number of bins of present values.
    pub fn count(&self, feature: usize) -> usize {
        self.spans[feature].len()
    }
}

fn check(
    x: &ArrayView2<f64>,
    rows: &[u32],
    categorical: &[bool],
    max_bins: usize,
) -> Result<(), KernelError> {
    check_bins(max_bins, MAX_BINS + 1)?;
    if !categorical.is_empty() && categorical.len() != x.ncols() {
        let (flags, columns) = (categorical.len(), x.ncols());
        let message = format!("{flags} flags for {columns} columns");
        return Err(KernelError::input("shape_mismatch", message));
    }
    check_rows(x, rows)
}

/// Refuses what is not between 2 and `most`.
pub fn check_bins(max_bins: usize, most: usize) -> Result<(), KernelError> {
    if (2..=most).contains(&max_bins) {
        return Ok(());
    }
    let message = format!("max_bins must be between 2 and {most}, got {max_bins}");
    Err(KernelError::input("bad_bins", message))
}

fn check_rows(x: &ArrayView2<f64>, rows: &[u32]) -> Result<(), KernelError> {
    match rows.iter().find(|&&row| row as usize >= x.nrows()) {
        None => Ok(()),
        Some(row) => {
            let message = format!("row {row} of a matrix with {} rows", x.nrows());
            Err(KernelError::input("index_out_of_range", message))
        }
    }
}

fn too_many(feature: usize, values: usize, max_bins: usize) -> KernelError {
    let message = format!("feature {feature} has {values} categories, more than {max_bins}");
    KernelError::input("too_many_categories", message)
}

/// One row of each of `SAMPLE` equal stretches, at a place that no period of the data can meet.
fn sampled(rows: &[u32]) -> Vec<u32> {
    if rows.len() <= SAMPLE {
        return rows.to_vec();
    }
    let start = |k: usize| (k as u128 * rows.len() as u128 / SAMPLE as u128) as usize;
    let pick = |k: usize| {
        let (from, to) = (start(k), start(k + 1));
        let mixed = (k as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        rows[from + ((mixed ^ (mixed >> 29)) % (to - from) as u64) as usize]
    };
    (0..SAMPLE).map(pick).collect()
}

/// Values that are there, ascending. Zero has one sign.
fn present(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values = values.filter(|value| !value.is_nan());
    // Whole numbers in the order of the values: they are compared in one step.
    let mut keys: Vec<i64> = values.map(|value| turned(value + 0.0)).collect();
    keys.sort_unstable();
    keys.iter()
        .map(|&key| f64::from_bits(flipped(key) as u64))
        .collect()
}

/// The bits of a value, as a number that orders it.
fn turned(value: f64) -> i64 {
    flipped(value.to_bits() as i64)
}

/// All bits but the sign are flipped if that is set: its own inverse.
fn flipped(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn distinct(column: &ArrayView1<f64>, rows: &[u32]) -> Vec<f64> {
    let mut values = present(rows.iter().map(|&row| column[row as usize]));
    values.dedup();
    values
}

/// Edges and spans of bins of one value each.
pub fn between(values: &[f64]) -> (Vec<f64>, Vec<Span>) {
    let edges = values.windows(2).map(|pair| halfway(pair[0], pair[1]));
    let spans = values.iter().map(|&v| Span { low: v, high: v });
    (edges.collect(), spans.collect())
}

/// Edges and spans of at most `max_bins` bins of ascending values: one per distinct value, or
/// about equally many rows in each. Where a value is so frequent that several quantiles fall on
/// it, the places they leave are shared out among the rest.
fn quantiles(values: &mut Vec<f64>, max_bins: usize) -> (Vec<f64>, Vec<Span>) {
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for &value in values.iter() {
        match groups.last_mut() {
            Some(last) if last.0 == value => last.1 += 1,
            _ => groups.push((value, 1)),
        }
    }
    if groups.len() <= max_bins {
        values.dedup();
        return between(values);
    }
    let mut spans: Vec<Span> = Vec::with_capacity(max_bins);
    let (mut rows_left, mut filled) = (values.len(), 0);
    let mut open: Option<Span> = None;
    for (at, &(value, count)) in groups.iter().enumerate() {
        let span = open.get_or_insert(Span {
            low: value,
            high: value,
        });
        span.high = value;
        filled += count;
        let bins_left = max_bins - spans.len();
        let next = groups.get(at + 1).map_or(0, |group| group.1);
        // Halves, to end a bin at whichever side of its due size is nearer.
        let full = (2 * filled + next) * bins_left >= 2 * rows_left;
        if (bins_left > 1 && full) || next == 0 {
            spans.push(*span);
            rows_left -= filled;
            filled = 0;
            open = None;
        }
    }
    let edge = |pair: &[Span]| halfway(pair[0].high, pair[1].low);
    (spans.windows(2).map(edge).collect(), spans)
}

/// A value `m` with `low <= m < high`, the middle where there is one. Infinities have none.
pub fn halfway(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high {
        middle
    } else if low == f64::NEG_INFINITY && high == f64::INFINITY {
        0.0
    } else if high == f64::INFINITY && low < f64::MAX {
        f64::MAX
    } else {
        low
    }
}
