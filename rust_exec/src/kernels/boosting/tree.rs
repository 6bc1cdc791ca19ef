//! A grown tree. Input: splits in the order they were made. Output: scores of coded rows.

use crate::kernels::trees::bins::MISSING;

/// One split; rows with code <= `threshold` go left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub feature: u32,
    pub threshold: u8,
    pub missing_left: bool,
    /// Number of the split below, or of the leaf as -1 - leaf.
    pub left: i32,
    pub right: i32,
}

/// Split 0 is the root; a tree without splits has one leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub splits: Vec<Split>,
    pub values: Vec<f64>,
}

impl Split {
    /// Moves the rows that go left to the front, in order on both sides; gives their number.
    pub fn partition(&self, column: &[u8], rows: &mut [u32], spare: &mut [u32]) -> usize {
        let missing = if self.missing_left {
            u16::from(MISSING)
        } else {
            256
        };
        let threshold = u16::from(self.threshold);
        let (mut left, mut right) = (0, 0);
        for at in 0..rows.len().min(spare.len()) {
            let row = rows[at];
            let code = u16::from(column[row as usize]);
            let goes = (code <= threshold) | (code == missing);
            rows[left] = row;
            spare[right] = row;
            left += usize::from(goes);
            right += usize::from(!goes);
        }
        rows[left..].copy_from_slice(&spare[..right]);
        left
    }
}

impl Tree {
    /// Adds the leaf values of `rows` (which it reorders) to their scores; `codes` holds
    /// features column by column.
    pub fn add(&self, codes: &[u8], rows: &mut [u32], spare: &mut [u32], scores: &mut [f64]) {
        if self.splits.is_empty() {
            let value = self.values.first().copied().unwrap_or(0.0);
            rows.iter().for_each(|&row| scores[row as usize] += value);
            return;
        }
        let n = scores.len();
        let mut open = vec![(0i32, 0, rows.len())];
        while let Some((at, from, to)) = open.pop() {
            if from == to {
                continue;
            }
            if at < 0 {
                let value = self.values[(-1 - at) as usize];
                for &row in &rows[from..to] {
                    scores[row as usize] += value;
                }
                continue;
            }
            let split = &self.splits[at as usize];
            let column = &codes[split.feature as usize * n..][..n];
            let middle = from + split.partition(column, &mut rows[from..to], spare);
            open.push((split.right, middle, to));
            open.push((split.left, from, middle));
        }
    }
}
