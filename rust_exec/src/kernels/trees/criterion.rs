//! Criteria of splits: what a row carries, sums of it by bin, and the worth of a cut.
//!
//! The worth of a split orders the splits of a node as scikit-learn's decrease of impurity does.
//! Two classes under Gini are squared error of 0/1, and are treated as that.

use super::bins::MISSING;
use super::histogram::{CELLS, Filled};

/// What a leaf must hold at least.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub rows: f64,
    pub weight: f64,
}

/// Codes up to `last` go left; `next` is the smallest present one that goes right, if any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    pub last: u8,
    pub next: Option<u8>,
    pub missing_left: bool,
    /// The worth, as a fraction: comparing needs no division.
    worth: (f64, f64),
}

impl Cut {
    pub fn worth(&self) -> f64 {
        self.worth.0 / self.worth.1
    }

    /// The cut, if it is worth more than `best`.
    #[inline]
    pub fn better(
        (last, next, missing_left): (u8, Option<u8>, bool),
        worth: (f64, f64),
        best: &Option<Self>,
    ) -> Option<Self> {
        Self::beats(worth, best).then_some(Self {
            last,
            next,
            missing_left,
            worth,
        })
    }

    #[inline]
    fn beats(worth: (f64, f64), best: &Option<Self>) -> bool {
        match best {
            Some(best) => worth.0 * best.worth.1 > best.worth.0 * worth.1,
            None => worth.0 > f64::NEG_INFINITY,
        }
    }
}

/// Sums of rows, and the worth of splits of them.
pub trait Criterion: Sync {
    /// What a row carries through the search.
    type Row: Copy + Send;
    /// Sums over the rows of a node.
    type Total: Clone;
    /// Sums by code.
    type Cells;

    /// `weight` is the number of times it was drawn, or its sample weight.
    fn row(&self, index: usize, weight: f32) -> Self::Row;
    fn total(&self, rows: &[Self::Row]) -> Self::Total;
    fn weight(&self, total: &Self::Total) -> f64;
    /// Whether nothing is to be gained from a split.
    fn pure(&self, total: &Self::Total, rows: &[Self::Row]) -> bool;
    /// By how much the impurity of the node, times its weight, decreases.
    fn gain(&self, total: &Self::Total, cut: &Cut) -> f64;
    /// Numbers of a leaf.
    fn width(&self) -> usize;
    fn leaf(&self, total: &Self::Total, values: &mut Vec<f64>);

    fn cells(&self) -> Self::Cells;
    /// Adds rows to empty cells; which codes occur is the answer.
    fn fill(
        &self,
        cells: &mut Self::Cells,
        codes: &[u8],
        numbers: &[u32],
        rows: &[Self::Row],
    ) -> Filled;
    /// Empties the cells that `fill` filled.
    fn clear(&self, cells: &mut Self::Cells, filled: Filled);
    /// Sums over the rows whose code is at most `last`, or missing if `missing_left`.
    fn left(&self, codes: &[u8], rows: &[Self::Row], last: u8, missing_left: bool) -> Self::Total;
    /// The best cut of one feature that is better than `best`.
    fn best(
        &self,
        cells: &Self::Cells,
        filled: Filled,
        total: &Self::Total,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Cut>;
    /// The given cut, if it is allowed and better than `best`.
    fn judge(
        &self,
        left: &Self::Total,
        total: &Self::Total,
        limits: Limits,
        cut: (u8, Option<u8>, bool),
        best: &Option<Cut>,
    ) -> Option<Cut>;
}

/// The side of a row.
#[inline]
pub fn goes_left(code: u8, last: u8, missing_left: bool) -> bool {
    ((code <= last) & (code != MISSING)) | ((code == MISSING) & missing_left)
}

/// A number per row: squared error, or two classes as 0 and 1.
pub struct Values<'a> {
    pub y: &'a [f64],
    /// Subtracted from `y`, so that sums are small.
    pub centre: f64,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Squared,
    /// Two classes, by Gini.
    Gini,
    /// Two classes, by entropy.
    Entropy,
}

/// (weight * y, weight, 1, y), summed in lanes.
type Lanes = [f32; 4];

#[derive(Debug, Clone, Copy, Default)]
pub struct ValueTotal {
    sum: f64,
    weight: f64,
    rows: f64,
    squares: f64,
    mean: f64,
}

pub fn logged(value: f64) -> f64 {
    if value > 0.0 { value * value.ln() } else { 0.0 }
}

