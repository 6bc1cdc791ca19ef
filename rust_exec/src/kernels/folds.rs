//! Which folds can share their moments.
//!
//! Input: index sets of the folds. Output: runs of folds whose validation sets partition the
//! rows that each of them uses (k-fold and stratified splits, each repeat of a repeated one);
//! every other fold stands alone.

use std::ops::Range;

use crate::errors::KernelError;

/// Training and validation rows of one fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    pub train: Vec<u32>,
    pub valid: Vec<u32>,
}

impl Fold {
    fn size(&self) -> usize {
        self.train.len() + self.valid.len()
    }
}

/// Folds that are fitted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// Each training set is the union of the other validation sets in the range.
    Partition(Range<usize>),
    /// No relation to other folds is used.
    Single(usize),
}

/// Checks row numbers against `0..n` and narrows them.
pub fn row_set(
    indices: impl ExactSizeIterator<Item = i64>,
    n: usize,
    what: &str,
) -> Result<Vec<u32>, KernelError> {
    if indices.len() == 0 {
        return Err(KernelError::input(
            "empty_fold",
            format!("{what} has no rows"),
        ));
    }
    let limit = i64::try_from(n)
        .unwrap_or(i64::MAX)
        .min(i64::from(u32::MAX));
    let mut rows = Vec::with_capacity(indices.len());
    for index in indices {
        if !(0..limit).contains(&index) {
            return Err(KernelError::input(
                "index_out_of_range",
                format!(
                    "{what} holds row {index}, but rows go from 0 to {}",
                    limit - 1
                ),
            ));
        }
        rows.push(index as u32);
    }
    Ok(rows)
}

/// Splits `folds`, in order, into groups. `n` is the number of rows of the data.
pub fn group(folds: &[Fold], n: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start = 0;
    // Stamps let one array serve every fold without clearing: 0 means never seen.
    let mut owner = vec![0_usize; n];
    let mut seen = vec![0_usize; n];
    let mut stamp = 0;
    while start < folds.len() {
        let end = partition_end(folds, start);
        let is_partition = end.is_some_and(|end| {
            let base = stamp;
            stamp += 2 * (end - start);
            partitions(&folds[start..end], &mut owner, &mut seen, base)
        });
        match end {
            Some(end) if is_partition => {
                groups.push(Group::Partition(start..end));
                start = end;
            }
            _ => {
                groups.push(Group::Single(start));
                start += 1;
            }
        }
    }
    groups
}

/// End of the only run from `start` whose validation sets have as many rows as one fold uses.
fn partition_end(folds: &[Fold], start: usize) -> Option<usize> {
    let size = folds[start].size();
    let mut covered = 0;
    for (k, fold) in folds.iter().enumerate().skip(start) {
        if fold.size() != size {
            return None;
        }
        covered += fold.valid.len();
        if covered >= size {
            return (covered == size && k > start).then_some(k + 1);
        }
    }
    None
}

fn partitions(folds: &[Fold], owner: &mut [usize], seen: &mut [usize], base: usize) -> bool {
    let count = folds.len();
    for (k, fold) in folds.iter().enumerate() {
        for &row in &fold.valid {
            if owner[row as usize] > base {
                return false;
            }
            owner[row as usize] = base + 1 + k;
        }
    }
    // Sizes agree already, so distinct rows of other owners are exactly the complement.
    folds.iter().enumerate().all(|(k, fold)| {
        let mark = base + count + 1 + k;
        fold.train.iter().all(|&row| {
            let row = row as usize;
            let fresh = seen[row] != mark;
            seen[row] = mark;
            fresh && owner[row] > base && owner[row] != base + 1 + k
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(train: &[u32], valid: &[u32]) -> Fold {
        Fold {
            train: train.to_vec(),
            valid: valid.to_vec(),
        }
    }

    #[test]
    fn k_fold_is_one_partition_and_repeats_are_two() {
        let once = [
            fold(&[2, 3, 4, 5], &[0, 1]),
            fold(&[0, 1, 4, 5], &[2, 3]),
            fold(&[0, 1, 2, 3], &[4, 5]),
        ];
        assert_eq!(group(&once, 6), vec![Group::Partition(0..3)]);
        let twice = [once.clone(), once].concat();
        assert_eq!(
            group(&twice, 6),
            vec![Group::Partition(0..3), Group::Partition(3..6)]
        );
    }

    #[test]
    fn rows_outside_every_fold_do_not_matter() {
        let folds = [fold(&[1], &[7]), fold(&[7], &[1])];
        assert_eq!(group(&folds, 9), vec![Group::Partition(0..2)]);
    }

    #[test]
    fn filtered_overlapping_and_repeated_rows_stand_alone() {
        let filtered = [fold(&[2], &[0, 1]), fold(&[0, 1], &[2, 3])];
        let overlapping = [fold(&[0, 1], &[2, 3]), fold(&[0, 1], &[2, 3])];
        let repeated = [fold(&[2, 2], &[0, 1]), fold(&[0, 1], &[2, 3])];
        let leaking = [fold(&[2, 1], &[0, 1]), fold(&[0, 1], &[2, 3])];
        for folds in [filtered, overlapping, repeated, leaking] {
            assert_eq!(group(&folds, 4), vec![Group::Single(0), Group::Single(1)]);
        }
        assert_eq!(group(&[fold(&[0], &[1])], 2), vec![Group::Single(0)]);
    }

    #[test]
    fn bad_rows_are_named() {
        let error = row_set([0, -1].into_iter(), 3, "train[0]").unwrap_err();
        assert_eq!(error.code(), "index_out_of_range");
        assert!(error.to_string().contains("train[0] holds row -1"));
        assert_eq!(
            row_set([].into_iter(), 3, "train[0]").unwrap_err().code(),
            "empty_fold"
        );
        assert!(row_set([2].into_iter(), 3, "train[0]").is_ok());
    }
}
