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

/// What the areas are summed from, score by score from the highest.
#[derive(Default)]
struct Walk {
    /// Twice the area under the curve of found against rest.
    area: u64,
    found: u64,
    rest: u64,
    precision: f64,
}

impl Walk {
    #[inline(always)]
    fn step(&mut self, ones: u64, others: u64) {
        self.area += others * (2 * self.found + ones);
        self.found += ones;
        self.rest += others;
        // Without a branch, for which of the two comes next cannot be foretold.
        self.precision += ones as f64 * (self.found as f64 / (self.found + self.rest) as f64);
    }

    /// Area under the ROC curve and average precision; NaN where one side is empty.
    fn areas(&self) -> (f64, f64) {
        if self.found == 0 || self.rest == 0 {
            return (f64::NAN, f64::NAN);
        }
        let (found, rest) = (self.found as f64, self.rest as f64);
        (
            self.area as f64 / 2.0 / (found * rest),
            self.precision / found,
        )
    }
}

/// As [`scored_areas`], from sorted keys of the hits and of the others.
pub fn areas(ones: &[u64], others: &[u64]) -> (f64, f64) {
    let mut walk = Walk::default();
    descend(ones, others, |one, other| {
        walk.step(one as u64, other as u64)
    });
    walk.areas()
}

/// Area under the ROC curve and average precision of scores, ties at their mean; NaN where all or
/// none of the rows are hits.
pub fn scored_areas(scores: &[f64], hits: &[bool]) -> (f64, f64) {
    let mut spare = Vec::new();
    let rows = || scores.iter().map(|score| key(*score)).zip(hits);
    let top = 1 << 63;
    let above = rows().filter(|(key, _)| key & top != 0).count();
    if above != 0 && above != scores.len() {
        let side = |wanted: bool| rows().filter(move |(_, hit)| **hit == wanted);
        let [mut ones, mut others] = [true, false].map(|wanted| {
            let keys = side(wanted).map(|(key, _)| key);
            keys.collect::<Vec<u64>>()
        });
        sort(&mut ones, &mut spare);
        sort(&mut others, &mut spare);
        return areas(&ones, &others);
    }
    // Scores of one sign, such as probabilities, leave a bit of their keys for the hit.
    let mut keys: Vec<u64> = rows()
        .map(|(key, hit)| key << 1 | u64::from(*hit))
        .collect();
    sort(&mut keys, &mut spare);
    let mut walk = Walk::default();
    let (mut ones, mut others) = (0, 0);
    let mut last = keys.last().map_or(0, |key| key >> 1);
    for &key in keys.iter().rev() {
        if key >> 1 != last {
            walk.step(ones, others);
            (ones, others, last) = (0, 0, key >> 1);
        }
        ones += key & 1;
        others += 1 - (key & 1);
    }
    if !keys.is_empty() {
        walk.step(ones, others);
    }
    walk.areas()
}
