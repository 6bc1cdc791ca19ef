//! Bins of float64 features: in goes a matrix, out comes one byte per value, column by column.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2};

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
    /// Column by column: the code of row `i` in feature `f` is `codes[f * rows + i]`.
    pub codes: Vec<u8>,
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

impl Bins {
    /// Bins of `rows` of `x`, which must be row numbers of it and may repeat. `categorical` has
    /// one flag per feature, or is empty for none; values of such a feature get one bin each,
    /// and more than `max_bins` of them are refused. `max_bins` is between 2 and 255.
    pub fn fit(
        x: ArrayView2<f64>,
        rows: &[u32],
        categorical: &[bool],
        max_bins: usize,
        workers: &Workers,
    ) -> Result<Self, KernelError> {
        check_bins(max_bins, MAX_BINS)?;
        let cut = |values: &mut Vec<f64>, _: bool| quantiles(values, max_bins);
        Self::fit_by(x, rows, categorical, max_bins, workers, &cut)
    }

    /// As [`Bins::fit`], with bins of numbers as `cut` has them: at most `max_bins`, which may be
    /// 256, and one fewer than that where values are missing.
    pub fn fit_by(
        x: ArrayView2<f64>,
        rows: &[u32],
        categorical: &[bool],
        max_bins: usize,
        workers: &Workers,
        cut: &Cut<'_>,
    ) -> Result<Self, KernelError> {
        check(&x, rows, categorical, max_bins)?;
        let features = x.ncols();
        let sample = sampled(rows);
        let is_category = |f: usize| categorical.get(f).copied().unwrap_or(false);
        let columns = in_tiles(features, workers, |tile| {
            let missing = missing_in(&x, tile.clone(), rows);
            let mut found = Vec::with_capacity(tile.len());
            let values = gathered(&x, tile.clone(), &sample);
            for ((f, mut values), &missing) in tile.clone().zip(values).zip(&missing) {
                found.push(if is_category(f) {
                    let values = distinct(&x.column(f), rows);
                    if values.len() > max_bins.min(MAX_BINS) {
                        return vec![Err(too_many(f, values.len(), max_bins.min(MAX_BINS)))];
                    }
                    between(&values)
                } else {
                    present(&mut values);
                    cut(&mut values, missing)
                });
            }
            let edges: Vec<&[f64]> = found.iter().map(|found| &found.0[..]).collect();
            let mut codes = encode(&x, tile.clone(), rows, &edges);
            for (f, (codes, (_, spans))) in tile.zip(codes.iter_mut().zip(&found)) {
                if is_category(f) {
                    forget_unknown(codes, &x.column(f), rows, spans);
                }
            }
            let found = codes.into_iter().zip(found).zip(missing);
            found
                .map(|((codes, (edges, spans)), missing)| Ok((codes, edges, spans, missing)))
                .collect()
        });
        let mut bins = Self {
            codes: Vec::with_capacity(features * rows.len()),
            rows: rows.len(),
            features,
            edges: Vec::with_capacity(features),
            spans: Vec::with_capacity(features),
            missing: Vec::with_capacity(features),
            categorical: (0..features).map(is_category).collect(),
        };
        for column in columns {
            let (codes, edges, spans, missing) = column?;
            bins.missing.push(missing);
            bins.codes.extend(codes);
            bins.edges.push(edges);
            bins.spans.push(spans);
        }
        Ok(bins)
    }

    /// Codes of other rows, laid out as `codes`. `x` has as many columns as the training set.
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
        let columns = in_tiles(self.features, workers, |tile| {
            let edges: Vec<&[f64]> = tile.clone().map(|f| &self.edges[f][..]).collect();
            let mut codes = encode(&x, tile.clone(), rows, &edges);
            for (f, codes) in tile.zip(&mut codes) {
                if self.categorical[f] {
                    forget_unknown(codes, &x.column(f), rows, &self.spans[f]);
                }
            }
            codes
        });
        Ok(columns.concat())
    }

    /// The codes of one feature.
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

