//! Growing one tree: depth first, or by the greatest decrease where the leaves are counted.

use std::collections::BinaryHeap;

use super::bins::Bins;
use super::codes::View;
use super::criterion::{Criterion, Limits, goes_left};
use super::random::Random;
use super::sample::Sample;
use super::split::{Rows, Search, Split};
use super::walk::{Node, Tree};
use crate::kernels::simd::dispatch;

/// What stops a tree from growing, as scikit-learn's parameters of these names.
#[derive(Debug, Clone)]
pub struct Shape {
    pub max_features: usize,
    pub max_depth: usize,
    pub min_samples_split: usize,
    pub min_samples_leaf: usize,
    pub min_weight_fraction_leaf: f64,
    pub min_impurity_decrease: f64,
    pub max_leaf_nodes: Option<usize>,
    /// One random cut per feature instead of the best (extremely randomised trees).
    pub random_cuts: bool,
}

/// A node whose rows are `start..end` of the sample.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: usize,
    start: usize,
    end: usize,
    depth: usize,
}

/// An open node with its split, by the decrease of impurity.
struct Ranked {
    decrease: f64,
    open: Open,
    middle: usize,
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.decrease.total_cmp(&other.decrease)
    }
}

/// Grows a tree on the rows of `sample`.
pub fn grow<C: Criterion>(
    (bins, view): (&Bins, View),
    criterion: &C,
    shape: &Shape,
    sample: Sample,
    random: &mut Random,
) -> Tree {
    let weighed = sample.numbers.iter().zip(&sample.weights);
    let held: Vec<C::Row> = weighed
        .map(|(&number, &weight)| criterion.row(number as usize, weight))
        .collect();
    let weight: f64 = sample.weights.iter().map(|&w| f64::from(w)).sum();
    drop(sample.weights);
    let limits = Limits {
        rows: shape.min_samples_leaf as f64,
        weight: shape.min_weight_fraction_leaf * weight,
    };
    let mut grower = Grower {
        shape,
        criterion,
        search: Search::new(
            (bins, view),
            criterion,
            limits,
            shape.max_features,
            shape.random_cuts,
        ),
        view,
        limits,
        weight,
        numbers: sample.numbers,
        rows: held,
        aside: Vec::new(),
        tree: Tree {
            nodes: Vec::new(),
            values: Vec::new(),
            width: criterion.width(),
        },
    };
    match shape.max_leaf_nodes {
        None => grower.depth_first(random),
        Some(leaves) => grower.best_first(leaves, random),
    }
    grower.tree
}

struct Grower<'a, C: Criterion> {
    shape: &'a Shape,
    criterion: &'a C,
    search: Search<'a, C>,
    view: View<'a>,
    limits: Limits,
    weight: f64,
    /// Row numbers of the sample, node by node; and what the rows carry.
    numbers: Vec<u32>,
    rows: Vec<C::Row>,
    aside: Vec<(u32, C::Row)>,
    tree: Tree,
}

