//! What a boosting model is asked to be. Input: parameters as a library names them, already in
//! this kernel's terms. Output: checked options.

use crate::errors::KernelError;

/// Most leaves of a tree; more would be a fault of the caller, or a tree per row.
const MAX_LEAVES: usize = 1 << 17;

/// Most rounds; more would not end.
const MAX_ROUNDS: usize = 1 << 24;

/// What the trees are fitted to, with the second derivatives that the replaced library uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    Squared,
    /// Targets 0 and 1; scores are log-odds.
    Logistic,
    /// Targets 0 .. classes - 1. Second derivatives are `curvature` p (1 - p): K / (K - 1) in
    /// LightGBM, 2 in XGBoost, 1 in HistGradientBoosting.
    Softmax {
        classes: usize,
        curvature: f64,
    },
    /// Scores are logarithms. Second derivatives are exp(score + `step`): `step` is 0.7 in
    /// LightGBM and XGBoost, 0 in HistGradientBoosting.
    Poisson {
        step: f64,
    },
    Quantile {
        level: f64,
    },
    Absolute,
}

impl Loss {
    /// Trees per round, and scores per row.
    pub fn outputs(self) -> usize {
        match self {
            Self::Softmax { classes, .. } => classes,
            _ => 1,
        }
    }

    /// Whether second derivatives are 1 where rows have no weights.
    pub fn constant_curvature(self) -> bool {
        matches!(self, Self::Squared | Self::Quantile { .. } | Self::Absolute)
    }

    /// The quantile that leaves are set to after a tree is grown, if they are.
    pub fn renewed(self) -> Option<f64> {
        match self {
            Self::Quantile { level } => Some(level),
            Self::Absolute => Some(0.5),
            _ => None,
        }
    }
}

/// Whose conventions trees follow where the libraries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Library {
    /// Rows are drawn every `row_interval` rounds, features for every tree, among those that
    /// `leaf_rows` lets split. A tree without a split is left out. A feature that has no split in
    /// a node is not tried below it. Of equal splits that with the highest threshold is taken.
    /// Rows of a side are estimated, bin by bin, from second derivatives.
    #[default]
    LightGbm,
    /// Rows and features are drawn for every tree. Of equal splits that with the lowest threshold
    /// is taken. A leaf may have any number of rows.
    XgBoost,
    /// Features are drawn for every node. Of equal splits that with the lowest threshold is
    /// taken. The rows of a side are counted.
    Histogram,
}

/// How features are split whose codes have no order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Categories {
    /// With at most so many categories one is told from the rest; not in HistGradientBoosting.
    pub one_hot: usize,
    /// Most categories on one side (LightGBM), or one more than that (XGBoost).
    pub most: usize,
    /// LightGBM: fewest rows of the categories that are added between two attempts.
    pub rows: usize,
    /// LightGBM: added to `l2` where several categories go left.
    pub l2: f64,
    /// Added to second derivatives to sort by. Categories of fewer rows go right. Not in XGBoost.
    pub smooth: f64,
}

impl Default for Categories {
    /// LightGBM's, which counts missing values as a category where it says 4 for one-hot.
    fn default() -> Self {
        Self {
            one_hot: 3,
            most: 32,
            rows: 100,
            l2: 10.0,
            smooth: 10.0,
        }
    }
}

/// One model.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub loss: Loss,
    pub learning_rate: f64,
    /// Numbers of rounds after which predictions are asked, ascending.
    pub stages: Vec<usize>,
    /// Most leaves of a tree; they are split in the order of their gain.
    pub leaves: usize,
    /// Most splits above a leaf.
    pub depth: usize,
    /// Fewest rows of a leaf.
    pub leaf_rows: usize,
    /// Least sum of second derivatives of a leaf.
    pub leaf_curvature: f64,
    pub l1: f64,
    pub l2: f64,
    /// A split must gain more than this.
    pub gain: f64,
    /// Share of the rows that a tree is grown on, and rounds after which they are drawn again.
    pub row_share: f64,
    pub row_interval: usize,
    /// Share of the features that a tree, or a node, may use.
    pub column_share: f64,
    pub library: Library,
    pub categories: Categories,
    pub seed: u64,
}

impl Default for Options {
    /// LightGBM's.
    fn default() -> Self {
        Self {
            loss: Loss::Squared,
            learning_rate: 0.1,
            stages: vec![100],
            leaves: 31,
            depth: usize::MAX,
            leaf_rows: 20,
            leaf_curvature: 1e-3,
            l1: 0.0,
            l2: 0.0,
            gain: 0.0,
            row_share: 1.0,
            row_interval: 1,
            column_share: 1.0,
            library: Library::LightGbm,
            categories: Categories::default(),
            seed: 0,
        }
    }
}

impl Options {
    /// Refuses values that no library would accept.
    pub fn checked(self) -> Result<Self, KernelError> {
        let not_negative = |v: f64| v.is_finite() && v >= 0.0;
        let share = |v: f64| v > 0.0 && v <= 1.0;
        let ascending = self.stages.windows(2).all(|pair| pair[0] < pair[1]);
        let loss = match self.loss {
            Loss::Softmax { classes, curvature } => {
                (2..=4096).contains(&classes) && curvature.is_finite() && curvature > 0.0
            }
            Loss::Poisson { step } => not_negative(step),
            Loss::Quantile { level } => level > 0.0 && level < 1.0,
            _ => true,
        };
        let faults = [
            ("loss", !loss),
            (
                "learning_rate",
                !(self.learning_rate.is_finite() && self.learning_rate > 0.0),
            ),
            (
                "stages",
                !ascending
                    || self.stages.first().is_none_or(|&s| s == 0)
                    || self.rounds() > MAX_ROUNDS,
            ),
            ("leaves", self.leaves < 2 || self.leaves > MAX_LEAVES),
            ("depth", self.depth == 0),
            ("leaf_curvature", !not_negative(self.leaf_curvature)),
            ("l1", !not_negative(self.l1)),
            ("l2", !not_negative(self.l2)),
            ("gain", !not_negative(self.gain)),
            ("row_share", !share(self.row_share)),
            ("row_interval", self.row_interval == 0),
            ("column_share", !share(self.column_share)),
            ("category_l2", !not_negative(self.categories.l2)),
            (
                "category_smooth",
                !(self.categories.smooth.is_finite() && self.categories.smooth > 0.0),
            ),
        ];
        match faults.iter().find(|(_, wrong)| *wrong) {
            Some((name, _)) => Err(KernelError::input(
                "bad_option",
                format!("{name} is out of range"),
            )),
            None => Ok(self),
        }
    }

    /// How many of `features` are drawn.
    pub fn columns(&self, features: usize) -> usize {
        let wanted = features as f64 * self.column_share;
        let wanted = match self.library {
            Library::LightGbm => wanted.round(),
            Library::XgBoost => f64::from(features as f32 * self.column_share as f32).floor(),
            Library::Histogram => wanted.ceil(),
        };
        (wanted as usize).clamp(1, features.max(1))
    }

    /// Rounds that are run.
    pub fn rounds(&self) -> usize {
        self.stages.last().copied().unwrap_or(0)
    }
}
