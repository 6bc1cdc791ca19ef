//! Second moments [X m 1 Y]^T [X m 1 Y] over row sets, about a common centre.
//!
//! Input: a matrix, targets and row numbers. Output: one small symmetric matrix per row set,
//! from which means, variances, mean imputation and every linear model of those rows follow.
//! Moments about one centre add and subtract, which is what lets folds share them. `m` are the
//! missing-value indicators of the columns that have any: an imputed column is x0 + mean * m,
//! with x0 zero where the value is missing. One-hot columns lie between X and m; their moments
//! are sums per category.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par};
use ndarray::{ArrayView1, ArrayView2};
use pulp::Arch;

use super::block::{Block, Missing, Source};
use super::workers::Workers;

/// Rows summed by one task. Fixed, so that results do not depend on the number of threads.
const SEGMENT_ROWS: usize = 1 << 14;

/// The centre that moments are taken about, and how missing values enter.
#[derive(Debug, Clone)]
pub struct Frame {
    /// (p,) shift of the features; 0 for one-hot columns, which come last.
    pub centre: Vec<f64>,
    /// (t,) shift of the targets.
    pub y_centre: Vec<f64>,
    /// Columns that get an indicator, ascending.
    pub indicators: Vec<usize>,
    /// Whether a NaN counts as the centre (else it stays and spoils the moments).
    pub impute: bool,
}

impl Frame {
    pub fn features(&self) -> usize {
        self.centre.len()
    }

    /// Position of the column of ones.
    pub fn one(&self) -> usize {
        self.features() + self.indicators.len()
    }

    pub fn targets(&self) -> usize {
        self.y_centre.len()
    }

    /// Position of a target.
    pub fn y(&self, target: usize) -> usize {
        self.one() + 1 + target
    }

    pub fn width(&self) -> usize {
        self.y(self.targets())
    }
}

/// Means of the columns over `rows`, without their NaN, and how many NaN there were.
///
/// A column of one repeated value gives exactly that value; one without values gives 0.
pub fn column_means(source: &Source<'_>, rows: &[u32]) -> (Vec<f64>, Vec<u64>) {
    let p = source.ncols();
    if p == 0 {
        return (Vec::new(), Vec::new());
    }
    // Summing differences from a value of the column keeps large offsets out of the sums.
    let start: Vec<f64> = (0..p)
        .map(|j| {
            let values = rows.iter().map(|&row| source.at(row, j));
            values.into_iter().find(|v| !v.is_nan()).unwrap_or(0.0)
        })
        .collect();
    let mut sums = vec![0.0; p];
    let mut missing = vec![0; p];
    let mut partial = vec![0.0; p];
    let mut block = Block::new(p);
    for rows in rows.chunks(Block::capacity(p)) {
        source.pack(rows, &start, Missing::Keep, &mut block);
        partial.fill(0.0);
        block.add_sums(&mut partial, &mut missing);
        for (sum, part) in sums.iter_mut().zip(&partial) {
            *sum += part;
        }
    }
    for (j, sum) in sums.iter_mut().enumerate() {
        let present = rows.len() as u64 - missing[j];
        *sum = start[j] + *sum / present.max(1) as f64;
    }
    (sums, missing)
}

/// Mean of each target over `rows`.
pub fn target_means(y: ArrayView2<'_, f64>, rows: &[u32]) -> Vec<f64> {
    let means = y.columns().into_iter().map(|y| target_mean(y, rows));
    means.collect()
}

fn target_mean(y: ArrayView1<'_, f64>, rows: &[u32]) -> f64 {
    let Some(&first) = rows.first() else {
        return 0.0;
    };
    let start = y[first as usize];
    let mut sum = 0.0;
    for rows in rows.chunks(1024) {
        sum += rows.iter().map(|&row| y[row as usize] - start).sum::<f64>();
    }
    start + sum / rows.len() as f64
}

/// The common value of a column over `rows`, NaN left out, if it has only one.
pub fn constant_value(source: &Source<'_>, rows: &[u32], column: usize) -> Option<f64> {
    let mut values = rows
        .iter()
        .map(|&row| source.at(row, column))
        .filter(|v| !v.is_nan());
    let first = values.next()?;
    values.all(|v| v == first).then_some(first)
}

