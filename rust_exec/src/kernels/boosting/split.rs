//! The best split of a node on its histograms. Input: cells of features. Output: threshold, side
//! of missing values, and the sums on the left.

use super::candidates::better;
use super::categories;
use super::histogram::{CELLS, Cells, Packing};
use super::options::{Categories, Library, Options};
use super::tree::Codes;
use crate::kernels::trees::bins::{Bins, MISSING};

const LANES: usize = 8;
/// What rounding may make of a gain of nothing, relative to the node's own score.
pub const NOTHING: f64 = 1e-12;
/// What rounding of single precision may make of a sum, relative to it.
const SLACK: f64 = 1e-6;

/// A split and its gain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub gain: f64,
    pub feature: u32,
    pub threshold: u8,
    /// What goes left where codes have no order.
    pub codes: Option<Codes>,
    /// None: the node has no missing values there.
    pub missing_left: Option<bool>,
    /// Packed sums of the left side.
    pub left: i64,
    /// Penalty of the values of both sides, beside that of all leaves.
    pub more_l2: f64,
}

impl Found {
    /// Where rows to come go that miss the value, of a node whose rows have it: where most are,
    /// as in HistGradientBoosting, if no other rows miss it.
    pub fn unseen_left(&self, library: Library, bins: &Bins, left: usize, rows: usize) -> bool {
        match (self.codes, library) {
            (None, Library::LightGbm) => true,
            (None, Library::XgBoost) => false,
            _ => !bins.missing[self.feature as usize] && 2 * left > rows,
        }
    }
}

/// What a side must have, and how it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub l1: f64,
    pub l2: f64,
    pub gain: f64,
    pub leaf_rows: f64,
    pub leaf_curvature: f64,
    pub library: Library,
    pub categories: Categories,
    /// Whether second derivatives are rows.
    constant: bool,
}

impl Rules {
    /// For trees of `rows` rows; `constant` says that second derivatives are 1. Sums of equal ones
    /// are off by up to 2^-32 of themselves per row: a leaf that has what it must exactly (four
    /// rows of 1/4, say) is not to fail by that.
    pub fn of(options: &Options, constant: bool, rows: usize) -> Self {
        let slack = SLACK + rows as f64 * (-32f64).exp2();
        Self {
            l1: options.l1,
            l2: options.l2,
            gain: options.gain,
            leaf_rows: options.leaf_rows.max(1) as f64,
            leaf_curvature: options.leaf_curvature * (1.0 - slack),
            library: options.library,
            categories: options.categories,
            constant,
        }
    }

    /// Least sum of second derivatives of a side.
    pub fn least(&self) -> f64 {
        let rows = if self.constant {
            self.leaf_rows - 0.5
        } else {
            f64::MIN_POSITIVE
        };
        rows.max(self.leaf_curvature)
    }

    /// The same where rows are neither counted nor estimated bin by bin: of a node of `rows` rows
    /// and `second` in sum, rows are taken to have equal parts in the sum.
    pub fn least_of(&self, rows: usize, second: f64) -> f64 {
        let part = second / rows.max(1) as f64;
        let rows = (self.leaf_rows - 0.5) * part;
        rows.max(self.leaf_curvature).max(f64::MIN_POSITIVE)
    }

    /// Whether rows of a side are counted beside the histograms of gradients.
    pub fn counts(&self) -> bool {
        !self.constant && self.library == Library::Histogram
    }

    /// Whether rows of a side are estimated from second derivatives.
    fn estimates(&self) -> bool {
        !self.constant && self.library == Library::LightGbm
    }

    /// A gain as XGBoost keeps it: of features that split a small leaf alike the first is taken.
    fn rounded(&self, gain: f64) -> f64 {
        match self.library {
            Library::XgBoost => f64::from(gain as f32),
            _ => gain,
        }
    }

    /// Squared first derivative over second, less the penalties.
    #[inline(always)]
    pub fn shrunk(&self, first: f64) -> f64 {
        (first.abs() - self.l1).max(0.0)
    }

    /// The value of a leaf with these sums, before the learning rate.
    pub fn value(&self, first: f64, second: f64) -> f64 {
        let below = second + self.l2;
        if below > 0.0 {
            -first.signum() * self.shrunk(first) / below
        } else {
            0.0
        }
    }
}

/// A node whose split is sought.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub rows: usize,
    /// Packed sums.
    pub total: i64,
}

