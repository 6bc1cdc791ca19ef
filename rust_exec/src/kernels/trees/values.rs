//! The criterion of numbers, and of two classes: squared error of 0 and 1 is their Gini.

use super::codes::View;
use super::criterion::{Binned, Criterion, Cut, Limits, goes_left, logged};
use super::histogram::{CELLS, Filled};
use super::scan::{Bounds, Lanes, Running, Side};

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

#[derive(Debug, Clone, Copy, Default)]
pub struct ValueTotal {
    sum: f64,
    weight: f64,
    rows: f64,
    squares: f64,
    mean: f64,
}

/// Sums of a tile of features, and which codes they have.
pub struct ValueCells {
    sums: Vec<[Lanes; CELLS]>,
    /// 1 where a code occurs, if the rows are few.
    seen: Vec<[u8; CELLS]>,
    running: Running,
}

impl Values<'_> {
    #[inline(always)]
    fn worth<const ENTROPY: bool>(sum: f64, weight: f64, total: &ValueTotal) -> f64 {
        let other = total.weight - weight;
        if ENTROPY {
            let side = |sum: f64, weight: f64| {
                logged(sum) + logged((weight - sum).max(0.0)) - logged(weight)
            };
            side(sum, weight) + side(total.sum - sum, other)
        } else {
            // Less the node's mean, both sides have the same sum but for the sign.
            let excess = sum - total.mean * weight;
            excess * excess / (weight * other)
        }
    }

    #[inline(always)]
    fn bounds(total: &ValueTotal, limits: Limits) -> Bounds {
        Bounds {
            least: Side {
                rows: limits.rows,
                weight: limits.weight.max(f64::MIN_POSITIVE),
            },
            all: Side {
                rows: total.rows,
                weight: total.weight,
            },
        }
    }

    #[inline(always)]
    fn most<const ENTROPY: bool>(
        running: &Running,
        bounds: &Bounds,
        more: [f64; 3],
        total: &ValueTotal,
    ) -> (f64, usize) {
        running.best(
            bounds,
            more,
            #[inline(always)]
            |sum, weight| Self::worth::<ENTROPY>(sum, weight, total),
        )
    }

    /// The best cut among the present codes, with the missing values on either side.
    #[inline(always)]
    fn scan<const ENTROPY: bool>(
        running: &Running,
        total: &ValueTotal,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Cut> {
        let bounds = Self::bounds(total, limits);
        let (mut most, mut place) = Self::most::<ENTROPY>(running, &bounds, [0.0; 3], total);
        let any_missing = running.missing[2] > 0.0;
        let mut missing_left = false;
        if any_missing {
            let with = Self::most::<ENTROPY>(running, &bounds, running.missing, total);
            if with.0 > most {
                (most, place) = with;
                missing_left = true;
            }
        }
        let least = best.map_or(f64::NEG_INFINITY, |best| best.worth);
        // No closures around it: they would not be compiled for the same instructions.
        if most <= least {
            return None;
        }
        let (last, next, rows) = running.at(place);
        Some(Cut {
            last,
            next,
            missing_left: missing_left || (!any_missing && rows > total.rows - rows),
            worth: most,
        })
    }
}

/// Adds rows to the cells of `W` features, and marks their codes if `MARK`. The tables of the
/// features are independent, so that one does not wait for another's last row.
#[inline(always)]
fn add<const W: usize, const MARK: bool>(
    cells: (&mut [[Lanes; CELLS]], &mut [[u8; CELLS]]),
    codes: &View,
    features: &[Binned],
    numbers: &[u32],
    rows: &[Lanes],
) {
    let sums = cells.0.first_chunk_mut::<W>();
    let seen = cells.1.first_chunk_mut::<W>();
    let (Some(sums), Some(seen), Some(features)) = (sums, seen, features.first_chunk::<W>()) else {
        return;
    };
    let mut places = [0; W];
    for feature in 0..W {
        places[feature] = codes.place(features[feature].feature);
    }
    if MARK {
        *seen = [[0; CELLS]; W];
    }
    for (&number, row) in numbers.iter().zip(rows) {
        for feature in 0..W {
            let code = codes.at(number, places[feature]) as usize;
            let cell = &mut sums[feature][code];
            // Written out, the four become one vector operation.
            let [a, b, c, d] = *cell;
            *cell = [a + row[0], b + row[1], c + row[2], d + row[3]];
            if MARK {
                seen[feature][code] = 1;
            }
        }
    }
}

#[inline(always)]
fn add_all<const MARK: bool>(
    cells: &mut ValueCells,
    codes: &View,
    features: &[Binned],
    numbers: &[u32],
    rows: &[Lanes],
) {
    let mut done = 0;
    while done < features.len() {
        let to = (&mut cells.sums[done..], &mut cells.seen[done..]);
        let left = &features[done..];
        done += match left.len() {
            8.. => {
                add::<8, MARK>(to, codes, left, numbers, rows);
                8
            }
            4.. => {
                add::<4, MARK>(to, codes, left, numbers, rows);
                4
            }
            2.. => {
                add::<2, MARK>(to, codes, left, numbers, rows);
                2
            }
            _ => {
                add::<1, MARK>(to, codes, left, numbers, rows);
                1
            }
        };
    }
}

/// Whether codes are marked where they occur: cheaper than looking at each bin.
#[inline(always)]
fn few(rows: usize, feature: Binned) -> bool {
    rows < feature.bins
}

