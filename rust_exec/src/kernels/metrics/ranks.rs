//! Order of scores: sorted keys, and walks over two sorted lists from the top.

/// The bits of a score such that greater scores have greater keys; both zeros have one key.
pub fn key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    bits ^ ((((bits as i64) >> 63) as u64) | (1 << 63))
}

const DIGIT: u32 = 11;
const BUCKETS: usize = 1 << DIGIT;
/// Below this many keys, comparing is faster than counting.
const FEW: usize = 1024;
/// Keys are sorted by so many bits more than their number needs; what is still in disorder then
/// are short runs.
const SPARE_BITS: u32 = 4;

/// Sorts keys in ascending order: by the highest bits in which they differ, as many as leave few
/// of them alike, counting digits from the least; then the runs that are alike in those bits.
pub fn sort(keys: &mut Vec<u64>, spare: &mut Vec<u64>) {
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    let first = keys[0];
    let differing = keys.iter().fold(0, |bits, key| bits | (key ^ first));
    let high = u64::BITS - differing.leading_zeros();
    let wanted = (keys.len().ilog2() + SPARE_BITS).div_ceil(DIGIT) * DIGIT;
    let low = high.saturating_sub(wanted);
    spare.clear();
    spare.resize(keys.len(), 0);
    for shift in (low..high).step_by(DIGIT as usize) {
        by_digit(keys, spare, shift);
        std::mem::swap(keys, spare);
    }
    if low > 0 {
        for run in keys.chunk_by_mut(|a, b| a >> low == b >> low) {
            if run.len() > 1 {
                run.sort_unstable();
            }
        }
    }
}

/// Moves `keys` into `sorted`, in the order of the digit at `shift`.
fn by_digit(keys: &[u64], sorted: &mut [u64], shift: u32) {
    let digit = |key: u64| (key >> shift) as usize % BUCKETS;
    let mut places = [0_u32; BUCKETS];
    for key in keys {
        places[digit(*key)] += 1;
    }
    let mut next = 0;
    for place in &mut places {
        next += std::mem::replace(place, next);
    }
    for key in keys {
        let place = &mut places[digit(*key)];
        sorted[*place as usize] = *key;
        *place += 1;
    }
}

/// Goes through the distinct scores from the highest: how many of `ones` and of `others` (both
/// ascending) have it.
pub fn descend(ones: &[u64], others: &[u64], mut step: impl FnMut(usize, usize)) {
    let (mut i, mut j) = (ones.len(), others.len());
    while i > 0 || j > 0 {
        let top = match (i, j) {
            (0, _) => others[j - 1],
            (_, 0) => ones[i - 1],
            _ => ones[i - 1].max(others[j - 1]),
        };
        let (before, other_before) = (i, j);
        while i > 0 && ones[i - 1] == top {
            i -= 1;
        }
        while j > 0 && others[j - 1] == top {
            j -= 1;
        }
        step(before - i, other_before - j);
    }
}

/// Twice the number of pairs in which the one scores higher than the other; ties count half.
pub fn doubled_wins(ones: &[u64], others: &[u64]) -> u64 {
    let (mut area, mut found) = (0, 0);
    descend(ones, others, |one, other| {
        area += other as u64 * (2 * found + one as u64);
        found += one as u64;
    });
    area
}

/// Area under the ROC curve and average precision; NaN where a list is empty.
pub fn areas(ones: &[u64], others: &[u64]) -> (f64, f64) {
    if ones.is_empty() || others.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let (mut area, mut found, mut rest, mut precision) = (0_u64, 0_u64, 0_u64, 0.0);
    descend(ones, others, |one, other| {
        area += other as u64 * (2 * found + one as u64);
        found += one as u64;
        rest += other as u64;
        if one > 0 {
            precision += one as f64 * (found as f64 / (found + rest) as f64);
        }
    });
    let pairs = ones.len() as f64 * others.len() as f64;
    (area as f64 / 2.0 / pairs, precision / ones.len() as f64)
}
