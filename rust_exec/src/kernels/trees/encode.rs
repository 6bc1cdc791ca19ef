//! Rows read in blocks, and turned into codes: of the values nothing but a block is held.

use std::ops::Range;

use ndarray::ArrayView2;

use super::bins::{Bins, MISSING};
use super::codes::Order;
use crate::kernels::workers::Workers;

/// Features that are read together: as many as a line of the cache holds of a row.
const TILE: usize = 8;
/// Rows whose values are copied before they are encoded.
const BLOCK: usize = 512;
/// Rows that one thread encodes at a time, where codes are kept row by row.
const STRETCH: usize = 16 * BLOCK;

/// What `work` answers for tiles of features, feature by feature.
pub fn in_tiles<T: Send>(
    features: usize,
    workers: &Workers,
    work: impl Fn(Range<usize>) -> Vec<T> + Sync + Send,
) -> Vec<T> {
    let found = workers.map(features.div_ceil(TILE), |at| work(tile(at, features)));
    found.into_iter().flatten().collect()
}

fn tile(at: usize, features: usize) -> Range<usize> {
    at * TILE..((at + 1) * TILE).min(features)
}

/// Copies values of the rows to `to`, feature by feature.
pub fn gather(x: &ArrayView2<f64>, tile: Range<usize>, rows: &[u32], to: &mut [f64]) {
    let count = rows.len();
    if let Some(values) = x.to_slice() {
        for (at, &row) in rows.iter().enumerate() {
            let from = row as usize * x.ncols();
            let values = &values[from + tile.start..from + tile.end];
            for (place, &value) in values.iter().enumerate() {
                to[place * count + at] = value;
            }
        }
    } else if count > 0 {
        for (to, f) in to.chunks_exact_mut(count).zip(tile) {
            let column = x.column(f);
            for (to, &row) in to.iter_mut().zip(rows) {
                *to = column[row as usize];
            }
        }
    }
}

/// Which of the features have a NaN in `rows`, and whether any has a value greater in size than
/// `greatest`.
pub fn looked_at(
    x: &ArrayView2<f64>,
    tile: Range<usize>,
    rows: &[u32],
    greatest: f64,
) -> (Vec<bool>, bool) {
    let mut missing = vec![false; tile.len()];
    let mut beyond = false;
    let mut values = vec![0.0; tile.len() * BLOCK];
    for rows in rows.chunks(BLOCK) {
        let values = &mut values[..tile.len() * rows.len()];
        gather(x, tile.clone(), rows, values);
        for (missing, values) in missing.iter_mut().zip(values.chunks_exact(rows.len())) {
            for value in values {
                *missing |= value.is_nan();
                beyond |= value.abs() > greatest;
            }
        }
    }
    (missing, beyond)
}

impl Bins {
    /// Codes of `rows` of `x`, in this order.
    pub(super) fn encoded(
        &self,
        x: &ArrayView2<f64>,
        rows: &[u32],
        order: Order,
        workers: &Workers,
    ) -> Vec<u8> {
        let features = self.features;
        let mut codes = vec![0; order.length(rows.len(), features)];
        let steps = order.steps(rows.len());
        match order {
            Order::Columns => {
                workers.each_chunk(&mut codes, TILE * rows.len(), |at, codes| {
                    self.encode(x, tile(at, features), rows, codes, steps);
                });
            }
            Order::Rows { stride } => {
                workers.each_chunk(&mut codes, STRETCH * stride, |at, codes| {
                    let rows = &rows[at * STRETCH..][..codes.len() / stride];
                    // Both the rows and the edges of a tile stay in the cache.
                    for at in 0..features.div_ceil(TILE) {
                        let tile = tile(at, features);
                        let first = tile.start;
                        self.encode(x, tile, rows, &mut codes[first..], steps);
                    }
                });
            }
        }
        codes
    }

    /// Codes of a tile of features. From one row to the next, and from one feature to the next,
    /// it is so many `steps` in `codes`.
    fn encode(
        &self,
        x: &ArrayView2<f64>,
        tile: Range<usize>,
        rows: &[u32],
        codes: &mut [u8],
        (row, feature): (usize, usize),
    ) {
        let edges: Vec<[f64; 256]> = tile.clone().map(|f| padded(&self.edges[f])).collect();
        let mut values = vec![0.0; tile.len() * BLOCK];
        for (block, rows) in rows.chunks(BLOCK).enumerate() {
            let values = &mut values[..tile.len() * rows.len()];
            gather(x, tile.clone(), rows, values);
            let columns = values.chunks_exact(rows.len()).zip(&edges);
            for (place, (f, (values, edges))) in tile.clone().zip(columns).enumerate() {
                let codes = &mut codes[block * BLOCK * row + place * feature..];
                let codes = codes.iter_mut().step_by(row);
                if self.categorical[f] {
                    codes
                        .zip(values)
                        .for_each(|(code, &value)| *code = self.known(f, value, edges));
                } else {
                    codes
                        .zip(values)
                        .for_each(|(code, &value)| *code = code_of(value, edges));
                }
            }
        }
    }

    /// The code of a category; missing if the training set does not have it.
    fn known(&self, feature: usize, value: f64, edges: &[f64; 256]) -> u8 {
        let code = code_of(value, edges);
        match self.spans[feature].get(code as usize) {
            Some(span) if span.low == value => code,
            _ => MISSING,
        }
    }
}

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