/// Adds the sum, the weight and the squares of a row.
#[inline(always)]
fn total_of(sums: &mut [f64; 3], row: &Lanes) {
    sums[0] += f64::from(row[0]);
    sums[1] += f64::from(row[1]);
    sums[2] += f64::from(row[0]) * f64::from(row[3]);
}

/// Adds the sum, the weight and the count of a row, or zeros.
#[inline(always)]
fn keep(sums: &mut [f64; 4], row: &Lanes, kept: bool) {
    let kept = f32::from(u8::from(kept));
    for lane in 0..4 {
        sums[lane] += f64::from(row[lane] * kept);
    }
}

#[inline(always)]
fn added<const L: usize>(parts: &[[f64; L]; 4]) -> [f64; L] {
    let [a, b, c, d] = parts;
    let mut sums = [0.0; L];
    for lane in 0..L {
        sums[lane] = (a[lane] + b[lane]) + (c[lane] + d[lane]);
    }
    sums
}

impl Criterion for Values<'_> {
    const TILE: usize = 8;
    type Row = Lanes;
    type Total = ValueTotal;
    type Cells = ValueCells;

    fn row(&self, index: usize, weight: f32) -> Lanes {
        let y = (self.y[index] - self.centre) as f32;
        [weight * y, weight, 1.0, y]
    }

    #[inline(always)]
    fn total(&self, rows: &[Lanes]) -> ValueTotal {
        let mut sums = [[0.0; 3]; 4];
        // An addition would wait for the last one otherwise.
        let (fours, others) = rows.as_chunks::<4>();
        for four in fours {
            for lane in 0..4 {
                total_of(&mut sums[lane], &four[lane]);
            }
        }
        for row in others {
            total_of(&mut sums[0], row);
        }
        let [sum, weight, squares] = added(&sums);
        ValueTotal {
            sum,
            weight,
            rows: rows.len() as f64,
            squares,
            mean: sum / weight,
        }
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
            Kind::Squared => total.weight * cut.worth,
            Kind::Gini => 2.0 * total.weight * cut.worth,
            Kind::Entropy => {
                let (sum, weight) = (total.sum, total.weight);
                let unsplit = logged(sum) + logged((weight - sum).max(0.0)) - logged(weight);
                (cut.worth - unsplit) / std::f64::consts::LN_2
            }
        }
    }

    fn width(&self) -> usize {
        1
    }

    fn leaf(&self, total: &ValueTotal, values: &mut [f64]) {
        values[0] = self.centre + total.mean;
    }

    fn cells(&self) -> ValueCells {
        ValueCells {
            sums: vec![[[0.0; 4]; CELLS]; Self::TILE],
            seen: vec![[0; CELLS]; Self::TILE],
            running: Running::default(),
        }
    }

    #[inline(always)]
    fn fill(
        &self,
        cells: &mut ValueCells,
        codes: &View,
        features: &[Binned],
        numbers: &[u32],
        rows: &[Lanes],
    ) {
        if features.iter().any(|&feature| few(rows.len(), feature)) {
            add_all::<true>(cells, codes, features, numbers, rows);
        } else {
            add_all::<false>(cells, codes, features, numbers, rows);
        }
    }

    #[inline(always)]
    fn best(
        &self,
        cells: &mut ValueCells,
        (place, feature): (usize, Binned),
        total: &ValueTotal,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Option<Cut>> {
        let (sums, running) = (&mut cells.sums[place], &mut cells.running);
        if few(total.rows as usize, feature) {
            running.take_few(sums, Filled::of(&cells.seen[place]));
        } else {
            running.take(sums, feature.bins);
        }
        if !running.varies(total.rows) {
            return None;
        }
        Some(if self.kind == Kind::Entropy {
            Self::scan::<true>(running, total, limits, best)
        } else {
            Self::scan::<false>(running, total, limits, best)
        })
    }

    #[inline(always)]
    fn left(&self, codes: &[u8], rows: &[Lanes], last: u8, missing_left: bool) -> ValueTotal {
        let mut sums = [[0.0; 4]; 4];
        let (fours, others) = rows.as_chunks::<4>();
        let (four_codes, other_codes) = codes.as_chunks::<4>();
        for (rows, codes) in fours.iter().zip(four_codes) {
            for lane in 0..4 {
                let kept = goes_left(codes[lane], last, missing_left);
                keep(&mut sums[lane], &rows[lane], kept);
            }
        }
        for (row, &code) in others.iter().zip(other_codes) {
            keep(&mut sums[0], row, goes_left(code, last, missing_left));
        }
        let [sum, weight, rows, _] = added(&sums);
        ValueTotal {
            sum,
            weight,
            rows,
            ..ValueTotal::default()
        }
    }

    fn judge(
        &self,
        left: &ValueTotal,
        total: &ValueTotal,
        limits: Limits,
        cut: (u8, Option<u8>, bool),
        best: &Option<Cut>,
    ) -> Option<Cut> {
        if !Self::bounds(total, limits).allow(left.rows, left.weight) {
            return None;
        }
        let worth = if self.kind == Kind::Entropy {
            Self::worth::<true>(left.sum, left.weight, total)
        } else {
            Self::worth::<false>(left.sum, left.weight, total)
        };
        Cut::better(cut, worth, best)
    }
}
