//! Histogram gradient boosting on binned features: LightGBM's leaf-wise growth, which with other
//! parameters is that of XGBoost (`hist`) and HistGradientBoosting.
//!
//! Input: bins of the training rows, which all models share, codes of the rows to predict,
//! targets and options. Output: raw scores of those rows after each asked number of rounds.
//!
//! What is the libraries': losses with their second derivatives, initial scores, penalties and
//! limits, bins of up to 2^16 rows, which of equal splits is taken, leaves renewed to quantiles,
//! missing values tried on both sides. What is not: the random draws, and gradients of at least 14
//! bits beside the rounding of sums, so that scores are the libraries' in distribution only.

mod candidates;
mod categories;
#[cfg(test)]
mod categories_tests;
pub mod cuts;
mod grow;
mod histogram;
mod layout;
pub mod losses;
mod nodes;
pub mod options;
mod sample;
mod shelf;
mod split;
#[cfg(test)]
mod tests;
mod tree;

use self::grow::Grower;
use self::histogram::Packing;
use self::layout::{Group, groups};
use self::losses::{Targets, derivatives, initial, quantile};
use self::nodes::{Gradients, Grown};
use self::options::{Library, Options};
use self::sample::Random;
use crate::errors::KernelError;
use crate::kernels::trees::bins::Bins;
use crate::kernels::workers::Workers;

/// Bins of the training rows in the layout that all models read, and codes to predict.
pub struct Prepared {
    bins: Bins,
    groups: Vec<Group>,
    valid: Vec<u8>,
    valid_rows: usize,
}

impl Prepared {
    /// `valid` are codes as [`Bins::apply`] gives them. Columns of each of `derived` are
    /// functions of one code per row; `detect` finds others that take few combinations.
    pub fn new(
        bins: Bins,
        valid: Vec<u8>,
        derived: &[Vec<u32>],
        detect: bool,
    ) -> Result<Self, KernelError> {
        if bins.rows == 0 || bins.features == 0 {
            let message = format!("x has shape ({}, {})", bins.rows, bins.features);
            return Err(KernelError::input("empty_matrix", message));
        }
        if !valid.len().is_multiple_of(bins.features) {
            let message = "codes of the rows to predict have other features";
            return Err(KernelError::input("shape_mismatch", message));
        }
        Ok(Self {
            groups: groups(&bins, derived, detect),
            valid_rows: valid.len() / bins.features,
            bins,
            valid,
        })
    }

    /// Numbers of combinations of the groups of columns that are summed by combination.
    pub fn combinations(&self) -> Vec<usize> {
        let factors = self.groups.iter().filter_map(|group| group.factor.as_ref());
        factors.map(|factor| factor.rows.len()).collect()
    }

    /// Rows to predict.
    pub fn valid_rows(&self) -> usize {
        self.valid_rows
    }

    /// Bytes that codes take, of rows and of combinations.
    pub fn bytes(&self) -> usize {
        let factors = self.groups.iter().filter_map(|group| group.factor.as_ref());
        let factors: usize = factors.map(|f| 4 * (f.codes.len() + f.rows.len())).sum();
        self.bins.codes.len() + self.valid.len() + factors
    }

    /// The features that trees draw from: all, or those that LightGBM keeps, which have a split
    /// that leaves enough rows on both sides.
    fn usable(&self, options: &Options) -> Vec<u32> {
        let all = 0..self.bins.features as u32;
        if options.column_share >= 1.0 || options.library != Library::LightGbm {
            return all.collect();
        }
        let splits = |f: &u32| {
            let mut counts = [0usize; 256];
            let codes = self.bins.column(*f as usize);
            codes.iter().for_each(|&code| counts[code as usize] += 1);
            let mut left = 0;
            counts.iter().any(|count| {
                left += count;
                left.min(codes.len() - left) >= options.leaf_rows.max(1)
            })
        };
        all.filter(splits).collect()
    }

    /// Raw scores (stages, outputs, rows to predict) of one model.
    pub fn boost(
        &self,
        targets: Targets<'_>,
        options: &Options,
        workers: &Workers,
    ) -> Result<Vec<f64>, KernelError> {
        let targets = targets.checked(options.loss)?;
        if targets.y.len() != self.bins.rows {
            let message = format!("y has {} rows, x has {}", targets.y.len(), self.bins.rows);
            return Err(KernelError::input("shape_mismatch", message));
        }
        let whole = Grower::new(&self.bins, &self.groups, &|_| true, workers);
        let mut model = Model::new(self, targets, options);
        let mut answers = Vec::new();
        for round in 0..options.rounds() {
            model.round(round, &whole, workers)?;
            if options.stages.contains(&(round + 1)) {
                answers.extend(model.valid.iter().flatten());
            }
        }
        Ok(answers)
    }
}

/// A model under way.
struct Model<'a> {
    data: &'a Prepared,
    targets: Targets<'a>,
    options: &'a Options,
    random: Random,
    /// Features to draw from.
    usable: Vec<u32>,
    /// Scores of training rows and of those to predict, by output.
    scores: Vec<Vec<f64>>,
    valid: Vec<Vec<f64>>,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
    packed: Vec<i64>,
    /// The rows that trees are grown on, and the others; None for all.
    sampled: Option<(Vec<u32>, Vec<u32>)>,
    rows: Vec<u32>,
    other: Vec<u32>,
    spare: Vec<u32>,
}