/// Moments of each row set about the frame's centre; only the lower triangle is written.
pub fn moments(
    source: &Source<'_>,
    y: ArrayView2<'_, f64>,
    sets: &[&[u32]],
    frame: &Frame,
    workers: &Workers,
) -> Vec<Mat<f64>> {
    let segments: Vec<(usize, &[u32])> = sets
        .iter()
        .enumerate()
        .flat_map(|(set, rows)| rows.chunks(SEGMENT_ROWS).map(move |rows| (set, rows)))
        .collect();
    let parts = workers.map(segments.len(), |task| {
        segment(source, y, segments[task].1, frame)
    });
    let mut parts = segments.iter().zip(parts).peekable();
    let mut sums = Vec::with_capacity(sets.len());
    for set in 0..sets.len() {
        let mut sum: Option<Part> = None;
        while let Some((_, part)) = parts.next_if(|(segment, _)| segment.0 == set) {
            match &mut sum {
                None => sum = Some(part),
                Some(sum) => sum.add(&part),
            }
        }
        let sum = sum.unwrap_or_else(|| Part::zeros(source, frame));
        sums.push(sum.assembled(source, frame));
    }
    sums
}

/// Moments of some rows, before those of the one-hot columns take their place among them.
struct Part {
    /// Of [X m 1 Y].
    dense: Mat<f64>,
    /// (categories, width of `dense`) sums of those columns per category.
    sums: Vec<f64>,
    /// (categories, categories) how often two of them meet; lower triangle.
    pairs: Vec<f64>,
}

impl Part {
    fn zeros(source: &Source<'_>, frame: &Frame) -> Self {
        let categories = source.features() - source.ncols();
        let width = frame.width() - categories;
        Self {
            dense: Mat::zeros(width, width),
            sums: vec![0.0; categories * width],
            pairs: vec![0.0; categories * categories],
        }
    }

    fn add(&mut self, other: &Self) {
        self.dense += &other.dense;
        let add = |sums: &mut [f64], others: &[f64]| {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum += other;
            }
        };
        add(&mut self.sums, &other.sums);
        add(&mut self.pairs, &other.pairs);
    }

    fn assembled(self, source: &Source<'_>, frame: &Frame) -> Mat<f64> {
        let p = source.ncols();
        let categories = source.features() - p;
        if categories == 0 {
            return self.dense;
        }
        let width = self.dense.nrows();
        let mut whole = Mat::zeros(frame.width(), frame.width());
        let place = |i: usize| if i < p { i } else { i + categories };
        for j in 0..width {
            for i in j..width {
                whole[(place(i), place(j))] = self.dense[(i, j)];
            }
        }
        let one = frame.one() - categories;
        for v in 0..categories {
            let sums = &self.sums[v * width..(v + 1) * width];
            for (i, sum) in sums.iter().enumerate() {
                let (a, b) = (p + v, place(i));
                whole[(a.max(b), a.min(b))] = *sum;
            }
            whole[(p + v, p + v)] = sums[one];
            for (u, pairs) in self.pairs[v * categories..][..v].iter().enumerate() {
                whole[(p + v, p + u)] = *pairs;
            }
        }
        whole
    }
}

fn segment(source: &Source<'_>, y: ArrayView2<'_, f64>, rows: &[u32], frame: &Frame) -> Part {
    let p = source.ncols();
    let mut part = Part::zeros(source, frame);
    let width = part.dense.nrows();
    let zeros = vec![0.0; p];
    let missing = if frame.impute {
        Missing::Fill(&zeros)
    } else {
        Missing::Keep
    };
    let one = width - 1 - frame.targets();
    let mut block = Block::new(width);
    for rows in rows.chunks(Block::capacity(width)) {
        source.pack(rows, &frame.centre, missing, &mut block);
        for (q, &column) in frame.indicators.iter().enumerate() {
            let flags = rows
                .iter()
                .map(|&row| f64::from(source.at(row, column).is_nan()));
            block.set_column(p + q, flags);
        }
        block.set_column(one, std::iter::repeat(1.0));
        for (k, (y, centre)) in y.columns().into_iter().zip(&frame.y_centre).enumerate() {
            let values = rows.iter().map(|&row| y[row as usize] - centre);
            block.set_column(one + 1 + k, values);
        }
        add_products(block.view(), &mut part.dense);
        if let Some(categories) = source.categories() {
            categories.scatter(rows, block.view(), &mut part.sums, &mut part.pairs);
        }
    }
    part
}

