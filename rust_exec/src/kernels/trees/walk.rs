//! A grown tree of a forest, and the rows that walk down it.

use ndarray::ArrayView2;

use crate::kernels::workers::Workers;

/// The bit of [`Node::feature`] that says that missing values go left.
const MISSING_LEFT: u32 = 1 << 31;

/// A leaf leads to itself.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Its number, and [`MISSING_LEFT`].
    feature: u32,
    /// The right child comes after it.
    left: u32,
    /// Values up to it go left.
    threshold: f64,
}

impl Node {
    /// The leaf of this number: every value goes left.
    pub fn leaf(own: u32) -> Self {
        Self {
            feature: MISSING_LEFT,
            left: own,
            threshold: f64::INFINITY,
        }
    }

    /// Asks for a feature, of which there are fewer than 2^31; its children are told later.
    pub fn split(&mut self, feature: u32, threshold: f64, missing_left: bool) {
        self.feature = feature | if missing_left { MISSING_LEFT } else { 0 };
        self.threshold = threshold;
    }

    pub fn leads_to(&mut self, left: u32) {
        self.left = left;
    }
}

/// A grown tree; `values` has `width` numbers for each node.
pub struct Tree {
    pub nodes: Vec<Node>,
    pub values: Vec<f64>,
    pub width: usize,
}

/// Rows of a matrix by number.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub x: ArrayView2<'a, f64>,
    pub rows: &'a [u32],
}

/// Rows that walk down a tree side by side, to wait for memory together.
const ABREAST: usize = 8;
/// Rows that one thread asks all trees about.
const BLOCK: usize = 512;

impl Asked<'_> {
    /// Adds what each tree says of the rows to `sums` (rows, width), tree by tree.
    pub fn add(&self, trees: &[Tree], sums: &mut [f64], workers: &Workers) {
        let Some(width) = trees.first().map(|tree| tree.width) else {
            return;
        };
        let (rows, features) = self.x.dim();
        workers.each_chunk(sums, BLOCK * width, |block, sums| {
            let asked = &self.rows[block * BLOCK..][..sums.len() / width];
            if let Some(values) = self.x.to_slice() {
                let at = |row: u32| row as usize * features;
                add(trees, asked, sums, at, |from, f| values[from + f]);
            } else if let Some(values) = self.x.reversed_axes().to_slice() {
                let at = |row: u32| row as usize;
                add(trees, asked, sums, at, |from, f| values[f * rows + from]);
            } else {
                let at = |row: u32| row as usize;
                add(trees, asked, sums, at, |row, f| self.x[[row, f]]);
            }
        });
    }
}

/// `value` is of a row, as `at` has it, and a feature.
fn add(
    trees: &[Tree],
    rows: &[u32],
    sums: &mut [f64],
    at: impl Fn(u32) -> usize,
    value: impl Fn(usize, usize) -> f64,
) {
    for tree in trees {
        let width = tree.width;
        let groups = rows.chunks(ABREAST).zip(sums.chunks_mut(ABREAST * width));
        for (rows, sums) in groups {
            let (mut places, mut starts) = ([0u32; ABREAST], [0; ABREAST]);
            starts
                .iter_mut()
                .zip(rows)
                .for_each(|(to, &row)| *to = at(row));
            let places = &mut places[..rows.len()];
            let mut moved = true;
            while moved {
                moved = false;
                for (place, &start) in places.iter_mut().zip(&starts) {
                    let node = &tree.nodes[*place as usize];
                    let value = value(start, (node.feature & !MISSING_LEFT) as usize);
                    let missing_left = node.feature >= MISSING_LEFT;
                    let left = (value <= node.threshold) | (value.is_nan() & missing_left);
                    let next = node.left + u32::from(!left);
                    moved |= next != *place;
                    *place = next;
                }
            }
            for (&place, sums) in places.iter().zip(sums.chunks_exact_mut(width)) {
                let from = place as usize * width;
                for (sum, value) in sums.iter_mut().zip(&tree.values[from..]) {
                    *sum += value;
                }
            }
        }
    }
}

#[cfg(test)]
impl Tree {
    pub fn leaves(&self) -> usize {
        let leads_on = |(place, node): &(usize, &Node)| node.left as usize != *place;
        self.nodes.len() - self.nodes.iter().enumerate().filter(leads_on).count()
    }
}
