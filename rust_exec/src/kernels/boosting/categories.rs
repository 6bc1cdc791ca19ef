//! The best split of a node on features whose codes have no order: which codes go left.
//!
//! Input: cells of features. Output: a set of codes, and the sums on its side. Categories are
//! sorted by what a leaf of each would answer, and taken from either end (Fisher 1958); what is
//! tried, and where missing values go, is as in the library that is stood in for. The set never
//! takes missing values along, save as a category of HistGradientBoosting or with the one
//! category of XGBoost that is told from the rest.

use super::histogram::{CELLS, Cells};
use super::options::{Categories, Library};
use super::split::{Found, NOTHING, Search};
use super::tree::Codes;
use crate::kernels::trees::bins::{Bins, MISSING};

/// The part of a gain by which equal ones may differ.
const EQUAL: f64 = 1e-7;

/// By bit: which of the features have codes without order.
pub fn unordered(bins: &Bins, features: &[u32]) -> u16 {
    let flags = features.iter().map(|&f| bins.categorical[f as usize]);
    let bits = flags.enumerate().map(|(at, flag)| u16::from(flag) << at);
    bits.fold(0, |a, b| a | b)
}

/// The best split of the features that are `open`, of equal ones that on the first of them; and
/// which of them have a split that gains enough.
pub fn search(search: &Search<'_>) -> (Option<Found>, u16) {
    let judge = Judge::of(search);
    let (mut best, mut open) = (None::<Found>, 0);
    for (at, (cells, &(feature, bins))) in search.cells.iter().zip(search.features).enumerate() {
        if search.open >> at & 1 == 0 {
            continue;
        }
        let Some(choice) = judge.best(cells, bins) else {
            continue;
        };
        open |= 1 << at;
        let gain = choice.gain - judge.own;
        if best.as_ref().is_none_or(|found| gain > found.gain) {
            best = Some(Found {
                gain,
                feature,
                threshold: 0,
                codes: Some(choice.codes),
                missing_left: choice.missing_left,
                left: choice.left,
                more_l2: choice.more_l2,
            });
        }
    }
    (best, open)
}

/// The sides of a split, and the sum of their scores.
struct Choice {
    gain: f64,
    codes: Codes,
    /// None: the feature says where rows to come go that miss the value.
    missing_left: Option<bool>,
    left: i64,
    more_l2: f64,
}

struct Judge<'a> {
    search: &'a Search<'a>,
    categories: Categories,
    first: f64,
    second: f64,
    own: f64,
    floor: f64,
    /// Least sum of second derivatives of a side.
    least: f64,
    /// Rows per second derivative.
    rate: f64,
}

/// Codes in the order of their keys.
struct Order {
    codes: [u8; CELLS],
    used: usize,
}

impl<'a> Judge<'a> {
    fn of(search: &'a Search<'a>) -> Self {
        let (node, rules) = (&search.node, search.rules);
        let (first, second) = search.packing.unpack(node.total);
        let own = rules.shrunk(first).powi(2) / (second + rules.l2);
        Self {
            search,
            categories: rules.categories,
            first,
            second,
            own,
            floor: own + own * NOTHING + rules.gain,
            least: rules.least_of(node.rows, second),
            rate: node.rows as f64 / second,
        }
    }

    fn best(&self, cells: &Cells, bins: usize) -> Option<Choice> {
        let Categories { most, one_hot, .. } = self.categories;
        match self.search.rules.library {
            Library::LightGbm if bins <= one_hot => self.one_against_rest(cells, bins, false),
            Library::XgBoost if bins <= one_hot => self.one_against_rest(cells, bins, true),
            Library::LightGbm => {
                let order = self.order(cells, 0..bins, |first, second| {
                    let enough = self.rows(second) >= self.categories.smooth;
                    enough.then(|| first / (second + self.categories.smooth))
                });
                let most = most.min(order.used.div_ceil(2));
                self.ends(cells, &order, [most, most])
            }
            Library::XgBoost => {
                let rules = self.search.rules;
                let order = self.order(cells, 0..bins, |first, second| {
                    let some = second >= rules.leaf_curvature && second > 0.0;
                    Some(if some {
                        rules.value(first, second)
                    } else {
                        0.0
                    })
                });
                let most = bins.min(most).saturating_sub(1);
                self.ends(cells, &order, [most, most])
            }
            Library::Histogram => {
                let codes = (0..bins).chain([MISSING as usize]);
                let order = self.order(cells, codes, |first, second| {
                    let enough = second * self.rate >= self.categories.smooth;
                    enough.then(|| first / (second + self.categories.smooth))
                });
                if order.used <= 1 {
                    return None;
                }
                let half = order.used.div_ceil(2);
                let mut choice = self.ends(cells, &order, [half, half - 1])?;
                // Without missing values here, where they go is the feature's to say.
                choice.missing_left =
                    (cells[MISSING as usize] != 0).then(|| choice.codes.has(MISSING));
                Some(choice)
            }
        }
    }

    /// Each category alone, with the missing values on the other side or (`both`) on either.
    fn one_against_rest(&self, cells: &Cells, bins: usize, both: bool) -> Option<Choice> {
        let missing = cells[MISSING as usize];
        let mut best: Option<Choice> = None;
        let mut most = self.floor;
        for (code, &cell) in cells.iter().enumerate().take(bins) {
            for joined in [false, true] {
                if joined && !(both && missing != 0) {
                    continue;
                }
                let left = cell.wrapping_add(if joined { missing } else { 0 });
                let (first, second) = self.search.packing.unpack(left);
                let small = second.min(self.second - second);
                if small < self.least || small < self.search.rules.leaf_curvature {
                    continue;
                }
                let gain = self.gain(first, second, 0.0);
                if self.better(gain, most) {
                    most = gain;
                    best = Some(Choice {
                        gain,
                        codes: Codes::of(&[code as u8]),
                        missing_left: Some(joined),
                        left,
                        more_l2: 0.0,
                    });
                }
            }
        }
        best
    }