impl Values<'_> {
    #[inline]
    fn worth<const ENTROPY: bool>(left: [f64; 2], total: &ValueTotal) -> (f64, f64) {
        let (a, w) = (left[0], left[1]);
        let v = total.weight - w;
        if ENTROPY {
            let b = total.sum - a;
            let side = |sum: f64, weight: f64| {
                logged(sum) + logged((weight - sum).max(0.0)) - logged(weight)
            };
            (side(a, w) + side(b, v), 1.0)
        } else {
            // Less the node's mean, both sides have the same sum but for the sign.
            let excess = a - total.mean * w;
            (excess * excess, w * v)
        }
    }

    /// The best cut among the present codes, with the missing values on either side.
    fn scan<const ENTROPY: bool, const MISSING_TOO: bool>(
        cells: &[Lanes; CELLS],
        present: Filled,
        missing: &[f64; 4],
        total: &ValueTotal,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Cut> {
        let mut so_far = best.map_or((f64::NEG_INFINITY, 1.0), |best| best.worth);
        let mut found: Option<(u8, bool)> = None;
        let (mut sum, mut weight, mut rows) = (0.0, 0.0, 0.0);
        let last = present.last();
        present.each(|code| {
            let cell = &cells[code as usize];
            sum += f64::from(cell[0]);
            weight += f64::from(cell[1]);
            rows += f64::from(cell[2]);
            if MISSING_TOO || code != last {
                let left = [sum, weight];
                if Self::allowed(left, rows, total, limits) {
                    let worth = Self::worth::<ENTROPY>(left, total);
                    if worth.0 * so_far.1 > so_far.0 * worth.1 {
                        so_far = worth;
                        found = Some((code, !MISSING_TOO && rows > total.rows - rows));
                    }
                }
            }
            if MISSING_TOO && code != last {
                let left = [sum + missing[0], weight + missing[1]];
                if Self::allowed(left, rows + missing[2], total, limits) {
                    let worth = Self::worth::<ENTROPY>(left, total);
                    if worth.0 * so_far.1 > so_far.0 * worth.1 {
                        so_far = worth;
                        found = Some((code, true));
                    }
                }
            }
        });
        found.map(|(code, missing_left)| Cut {
            last: code,
            next: present.after(code),
            missing_left,
            worth: so_far,
        })
    }

    #[inline]
    fn allowed(left: [f64; 2], rows: f64, total: &ValueTotal, limits: Limits) -> bool {
        rows >= limits.rows
            && total.rows - rows >= limits.rows
            && left[1] >= limits.weight
            && total.weight - left[1] >= limits.weight
            && left[1] > 0.0
            && total.weight - left[1] > 0.0
    }
}

impl Criterion for Values<'_> {
    type Row = Lanes;
    type Total = ValueTotal;
    type Cells = Box<[Lanes; CELLS]>;

    fn row(&self, index: usize, weight: f32) -> Lanes {
        let y = (self.y[index] - self.centre) as f32;
        [weight * y, weight, 1.0, y]
    }

    fn total(&self, rows: &[Lanes]) -> ValueTotal {
        let mut total = ValueTotal::default();
        for row in rows {
            total.sum += f64::from(row[0]);
            total.weight += f64::from(row[1]);
            total.squares += f64::from(row[0]) * f64::from(row[3]);
        }
        total.rows = rows.len() as f64;
        total.mean = total.sum / total.weight;
        total
    }

    fn weight(&self, total: &ValueTotal) -> f64 {
        total.weight
    }

    fn pure(&self, total: &ValueTotal, rows: &[Lanes]) -> bool {
        // A variance of rounding alone may come out above zero.
        total.squares / total.weight - total.mean * total.mean <= f64::EPSILON
            || rows.iter().all(|row| row[3] == rows[0][3])
    }

    fn gain(&self, total: &ValueTotal, cut: &Cut) -> f64 {
        match self.kind {
            Kind::Squared => total.weight * cut.worth(),
            Kind::Gini => 2.0 * total.weight * cut.worth(),
            Kind::Entropy => {
                let (sum, weight) = (total.sum, total.weight);
                let unsplit = logged(sum) + logged((weight - sum).max(0.0)) - logged(weight);
                (cut.worth() - unsplit) / std::f64::consts::LN_2
            }
        }
    }

    fn width(&self) -> usize {
        1
    }

    fn leaf(&self, total: &ValueTotal, values: &mut Vec<f64>) {
        values.push(self.centre + total.mean);
    }

    fn cells(&self) -> Self::Cells {
        Box::new([[0.0; 4]; CELLS])
    }

    fn fill(
        &self,
        cells: &mut Self::Cells,
        codes: &[u8],
        numbers: &[u32],
        rows: &[Lanes],
    ) -> Filled {
        let mut seen = [0u8; CELLS];
        for (&number, row) in numbers.iter().zip(rows) {
            let code = codes[number as usize];
            let cell = &mut cells[code as usize];
            // Written out, the four become one vector operation.
            let [a, b, c, d] = *cell;
            *cell = [a + row[0], b + row[1], c + row[2], d + row[3]];
            seen[code as usize] = 1;
        }
        Filled::of(&seen)
    }

    fn clear(&self, cells: &mut Self::Cells, filled: Filled) {
        for code in filled.codes() {
            cells[code as usize] = [0.0; 4];
        }
    }

    fn left(&self, codes: &[u8], rows: &[Lanes], last: u8, missing_left: bool) -> ValueTotal {
        let mut sums = [0.0f64; 4];
        for (&code, row) in codes.iter().zip(rows) {
            let left = goes_left(code, last, missing_left);
            let kept = f32::from(u8::from(left));
            for lane in 0..3 {
                sums[lane] += f64::from(row[lane] * kept);
            }
        }
        ValueTotal {
            sum: sums[0],
            weight: sums[1],
            rows: sums[2],
            ..ValueTotal::default()
        }
    }

    fn best(
        &self,
        cells: &Self::Cells,
        filled: Filled,
        total: &ValueTotal,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Cut> {
        let missing = cells[MISSING as usize].map(f64::from);
        let scan = match (self.kind == Kind::Entropy, missing[2] > 0.0) {
            (false, false) => Self::scan::<false, false>,
            (false, true) => Self::scan::<false, true>,
            (true, false) => Self::scan::<true, false>,
            (true, true) => Self::scan::<true, true>,
        };
        scan(
            cells,
            filled.without(MISSING),
            &missing,
            total,
            limits,
            best,
        )
    }

    fn judge(
        &self,
        left: &ValueTotal,
        total: &ValueTotal,
        limits: Limits,
        cut: (u8, Option<u8>, bool),
        best: &Option<Cut>,
    ) -> Option<Cut> {
        let sums = [left.sum, left.weight];
        if !Self::allowed(sums, left.rows, total, limits) {
            return None;
        }
        let worth = if self.kind == Kind::Entropy {
            Self::worth::<true>(sums, total)
        } else {
            Self::worth::<false>(sums, total)
        };
        Cut::better(cut, worth, best)
    }
}
