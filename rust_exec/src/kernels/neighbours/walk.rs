//! The walk of scikit-learn's k-d tree, for queries whose neighbours depend on how it breaks ties.
//!
//! Input: the arrays of a fitted tree, a query. Output: heaps filled in its order
//! (sklearn.neighbors `_binary_tree.pxi` of 1.9, one query, depth first). The order of the nodes is
//! the same for every number of neighbours, so that one walk serves all; at which nodes each turns
//! back is its own matter.

use std::borrow::Cow;

use ndarray::{ArrayView1, ArrayView2, ArrayView3, Axis};

use super::exact::Query;
use super::heap::Heap;
use super::panels::Points;
use crate::kernels::simd;

/// A fitted tree.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    /// (n,) points in the order of the leaves.
    pub order: ArrayView1<'a, i64>,
    /// (nodes, 3): first and last place in `order` (the last excluded), whether it is a leaf.
    pub nodes: ArrayView2<'a, i64>,
    /// (2, nodes, features) least and greatest values.
    pub bounds: ArrayView3<'a, f64>,
    /// The power of the metric: 2. An argument, so that squares are taken as the library does.
    pub power: f64,
}

impl Tree<'_> {
    /// Whether every place that a walk may come to exists.
    pub fn is_sound(&self, points: usize, features: usize) -> bool {
        let nodes = self.nodes.nrows();
        let within = |value: i64, end: usize| usize::try_from(value).is_ok_and(|v| v <= end);
        nodes > 0
            && self.nodes.ncols() == 3
            && self.bounds.dim() == (2, nodes, features)
            && self.order.len() == points
            && self
                .order
                .iter()
                .all(|p| usize::try_from(*p).is_ok_and(|p| p < points))
            && self
                .nodes
                .rows()
                .into_iter()
                .enumerate()
                .all(|(node, row)| {
                    within(row[0], points)
                        && within(row[1], points)
                        && (row[2] != 0 || 2 * node + 2 < nodes)
                })
    }
}

/// What a walk knows of one query.
pub struct Walk<'a, 'b, 'c> {
    pub tree: Tree<'a>,
    pub points: &'b Points<'c>,
    pub query: &'b mut Query,
    /// Places within the order of the tree, ascending, and ranks: of all points whose rank is at
    /// most `reach`, and maybe of others.
    pub known: &'b [(u32, f64)],
    pub reach: f64,
    /// Heaps of ascending sizes.
    pub heaps: &'b mut [Heap],
    pub boxes: &'b Boxes<'a>,
    /// The last node of which the bound was computed as the library does, and that.
    pub last: (usize, f64),
    /// Those that are at a node, for each node on the path, one after the other.
    pub present: Vec<usize>,
}

/// The boxes of the nodes.
pub struct Boxes<'a> {
    features: usize,
    low: Cow<'a, [f64]>,
    high: Cow<'a, [f64]>,
}

impl<'a> Boxes<'a> {
    pub fn new(bounds: ArrayView3<'a, f64>) -> Self {
        let side = |side| {
            let bounds = bounds.index_axis_move(Axis(0), side);
            match bounds.to_slice() {
                Some(values) => Cow::Borrowed(values),
                None => Cow::Owned(bounds.iter().copied().collect()),
            }
        };
        Self {
            features: bounds.dim().2,
            low: side(0),
            high: side(1),
        }
    }

    #[inline(always)]
    fn sides(&self, node: usize) -> (&[f64], &[f64]) {
        let (start, end) = (node * self.features, (node + 1) * self.features);
        (&self.low[start..end], &self.high[start..end])
    }
}

/// Sums below may have lost bits to underflow.
const SMALL: f64 = 1e-290;

