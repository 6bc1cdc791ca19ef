//! The walk of scikit-learn's k-d tree, for queries whose neighbours depend on how it breaks ties.
//!
//! Input: the arrays of a fitted tree, ranks of all points. Output: heaps filled in its order
//! (sklearn.neighbors `_binary_tree.pxi` of 1.9, one query, depth first).

use ndarray::{ArrayView1, ArrayView2, ArrayView3};

use super::heap::Heap;

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

    /// Offers points to `heap` as a query for that many neighbours does. `least` are the least
    /// ranks in each node, NaN where not computed yet.
    pub fn walk(&self, query: ArrayView1<f64>, ranks: &[f64], least: &mut [f64], heap: &mut Heap) {
        let bound = self.least(0, query, least);
        self.descend(0, bound, query, ranks, least, heap);
    }

    fn descend(
        &self,
        node: usize,
        bound: f64,
        query: ArrayView1<f64>,
        ranks: &[f64],
        least: &mut [f64],
        heap: &mut Heap,
    ) {
        if bound > heap.largest() {
            return;
        }
        let row = self.nodes.row(node);
        if row[2] != 0 {
            for place in row[0]..row[1] {
                let point = self.order[place as usize];
                heap.push(ranks[point as usize], point as u32);
            }
            return;
        }
        let children = [2 * node + 1, 2 * node + 2];
        let bounds = children.map(|child| self.least(child, query, least));
        let nearer = usize::from(bounds[0] > bounds[1]);
        for side in [nearer, 1 - nearer] {
            self.descend(children[side], bounds[side], query, ranks, least, heap);
        }
    }

    /// The least rank that a point of the node can have.
    fn least(&self, node: usize, query: ArrayView1<f64>, known: &mut [f64]) -> f64 {
        if !known[node].is_nan() {
            return known[node];
        }
        let mut sum = 0.0;
        for (feature, value) in query.iter().enumerate() {
            let below = self.bounds[(0, node, feature)] - value;
            let above = value - self.bounds[(1, node, feature)];
            let gap = (below + below.abs()) + (above + above.abs());
            if gap != 0.0 {
                sum += (0.5 * gap).powf(self.power);
            }
        }
        known[node] = sum;
        sum
    }
}
