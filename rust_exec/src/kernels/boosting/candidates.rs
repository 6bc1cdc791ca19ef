//! Which split comes next: the best one of a node, and the leaf that gains the most from its own.
//!
//! Input: what was found tile by tile. Output: choices that do not depend on the order of finding.

use std::cmp::Ordering;

use super::split::Found;

/// A leaf that waits to be split.
pub struct Waiting {
    pub gain: f64,
    pub leaf: usize,
}

impl Ord for Waiting {
    /// The greatest gain first; of equal ones the first leaf.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_gain = self.gain.total_cmp(&other.gain);
        by_gain.then_with(|| other.leaf.cmp(&self.leaf))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// The best split of a node, and by tile the features that have one.
#[derive(Default)]
pub struct Best {
    pub found: Option<Found>,
    pub open: Vec<u16>,
}

impl Best {
    /// The greatest gain; of equal ones the first feature.
    pub fn of(tiles: Vec<(Option<Found>, u16)>) -> Self {
        let (found, open): (Vec<_>, Vec<_>) = tiles.into_iter().unzip();
        let found = found.into_iter().fold(None, better);
        Self { found, open }
    }
}

/// The greater gain; of equal ones the first feature.
pub fn better(a: Option<Found>, b: Option<Found>) -> Option<Found> {
    let (Some(one), Some(other)) = (a, b) else {
        return a.or(b);
    };
    let by_gain = other.gain.total_cmp(&one.gain);
    match by_gain.then(one.feature.cmp(&other.feature)) {
        Ordering::Greater => b,
        _ => a,
    }
}
