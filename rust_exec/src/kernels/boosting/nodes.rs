//! What growth of a tree reads and leaves behind: gradients, leaves, and the tree with both.

use std::ops::Range;

use super::histogram::Packing;
use super::split::Found;
use super::tree::Tree;

/// A leaf, of these places of the row numbers.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub rows: Range<usize>,
    pub total: i64,
    pub depth: usize,
    /// Where its histograms are kept.
    pub place: Option<usize>,
    pub found: Option<Found>,
    /// Penalty of its value, beside that of all leaves.
    pub more_l2: f64,
    /// By tile and bit: the features that may be split in it.
    pub open: Vec<u16>,
    /// The split above it, and whether it is on its left.
    pub above: Option<(usize, bool)>,
}

/// Gradients that a tree is fitted to.
#[derive(Clone, Copy)]
pub struct Gradients<'a> {
    /// By row of the training set.
    pub packed: &'a [i64],
    pub packing: Packing,
    /// Whether all second derivatives are 1.
    pub constant: bool,
}

/// A tree with leaf values before the learning rate, and the rows of its leaves.
pub struct Grown {
    pub tree: Tree,
    pub leaves: Vec<Leaf>,
}
