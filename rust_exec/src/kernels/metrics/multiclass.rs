//! Metrics of class probabilities, three classes and more.

use ndarray::{ArrayView1, ArrayView2};

use super::ranks::{doubled_wins, key, scored_areas, sort};
use super::sums::Order;
use super::{check_rows, check_target, loss, read};
use crate::errors::KernelError;
use crate::kernels::workers::Workers;

/// How far from one the probabilities of a row may add up: well inside of what the library
/// takes without a warning or an error.
const LOSS_SLACK: f64 = 1e-8;
const RANK_SLACK: f64 = 1e-6;
const MOST_CLASSES: usize = 1 << 24;
/// More classes than this are not compared pair by pair.
const MOST_PAIRED: usize = 1 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    OneToRest { weighted: bool },
    OneToOne { weighted: bool },
    AveragePrecision,
    LogLoss,
    Brier,
}

fn named(name: &str) -> Option<Metric> {
    Some(match name {
        "roc_auc_ovr" => Metric::OneToRest { weighted: false },
        "roc_auc_ovr_weighted" => Metric::OneToRest { weighted: true },
        "roc_auc_ovo" => Metric::OneToOne { weighted: false },
        "roc_auc_ovo_weighted" => Metric::OneToOne { weighted: true },
        "average_precision_score" => Metric::AveragePrecision,
        "log_loss" => Metric::LogLoss,
        "brier_score_loss" => Metric::Brier,
        _ => return None,
    })
}

