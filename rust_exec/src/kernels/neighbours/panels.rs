//! Squared distances of a few queries to all points, a panel of points at a time.
//!
//! Input: points packed by [`Panels`], rows of queries. Output: ranks by which scikit-learn
//! orders neighbours, to its last bit, handed to a [`Taker`] as they come.

use ndarray::ArrayView2;
use pulp::{Simd, WithSimd};

use crate::kernels::simd;

/// How the rank of a point is computed; both in float64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `(|x|^2 - 2 x.y) + |y|^2`, the product summed feature by feature with fused
    /// multiplications: scikit-learn's brute search (ArgKmin) on the BLAS of its wheels.
    Expanded,
    /// The sum of `(x - y)^2` feature by feature, each operation rounded: its trees.
    Differences,
}

/// Points in panels of some columns, feature by feature within a panel.
pub struct Panels {
    /// Points per panel.
    width: usize,
    rows: usize,
    features: usize,
    arithmetic: Arithmetic,
    /// (panels, features, width), zero where there is no point.
    values: Vec<f64>,
    /// (panels * width,) what is added last, infinite where there is no point.
    last: Vec<f64>,
}

/// Takes the ranks of queries, a panel of points at a time.
pub trait Taker {
    /// The greatest rank that is of interest to a query, by its position in the sweep.
    fn limit(&self, query: usize) -> f64;

    /// Ranks of the points from `first` on, of which some are within the limit.
    fn take(&mut self, query: usize, first: usize, ranks: &[f64]);
}

/// Queries and vectors of points that are worked on at a time; accumulators fill the registers.
const WIDE: (usize, usize) = (6, 4);
const NARROW: (usize, usize) = (4, 3);

impl Panels {
    /// `norms` are the squared norms of the points; read for [`Arithmetic::Expanded`] only.
    pub fn new(points: ArrayView2<f64>, norms: &[f64], arithmetic: Arithmetic) -> Self {
        let (rows, features) = points.dim();
        let width = simd::arch().dispatch(Width);
        let panels = rows.div_ceil(width);
        let mut values = vec![0.0; panels * features * width];
        for (row, point) in points.rows().into_iter().enumerate() {
            let start = row / width * features * width + row % width;
            for (feature, value) in point.iter().enumerate() {
                values[start + feature * width] = *value;
            }
        }
        let mut last = vec![f64::INFINITY; panels * width];
        match arithmetic {
            Arithmetic::Expanded => last[..rows].copy_from_slice(&norms[..rows]),
            Arithmetic::Differences => last[..rows].fill(0.0),
        }
        Self {
            width,
            rows,
            features,
            arithmetic,
            values,
            last,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Points with those that fill the last panel.
    pub fn padded(&self) -> usize {
        self.last.len()
    }

    /// Hands the ranks of all points to `taker`, for each of these rows of the queries; points
    /// in order. `norms` are the queries' squared norms.
    pub fn sweep(
        &self,
        queries: ArrayView2<f64>,
        rows: &[usize],
        norms: &[f64],
        taker: &mut impl Taker,
    ) {
        simd::arch().dispatch(Sweep {
            panels: self,
            queries,
            rows,
            norms,
            taker,
        });
    }
}

struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F64_LANES * if S::F64_LANES == 8 { WIDE.1 } else { NARROW.1 }
    }
}

struct Sweep<'a, T> {
    panels: &'a Panels,
    queries: ArrayView2<'a, f64>,
    rows: &'a [usize],
    norms: &'a [f64],
    taker: &'a mut T,
}

impl<T: Taker> WithSimd for Sweep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let expanded = self.panels.arithmetic == Arithmetic::Expanded;
        match (S::F64_LANES == 8, expanded) {
            (true, true) => self.run::<S, { WIDE.0 }, { WIDE.1 }, true>(simd),
            (true, false) => self.run::<S, { WIDE.0 }, { WIDE.1 }, false>(simd),
            (false, true) => self.run::<S, { NARROW.0 }, { NARROW.1 }, true>(simd),
            (false, false) => self.run::<S, { NARROW.0 }, { NARROW.1 }, false>(simd),
        }
    }
}

