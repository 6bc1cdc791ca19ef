//! Row blocks: gathers a set of rows of a matrix, shifted by a centre, into a small dense buffer.
//!
//! This is the only place that knows how the input lies in memory, and the only copy made of it:
//! one block at a time, small enough to stay in the second-level cache.

use faer::MatRef;
use ndarray::{ArrayView2, Axis};
use pulp::{Simd, WithSimd};

use super::categories::Categories;
use super::simd;

/// How the rows of the input are best walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// The values of a row are neighbours.
    Rows,
    /// The values of a column are neighbours.
    Columns,
    /// Neither.
    Strided,
}

/// A read-only (n, p) matrix of any strides, with the categories that are features beside it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    x: ArrayView2<'a, f64>,
    layout: Layout,
    categories: Option<&'a Categories<'a>>,
}

/// What to put where the input has a NaN.
#[derive(Clone, Copy)]
pub enum Missing<'a> {
    /// Leave the NaN there.
    Keep,
    /// One value per column, on the centred scale.
    Fill(&'a [f64]),
}

impl<'a> Source<'a> {
    pub fn new(x: ArrayView2<'a, f64>) -> Self {
        let strides = x.strides();
        let layout = if strides[1] == 1 || x.ncols() == 1 && strides[0] != 1 {
            Layout::Rows
        } else if strides[0] == 1 {
            Layout::Columns
        } else {
            Layout::Strided
        };
        Self {
            x,
            layout,
            categories: None,
        }
    }

    pub fn with_categories(self, categories: Option<&'a Categories<'a>>) -> Self {
        Self { categories, ..self }
    }

    pub fn categories(&self) -> Option<&'a Categories<'a>> {
        self.categories
    }

    /// Number of columns with the one-hot columns behind them.
    pub fn features(&self) -> usize {
        self.ncols() + self.categories.map_or(0, Categories::count)
    }

    pub fn nrows(&self) -> usize {
        self.x.nrows()
    }

    pub fn ncols(&self) -> usize {
        self.x.ncols()
    }

    /// A value of any feature.
    pub fn at(&self, row: u32, column: usize) -> f64 {
        match self.categories {
            Some(categories) if column >= self.ncols() => categories.at(row, column - self.ncols()),
            _ => self.x[[row as usize, column]],
        }
    }

    /// Writes `x[rows] - centre` into the first columns of `block`, whose other columns keep
    /// what they held.
    pub fn pack(&self, rows: &[u32], centre: &[f64], missing: Missing<'_>, block: &mut Block) {
        block.reshape(rows.len(), self.layout == Layout::Rows);
        if self.ncols() == 0 {
            return;
        }
        simd::arch().dispatch(Pack {
            source: self,
            rows,
            centre,
            missing,
            block,
        });
    }

    #[inline(always)]
    fn packed(&self, rows: &[u32], centre: &[f64], missing: Missing<'_>, block: &mut Block) {
        match self.layout {
            Layout::Rows => self.pack_rows(rows, centre, missing, block),
            Layout::Columns => self.pack_columns(rows, centre, missing, block),
            Layout::Strided => self.pack_strided(rows, centre, missing, block),
        }
    }

    #[inline(always)]
    fn pack_rows(&self, rows: &[u32], centre: &[f64], missing: Missing<'_>, block: &mut Block) {
        let p = self.ncols();
        let whole = self.x.to_slice();
        let ahead = (AHEAD_VALUES / p).clamp(1, AHEAD_ROWS);
        for &row in rows.iter().take(ahead) {
            simd::prefetch(self.row(whole, row));
        }
        let step = block.step;
        let targets = block.values_mut().chunks_exact_mut(step);
        for (place, (target, &row)) in targets.zip(rows).enumerate() {
            // Rows of a fold lie apart, which the processor does not foresee.
            if let Some(&next) = rows.get(place + ahead) {
                simd::prefetch(self.row(whole, next));
            }
            let (values, target) = (self.row(whole, row), &mut target[..p]);
            match missing {
                Missing::Keep => shift::<false>(values, [&centre[..p], &[]], target),
                Missing::Fill(fill) => shift::<true>(values, [&centre[..p], &fill[..p]], target),
            }
        }
    }