/// A node and the histograms of some features.
pub struct Search<'a> {
    pub cells: &'a [Cells],
    /// Rows by code, if they are counted.
    pub counts: Option<&'a [Cells]>,
    /// Numbers of features and of their bins, as `cells`.
    pub features: &'a [(u32, usize)],
    /// By bit: which of the features may be split.
    pub open: u16,
    pub node: Node,
    pub rules: &'a Rules,
    pub packing: &'a Packing,
}

impl Search<'_> {
    /// The best split, of equal ones that on the first feature; and which of the features have a
    /// split that gains enough. Codes of the features in `unordered` have no order.
    pub fn run(mut self, unordered: u16) -> (Option<Found>, u16) {
        let open = self.open;
        if open & unordered == 0 {
            return self.ordered();
        }
        self.open = open & unordered;
        let (found, splittable) = categories::search(&self);
        self.open = open & !unordered;
        let (other, more) = self.ordered();
        (better(found, other), splittable | more)
    }

    fn ordered(self) -> (Option<Found>, u16) {
        // Compiled for several instruction sets and chosen at run time.
        crate::kernels::simd::arch().dispatch(self)
    }
}

/// A type of its own rather than a closure: closures that capture references are called through a
/// function that is not inlined, and so compiled for the least instruction set.
impl pulp::NullaryFnOnce for Search<'_> {
    type Output = (Option<Found>, u16);

    #[inline(always)]
    fn call(self) -> Self::Output {
        search(&self)
    }
}

#[inline(always)]
fn search(search: &Search<'_>) -> (Option<Found>, u16) {
    let (node, rules, packing) = (&search.node, search.rules, search.packing);
    let (first, second) = packing.unpack(node.total);
    let own = rules.shrunk(first).powi(2) / (second + rules.l2);
    let judge = Judge {
        rules: *rules,
        packing: *packing,
        first,
        second,
        least: rules.least(),
        rows: node.rows as i64,
        leaf_rows: rules.leaf_rows as i64,
    };
    let per_row = node.rows as f64 / second;
    let floor = own + own * NOTHING + rules.gain;
    let mut best: Option<Found> = None;
    let (mut most, mut open) = (floor, 0);
    let mut sums = [0i64; CELLS];
    let mut counts = [0i64; CELLS];
    let features = search.cells.iter().zip(search.features).enumerate();
    for (at, (cells, &(feature, bins))) in features {
        if search.open >> at & 1 == 0 {
            continue;
        }
        // With 256 bins the last code is one of them.
        let missing = if bins < CELLS {
            cells[MISSING as usize]
        } else {
            0
        };
        let width = bins.next_multiple_of(LANES).min(CELLS);
        // Beyond the last bin nothing is right but missing values.
        accumulate(&mut sums[..width], &cells[..bins]);
        let mut counted = None;
        if let Some(rows) = search.counts {
            accumulate(&mut counts[..width], &rows[at][..bins]);
            counted = Some(rows[at][MISSING as usize]);
        } else if rules.estimates() {
            estimate(packing, cells, per_row, &mut counts[..width], bins);
            counted = Some(node.rows as i64 - counts[bins - 1]);
        }
        for &side in sides(rules.library, missing != 0) {
            let more = if side.missing_left == Some(true) {
                missing
            } else {
                0
            };
            let rows = counted.map(|missing| Rows {
                left: &counts[..width],
                // Counted from where the scan begins, as rounded estimates do not add up.
                more: if side.backward { missing } else { 0 },
            });
            let Some((gain, place)) = judge.best(&sums[..width], more, rows, side, floor) else {
                continue;
            };
            open |= 1 << at;
            let gain = rules.rounded(gain);
            if gain > most {
                most = gain;
                best = Some(Found {
                    gain: gain - own,
                    feature,
                    threshold: place.min(bins - 1) as u8,
                    codes: None,
                    missing_left: side.missing_left,
                    left: sums[place].wrapping_add(more),
                    more_l2: 0.0,
                });
            }
        }
    }
    (best, open)
}

/// Running sums, which stay as they are beyond the last cell.
#[inline(always)]
fn accumulate(sums: &mut [i64], cells: &[i64]) {
    let mut sum = 0i64;
    let (inside, beyond) = sums.split_at_mut(cells.len());
    for (to, cell) in inside.iter_mut().zip(cells) {
        sum = sum.wrapping_add(*cell);
        *to = sum;
    }
    beyond.fill(sum);
}