impl<T: Taker> Sweep<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const Q: usize, const V: usize, const EXPANDED: bool>(self, simd: S) {
        let features = self.panels.features;
        let (groups, norms) = self.packed::<Q>();
        let mut limits = vec![[f64::NEG_INFINITY; Q]; norms.len()];
        for query in 0..self.rows.len() {
            limits[query / Q][query % Q] = self.taker.limit(query);
        }
        let mut noted;
        let panels = self
            .panels
            .values
            .chunks_exact(features * self.panels.width);
        for (panel, points) in panels.enumerate() {
            let first = panel * self.panels.width;
            let points = S::as_simd_f64s(points).0.as_chunks::<V>().0;
            let last = &self.panels.last[first..first + self.panels.width];
            let Some(last) = S::as_simd_f64s(last).0.first_chunk::<V>() else {
                return;
            };
            let group = groups.chunks_exact(features).zip(&norms).zip(&mut limits);
            for (group, ((queries, norms), limits)) in group.enumerate() {
                let mut ranks = tile::<S, Q, V, EXPANDED>(simd, queries, points);
                let mut within = [false; Q];
                for q in 0..Q {
                    finish::<S, V, EXPANDED>(simd, &mut ranks[q], norms[q], last);
                    within[q] = any_within::<S, V>(simd, &ranks[q], limits[q]);
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
                            if any_within::<S, 1>(simd, &[*ranks], limits[q]) {
                                let ranks = pulp::bytemuck::bytes_of(ranks);
                                let ranks = pulp::bytemuck::cast_slice(ranks);
                                self.taker.take(query, first + v * S::F64_LANES, ranks);
                                limits[q] = self.taker.limit(query);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Queries in groups of Q, feature by feature, and their norms; zeros fill the last group.
    fn packed<const Q: usize>(&self) -> (Vec<[f64; Q]>, Vec<[f64; Q]>) {
        let features = self.panels.features;
        let count = self.rows.len().div_ceil(Q);
        let mut groups = vec![[0.0; Q]; count * features];
        let mut norms = vec![[0.0; Q]; count];
        for (position, row) in self.rows.iter().enumerate() {
            let (group, q) = (position / Q, position % Q);
            for (feature, value) in self.queries.row(*row).iter().enumerate() {
                groups[group * features + feature][q] = *value;
            }
            if let Some(norm) = self.norms.get(*row) {
                norms[group][q] = *norm;
            }
        }
        (groups, norms)
    }
}

/// Products or sums of squares of Q queries and V vectors of points.
#[inline(always)]
fn tile<S: Simd, const Q: usize, const V: usize, const EXPANDED: bool>(
    simd: S,
    queries: &[[f64; Q]],
    points: &[[S::f64s; V]],
) -> [[S::f64s; V]; Q] {
    let mut sums = [[simd.splat_f64s(0.0); V]; Q];
    for (query, point) in queries.iter().zip(points) {
        for q in 0..Q {
            let value = simd.splat_f64s(query[q]);
            for v in 0..V {
                sums[q][v] = if EXPANDED {
                    simd.mul_add_f64s(value, point[v], sums[q][v])
                } else {
                    let gap = simd.sub_f64s(value, point[v]);
                    simd.add_f64s(sums[q][v], simd.mul_f64s(gap, gap))
                };
            }
        }
    }
    sums
}

#[inline(always)]
fn finish<S: Simd, const V: usize, const EXPANDED: bool>(
    simd: S,
    ranks: &mut [S::f64s; V],
    norm: f64,
    last: &[S::f64s; V],
) {
    let (norm, minus_two) = (simd.splat_f64s(norm), simd.splat_f64s(-2.0));
    for v in 0..V {
        if EXPANDED {
            ranks[v] = simd.add_f64s(norm, simd.mul_f64s(minus_two, ranks[v]));
        }
        // Adding zero to a sum of squares changes nothing.
        ranks[v] = simd.add_f64s(ranks[v], last[v]);
    }
}

#[inline(always)]
fn any_within<S: Simd, const V: usize>(simd: S, ranks: &[S::f64s; V], limit: f64) -> bool {
    let mut least = ranks[0];
    for rank in &ranks[1..] {
        least = simd.min_f64s(least, *rank);
    }
    let within = simd.less_than_or_equal_f64s(least, simd.splat_f64s(limit));
    // Whether there is one is all to be had: pulp 0.22 counts the lanes of short masks backwards.
    simd.first_true_m64s(within) < S::F64_LANES
}
