//! The search for the split of one node over randomly chosen features.

use super::bins::{Bins, MISSING, Span};
use super::codes::View;
use super::criterion::{Binned, Criterion, Cut, Limits};
use super::random::Random;
use crate::kernels::simd::dispatch;

/// How a node splits: by which feature and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    pub feature: usize,
    pub cut: Cut,
    /// Values up to it go left, those of rows that were not in the node as well. Bins do not
    /// round it: in the middle between the values of the node, or where it was drawn.
    pub threshold: f64,
}

/// What a search needs to hold, made once per tree.
pub struct Search<'a, C: Criterion> {
    bins: &'a Bins,
    view: View<'a>,
    criterion: &'a C,
    limits: Limits,
    /// Features to try per node.
    tried: usize,
    /// One random cut per feature instead of the best.
    random_cuts: bool,
    features: Vec<u32>,
    /// Those of a tile.
    tile: Vec<Binned>,
    cells: C::Cells,
    codes: Vec<u8>,
}

/// The rows of a node: their numbers, what they carry, and the sums of it.
pub struct Rows<'a, C: Criterion> {
    pub numbers: &'a [u32],
    pub carried: &'a [C::Row],
    pub total: &'a C::Total,
}

/// The best so far.
#[derive(Default)]
struct Found {
    cut: Option<Cut>,
    feature: usize,
    /// Where a random cut was drawn.
    drawn: f64,
    /// How many features have several codes.
    varying: usize,
}

impl Found {
    fn take(&mut self, answer: Option<Option<Cut>>, feature: usize, drawn: f64) {
        let Some(answer) = answer else {
            return;
        };
        self.varying += 1;
        if answer.is_some() {
            self.cut = answer;
            self.feature = feature;
            self.drawn = drawn;
        }
    }
}

impl<'a, C: Criterion> Search<'a, C> {
    pub fn new(
        (bins, view): (&'a Bins, View<'a>),
        criterion: &'a C,
        limits: Limits,
        tried: usize,
        random_cuts: bool,
    ) -> Self {
        Self {
            bins,
            view,
            criterion,
            limits,
            tried,
            random_cuts,
            features: (0..bins.features as u32).collect(),
            tile: Vec::with_capacity(C::TILE),
            cells: criterion.cells(),
            codes: Vec::new(),
        }
    }

    /// The best split among the features drawn; features go on being drawn until one is not
    /// constant, as scikit-learn does it.
    pub fn split(&mut self, rows: &Rows<C>, random: &mut Random) -> Option<Split> {
        let mut found = Found::default();
        let mut visited = 0;
        while visited < self.bins.features && (visited < self.tried || found.varying == 0) {
            // Beyond those to be tried, one after the other.
            let due = self.tried.saturating_sub(visited).max(1);
            let due = due.min(self.bins.features - visited);
            if self.random_cuts {
                let feature = self.draw(visited, random);
                if self.may_vary(feature) {
                    self.random_cut(feature, rows, &mut found, random);
                }
                visited += 1;
            } else {
                self.tile.clear();
                for at in visited..visited + due.min(C::TILE) {
                    let feature = self.draw(at, random);
                    if self.may_vary(feature) {
                        let bins = self.bins.count(feature);
                        self.tile.push(Binned { feature, bins });
                    }
                }
                visited += due.min(C::TILE);
                self.best_cuts(rows, &mut found);
            }
        }
        found.cut.map(|cut| Split {
            feature: found.feature,
            cut,
            threshold: self.threshold(found.feature, &cut, found.drawn),
        })
    }

    /// One of the features that were not drawn, in the place of the next one.
    fn draw(&mut self, next: usize, random: &mut Random) -> usize {
        let chosen = next + random.below(self.bins.features - next);
        self.features.swap(next, chosen);
        self.features[next] as usize
    }

    /// Whether the feature has several codes in the training set.
    fn may_vary(&self, feature: usize) -> bool {
        self.bins.count(feature) >= 2 || self.bins.missing[feature]
    }

