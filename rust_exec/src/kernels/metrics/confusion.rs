//! Confusion matrices of predicted labels; metrics of labels follow from them.

use ndarray::ArrayView1;

use super::{check_rows, check_target};
use crate::errors::KernelError;
use crate::kernels::workers::Workers;

/// Most counts that one call may hold.
const MOST: usize = 1 << 24;
/// Labels that lie this close together are looked up in a table.
const TABLE: u64 = 1 << 16;

/// Counts (vectors, labels, labels): rows of true label i that are predicted as label j; all -1
/// for a vector that holds another label. `labels` ascend.
pub fn count(
    target: ArrayView1<'_, i64>,
    vectors: &[ArrayView1<'_, i64>],
    labels: &[i64],
    workers: &Workers,
) -> Result<Vec<i64>, KernelError> {
    if labels.is_empty() || labels.windows(2).any(|pair| pair[0] >= pair[1]) {
        let message = "labels must be distinct, ascending, and at least one";
        return Err(KernelError::input("bad_labels", message));
    }
    let size = labels.len().checked_mul(labels.len());
    let all = size.and_then(|size| size.checked_mul(vectors.len().max(1)));
    let Some(size) = size.filter(|_| all.is_some_and(|all| all <= MOST)) else {
        let message = format!("{} labels make too many counts", labels.len());
        return Err(KernelError::input("too_many_labels", message));
    };
    check_target(target.len())?;
    for (place, vector) in vectors.iter().enumerate() {
        check_rows(place, vector.len(), target.len())?;
    }
    let places = Places::new(labels);
    let encoded: Vec<u32> = (target.iter())
        .map(|&label| places.of(label).ok_or_else(|| stranger(label)))
        .collect::<Result<_, _>>()?;
    let found = workers.map(vectors.len(), |place| {
        let mut counts = vec![0_i64; size];
        for (row, label) in encoded.iter().zip(vectors[place].iter()) {
            let Some(column) = places.of(*label) else {
                return vec![-1; size];
            };
            counts[*row as usize * labels.len() + column as usize] += 1;
        }
        counts
    });
    Ok(found.concat())
}

fn stranger(label: i64) -> KernelError {
    let message = format!("target holds {label}, which is none of the labels");
    KernelError::input("unknown_label", message)
}

/// Where a label stands among the labels.
enum Places<'a> {
    Table { first: i64, places: Vec<u32> },
    Search(&'a [i64]),
}

impl<'a> Places<'a> {
    fn new(labels: &'a [i64]) -> Self {
        let (first, last) = (labels[0], labels[labels.len() - 1]);
        let width = last.abs_diff(first);
        if width >= TABLE {
            return Self::Search(labels);
        }
        let mut places = vec![u32::MAX; width as usize + 1];
        for (place, label) in labels.iter().enumerate() {
            places[label.abs_diff(first) as usize] = place as u32;
        }
        Self::Table { first, places }
    }

    fn of(&self, label: i64) -> Option<u32> {
        match self {
            Self::Table { first, places } => {
                let offset = usize::try_from(label.wrapping_sub(*first) as u64).ok()?;
                let place = *places.get(offset)?;
                (place != u32::MAX).then_some(place)
            }
            Self::Search(labels) => labels.binary_search(&label).ok().map(|place| place as u32),
        }
    }
}