impl<'a> Model<'a> {
    fn new(data: &'a Prepared, targets: Targets<'a>, options: &'a Options) -> Self {
        let (n, m) = (data.bins.rows, data.valid_rows);
        let start = initial(options.loss, targets);
        let outputs = options.loss.outputs();
        let constant = options.loss.constant_curvature() && targets.weights.is_none();
        Self {
            data,
            targets,
            options,
            random: Random::new(options.seed),
            usable: data.usable(options),
            scores: start.iter().map(|&s| vec![s; n]).collect(),
            valid: start.iter().map(|&s| vec![s; m]).collect(),
            first: vec![vec![0.0; n]; outputs],
            second: vec![if constant { Vec::new() } else { vec![0.0; n] }; outputs],
            packed: vec![0; n],
            sampled: None,
            rows: Vec::with_capacity(n),
            other: Vec::with_capacity(m.max(n)),
            spare: vec![0; n.max(m)],
        }
    }

    fn round(
        &mut self,
        round: usize,
        whole: &Grower<'_>,
        workers: &Workers,
    ) -> Result<(), KernelError> {
        let (options, n) = (self.options, self.data.bins.rows);
        let draws_rows = options.row_share < 1.0 && round.is_multiple_of(options.row_interval);
        let loss = options.loss;
        derivatives(
            loss,
            self.targets,
            &self.scores,
            &mut self.first,
            &mut self.second,
        );
        for output in 0..loss.outputs() {
            if draws_rows && (output == 0 || options.library == Library::XgBoost) {
                self.sampled = Some(self.random.part(n, options.row_share));
            }
            let few = self.few_columns(workers);
            let grower = few.as_ref().unwrap_or(whole);
            let (first, second) = (&self.first[output], &self.second[output]);
            let sampled = self.sampled.as_ref().map(|(rows, _)| rows.as_slice());
            let Some(packing) = Packing::of(first, second, sampled) else {
                let message = format!("derivatives are not finite after {round} rounds");
                return Err(KernelError::input("non_finite", message));
            };
            packing.pack(first, second, &mut self.packed);
            self.rows.clear();
            match sampled {
                None => self.rows.extend(0..n as u32),
                Some(rows) => self.rows.extend_from_slice(rows),
            }
            let gradients = Gradients {
                packed: &self.packed,
                packing,
                constant: second.is_empty(),
            };
            let all = sampled.is_none();
            let (random, rows) = (&mut self.random, &mut self.rows);
            let grown = grower.grow(gradients, options, random, rows, &mut self.spare, all);
            if grown.tree.splits.is_empty() && options.library == Library::LightGbm {
                continue;
            }
            self.apply(output, grown);
        }
        Ok(())
    }

    /// A grower on a draw of the features, if not all are used.
    fn few_columns<'w>(&mut self, workers: &'w Workers) -> Option<Grower<'w>>
    where
        'a: 'w,
    {
        let wanted = self.options.columns(self.usable.len());
        if self.options.library == Library::Histogram || wanted >= self.usable.len() {
            return None;
        }
        let mut used = vec![false; self.data.bins.features];
        for place in self.random.choose(self.usable.len(), wanted) {
            used[self.usable[place as usize] as usize] = true;
        }
        let (bins, groups) = (&self.data.bins, &self.data.groups);
        Some(Grower::new(bins, groups, &|f| used[f as usize], workers))
    }

    /// Adds a tree to all scores.
    fn apply(&mut self, output: usize, mut grown: Grown) {
        self.renew(output, &mut grown);
        let Grown { mut tree, leaves } = grown;
        tree.values
            .iter_mut()
            .for_each(|v| *v *= self.options.learning_rate);
        let scores = &mut self.scores[output];
        for (leaf, value) in leaves.iter().zip(&tree.values) {
            for &row in &self.rows[leaf.rows.clone()] {
                scores[row as usize] += value;
            }
        }
        if let Some((_, left)) = &self.sampled {
            self.other.clear();
            self.other.extend_from_slice(left);
            tree.add(
                &self.data.bins.codes,
                &mut self.other,
                &mut self.spare,
                scores,
            );
        }
        self.other.clear();
        self.other.extend(0..self.data.valid_rows as u32);
        let valid = &mut self.valid[output];
        tree.add(&self.data.valid, &mut self.other, &mut self.spare, valid);
    }

    /// Sets leaves to the quantile of what is left to explain in their rows.
    fn renew(&self, output: usize, grown: &mut Grown) {
        let Some(level) = self.options.loss.renewed() else {
            return;
        };
        let (scores, weights) = (&self.scores[output], self.targets.weights);
        for (leaf, value) in grown.leaves.iter().zip(&mut grown.tree.values) {
            let rows = self.rows[leaf.rows.clone()].iter().map(|&row| row as usize);
            let rest = |row: usize| self.targets.y[row] - scores[row];
            let pairs = rows.map(|row| (rest(row), weights.map_or(1.0, |w| w[row])));
            *value = quantile(pairs.collect(), level, weights.is_some());
        }
    }
}
