//! Random forests and extremely randomised trees on bins.

use super::bins::Bins;
use super::classes::Classes;
use super::codes::View;
use super::criterion::Criterion;
use super::grow::{Shape, grow};
use super::random::Random;
use super::sample::{Sampling, cumulated, sample};
use super::values::{Kind, Values};
use super::walk::{Asked, Tree};
use crate::errors::KernelError;
use crate::kernels::workers::Workers;

/// What the trees predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The mean of `y`.
    Regression,
    /// Probabilities of so many classes; `y` holds their numbers.
    Classes { count: usize, entropy: bool },
}

impl Task {
    /// Numbers per prediction.
    pub fn width(self) -> usize {
        match self {
            Self::Regression => 1,
            Self::Classes { count, .. } => count,
        }
    }
}

/// The training rows, in bins, and what is to be learnt of them.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    pub bins: &'a Bins,
    pub y: &'a [f64],
    pub weights: Option<&'a [f64]>,
    pub task: Task,
}

/// Forests of every seed and size on the rows of `asked`, by their values and not by bins, which
/// would send unseen ones elsewhere: (seeds, sizes, rows, width) numbers. Trees of a seed come one
/// after the other from streams of their own, so that a smaller forest is the beginning of a
/// larger.
pub fn forests(
    training: &Training,
    shape: &Shape,
    sampling: &Sampling,
    (seeds, sizes): (&[u64], &[usize]),
    asked: Asked<'_>,
    workers: &Workers,
) -> Result<Vec<f64>, KernelError> {
    if asked.x.ncols() != training.bins.features {
        let (given, known) = (asked.x.ncols(), training.bins.features);
        let message = format!("x_valid has {given} columns, but x_train has {known}");
        return Err(KernelError::input("shape_mismatch", message));
    }
    check(training, shape, sampling, seeds, sizes)?;
    let scaled = training.weights.map(around_one);
    let training = &Training {
        weights: scaled.as_deref(),
        ..*training
    };
    let centre = match training.task {
        Task::Regression => training.y.iter().sum::<f64>() / training.y.len() as f64,
        Task::Classes { .. } => 0.0,
    };
    let run = Run {
        training,
        view: View::of(training.bins),
        shape,
        sampling,
        seeds,
        sizes,
        asked,
        workers,
    };
    let values = |kind| Values {
        y: training.y,
        centre,
        kind,
    };
    Ok(match training.task {
        Task::Regression => run.all(&values(Kind::Squared)),
        Task::Classes { count: 2, entropy } => {
            let kind = if entropy { Kind::Entropy } else { Kind::Gini };
            both(&run.all(&values(kind)))
        }
        Task::Classes { count, entropy } => run.all(&Classes {
            y: training.y,
            count,
            entropy,
        }),
    })
}

/// Greatest target in size: sums of squares are formed of it.
const LARGEST: f64 = 1e30;