impl<C: Criterion> Grower<'_, C> {
    fn depth_first(&mut self, random: &mut Random) {
        let mut open = vec![self.root()];
        while let Some(node) = open.pop() {
            if let Some((middle, _)) = self.expand(&node, random) {
                let (left, right) = self.children(&node, middle);
                open.push(right);
                open.push(left);
            }
        }
    }

    fn best_first(&mut self, leaves: usize, random: &mut Random) {
        let mut ranked = BinaryHeap::new();
        let root = self.root();
        self.rank(root, &mut ranked, random);
        for _ in 1..leaves {
            let Some(best) = ranked.pop() else {
                break;
            };
            let (left, right) = self.children(&best.open, best.middle);
            self.rank(left, &mut ranked, random);
            self.rank(right, &mut ranked, random);
        }
        // What was split but not followed stays a leaf.
        for left in ranked {
            self.close(left.open.node);
        }
    }

    fn rank(&mut self, open: Open, ranked: &mut BinaryHeap<Ranked>, random: &mut Random) {
        if let Some((middle, decrease)) = self.expand(&open, random) {
            ranked.push(Ranked {
                decrease,
                open,
                middle,
            });
        }
    }

    fn root(&mut self) -> Open {
        self.push();
        Open {
            node: 0,
            start: 0,
            end: self.numbers.len(),
            depth: 0,
        }
    }

    fn push(&mut self) {
        let own = self.tree.nodes.len();
        self.tree.nodes.push(Node::leaf(own as u32));
    }

    fn close(&mut self, node: usize) {
        self.tree.nodes[node] = Node::leaf(node as u32);
    }

    fn children(&mut self, parent: &Open, middle: usize) -> (Open, Open) {
        let node = self.tree.nodes.len();
        self.push();
        self.push();
        self.tree.nodes[parent.node].leads_to(node as u32);
        let child = |node, start, end| Open {
            node,
            start,
            end,
            depth: parent.depth + 1,
        };
        (
            child(node, parent.start, middle),
            child(node + 1, middle, parent.end),
        )
    }

    /// Values the node, and splits its rows if it is to be split: where the right side begins,
    /// and the decrease of impurity.
    fn expand(&mut self, open: &Open, random: &mut Random) -> Option<(usize, f64)> {
        let (numbers, rows) = (
            &self.numbers[open.start..open.end],
            &self.rows[open.start..open.end],
        );
        let criterion = self.criterion;
        let total = dispatch(
            #[inline(always)]
            || criterion.total(rows),
        );
        // Nodes are made two at a time, but valued in another order.
        let width = self.tree.width;
        if self.tree.values.len() < (open.node + 1) * width {
            let nodes = self.tree.nodes.len().max(open.node + 1);
            self.tree.values.resize(nodes * width, 0.0);
        }
        let value = &mut self.tree.values[open.node * width..(open.node + 1) * width];
        self.criterion.leaf(&total, value);
        let shape = self.shape;
        let count = numbers.len();
        if open.depth >= shape.max_depth
            || count < shape.min_samples_split
            || count < 2 * shape.min_samples_leaf
            || self.criterion.weight(&total) < 2.0 * self.limits.weight
            || self.criterion.pure(&total, rows)
        {
            return None;
        }
        let node = Rows {
            numbers,
            carried: rows,
            total: &total,
        };
        let split = self.search.split(&node, random)?;
        let decrease = self.criterion.gain(&total, &split.cut) / self.weight;
        if decrease + f64::EPSILON < shape.min_impurity_decrease {
            return None;
        }
        let middle = self.partition(open, &split);
        let missing_left = split.cut.missing_left;
        self.tree.nodes[open.node].split(split.feature as u32, split.threshold, missing_left);
        Some((middle, decrease))
    }

    /// Brings the rows that go left to the front; both sides stay in order.
    fn partition(&mut self, open: &Open, split: &Split) -> usize {
        let place = self.view.place(split.feature);
        let (last, missing_left) = (split.cut.last, split.cut.missing_left);
        let (numbers, rows) = (
            &mut self.numbers[open.start..open.end],
            &mut self.rows[open.start..open.end],
        );
        let held = numbers.len();
        if self.aside.len() < held {
            self.aside.resize(held, (0, rows[0]));
        }
        let aside = &mut self.aside[..held];
        // Both places are written, and one of them kept: which side a row takes is a coin toss
        // to the processor.
        let (mut kept, mut moved) = (0, 0);
        for at in 0..held.min(rows.len()) {
            let (number, row) = (numbers[at], rows[at]);
            let code = self.view.at(number, place);
            let left = goes_left(code, last, missing_left);
            numbers[kept] = number;
            rows[kept] = row;
            aside[moved] = (number, row);
            kept += usize::from(left);
            moved += usize::from(!left);
        }
        let right = numbers[kept..].iter_mut().zip(&mut rows[kept..]);
        for ((number, row), &(moved, carried)) in right.zip(&*aside) {
            *number = moved;
            *row = carried;
        }
        open.start + kept
    }
}