/// Adds z^T z to the lower triangle of `sums`. faer picks the widest vector instructions at run
/// time. With AVX-512 it works on 48 rows of the result at a time, and so computes much beyond the
/// diagonal of a small triangle; panels of 16 rows leave most of that out. With AVX2 they cost more
/// than they save.
fn add_products(z: MatRef<'_, f64>, sums: &mut Mat<f64>) {
    let width = z.ncols();
    let panel = match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => 16,
        _ => width,
    };
    for start in (0..width).step_by(panel.max(1)) {
        let end = width.min(start + panel);
        let (rows, size) = (z.subcols(start, end - start).transpose(), end - start);
        matmul(
            sums.as_mut().submatrix_mut(start, 0, size, start),
            Accum::Add,
            rows,
            z.subcols(0, start),
            1.0,
            Par::Seq,
        );
        triangular::matmul(
            sums.as_mut().submatrix_mut(start, start, size, size),
            BlockStructure::TriangularLower,
            Accum::Add,
            rows,
            BlockStructure::Rectangular,
            rows.transpose(),
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn data(n: usize) -> (Array2<f64>, Array2<f64>) {
        let x = Array2::from_shape_fn((n, 3), |(i, j)| ((7 * i + 3 * j) % 11) as f64 + 100.0);
        let y = Array2::from_shape_fn((n, 2), |(i, k)| (i % (5 + k)) as f64);
        (x, y)
    }

    #[test]
    fn moments_agree_with_plain_sums_for_any_thread_count() {
        let n = 2 * SEGMENT_ROWS + 17;
        let (mut x, y) = data(n);
        x[[3, 1]] = f64::NAN;
        let source = Source::new(x.view());
        let rows: Vec<u32> = (0..n as u32).filter(|r| r % 3 != 0 || *r == 3).collect();
        let frame = Frame {
            centre: vec![100.0, 104.0, 90.0],
            y_centre: vec![2.0, 3.0],
            indicators: vec![1],
            impute: true,
        };
        let row = |r: u32| {
            let r = r as usize;
            let v = |j: usize| {
                let v = x[[r, j]];
                if v.is_nan() { 0.0 } else { v - frame.centre[j] }
            };
            let flag = f64::from(x[[r, 1]].is_nan());
            let (one, other) = (y[[r, 0]] - 2.0, y[[r, 1]] - 3.0);
            [v(0), v(1), v(2), flag, 1.0, one, other]
        };
        let got = |threads| {
            let workers = Workers::new(threads).unwrap();
            moments(&source, y.view(), &[&rows, &rows[..1]], &frame, &workers)
        };
        let one = got(1);
        for i in 0..7 {
            for j in 0..=i {
                // Small whole numbers: sums are exact.
                let expected: f64 = rows.iter().map(|&r| row(r)[i] * row(r)[j]).sum();
                assert_eq!(one[0][(i, j)], expected);
                assert_eq!(one[1][(i, j)], row(rows[0])[i] * row(rows[0])[j]);
            }
        }
        assert_eq!(one, got(2));
    }

    #[test]
    fn means_leave_nan_out_and_keep_constants_exact() {
        let x = Array2::from_shape_fn((5, 3), |(i, j)| match (i, j) {
            (1, 0) | (_, 2) => f64::NAN,
            (_, 0) => i as f64,
            _ => 0.1,
        });
        let source = Source::new(x.view());
        let (means, missing) = column_means(&source, &[0, 1, 2, 4]);
        assert_eq!(means, vec![2.0, 0.1, 0.0]);
        assert_eq!(missing, vec![1, 0, 4]);
        assert_eq!(constant_value(&source, &[0, 1], 0), Some(0.0));
        assert_eq!(constant_value(&source, &[0, 2], 0), None);
        assert_eq!(constant_value(&source, &[0, 2], 2), None);
    }
}