fn check(
    training: &Training,
    shape: &Shape,
    sampling: &Sampling,
    seeds: &[u64],
    sizes: &[usize],
) -> Result<(), KernelError> {
    let fault = |code, message: String| Err(KernelError::input(code, message));
    let rows = training.bins.rows;
    if rows == 0 || training.bins.features == 0 {
        return fault("empty_matrix", "no training rows or features".into());
    }
    if training.y.len() != rows || training.weights.is_some_and(|w| w.len() != rows) {
        let message = format!("x has {rows} rows, but y or the weights have not");
        return fault("shape_mismatch", message);
    }
    if seeds.is_empty() || sizes.is_empty() || sizes.contains(&0) {
        return fault("bad_size", "no seed, or no number of trees".into());
    }
    if let Task::Classes { count, .. } = training.task {
        let is_class = |y: &f64| *y >= 0.0 && *y < count as f64 && y.fract() == 0.0;
        if count < 2 || !training.y.iter().all(is_class) {
            let message = format!("y must be whole numbers below the {count} classes");
            return fault("bad_target", message);
        }
    } else if !training.y.iter().all(|y| y.abs() <= LARGEST) {
        let message = format!("y must be finite, and at most {LARGEST} in size");
        return fault("bad_target", message);
    }
    if let Some(weights) = training.weights {
        let positive = weights.iter().any(|&weight| weight > 0.0);
        if !positive || !weights.iter().all(|w| w.is_finite() && *w >= 0.0) {
            let message = "weights must be finite, none negative and not all zero";
            return fault("bad_weights", message.into());
        }
    }
    let bad_leaf = !(0.0..=0.5).contains(&shape.min_weight_fraction_leaf);
    if shape.max_features == 0
        || shape.min_samples_leaf == 0
        || shape.min_samples_split < 2
        || shape.max_leaf_nodes.is_some_and(|leaves| leaves < 2)
        || bad_leaf
        || shape.min_impurity_decrease < 0.0
        || shape.min_impurity_decrease.is_nan()
        || sampling.draws == Some(0)
        || (sampling.balanced && !matches!(training.task, Task::Classes { .. }))
    {
        return fault(
            "bad_shape",
            "a parameter of the trees is out of range".into(),
        );
    }
    Ok(())
}

/// Weights with a mean of one: only their proportions matter.
fn around_one(weights: &[f64]) -> Vec<f64> {
    let mean = weights
        .iter()
        .map(|w| w / weights.len() as f64)
        .sum::<f64>();
    weights.iter().map(|weight| weight / mean).collect()
}

/// Both probabilities, from that of the second class.
fn both(second: &[f64]) -> Vec<f64> {
    second.iter().flat_map(|p| [1.0 - p, *p]).collect()
}

struct Run<'a, 'x> {
    training: &'a Training<'a>,
    view: View<'a>,
    shape: &'a Shape,
    sampling: &'a Sampling,
    seeds: &'a [u64],
    sizes: &'a [usize],
    asked: Asked<'x>,
    workers: &'a Workers,
}

/// Trees that several threads grow at a time, at least; they are as large as the training set.
const BATCH: usize = 4;

impl Run<'_, '_> {
    fn all<C: Criterion>(&self, criterion: &C) -> Vec<f64> {
        let width = criterion.width();
        let ends = match (self.sampling.draws, self.training.weights) {
            (Some(_), Some(weights)) => Some(cumulated(weights)),
            _ => None,
        };
        let batch = match self.workers.count() {
            1 => 1,
            threads => threads.max(BATCH),
        };
        let mut found = Vec::new();
        for &seed in self.seeds {
            let mut sums = vec![0.0; self.asked.rows.len() * width];
            let mut answers = vec![Vec::new(); self.sizes.len()];
            let most = self.sizes.iter().copied().max().unwrap_or(0);
            let mut done = 0;
            while done < most {
                let next = self.sizes.iter().filter(|&&size| size > done).min();
                let trees = self
                    .workers
                    .map((next.unwrap_or(&most) - done).min(batch), |k| {
                        self.tree(criterion, seed, done + k, ends.as_deref())
                    });
                self.asked.add(&trees, &mut sums, self.workers);
                done += trees.len();
                for (answer, &size) in answers.iter_mut().zip(self.sizes) {
                    if size == done {
                        *answer = sums.iter().map(|sum| sum / size as f64).collect();
                    }
                }
            }
            found.extend(answers.into_iter().flatten());
        }
        found
    }

    fn tree<C: Criterion>(
        &self,
        criterion: &C,
        seed: u64,
        number: usize,
        ends: Option<&[f64]>,
    ) -> Tree {
        let mut random = Random::of_tree(seed, number as u64);
        let training = self.training;
        let classes = match training.task {
            Task::Classes { count, .. } => (training.y, count),
            Task::Regression => (training.y, 0),
        };
        let rows = sample(
            training.bins.rows,
            self.sampling,
            training.weights,
            ends,
            classes,
            &mut random,
        );
        let read = (training.bins, self.view);
        grow(read, criterion, self.shape, rows, &mut random)
    }
}