/// Values (tables, metrics), row by row, of probabilities (n, classes). NaN where a table is not
/// of probabilities, or a ranking metric lacks a class.
pub fn score(
    codes: ArrayView1<'_, i64>,
    tables: &[ArrayView2<'_, f64>],
    classes: usize,
    names: &[String],
    workers: &Workers,
) -> Result<Vec<f64>, KernelError> {
    let metrics = read(names, named)?;
    if classes > MOST_CLASSES {
        let message = format!("{classes} classes, more than {MOST_CLASSES}");
        return Err(KernelError::input("too_many_classes", message));
    }
    check_target(codes.len())?;
    for (place, table) in tables.iter().enumerate() {
        check_rows(place, table.nrows(), codes.len())?;
        if table.ncols() != classes {
            let found = table.ncols();
            let message = format!("vector {place} has {found} columns for {classes} classes");
            return Err(KernelError::input("shape_mismatch", message));
        }
    }
    let in_range = |code: &i64| usize::try_from(*code).is_ok_and(|code| code < classes);
    if let Some(bad) = codes.iter().find(|code| !in_range(code)) {
        let message = format!("codes hold {bad}, but there are {classes} classes");
        return Err(KernelError::input("code_out_of_range", message));
    }
    let codes: Vec<usize> = codes.iter().map(|&code| code as usize).collect();
    // Classes without a row have no list: a million of them cost nothing but their counts.
    let mut counts = vec![0; classes];
    for &code in &codes {
        counts[code] += 1;
    }
    let target = Target {
        order: Order::new(codes.len()),
        codes,
        counts,
    };
    let rows = workers.map(tables.len(), |place| target.score(&tables[place], &metrics));
    Ok(rows.concat())
}

struct Target {
    codes: Vec<usize>,
    counts: Vec<usize>,
    order: Order,
}

impl Target {
    fn score(&self, table: &ArrayView2<'_, f64>, metrics: &[Metric]) -> Vec<f64> {
        let gap = self.gap(table);
        let complete = (3..=MOST_PAIRED).contains(&self.counts.len())
            && self.counts.iter().all(|&count| count > 0);
        let (mut areas, mut wins) = (None, None);
        let value = |&metric: &Metric| match metric {
            Metric::LogLoss if gap <= LOSS_SLACK => self.log_loss(table),
            Metric::Brier if gap <= LOSS_SLACK && self.counts.len() > 2 => self.brier(table),
            Metric::AveragePrecision if complete && gap < f64::INFINITY => {
                let areas = areas.get_or_insert_with(|| self.areas(table));
                self.mean(areas.iter().map(|(_, precision)| *precision), false)
            }
            Metric::OneToRest { weighted } if complete && gap <= RANK_SLACK => {
                let areas = areas.get_or_insert_with(|| self.areas(table));
                self.mean(areas.iter().map(|(area, _)| *area), weighted)
            }
            Metric::OneToOne { weighted } if complete && gap <= RANK_SLACK => {
                let wins = wins.get_or_insert_with(|| self.wins(table));
                self.one_to_one(wins, weighted)
            }
            _ => f64::NAN,
        };
        metrics.iter().map(value).collect()
    }

    /// How far a row's sum is from one at most; infinite where a value is no probability.
    fn gap(&self, table: &ArrayView2<'_, f64>) -> f64 {
        if self.codes.is_empty() {
            return f64::INFINITY;
        }
        let mut gap = 0.0_f64;
        for row in table.rows() {
            if row.iter().any(|p| !(0.0..=1.0).contains(p)) {
                return f64::INFINITY;
            }
            gap = gap.max((row.iter().sum::<f64>() - 1.0).abs());
        }
        gap
    }

    fn log_loss(&self, table: &ArrayView2<'_, f64>) -> f64 {
        let rows = self.codes.iter().enumerate();
        let chances: Vec<f64> = rows.map(|(i, &code)| table[[i, code]]).collect();
        self.order.sum(&chances, &chances, |p, _| loss(p)) / chances.len() as f64
    }

    fn brier(&self, table: &ArrayView2<'_, f64>) -> f64 {
        let rows = table.rows().into_iter().zip(&self.codes);
        let squares: Vec<f64> = rows
            .map(|(row, &code)| {
                let each = row.iter().enumerate().map(|(class, p)| {
                    let gap = f64::from(u8::from(class == code)) - p;
                    gap * gap
                });
                each.sum()
            })
            .collect();
        self.order.sum(&squares, &squares, |square, _| square) / squares.len() as f64
    }

    /// Of each class against the rest: area under the ROC curve, average precision.
    fn areas(&self, table: &ArrayView2<'_, f64>) -> Vec<(f64, f64)> {
        let area = |class: usize| {
            let hits: Vec<bool> = self.codes.iter().map(|&code| code == class).collect();
            scored_areas(&table.column(class).to_vec(), &hits)
        };
        (0..self.counts.len()).map(area).collect()
    }

    /// The mean over the classes, by their rows where `weighted`.
    fn mean(&self, values: impl Iterator<Item = f64>, weighted: bool) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (value, &count) in values.zip(&self.counts) {
            let weight = if weighted { count as f64 } else { 1.0 };
            sum += weight * value;
            weights += weight;
        }
        sum / weights
    }

    /// Entry (class, other): twice the pairs in which a row of the class has the higher
    /// probability of it than a row of the other one.
    fn wins(&self, table: &ArrayView2<'_, f64>) -> Vec<Vec<u64>> {
        let classes = self.counts.len();
        let mut spare = Vec::new();
        let mut keys: Vec<Vec<u64>> = vec![Vec::new(); classes];
        let column = |class: usize| {
            keys.iter_mut().for_each(Vec::clear);
            for (p, &code) in table.column(class).iter().zip(&self.codes) {
                keys[code].push(key(*p));
            }
            keys.iter_mut().for_each(|keys| sort(keys, &mut spare));
            let against = |other: usize| doubled_wins(&keys[class], &keys[other]);
            let others = (0..classes).map(|other| if other == class { 0 } else { against(other) });
            others.collect()
        };
        (0..classes).map(column).collect()
    }

    fn pairs(&self, class: usize, others: usize) -> f64 {
        2.0 * self.counts[class] as f64 * others as f64
    }

    fn one_to_one(&self, wins: &[Vec<u64>], weighted: bool) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (a, of_a) in wins.iter().enumerate() {
            for (b, of_b) in wins.iter().enumerate().skip(a + 1) {
                let pairs = self.pairs(a, self.counts[b]);
                let area = (of_a[b] as f64 / pairs + of_b[a] as f64 / pairs) / 2.0;
                let both = self.counts[a] + self.counts[b];
                let weight = if weighted { both as f64 } else { 1.0 };
                sum += weight * area;
                weights += weight;
            }
        }
        sum / weights
    }
}