impl Walk<'_, '_, '_> {
    /// Offers points to each of the heaps as a query for that many neighbours does.
    pub fn run(mut self) {
        self.present.extend(0..self.heaps.len());
        let [bound] = self.bounds(0);
        self.descend(0, bound, 0);
    }

    /// `bound` is nearly the least rank in the node; the heaps at its parent are those of
    /// `present` from `start` on.
    fn descend(&mut self, node: usize, bound: f64, start: usize) {
        let end = self.present.len();
        for position in start..end {
            let heap = self.present[position];
            if !self.is_farther(node, bound, self.heaps[heap].largest()) {
                self.present.push(heap);
            }
        }
        if self.present.len() > end {
            let row = self.tree.nodes.row(node);
            if row[2] != 0 {
                self.offer(row[0] as u32, row[1] as u32, end);
            } else {
                let children = [2 * node + 1, 2 * node + 2];
                let bounds = self.bounds(children[0]);
                let nearer = usize::from(self.is_order_reversed(children, bounds));
                for side in [nearer, 1 - nearer] {
                    self.descend(children[side], bounds[side], end);
                }
            }
        }
        self.present.truncate(end);
    }

    /// Offers the points of a leaf to the heaps that are there, from `start` on.
    fn offer(&mut self, first: u32, end: u32, start: usize) {
        let present = &self.present[start..];
        let heaps = &mut self.heaps[..];
        let largest = present.iter().map(|heap| heaps[*heap].largest());
        let limit = largest.fold(f64::NEG_INFINITY, f64::max);
        let is_known = limit <= self.reach;
        let push = |point: u32, rank: f64| {
            if rank < limit {
                for heap in present {
                    heaps[*heap].push(rank, point);
                }
            }
        };
        let order = self.tree.order;
        let point = |place: u32| order[place as usize] as u32;
        if is_known {
            let from = self.known.partition_point(|(place, _)| *place < first);
            let leaf = self.known[from..].iter();
            let leaf = leaf.take_while(|(place, _)| *place < end);
            let mut push = push;
            leaf.for_each(|(place, rank)| push(point(*place), *rank));
        } else {
            let chosen = (first..end).map(point);
            self.query.ranks(self.points, chosen, push);
        }
    }

    fn is_farther(&mut self, node: usize, bound: f64, largest: f64) -> bool {
        if bound == 0.0 || largest == f64::INFINITY {
            return false;
        }
        if self.is_near(bound, largest) {
            return self.exact(node) > largest;
        }
        bound > largest
    }

    fn is_order_reversed(&mut self, nodes: [usize; 2], bounds: [f64; 2]) -> bool {
        if self.is_near(bounds[0], bounds[1]) {
            // As is usual on a grid, and where the query lies within both.
            if self.gaps(nodes[0]).eq(self.gaps(nodes[1])) {
                return false;
            }
            return self.exact(nodes[0]) > self.exact(nodes[1]);
        }
        bounds[0] > bounds[1]
    }

    /// Whether rounding may decide which is greater: of a sum of squares and the library's sum of
    /// powers, or two sums.
    fn is_near(&self, one: f64, two: f64) -> bool {
        let rounding = 8.0 * (self.query.values.len() + 8) as f64 * f64::EPSILON;
        (one - two).abs() <= rounding * one.max(two) + SMALL
    }

    /// Nearly the least ranks that points of `N` nodes, the first of them `node`, can have; zero
    /// where it is that.
    fn bounds<const N: usize>(&self, node: usize) -> [f64; N] {
        simd::dispatch(
            #[inline(always)]
            || {
                let mut found = [0.0; N];
                for (place, found) in found.iter_mut().enumerate() {
                    let (low, high) = self.boxes.sides(node + place);
                    *found = about(&self.query.values, low, high);
                }
                found
            },
        )
    }

    /// The least rank that a point of the node can have, as the library rounds it.
    fn exact(&mut self, node: usize) -> f64 {
        if self.last.0 == node {
            return self.last.1;
        }
        let mut sum = 0.0;
        for gap in self.gaps(node) {
            if gap != 0.0 {
                sum += gap.powf(self.tree.power);
            }
        }
        self.last = (node, sum);
        sum
    }

    fn gaps(&self, node: usize) -> impl Iterator<Item = f64> {
        let (low, high) = self.boxes.sides(node);
        let sides = self.query.values.iter().zip(low).zip(high);
        sides.map(|((value, low), high)| gap(*value, *low, *high))
    }
}

/// How far a value is from what lies between two.
#[inline(always)]
fn gap(value: f64, low: f64, high: f64) -> f64 {
    // One of them is zero: nothing is rounded here that the library does not round.
    (low - value).max(0.0) + (value - high).max(0.0)
}

#[inline(always)]
fn about(query: &[f64], low: &[f64], high: &[f64]) -> f64 {
    const LANES: usize = 4;
    let (mut sums, mut widest) = ([0.0; LANES], [0.0_f64; LANES]);
    let (query, rest) = query.as_chunks::<LANES>();
    let (low, low_rest) = low.as_chunks::<LANES>();
    let (high, high_rest) = high.as_chunks::<LANES>();
    for ((query, low), high) in query.iter().zip(low).zip(high) {
        for lane in 0..LANES {
            let gap = gap(query[lane], low[lane], high[lane]);
            sums[lane] += gap * gap;
            widest[lane] = widest[lane].max(gap);
        }
    }
    for ((query, low), high) in rest.iter().zip(low_rest).zip(high_rest) {
        let gap = gap(*query, *low, *high);
        sums[0] += gap * gap;
        widest[0] = widest[0].max(gap);
    }
    if widest.iter().all(|gap| *gap == 0.0) {
        return 0.0;
    }
    // A square may underflow.
    sums.iter().sum::<f64>().max(f64::MIN_POSITIVE)
}