    /// A row whose values are neighbours; `whole` are all rows, where those are neighbours, too.
    #[inline(always)]
    fn row(&self, whole: Option<&'a [f64]>, row: u32) -> &'a [f64] {
        let (row, p) = (row as usize, self.ncols());
        match whole {
            Some(values) => &values[row * p..][..p],
            None => {
                let row = self.x.index_axis_move(Axis(0), row);
                row.to_slice().unwrap_or_default()
            }
        }
    }

    #[inline(always)]
    fn pack_columns(&self, rows: &[u32], centre: &[f64], missing: Missing<'_>, block: &mut Block) {
        let run = contiguous(rows);
        let m = rows.len();
        for (j, target) in (0..self.ncols()).zip(block.values_mut().chunks_exact_mut(m)) {
            let values = self.x.column(j);
            let c = centre[j];
            match (values.to_slice(), &run) {
                (Some(values), Some(run)) => {
                    let values = &values[run.clone()];
                    match missing {
                        Missing::Keep => {
                            for (t, v) in target.iter_mut().zip(values) {
                                *t = v - c;
                            }
                        }
                        Missing::Fill(fill) => {
                            let f = fill[j];
                            for (t, v) in target.iter_mut().zip(values) {
                                *t = if v.is_nan() { f } else { v - c };
                            }
                        }
                    }
                }
                (Some(values), None) => {
                    for (t, &row) in target.iter_mut().zip(rows) {
                        *t = missing.value(j, values[row as usize], c);
                    }
                }
                (None, _) => {
                    for (t, &row) in target.iter_mut().zip(rows) {
                        *t = missing.value(j, values[row as usize], c);
                    }
                }
            }
        }
    }

    fn pack_strided(&self, rows: &[u32], centre: &[f64], missing: Missing<'_>, block: &mut Block) {
        let m = rows.len();
        for (j, target) in (0..self.ncols()).zip(block.values_mut().chunks_exact_mut(m)) {
            for (t, &row) in target.iter_mut().zip(rows) {
                *t = missing.value(j, self.at(row, j), centre[j]);
            }
        }
    }
}

/// A call of `pack` for every instruction set. (Of a closure, only a shim would be compiled for
/// them, and its body for the oldest one.)
struct Pack<'a, 'source> {
    source: &'a Source<'source>,
    rows: &'a [u32],
    centre: &'a [f64],
    missing: Missing<'a>,
    block: &'a mut Block,
}

impl WithSimd for Pack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        (self.source).packed(self.rows, self.centre, self.missing, self.block);
    }
}

/// Values on a cache line, which are shifted at a time.
const LANES: usize = 8;

/// Writes `values - centre`, or a value of `fill` for a NaN if `FILL`; all of one length. By
/// number: iterators are not always compiled for the chosen instruction set.
#[inline(always)]
fn shift<const FILL: bool>(values: &[f64], [centre, fill]: [&[f64]; 2], target: &mut [f64]) {
    let fill = if FILL { fill } else { centre };
    let (v, c, f) = (
        values.as_chunks().0,
        centre.as_chunks().0,
        fill.as_chunks().0,
    );
    let (t, rest) = target.as_chunks_mut::<LANES>();
    let rest = !rest.is_empty();
    let count = t.len().min(v.len()).min(c.len()).min(f.len());
    let mut at = 0;
    while at < count {
        shift_lanes::<FILL>(&v[at], [&c[at], &f[at]], &mut t[at]);
        at += 1;
    }
    if !rest {
        return;
    }
    // The last ones together with some before them, again: one step instead of up to seven.
    let last = (values.last_chunk(), centre.last_chunk(), fill.last_chunk());
    if let ((Some(v), Some(c), Some(f)), Some(t)) = (last, target.last_chunk_mut()) {
        shift_lanes::<FILL>(v, [c, f], t);
    } else {
        for (lane, t) in target.iter_mut().enumerate() {
            *t = shifted::<FILL>(values[lane], centre[lane], fill[lane]);
        }
    }
}

#[inline(always)]
fn shift_lanes<const FILL: bool>(
    values: &[f64; LANES],
    [centre, fill]: [&[f64; LANES]; 2],
    target: &mut [f64; LANES],
) {
    let mut lane = 0;
    while lane < LANES {
        target[lane] = shifted::<FILL>(values[lane], centre[lane], fill[lane]);
        lane += 1;
    }
}

