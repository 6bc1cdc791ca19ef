//! A grown tree. Input: splits in the order they were made. Output: scores of coded rows.

use crate::kernels::trees::bins::MISSING;

/// A set of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codes([u64; 4]);

impl Codes {
    pub fn of(codes: &[u8]) -> Self {
        let mut set = Self::default();
        codes.iter().for_each(|&code| set.put(code, true));
        set
    }

    #[inline(always)]
    pub fn has(&self, code: u8) -> bool {
        self.0[usize::from(code >> 6)] >> (code & 63) & 1 == 1
    }

    /// Takes a code in, or out.
    pub fn put(&mut self, code: u8, member: bool) {
        let word = &mut self.0[usize::from(code >> 6)];
        let bit = 1u64 << (code & 63);
        *word = if member { *word | bit } else { *word & !bit };
    }
}

/// One split; rows with code <= `threshold` go left, or with a code of `codes` if it has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub feature: u32,
    pub threshold: u8,
    /// Without [`MISSING`], whose rows go as `missing_left` says.
    pub codes: Option<Codes>,
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
        if let Some(mut codes) = self.codes {
            codes.put(MISSING, self.missing_left);
            return partition(column, rows, spare, |code| codes.has(code));
        }
        let threshold = u16::from(self.threshold);
        partition(column, rows, spare, |code| {
            let code = u16::from(code);
            (code <= threshold) | (code == missing)
        })
    }
}

#[inline(always)]
fn partition(
    column: &[u8],
    rows: &mut [u32],
    spare: &mut [u32],
    goes_left: impl Fn(u8) -> bool,
) -> usize {
    let (mut left, mut right) = (0, 0);
    for at in 0..rows.len().min(spare.len()) {
        let row = rows[at];
        let goes = goes_left(column[row as usize]);
        rows[left] = row;
        spare[right] = row;
        left += usize::from(goes);
        right += usize::from(!goes);
    }
    rows[left..].copy_from_slice(&spare[..right]);
    left
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
