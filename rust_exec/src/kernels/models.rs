//! The solved models of one fold and what they predict.
//!
//! Input: coefficients of several models on the raw features, about a frame. Output: their
//! predictions, and an estimate of how far rounding, ours or the reference library's, may have
//! moved them. The estimate comes from probes: models that stand for rounding errors, predicted
//! like any other, so that collinear features count for as much as they matter to the validation
//! rows and no more.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, Par};
use ndarray::ArrayView2;
use pulp::{Simd, WithSimd};

use super::block::{Block, Missing, Source};
use super::moments::Frame;
use super::normal::{Normal, Preparation, RightSide};
use super::simd;
use crate::errors::Declined;

/// Perturbed models per fold, to see how far rounding moves predictions.
pub const PROBES: usize = 4;
/// Size of a probe, in units of the rounding error of one sum.
pub const PROBE_SIZE: f64 = 8.0;

/// What a solver gives for some of the members of a family.
pub struct Solved {
    /// (p, members + PROBES) coefficients of the raw features; the last are the probes.
    pub coef: Mat<f64>,
    /// Least residual sum of squares over the training rows.
    pub training_error: f64,
    /// Rounding of the reference library's predictions that no probe stands for.
    pub rounding: f64,
    /// Members (by column) that the probes belong to: those that rounding moves most.
    pub suspects: Vec<usize>,
}

/// Why a solver gives nothing, and the members (by column) to leave out.
pub struct Unsolved {
    pub reason: Declined,
    pub suspects: Vec<usize>,
}

/// Linear models of one target on centred raw features: the members, then the probes.
pub struct Models<'a> {
    /// The column of each member among all predictions.
    places: &'a [usize],
    target: usize,
    coef: &'a Mat<f64>,
    /// (members + PROBES,) prediction at the frame's centre.
    level: Vec<f64>,
    /// (members,) prediction at zero.
    pub intercept: Vec<f64>,
    /// Rounding of the reference library's predictions that no probe stands for.
    pub rounding: f64,
}

/// Rows to predict, and their targets where there are any.
pub struct Validation<'a> {
    pub source: Source<'a>,
    pub y: Option<ArrayView2<'a, f64>>,
    pub rows: &'a [u32],
}

pub struct Predicted {
    /// Least mean squared error over the members, where there is a target.
    pub error: Option<f64>,
    /// Greatest mean square of a probe's predictions.
    pub probed: f64,
    /// Whether every prediction is a finite number.
    pub finite: bool,
}

impl<'a> Models<'a> {
    /// Finds the predictions at the centre and at zero, and their rounding.
    pub fn new(
        (places, target): (&'a [usize], usize),
        solved: &'a Solved,
        preparation: Preparation,
        (normal, side): (&Normal, &RightSide),
        frame: &Frame,
    ) -> Self {
        let p = frame.features();
        let width = solved.coef.ncols();
        let members = width - PROBES;
        let centre = &frame.centre;
        // From the centre, where predictions start, to where the coefficients apply.
        let shift = if preparation.centred() {
            &normal.offset
        } else {
            centre
        };
        let at_mean = if preparation.fit_intercept {
            side.y_mean
        } else {
            0.0
        };
        let mut models = Self {
            places,
            target,
            coef: &solved.coef,
            level: Vec::with_capacity(width),
            intercept: Vec::with_capacity(members),
            rounding: solved.rounding,
        };
        for k in 0..width {
            let coef = solved.coef.col(k);
            let along = |x: &[f64]| x.iter().zip(coef.iter()).map(|(x, c)| x * c).sum::<f64>();
            // A probe is a change of the coefficients only.
            let at_mean = if k < members { at_mean } else { 0.0 };
            let (at_centre, at_zero) = if preparation.centred() {
                let at_centre = at_mean - along(shift);
                (at_centre, at_centre - along(centre))
            } else {
                (along(shift), 0.0)
            };
            models.level.push(at_centre);
            if k < members {
                models.intercept.push(at_zero);
                let rounded = preparation.mean_rounding(normal.rows);
                // What stands for missing values rounds like a mean, and does not cancel.
                let filled = if frame.impute {
                    2.0 + normal.rows.sqrt()
                } else {
                    0.0
                };
                let rounded = rounded.max(filled);
                let term = |j: usize| {
                    let mean = centre[j] + normal.offset[j];
                    (rounded * mean.abs() + 2.0 * shift[j].abs()) * coef[j].abs()
                };
                let units = 4.0 * at_mean.abs() + (0..p).map(term).sum::<f64>();
                models.rounding = models.rounding.max(f64::EPSILON * units);
            }
        }
        models
    }

    fn predicted(&self, sums: &Sums, has_target: bool, rows: usize) -> Predicted {
        let members = self.places.len();
        let mean = |k: usize| sums.squares[k] / rows as f64;
        // Unlike f64::min and f64::max, these keep a NaN.
        let least = |a: f64, b: f64| if a.is_nan() || a < b { a } else { b };
        let greatest = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
        Predicted {
            error: has_target.then(|| (0..members).map(mean).fold(f64::INFINITY, least)),
            probed: (members..sums.squares.len()).map(mean).fold(0.0, greatest),
            finite: sums.finite,
        }
    }
}

/// What is added up of the predictions, row by row.
struct Sums {
    /// (members + PROBES,) squares of the errors of members, and of the values of probes.
    squares: Vec<f64>,
    /// Whether every prediction of a member is a finite number.
    finite: bool,
}

/// Where predictions go: (rows, width) column by column.
struct Table<'a> {
    values: &'a mut [f64],
    rows: usize,
}