/// Features that are read together: as many as a line of the cache holds of a row.
const TILE: usize = 8;

/// What `work` answers for tiles of features, feature by feature.
fn in_tiles<T: Send>(
    features: usize,
    workers: &Workers,
    work: impl Fn(Range<usize>) -> Vec<T> + Sync,
) -> Vec<T> {
    let tiles = workers.map(features.div_ceil(TILE), |tile| {
        work(tile * TILE..((tile + 1) * TILE).min(features))
    });
    tiles.into_iter().flatten().collect()
}

/// Values of the rows, feature by feature.
fn gathered(x: &ArrayView2<f64>, tile: Range<usize>, rows: &[u32]) -> Vec<Vec<f64>> {
    let mut columns = vec![Vec::with_capacity(rows.len()); tile.len()];
    for &row in rows {
        for (column, f) in columns.iter_mut().zip(tile.clone()) {
            column.push(x[[row as usize, f]]);
        }
    }
    columns
}

/// Which of the features have a NaN in `rows`.
fn missing_in(x: &ArrayView2<f64>, tile: Range<usize>, rows: &[u32]) -> Vec<bool> {
    let mut missing = vec![false; tile.len()];
    for &row in rows {
        for (missing, f) in missing.iter_mut().zip(tile.clone()) {
            *missing |= x[[row as usize, f]].is_nan();
        }
    }
    missing
}

/// Leaves out NaN, and sorts. Zero has one sign.
fn present(values: &mut Vec<f64>) {
    values.retain(|value| !value.is_nan());
    // Whole numbers in the order of the values: they are compared in one step.
    let mut keys: Vec<i64> = values.iter().map(|&value| turned(value + 0.0)).collect();
    keys.sort_unstable();
    for (value, key) in values.iter_mut().zip(keys) {
        *value = f64::from_bits(flipped(key) as u64);
    }
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
    let mut values: Vec<f64> = rows.iter().map(|&row| column[row as usize]).collect();
    present(&mut values);
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

/// Codes of a tile of features, feature by feature, each by its own edges.
fn encode(x: &ArrayView2<f64>, tile: Range<usize>, rows: &[u32], edges: &[&[f64]]) -> Vec<Vec<u8>> {
    let mut codes = vec![Vec::with_capacity(rows.len()); tile.len()];
    let padded: Vec<[f64; 256]> = edges.iter().map(|edges| padded(edges)).collect();
    for rows in rows.chunks(BLOCK) {
        let columns = gathered(x, tile.clone(), rows);
        for ((codes, values), edges) in codes.iter_mut().zip(&columns).zip(&padded) {
            codes.extend(values.iter().map(|&value| code_of(value, edges)));
        }
    }
    codes
}

/// Rows whose values are copied before they are encoded.
const BLOCK: usize = 512;
fn padded(edges: &[f64]) -> [f64; 256] {
    let mut padded = [f64::INFINITY; 256];
    padded[..edges.len()].copy_from_slice(edges);
    padded
}

/// The number of edges below the value; at most 254 exist. A fixed number of steps, and no
/// branches (in bytes instead of whole registers, they would be): which way one goes is a coin
/// toss.
#[inline(always)]
fn code_of(value: f64, edges: &[f64; 256]) -> u8 {
    let mut at = 0;
    for step in [128, 64, 32, 16, 8, 4, 2, 1] {
        let below = edges[(at + (step - 1)) & 255] < value;
        at |= step * usize::from(below);
    }
    if value.is_nan() { MISSING } else { at as u8 }
}

/// Makes values missing that are not categories of the training set.
fn forget_unknown(codes: &mut [u8], column: &ArrayView1<f64>, rows: &[u32], spans: &[Span]) {
    for (code, &row) in codes.iter_mut().zip(rows) {
        let span = spans.get(*code as usize);
        if span.is_none_or(|span| span.low != column[row as usize]) {
            *code = MISSING;
        }
    }
}