    /// The first and the last codes in their order, up to `most` of them.
    fn ends(&self, cells: &Cells, order: &Order, most: [usize; 2]) -> Option<Choice> {
        let lightgbm = self.search.rules.library == Library::LightGbm;
        let more_l2 = if lightgbm { self.categories.l2 } else { 0.0 };
        let place = |taken: usize, back: bool| if back { order.used - 1 - taken } else { taken };
        let mut best: Option<(bool, usize, i64)> = None;
        let mut greatest = self.floor;
        for (back, most) in [(false, most[0]), (true, most[1])] {
            let mut groups = Groups::default();
            let mut left = 0i64;
            for taken in 0..most.min(order.used) {
                let cell = cells[order.codes[place(taken, back)] as usize];
                left = left.wrapping_add(cell);
                let (first, second) = self.search.packing.unpack(left);
                let step = if lightgbm {
                    self.grouped(&mut groups, cell, second)
                } else if second < self.least {
                    Step::Skip
                } else if self.second - second < self.least {
                    Step::Stop
                } else {
                    Step::Try
                };
                match step {
                    Step::Skip => continue,
                    Step::Stop => break,
                    Step::Try => {}
                }
                let gain = self.gain(first, second, more_l2);
                if self.better(gain, greatest) {
                    greatest = gain;
                    best = Some((back, taken, left));
                }
            }
        }
        let (back, taken, left) = best?;
        let chosen = if back {
            &order.codes[place(taken, back)..order.used]
        } else {
            &order.codes[..=taken]
        };
        Some(Choice {
            gain: greatest,
            codes: Codes::of(chosen),
            missing_left: Some(false),
            left,
            more_l2,
        })
    }

    /// LightGBM's conditions: rows are estimated by category, and the categories that are added
    /// between two attempts must have some together.
    fn grouped(&self, groups: &mut Groups, cell: i64, second: f64) -> Step {
        let rules = self.search.rules;
        let rows = self.rows(self.search.packing.unpack(cell).1);
        groups.rows += rows;
        groups.last += rows;
        if groups.rows < rules.leaf_rows || second < rules.leaf_curvature {
            return Step::Skip;
        }
        let least = self.categories.rows as f64;
        let right = self.search.node.rows as f64 - groups.rows;
        if right < rules.leaf_rows.max(least) || self.second - second < rules.leaf_curvature {
            return Step::Stop;
        }
        if groups.last < least {
            return Step::Skip;
        }
        groups.last = 0.0;
        Step::Try
    }

    /// Rows that a sum of second derivatives stands for.
    fn rows(&self, second: f64) -> f64 {
        (second * self.rate + 0.5).floor()
    }

    fn gain(&self, first: f64, second: f64, more_l2: f64) -> f64 {
        let l2 = self.search.rules.l2 + more_l2;
        let rest = self.second - second;
        if second.min(rest) <= 0.0 {
            return f64::NEG_INFINITY;
        }
        let (a, b) = (
            self.search.rules.shrunk(first),
            self.search.rules.shrunk(self.first - first),
        );
        a * a / (second + l2) + b * b / (rest + l2)
    }

    /// Whether a split is better than the best so far by more than what rounding makes of equal
    /// gains: of equal ones the first is chosen, as in the libraries.
    fn better(&self, gain: f64, most: f64) -> bool {
        gain > most + EQUAL * (most - self.own)
    }

    /// Codes that have a key, ascending by it. Keys are compared in single precision, in which
    /// those are equal that would be without rounding; of those the first code comes first, or
    /// the last where the library's sort has it so (glibc's `qsort` in HistGradientBoosting).
    fn order(
        &self,
        cells: &Cells,
        codes: impl Iterator<Item = usize>,
        key: impl Fn(f64, f64) -> Option<f64>,
    ) -> Order {
        let backward = self.search.rules.library == Library::Histogram;
        let mut keyed = [0u64; CELLS];
        let mut used = 0;
        for code in codes {
            let (first, second) = self.search.packing.unpack(cells[code]);
            if let Some(key) = key(first, second) {
                // Integers in the order of the numbers, zero having one sign.
                let bits = (key as f32 + 0.0).to_bits();
                let ascending = if bits >> 31 == 1 {
                    !bits
                } else {
                    bits | 1 << 31
                };
                let place = if backward { CELLS - 1 - code } else { code };
                keyed[used] = u64::from(ascending) << 16 | (place as u64) << 8 | code as u64;
                used += 1;
            }
        }
        keyed[..used].sort_unstable();
        let mut order = Order {
            codes: [0; CELLS],
            used,
        };
        for (code, keyed) in order.codes.iter_mut().zip(&keyed[..used]) {
            *code = *keyed as u8;
        }
        order
    }
}

enum Step {
    /// More must be on this side.
    Skip,
    /// Too little is left on the other.
    Stop,
    Try,
}

/// Rows so far, and since the last attempt.
#[derive(Default)]
struct Groups {
    rows: f64,
    last: f64,
}