/// Predicts the validation rows by all `models`, and writes the predictions into `values`, (rows,
/// width) column by column. Each row is gathered once; NaN there become `fill`, given about the
/// centre of `frame`.
pub fn predict(
    models: &[Models<'_>],
    validation: &Validation<'_>,
    frame: &Frame,
    fill: Option<&[f64]>,
    values: &mut [f64],
) -> Vec<Predicted> {
    let Validation { source, y, rows } = validation;
    let p = source.ncols();
    let missing = fill.map_or(Missing::Keep, Missing::Fill);
    let table = &mut Table {
        values,
        rows: rows.len(),
    };
    let widths = models.iter().map(|models| models.level.len());
    let widest = widths.clone().max().unwrap_or(0);
    let sums = widths.map(|width| Sums {
        squares: vec![0.0; width],
        finite: true,
    });
    let mut sums: Vec<Sums> = sums.collect();
    let mut block = Block::new(p);
    // The products stay in the cache beside the rows.
    let capacity = Block::capacity(p + widest);
    let mut product = vec![0.0; capacity * widest];
    let mut target = vec![0.0; capacity];
    for (part, rows) in rows.chunks(capacity).enumerate() {
        let count = rows.len();
        source.pack(rows, &frame.centre, missing, &mut block);
        for (models, sums) in models.iter().zip(&mut sums) {
            let width = models.level.len();
            let product = &mut product[..count * width];
            matmul(
                MatMut::from_column_major_slice_mut(product, count, width),
                Accum::Replace,
                block.view(),
                models.coef.as_ref().subrows(0, p),
                1.0,
                Par::Seq,
            );
            if let Some(categories) = source.categories() {
                for (k, column) in product.chunks_exact_mut(count).enumerate() {
                    categories.add_terms(rows, &models.coef.col_as_slice(k)[p..], column);
                }
            }
            let target = &mut target[..count];
            if let Some(y) = y {
                let y = y.column(models.target);
                for (t, &row) in target.iter_mut().zip(rows) {
                    *t = y[row as usize];
                }
            }
            simd::arch().dispatch(Write {
                models,
                product,
                target,
                start: part * capacity,
                table,
                sums,
            });
        }
    }
    let pairs = models.iter().zip(&sums);
    pairs
        .map(|(models, sums)| models.predicted(sums, y.is_some(), rows.len()))
        .collect()
}

/// A block of products: adds the levels, writes the predictions of members down, and adds to
/// `sums`, all in one pass over each column.
struct Write<'a, 'models, 'table> {
    models: &'a Models<'models>,
    /// (count, members + PROBES) column by column.
    product: &'a [f64],
    /// (count,)
    target: &'a [f64],
    /// Place of the first row.
    start: usize,
    table: &'a mut Table<'table>,
    sums: &'a mut Sums,
}

impl WithSimd for Write<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let count = self.target.len();
        for (k, product) in self.product.chunks_exact(count).enumerate() {
            let level = self.models.level[k];
            if let Some(place) = self.models.places.get(k) {
                let first = place * self.table.rows + self.start;
                let values = &mut self.table.values[first..][..count];
                let (squares, finite) = write_column(product, level, self.target, values);
                self.sums.squares[k] += squares;
                self.sums.finite &= finite;
            } else {
                self.sums.squares[k] += squared(product, level);
            }
        }
    }
}

/// Lanes of sums: one sum alone would wait for itself.
const LANES: usize = 16;

/// Writes `product + level` into `values`; the sum of squared differences from `target`, and
/// whether all values are finite. By number: iterators are not always compiled for the chosen
/// instruction set.
#[inline(always)]
fn write_column(product: &[f64], level: f64, target: &[f64], values: &mut [f64]) -> (f64, bool) {
    let count = product.len().min(target.len()).min(values.len());
    let (products, product_rest) = product[..count].as_chunks::<LANES>();
    let (targets, target_rest) = target[..count].as_chunks::<LANES>();
    let (chunks, rest) = values[..count].as_chunks_mut::<LANES>();
    let mut squares = [0.0; LANES];
    // Zero times a finite number is zero, and times any other is NaN.
    let mut zeros = [0.0; LANES];
    let mut at = 0;
    while at < chunks.len() {
        let (product, target) = (&products[at], &targets[at]);
        let mut lane = 0;
        while lane < LANES {
            let value = product[lane] + level;
            let error = value - target[lane];
            chunks[at][lane] = value;
            squares[lane] += error * error;
            zeros[lane] += 0.0 * value;
            lane += 1;
        }
        at += 1;
    }
    let mut lane = 0;
    while lane < rest.len() {
        let value = product_rest[lane] + level;
        let error = value - target_rest[lane];
        rest[lane] = value;
        squares[lane] += error * error;
        zeros[lane] += 0.0 * value;
        lane += 1;
    }
    let finite = zeros.iter().sum::<f64>() == 0.0;
    (squares.iter().sum(), finite)
}

/// Sum of squares of `product + level`.
#[inline(always)]
fn squared(product: &[f64], level: f64) -> f64 {
    let (products, rest) = product.as_chunks::<LANES>();
    let mut squares = [0.0; LANES];
    let mut at = 0;
    while at < products.len() {
        let mut lane = 0;
        while lane < LANES {
            let value = products[at][lane] + level;
            squares[lane] += value * value;
            lane += 1;
        }
        at += 1;
    }
    let mut lane = 0;
    while lane < rest.len() {
        let value = rest[lane] + level;
        squares[lane] += value * value;
        lane += 1;
    }
    squares.iter().sum()
}