/// Rows up to each bin, as LightGBM rounds them.
#[inline(always)]
fn estimate(packing: &Packing, cells: &Cells, per_row: f64, counts: &mut [i64], bins: usize) {
    // The lower bits of a double this great are a whole number.
    const ANCHOR: f64 = 4_503_599_627_370_496.0;
    let mut single = [0i64; CELLS];
    for (to, cell) in single[..bins].iter_mut().zip(cells) {
        let rounded = (packing.unpack(*cell).1 * per_row + 0.5).floor() + ANCHOR;
        *to = rounded.to_bits().wrapping_sub(ANCHOR.to_bits()) as i64;
    }
    accumulate(counts, &single[..bins]);
}

/// A direction in which thresholds are tried, and where missing values are meanwhile.
#[derive(Clone, Copy)]
struct Side {
    missing_left: Option<bool>,
    /// From the highest threshold downwards: of equal splits the first one is taken.
    backward: bool,
}

const fn side(missing_left: Option<bool>, backward: bool) -> Side {
    Side {
        missing_left,
        backward,
    }
}

/// What is tried of a feature, in order.
fn sides(library: Library, missing: bool) -> &'static [Side] {
    const LEFT: Side = side(Some(true), true);
    const RIGHT: Side = side(Some(false), false);
    match (library, missing) {
        (Library::LightGbm, true) => &[LEFT, RIGHT],
        (_, true) => &[RIGHT, LEFT],
        (Library::LightGbm, false) => &[const { side(None, true) }],
        (_, false) => &[const { side(None, false) }],
    }
}

/// Rows on the left of each threshold, less `more`.
#[derive(Clone, Copy)]
struct Rows<'a> {
    left: &'a [i64],
    more: i64,
}

struct Judge {
    rules: Rules,
    packing: Packing,
    first: f64,
    second: f64,
    least: f64,
    rows: i64,
    leaf_rows: i64,
}

impl Judge {
    /// The greatest gain above `floor` among these sums of the left side, and its place, the
    /// first on the way.
    #[inline(always)]
    fn best(
        &self,
        sums: &[i64],
        more: i64,
        rows: Option<Rows<'_>>,
        side: Side,
        floor: f64,
    ) -> Option<(f64, usize)> {
        let mut gains = [0.0f64; CELLS];
        let mut most = [f64::NEG_INFINITY; LANES];
        let (chunks, _) = sums.as_chunks::<LANES>();
        let (into, _) = gains.as_chunks_mut::<LANES>();
        for (sums, gains) in chunks.iter().zip(into) {
            for lane in 0..LANES {
                gains[lane] = self.gain(sums[lane].wrapping_add(more));
                most[lane] = if gains[lane] > most[lane] {
                    gains[lane]
                } else {
                    most[lane]
                };
            }
        }
        if let Some(rows) = rows {
            most = [self.enough(rows, &mut gains[..sums.len()]); LANES];
        }
        let top = most.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        if top <= floor {
            return None;
        }
        let mut gains = gains[..sums.len()].iter();
        let place = if side.backward {
            gains.rposition(|gain| *gain == top)
        } else {
            gains.position(|gain| *gain == top)
        };
        place.map(|place| (top, place))
    }

    /// Takes back gains of sides with too few rows; the greatest that stays.
    #[inline(always)]
    fn enough(&self, rows: Rows<'_>, gains: &mut [f64]) -> f64 {
        let mut most = f64::NEG_INFINITY;
        for (gain, left) in gains.iter_mut().zip(rows.left) {
            let left = left + rows.more;
            if left.min(self.rows - left) < self.leaf_rows {
                *gain = f64::NEG_INFINITY;
            }
            most = most.max(*gain);
        }
        most
    }

    #[inline(always)]
    fn gain(&self, left: i64) -> f64 {
        let (first, second) = self.packing.unpack(left);
        let rest = self.second - second;
        let (a, b) = (
            self.rules.shrunk(first),
            self.rules.shrunk(self.first - first),
        );
        let (below, beside) = (second + self.rules.l2, rest + self.rules.l2);
        let gain = (a * a * beside + b * b * below) / (below * beside);
        if second.min(rest) >= self.least {
            gain
        } else {
            f64::NEG_INFINITY
        }
    }
}
