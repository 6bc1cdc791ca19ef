//! The criterion of three classes or more.

use super::bins::MISSING;
use super::codes::View;
use super::criterion::{Binned, Criterion, Cut, Limits, goes_left, logged};
use super::histogram::ClassSums;

/// Gini, or entropy, of the classes of the rows.
pub struct Classes<'a> {
    /// Whole numbers below `count`.
    pub y: &'a [f64],
    pub count: usize,
    pub entropy: bool,
}

#[derive(Debug, Clone)]
pub struct ClassTotal {
    weights: Vec<f64>,
    weight: f64,
    rows: f64,
}

impl ClassTotal {
    fn empty(count: usize) -> Self {
        Self {
            weights: vec![0.0; count],
            weight: 0.0,
            rows: 0.0,
        }
    }

    fn add(&mut self, cells: &ClassSums, code: u8) {
        for (sum, weight) in self.weights.iter_mut().zip(cells.cell(code)) {
            *sum += weight;
            self.weight += weight;
        }
        self.rows += f64::from(cells.rows[code as usize]);
    }
}

impl Classes<'_> {
    fn side(&self, weights: impl Iterator<Item = f64>, weight: f64) -> f64 {
        if self.entropy {
            weights.map(logged).sum::<f64>() - logged(weight)
        } else {
            weights.map(|w| w * w).sum::<f64>() / weight
        }
    }

    fn worth(&self, left: &ClassTotal, total: &ClassTotal) -> f64 {
        let right = total.weights.iter().zip(&left.weights);
        let right = right.map(|(all, here)| (all - here).max(0.0));
        self.side(left.weights.iter().copied(), left.weight)
            + self.side(right, total.weight - left.weight)
    }

    fn allowed(left: &ClassTotal, total: &ClassTotal, limits: Limits) -> bool {
        let weight = limits.weight.max(f64::MIN_POSITIVE);
        left.rows >= limits.rows
            && total.rows - left.rows >= limits.rows
            && left.weight >= weight
            && total.weight - left.weight >= weight
    }

    fn scan(
        &self,
        cells: &ClassSums,
        total: &ClassTotal,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Cut> {
        let none = !cells.filled.contains(MISSING);
        let mut left = ClassTotal::empty(self.count);
        // The same with the missing values on the left.
        let mut with = left.clone();
        with.add(cells, MISSING);
        let mut found: Option<Cut> = None;
        let mut codes = cells.filled.without(MISSING).codes();
        let mut at = codes.next();
        while let Some(last) = at {
            at = codes.next();
            left.add(cells, last);
            if none && at.is_none() {
                break;
            }
            let so_far = found.or(*best);
            let side = none && left.rows > total.rows - left.rows;
            let here = self.judge(&left, total, limits, (last, at, side), &so_far);
            found = here.or(found);
            if !none {
                with.add(cells, last);
                if at.is_some() {
                    let so_far = found.or(*best);
                    let here = self.judge(&with, total, limits, (last, at, true), &so_far);
                    found = here.or(found);
                }
            }
        }
        found
    }
}

impl Criterion for Classes<'_> {
    /// The cells of a feature are as many as there are classes.
    const TILE: usize = 1;
    type Row = (u32, f32);
    type Total = ClassTotal;
    type Cells = ClassSums;

    fn row(&self, index: usize, weight: f32) -> (u32, f32) {
        (self.y[index] as u32, weight)
    }

    fn total(&self, rows: &[(u32, f32)]) -> ClassTotal {
        let mut total = ClassTotal::empty(self.count);
        for &(class, weight) in rows {
            total.weights[class as usize] += f64::from(weight);
            total.weight += f64::from(weight);
        }
        total.rows = rows.len() as f64;
        total
    }

    fn weight(&self, total: &ClassTotal) -> f64 {
        total.weight
    }

    fn pure(&self, total: &ClassTotal, _: &[(u32, f32)]) -> bool {
        total.weights.iter().filter(|&&weight| weight > 0.0).count() < 2
    }

    fn gain(&self, total: &ClassTotal, cut: &Cut) -> f64 {
        let gain = cut.worth - self.side(total.weights.iter().copied(), total.weight);
        if self.entropy {
            gain / std::f64::consts::LN_2
        } else {
            gain
        }
    }

    fn width(&self) -> usize {
        self.count
    }

    fn leaf(&self, total: &ClassTotal, values: &mut [f64]) {
        for (value, weight) in values.iter_mut().zip(&total.weights) {
            *value = weight / total.weight;
        }
    }

    fn cells(&self) -> ClassSums {
        ClassSums::new(self.count)
    }

    fn fill(
        &self,
        cells: &mut ClassSums,
        codes: &View,
        features: &[Binned],
        numbers: &[u32],
        rows: &[(u32, f32)],
    ) {
        for feature in features {
            let place = codes.place(feature.feature);
            let codes = numbers.iter().map(|&number| codes.at(number, place));
            cells.add(codes, rows);
        }
    }

    fn left(&self, codes: &[u8], rows: &[(u32, f32)], last: u8, missing_left: bool) -> ClassTotal {
        let mut total = ClassTotal::empty(self.count);
        for (&code, &(class, weight)) in codes.iter().zip(rows) {
            let left = goes_left(code, last, missing_left);
            let kept = f64::from(weight) * f64::from(u8::from(left));
            total.weights[class as usize] += kept;
            total.weight += kept;
            total.rows += f64::from(u8::from(left));
        }
        total
    }

    fn best(
        &self,
        cells: &mut ClassSums,
        _: (usize, Binned),
        total: &ClassTotal,
        limits: Limits,
        best: &Option<Cut>,
    ) -> Option<Option<Cut>> {
        let varies = cells.filled.count() > 1;
        let cut = varies.then(|| self.scan(cells, total, limits, best));
        cells.clear();
        cut
    }

    fn judge(
        &self,
        left: &ClassTotal,
        total: &ClassTotal,
        limits: Limits,
        cut: (u8, Option<u8>, bool),
        best: &Option<Cut>,
    ) -> Option<Cut> {
        if !Self::allowed(left, total, limits) {
            return None;
        }
        Cut::better(cut, self.worth(left, total), best)
    }
}
