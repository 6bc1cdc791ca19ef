//! Ranks of all points for a few queries, a panel of points at a time.
//!
//! Input: points and rows of queries as they lie. Output: ranks in the order of the points, handed
//! to a [`Taker`] as they come. Nothing is held but the queries and one panel.

use ndarray::{ArrayView1, ArrayView2};
use pulp::bytemuck;
use pulp::{Simd, WithSimd};

use super::frame::Frame;
use super::real::Real;
use crate::kernels::simd;

/// How the rank of a point is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `(|x|^2 - 2 x.y) + |y|^2`, the product summed feature by feature with fused
    /// multiplications: scikit-learn's brute search (ArgKmin) on the BLAS of its wheels.
    Expanded,
    /// The sum of `(x - y)^2` feature by feature, each operation rounded: its trees.
    Differences,
}

/// Points and what is known of them.
#[derive(Clone, Copy)]
pub struct Points<'a> {
    pub values: ArrayView2<'a, f64>,
    /// Squared norms; read for [`Arithmetic::Expanded`] only.
    pub norms: &'a [f64],
    pub arithmetic: Arithmetic,
    /// The order to take the points in, if it is not their own.
    pub order: Option<ArrayView1<'a, i64>>,
}

/// Rows of queries that a sweep serves.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub values: ArrayView2<'a, f64>,
    pub norms: &'a [f64],
    pub rows: &'a [usize],
}

/// Takes the ranks of queries, a vector of points at a time.
pub trait Taker<T> {
    /// The greatest rank that is of interest to a query, by its position in the sweep.
    fn limit(&self, query: usize) -> T;

    /// Ranks of the points from place `first` on, of which some are within the limit.
    fn take(&mut self, query: usize, first: usize, ranks: &[T]);
}

/// Queries and vectors of points that are worked on at a time; accumulators fill the registers.
const WIDE: (usize, usize) = (6, 4);
const NARROW: (usize, usize) = (4, 3);

const EXPANDED: u8 = 0;
const DIFFERENCES: u8 = 1;
/// `|y|^2 - 2 x.y`, less what is the same for all points of a query.
const NEAR: u8 = 2;

impl Points<'_> {
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// Hands the ranks of all points, to the library's last bit, to `taker`.
    pub fn sweep(&self, asked: Asked, taker: &mut impl Taker<f64>) {
        let sweep = Sweep {
            points: *self,
            asked,
            frame: None,
            taker,
        };
        simd::arch().dispatch(sweep);
    }

    /// Hands ranks in single precision, less the squared norm of the query, to `taker`: of values
    /// within `frame`, which knows how inexact they are.
    pub fn sweep_near(&self, asked: Asked, frame: &Frame, taker: &mut impl Taker<f32>) {
        let sweep = Sweep {
            points: *self,
            asked,
            frame: Some(frame),
            taker,
        };
        simd::arch().dispatch(Nearly(sweep));
    }
}

struct Sweep<'p, 'q, 't, T> {
    points: Points<'p>,
    asked: Asked<'q>,
    frame: Option<&'t Frame>,
    taker: &'t mut T,
}

struct Nearly<'p, 'q, 't, T>(Sweep<'p, 'q, 't, T>);

impl<T: Taker<f64>> WithSimd for Sweep<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let expanded = self.points.arithmetic == Arithmetic::Expanded;
        match (S::F64_LANES == 8, expanded) {
            (true, true) => self.run::<f64, S, { WIDE.0 }, { WIDE.1 }, EXPANDED>(simd),
            (true, false) => self.run::<f64, S, { WIDE.0 }, { WIDE.1 }, DIFFERENCES>(simd),
            (false, true) => self.run::<f64, S, { NARROW.0 }, { NARROW.1 }, EXPANDED>(simd),
            (false, false) => self.run::<f64, S, { NARROW.0 }, { NARROW.1 }, DIFFERENCES>(simd),
        }
    }
}

impl<T: Taker<f32>> WithSimd for Nearly<'_, '_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::F64_LANES == 8 {
            self.0.run::<f32, S, { WIDE.0 }, { WIDE.1 }, NEAR>(simd);
        } else {
            self.0.run::<f32, S, { NARROW.0 }, { NARROW.1 }, NEAR>(simd);
        }
    }
}