    /// The best cuts of the tile's features.
    fn best_cuts(&mut self, rows: &Rows<C>, found: &mut Found) {
        let (criterion, limits, view) = (self.criterion, self.limits, &self.view);
        let (cells, tile) = (&mut self.cells, &self.tile);
        dispatch(
            #[inline(always)]
            || {
                criterion.fill(cells, view, tile, rows.numbers, rows.carried);
                for (place, &binned) in tile.iter().enumerate() {
                    let at = (place, binned);
                    let cut = criterion.best(cells, at, rows.total, limits, &found.cut);
                    found.take(cut, binned.feature, f64::NAN);
                }
            },
        );
    }

    /// As `best_cuts`, of one cut drawn evenly between the least and the greatest value.
    fn random_cut(
        &mut self,
        feature: usize,
        rows: &Rows<C>,
        found: &mut Found,
        random: &mut Random,
    ) {
        let count = rows.numbers.len();
        if self.codes.len() < count {
            self.codes.resize(count, 0);
        }
        let codes = &mut self.codes[..count];
        let (view, place) = (&self.view, self.view.place(feature));
        let (low, high, missing) = dispatch(
            #[inline(always)]
            || {
                for (code, &number) in codes.iter_mut().zip(rows.numbers) {
                    *code = view.at(number, place);
                }
                range(codes)
            },
        );
        if missing == count || (low == high && missing == 0) {
            return;
        }
        let spans = &self.bins.spans[feature];
        let (from, to) = (spans[low as usize].low, spans[high as usize].high);
        let drawn = from + (to - from) * random.uniform();
        let last = cut_at(spans, &self.bins.edges[feature], (low, high), drawn);
        let mut missing_left = missing > 0 && random.below(2) == 1;
        let (criterion, limits) = (self.criterion, self.limits);
        let codes = &*codes;
        dispatch(
            #[inline(always)]
            || {
                let left = criterion.left(codes, rows.carried, last, missing_left);
                if missing == 0 {
                    missing_left = 2 * up_to(codes, last) > count;
                }
                let cut = (last, None, missing_left);
                let cut = criterion.judge(&left, rows.total, limits, cut, &found.cut);
                found.take(Some(cut), feature, drawn);
            },
        );
    }

    /// The value that a cut stands for: as drawn, or in the middle between both sides of the
    /// node, as scikit-learn has it.
    fn threshold(&self, feature: usize, cut: &Cut, drawn: f64) -> f64 {
        let spans = &self.bins.spans[feature];
        let last = cut.last as usize;
        let Some(next) = cut.next else {
            // Only missing values go right, or the cut was drawn: not beyond the bins beside it.
            let Some(beside) = spans.get(last + 1).filter(|_| self.random_cuts) else {
                return f64::INFINITY;
            };
            let inside = (spans[last].high..beside.low).contains(&drawn);
            return if inside {
                drawn
            } else {
                middle(spans[last].high, beside.low)
            };
        };
        middle(spans[last].high, spans[next as usize].low)
    }
}

/// In the middle of two values, and below the greater one.
fn middle(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle < high { middle } else { low }
}

/// The last code on the left of a cut at a value, at least `low` and below `high` where they
/// differ. A value inside of a bin cuts at the nearer end of it.
fn cut_at(spans: &[Span], edges: &[f64], (low, high): (u8, u8), value: f64) -> u8 {
    if low == high {
        return low;
    }
    let (first, end) = (low as usize, high as usize);
    let inside = first + edges[first..end].partition_point(|&edge| edge < value);
    let span = spans[inside];
    let right =
        value < span.low || (span.high > span.low && value < span.low / 2.0 + span.high / 2.0);
    let last = if right {
        inside.saturating_sub(1)
    } else {
        inside
    };
    last.clamp(first, end - 1) as u8
}

/// The least and the greatest code of present values, and how many are missing.
#[inline(always)]
fn range(codes: &[u8]) -> (u8, u8, usize) {
    let (mut low, mut high, mut any) = (MISSING, 0u8, 0u8);
    for &code in codes {
        low = low.min(code);
        // One more than the code, so that the missing one is the least.
        high = high.max(code.wrapping_add(1));
        any = any.max(code);
    }
    let missing = if any == MISSING {
        codes.iter().filter(|&&code| code == MISSING).count()
    } else {
        0
    };
    (low, high.wrapping_sub(1), missing)
}

#[inline(always)]
fn up_to(codes: &[u8], last: u8) -> usize {
    codes.iter().filter(|&&code| code <= last).count()
}
