//! Row blocks: gathers a set of rows of a matrix, shifted by a centre, into a small dense buffer.
//!
//! This is the only place that knows how the input lies in memory, and the only copy made of it:
//! one block at a time, small enough to stay in the second-level cache.

use faer::MatRef;
use ndarray::ArrayView2;
use pulp::{Simd, WithSimd};

use super::categories::Categories;

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
        crate::kernels::simd::arch().dispatch(Pack {
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
        let width = block.width;
        let whole = self.x.to_slice();
        let targets = block.data.chunks_mut(COPIED * width);
        for (targets, rows) in targets.zip(rows.chunks(COPIED)) {
            // Bare copies first: the processor has more of them under way, and rows that lie
            // apart in memory are waited for together.
            for (target, &row) in targets.chunks_exact_mut(width).zip(rows) {
                let row = row as usize;
                match whole {
                    Some(values) => target[..p].copy_from_slice(&values[row * p..][..p]),
                    None => {
                        for (t, v) in target.iter_mut().zip(self.x.row(row)) {
                            *t = *v;
                        }
                    }
                }
            }
            for target in targets.chunks_exact_mut(width).take(rows.len()) {
                let target = &mut target[..p];
                match missing {
                    Missing::Keep => subtract(target, &centre[..p]),
                    Missing::Fill(fill) => {
                        for ((t, c), f) in target.iter_mut().zip(centre).zip(fill) {
                            *t = if t.is_nan() { *f } else { *t - c };
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn pack_columns(&self, rows: &[u32], centre: &[f64], missing: Missing<'_>, block: &mut Block) {
        let run = contiguous(rows);
        let m = rows.len();
        for (j, target) in (0..self.ncols()).zip(block.data.chunks_exact_mut(m)) {
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
        for (j, target) in (0..self.ncols()).zip(block.data.chunks_exact_mut(m)) {
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

/// By number: iterators are not always compiled for the chosen instruction set.
#[inline(always)]
fn subtract(values: &mut [f64], shift: &[f64]) {
    let count = values.len().min(shift.len());
    let (values, shift) = (&mut values[..count], &shift[..count]);
    let mut at = 0;
    while at < count {
        values[at] -= shift[at];
        at += 1;
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
    rows: usize,
    width: usize,
    row_major: bool,
}

/// Rows that are copied before they are shifted.
const COPIED: usize = 32;
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
        Self {
            data: vec![0.0; width * Self::capacity(width)],
            rows: 0,
            width,
            row_major: true,
        }
    }

    fn reshape(&mut self, rows: usize, row_major: bool) {
        self.rows = rows;
        self.row_major = row_major;
        self.data
            .resize(self.data.len().max(rows * self.width), 0.0);
    }

    pub fn set_column(&mut self, column: usize, values: impl Iterator<Item = f64>) {
        let (start, step) = if self.row_major {
            (column, self.width)
        } else {
            (column * self.rows, 1)
        };
        for (i, value) in values.take(self.rows).enumerate() {
            self.data[start + i * step] = value;
        }
    }

    /// Adds each of the first `sums.len()` columns to `sums` and counts its NaN in `missing`.
    pub fn add_sums(&self, sums: &mut [f64], missing: &mut [u64]) {
        let p = sums.len();
        if self.row_major {
            for row in self.data.chunks_exact(self.width).take(self.rows) {
                for ((s, m), v) in sums.iter_mut().zip(missing.iter_mut()).zip(&row[..p]) {
                    *s += if v.is_nan() { 0.0 } else { *v };
                    *m += u64::from(v.is_nan());
                }
            }
        } else {
            let columns = self.data.chunks_exact(self.rows);
            for ((s, m), column) in sums.iter_mut().zip(missing.iter_mut()).zip(columns) {
                *s += column.iter().filter(|v| !v.is_nan()).sum::<f64>();
                *m += column.iter().filter(|v| v.is_nan()).count() as u64;
            }
        }
    }

    /// The block as an (m, width) matrix.
    pub fn view(&self) -> MatRef<'_, f64> {
        let data = &self.data[..self.rows * self.width];
        if self.row_major {
            MatRef::from_row_major_slice(data, self.rows, self.width)
        } else {
            MatRef::from_column_major_slice(data, self.rows, self.width)
        }
    }
}

#[cfg(test)]
mod tests;