impl<T> Sweep<'_, '_, '_, T> {
    #[inline(always)]
    fn run<R: Real, S: Simd, const Q: usize, const V: usize, const MODE: u8>(self, simd: S)
    where
        T: Taker<R>,
    {
        let features = self.points.values.ncols();
        let lanes = R::lanes::<S>();
        let width = V * lanes;
        let (groups, norms) = self.packed::<R, Q>();
        let mut limits = vec![[R::NOTHING; Q]; norms.len()];
        for query in 0..self.asked.rows.len() {
            limits[query / Q][query % Q] = self.taker.limit(query);
        }
        let mut panel = vec![R::ZERO; (features + 1) * width];
        let mut noted;
        for first in (0..self.points.rows()).step_by(width) {
            self.pack::<R, MODE>(first, width, &mut panel);
            let vectors = bytemuck::cast_slice::<R, R::Vector<S>>(&panel)
                .as_chunks::<V>()
                .0;
            let Some((last, points)) = vectors.split_last() else {
                return;
            };
            let group = groups.chunks_exact(features).zip(&norms).zip(&mut limits);
            for (group, ((queries, norms), limits)) in group.enumerate() {
                let mut ranks = tile::<R, S, Q, V, MODE>(simd, queries, points, last);
                let mut within = [false; Q];
                for q in 0..Q {
                    finish::<R, S, V, MODE>(simd, &mut ranks[q], norms[q], last);
                    let mut least = ranks[q][0];
                    for rank in &ranks[q][1..] {
                        least = R::min(simd, least, *rank);
                    }
                    within[q] = R::any_within(simd, least, limits[q]);
                }
                if within == [false; Q] {
                    continue;
                }
                // A copy that may be indexed, so that the sums themselves stay in registers.
                noted = ranks;
                for q in 0..Q {
                    if within[q] {
                        let query = group * Q + q;
                        for (v, ranks) in noted[q].iter().enumerate() {
                            if R::any_within(simd, *ranks, limits[q]) {
                                let ranks = bytemuck::cast_slice(std::slice::from_ref(ranks));
                                self.taker.take(query, first + v * lanes, ranks);
                                limits[q] = self.taker.limit(query);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Queries in groups of Q, feature by feature, and their norms; zeros fill the last group.
    #[inline(always)]
    fn packed<R: Real, const Q: usize>(&self) -> (Vec<[R; Q]>, Vec<[R; Q]>) {
        let features = self.points.values.ncols();
        let count = self.asked.rows.len().div_ceil(Q);
        let mut groups = vec![[R::ZERO; Q]; count * features];
        let mut norms = vec![[R::ZERO; Q]; count];
        for (position, row) in self.asked.rows.iter().enumerate() {
            let (group, q) = (position / Q, position % Q);
            for (feature, value) in self.asked.values.row(*row).iter().enumerate() {
                groups[group * features + feature][q] = match self.frame {
                    Some(frame) => R::of(-2.0 * frame.place(feature, *value)),
                    None => R::of(*value),
                };
            }
            if let Some(norm) = self.asked.norms.get(*row) {
                norms[group][q] = R::of(*norm);
            }
        }
        (groups, norms)
    }

    /// Points from the place `first` on, feature by feature, and what is added to their ranks.
    #[inline(always)]
    fn pack<R: Real, const MODE: u8>(&self, first: usize, width: usize, panel: &mut [R]) {
        let (values, rows) = (self.points.values, self.points.rows());
        let end = (first + width).min(rows);
        let (panel, last) = panel.split_at_mut(values.ncols() * width);
        for place in first..end {
            let row = match self.points.order {
                Some(order) => order[place] as usize,
                None => place,
            };
            let lane = place - first;
            let points = values.row(row);
            let into = panel[lane..].iter_mut().step_by(width);
            match self.frame {
                Some(frame) => {
                    for ((into, value), centre) in into.zip(points).zip(&frame.centre) {
                        *into = R::of((*value - centre) * frame.scale);
                    }
                }
                None => into
                    .zip(points)
                    .for_each(|(into, value)| *into = R::of(*value)),
            }
            if MODE == EXPANDED {
                last[lane] = R::of(self.points.norms[row]);
            }
        }
        if MODE == NEAR {
            last.fill(R::ZERO);
            for values in panel.chunks_exact(width) {
                for (sum, value) in last.iter_mut().zip(values) {
                    *sum = *sum + *value * *value;
                }
            }
        }
        // What was there before must not be taken for points.
        last[end - first..].fill(R::INFINITY);
    }
}

/// Products or sums of squares of Q queries and V vectors of points.
#[inline(always)]
fn tile<R: Real, S: Simd, const Q: usize, const V: usize, const MODE: u8>(
    simd: S,
    queries: &[[R; Q]],
    points: &[[R::Vector<S>; V]],
    last: &[R::Vector<S>; V],
) -> [[R::Vector<S>; V]; Q] {
    let zero = R::splat(simd, R::ZERO);
    let mut sums = [if MODE == NEAR { *last } else { [zero; V] }; Q];
    for (query, point) in queries.iter().zip(points) {
        for q in 0..Q {
            let value = R::splat(simd, query[q]);
            for v in 0..V {
                sums[q][v] = if MODE == EXPANDED || (MODE == NEAR && !S::IS_SCALAR) {
                    R::mul_add(simd, value, point[v], sums[q][v])
                } else if MODE == NEAR {
                    R::plus(simd, sums[q][v], R::times(simd, value, point[v]))
                } else {
                    let gap = R::minus(simd, value, point[v]);
                    R::plus(simd, sums[q][v], R::times(simd, gap, gap))
                };
            }
        }
    }
    sums
}

#[inline(always)]
fn finish<R: Real, S: Simd, const V: usize, const MODE: u8>(
    simd: S,
    ranks: &mut [R::Vector<S>; V],
    norm: R,
    last: &[R::Vector<S>; V],
) {
    if MODE == NEAR {
        return;
    }
    let (norm, minus_two) = (R::splat(simd, norm), R::splat(simd, R::of(-2.0)));
    for v in 0..V {
        if MODE == EXPANDED {
            ranks[v] = R::plus(simd, norm, R::times(simd, minus_two, ranks[v]));
        }
        // Adding zero to a sum of squares changes nothing.
        ranks[v] = R::plus(simd, ranks[v], last[v]);
    }
}