#[inline(always)]
fn shifted<const FILL: bool>(value: f64, centre: f64, fill: f64) -> f64 {
    if FILL && value.is_nan() {
        fill
    } else {
        value - centre
    }
}

impl Missing<'_> {
    #[inline(always)]
    fn value(self, column: usize, value: f64, centre: f64) -> f64 {
        match self {
            Self::Fill(fill) if value.is_nan() => fill[column],
            _ => value - centre,
        }
    }
}

/// The rows as a range, when they are consecutive.
fn contiguous(rows: &[u32]) -> Option<std::ops::Range<usize>> {
    let first = *rows.first()? as usize;
    let consecutive = rows.windows(2).all(|w| w[1] == w[0].wrapping_add(1));
    consecutive.then(|| first..first + rows.len())
}

/// A dense (m, width) buffer in the order in which the source is read fastest.
pub struct Block {
    data: Vec<f64>,
    /// Where the values begin in `data`: on a cache line.
    start: usize,
    rows: usize,
    width: usize,
    /// From one row to the next in row order, in values: a whole number of cache lines.
    step: usize,
    row_major: bool,
}

/// Values that are fetched ahead of those that are read, so that memory has answered by then and
/// they are still in the first-level cache.
const AHEAD_VALUES: usize = 1536;
/// Rows that are fetched ahead at most.
const AHEAD_ROWS: usize = 32;
/// Values a block may hold: half a megabyte, so that it stays in the second-level cache.
const BLOCK_VALUES: usize = 1 << 16;

impl Block {
    /// The greatest capacity.
    const MOST_ROWS: usize = 1024;

    /// Rows to take at a time for this width.
    pub fn capacity(width: usize) -> usize {
        (BLOCK_VALUES / width.max(1)).clamp(64, Self::MOST_ROWS)
    }

    pub fn new(width: usize) -> Self {
        let step = width.next_multiple_of(LANES);
        let data = vec![0.0; LANES + step * Self::capacity(width)];
        // Vectors that lie across two lines take twice as long to load.
        let start = data.as_ptr().align_offset(LANES * size_of::<f64>());
        Self {
            start: if start < LANES { start } else { 0 },
            data,
            rows: 0,
            width,
            step,
            row_major: true,
        }
    }

    /// For at most as many rows as there is room for.
    fn reshape(&mut self, rows: usize, row_major: bool) {
        assert!(rows <= Self::capacity(self.width));
        self.rows = rows;
        self.row_major = row_major;
    }

    fn values(&self) -> &[f64] {
        &self.data[self.start..]
    }

    fn values_mut(&mut self) -> &mut [f64] {
        &mut self.data[self.start..]
    }

    pub fn set_column(&mut self, column: usize, values: impl Iterator<Item = f64>) {
        let (start, step) = if self.row_major {
            (column, self.step)
        } else {
            (column * self.rows, 1)
        };
        let rows = self.rows;
        let places = self.values_mut()[start..].iter_mut().step_by(step);
        for (place, value) in places.zip(values).take(rows) {
            *place = value;
        }
    }

    /// Adds each of the first `sums.len()` columns to `sums` and counts its NaN in `missing`.
    pub fn add_sums(&self, sums: &mut [f64], missing: &mut [u64]) {
        let p = sums.len();
        if self.row_major {
            for row in self.values().chunks_exact(self.step).take(self.rows) {
                for ((s, m), v) in sums.iter_mut().zip(missing.iter_mut()).zip(&row[..p]) {
                    *s += if v.is_nan() { 0.0 } else { *v };
                    *m += u64::from(v.is_nan());
                }
            }
        } else {
            let columns = self.values().chunks_exact(self.rows);
            for ((s, m), column) in sums.iter_mut().zip(missing.iter_mut()).zip(columns) {
                *s += column.iter().filter(|v| !v.is_nan()).sum::<f64>();
                *m += column.iter().filter(|v| v.is_nan()).count() as u64;
            }
        }
    }

    /// The block as an (m, width) matrix.
    pub fn view(&self) -> MatRef<'_, f64> {
        let (rows, width, step) = (self.rows, self.width, self.step);
        if self.row_major {
            let values = &self.values()[..rows * step];
            MatRef::from_row_major_slice_with_stride(values, rows, width, step)
        } else {
            MatRef::from_column_major_slice(&self.values()[..rows * width], rows, width)
        }
    }
}

#[cfg(test)]
mod tests;
