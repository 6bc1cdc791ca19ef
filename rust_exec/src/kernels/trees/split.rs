//! The search for the split of one node over randomly chosen features.

use super::bins::{Bins, MISSING, Span};
use super::criterion::{Criterion, Cut, Limits};
use super::random::Random;

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
    criterion: &'a C,
    limits: Limits,
    /// Features to try per node.
    tried: usize,
    /// One random cut per feature instead of the best.
    random_cuts: bool,
    features: Vec<u32>,
    cells: C::Cells,
    codes: Vec<u8>,
    /// Where the last random cut was drawn.
    drawn: f64,
}

impl<'a, C: Criterion> Search<'a, C> {
    pub fn new(
        bins: &'a Bins,
        criterion: &'a C,
        limits: Limits,
        tried: usize,
        random_cuts: bool,
    ) -> Self {
        Self {
            bins,
            criterion,
            limits,
            tried,
            random_cuts,
            features: (0..bins.features as u32).collect(),
            cells: criterion.cells(),
            codes: Vec::new(),
            drawn: f64::NAN,
        }
    }

    /// The best split among the features drawn; features go on being drawn until one is not
    /// constant, as scikit-learn does it.
    pub fn split(
        &mut self,
        numbers: &[u32],
        rows: &[C::Row],
        total: &C::Total,
        random: &mut Random,
    ) -> Option<Split> {
        let mut best: Option<Cut> = None;
        let (mut feature, mut varying, mut drawn) = (0, 0usize, f64::NAN);
        for visited in 0..self.bins.features {
            if visited >= self.tried && varying > 0 {
                break;
            }
            let chosen = visited + random.below(self.bins.features - visited);
            self.features.swap(visited, chosen);
            let candidate = self.features[visited] as usize;
            let found = if self.random_cuts {
                self.random_cut(candidate, numbers, rows, total, &best, random)
            } else {
                self.best_cut(candidate, numbers, rows, total, &best)
            };
            if let Some(found) = found {
                varying += 1;
                if let Some(cut) = found {
                    best = Some(cut);
                    feature = candidate;
                    drawn = self.drawn;
                }
            }
        }
        best.map(|cut| Split {
            feature,
            cut,
            threshold: self.threshold(feature, &cut, drawn),
        })
    }

    /// None if the feature is constant here; else a cut that is better than `best`, if any.
    fn best_cut(
        &mut self,
        feature: usize,
        numbers: &[u32],
        rows: &[C::Row],
        total: &C::Total,
        best: &Option<Cut>,
    ) -> Option<Option<Cut>> {
        if self.bins.count(feature) < 2 && !self.bins.missing[feature] {
            return None;
        }
        let codes = self.bins.column(feature);
        let filled = self.criterion.fill(&mut self.cells, codes, numbers, rows);
        let varies = filled.count() > 1;
        let cut = if varies {
            self.criterion
                .best(&self.cells, filled, total, self.limits, best)
        } else {
            None
        };
        self.criterion.clear(&mut self.cells, filled);
        varies.then_some(cut)
    }

    /// As `best_cut`, of a cut drawn evenly between the least and the greatest value.
    fn random_cut(
        &mut self,
        feature: usize,
        numbers: &[u32],
        rows: &[C::Row],
        total: &C::Total,
        best: &Option<Cut>,
        random: &mut Random,
    ) -> Option<Option<Cut>> {
        if self.bins.count(feature) < 2 && !self.bins.missing[feature] {
            return None;
        }
        let column = self.bins.column(feature);
        if self.codes.len() < numbers.len() {
            self.codes.resize(numbers.len(), 0);
        }
        let codes = &mut self.codes[..numbers.len()];
        let (mut low, mut high, mut missing) = (MISSING, 0u8, 0usize);
        for (code, &number) in codes.iter_mut().zip(numbers) {
            *code = column[number as usize];
            // One more than the code, so that the missing one is the least.
            high = high.max(code.wrapping_add(1));
            low = low.min(*code);
            missing += usize::from(*code == MISSING);
        }
        let high = high.wrapping_sub(1);
        if missing == numbers.len() || (low == high && missing == 0) {
            return None;
        }
        let spans = &self.bins.spans[feature];
        let (from, to) = (spans[low as usize].low, spans[high as usize].high);
        let at = from + (to - from) * random.uniform();
        let last = cut_at(spans, low, high, at);
        self.drawn = at;
        let mut missing_left = missing > 0 && random.below(2) == 1;
        let left = self.criterion.left(codes, rows, last, missing_left);
        if missing == 0 {
            let count = codes.iter().filter(|&&code| code <= last).count();
            missing_left = 2 * count > numbers.len();
        }
        let cut = (last, None, missing_left);
        Some(self.criterion.judge(&left, total, self.limits, cut, best))
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
fn cut_at(spans: &[Span], low: u8, high: u8, value: f64) -> u8 {
    if low == high {
        return low;
    }
    let (first, end) = (low as usize, high as usize);
    let inside = first + spans[first..end].partition_point(|span| span.high < value);
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
