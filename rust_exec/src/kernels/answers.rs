//! The answers of one fold: the members that could be fitted to the promised accuracy.
//!
//! Input: a fold's normal equations and its validation rows. Output: coefficients and predictions
//! of every member of the family, or why a member was declined. A member is declined by itself:
//! those that rounding moves most are left out until the rest keeps the promise.

use super::models::{Models, Predicted, Solved, Unsolved, Validation, predict};
use super::moments::Frame;
use super::normal::{Normal, RightSide};
use super::over_folds::Data;
use crate::errors::Declined;

/// Greatest relative change of a fold's mean squared error that may come from rounding.
pub const PROMISE: f64 = 1e-9;
/// The same where the reference library itself stops at a tolerance.
pub const NET_PROMISE: f64 = 1e-7;
/// Margin between the greatest of so few probes and what to expect.
const PROBE_MARGIN: f64 = 4.0;

/// What one fold gives. Values of declined members are NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// (members, p) row by row.
    pub coef: Vec<f64>,
    /// (members,)
    pub intercept: Vec<f64>,
    /// (rows, members) column by column.
    pub predictions: Vec<f64>,
    /// (members, 3) row by row: rounds, duality gap and tolerance of the nets; NaN for others.
    pub descent: Vec<f64>,
    /// (members,)
    pub declined: Vec<Option<Declined>>,
}

impl Fitted {
    /// The answer of a fold that is declined as a whole.
    pub fn none(members: usize, p: usize, rows: usize, reason: Declined) -> Self {
        Self {
            coef: vec![f64::NAN; members * p],
            intercept: vec![f64::NAN; members],
            predictions: vec![f64::NAN; members * rows],
            descent: vec![f64::NAN; members * 3],
            declined: vec![Some(reason); members],
        }
    }

    /// Leaves predictions as they are: [`Checked::finished`] sees to them.
    pub fn decline(&mut self, member: usize, reason: Declined) {
        let members = self.declined.len();
        let p = self.coef.len() / members;
        self.coef[member * p..][..p].fill(f64::NAN);
        self.intercept[member] = f64::NAN;
        self.descent[member * 3..][..3].fill(f64::NAN);
        self.declined[member] = Some(reason);
    }
}

/// Solves for some of the members of a set.
pub type Solve<'a> = Box<dyn Fn(&[usize]) -> Result<Solved, Unsolved> + 'a>;

/// Members that are solved for, and judged, together.
pub struct Set<'a> {
    pub members: Vec<usize>,
    /// The target of all of them.
    pub target: usize,
    pub side: &'a RightSide,
    /// Greatest relative change of a mean squared error that may come from rounding.
    pub promise: f64,
    pub solve: Solve<'a>,
}

/// The members of one fold as they are answered.
pub struct Checked<'a, 'data, 'rows> {
    data: &'a Data<'data>,
    normal: &'a Normal,
    frame: &'a Frame,
    validation: &'a Validation<'rows>,
    /// The reason given where rounding could have moved a score.
    pub doubtful: Declined,
    /// Predictions of declined members are NaN from [`Self::finished`] on only.
    pub fitted: Fitted,
}

impl<'a, 'data, 'rows> Checked<'a, 'data, 'rows> {
    /// Nothing is answered yet.
    pub fn new(
        data: &'a Data<'data>,
        normal: &'a Normal,
        frame: &'a Frame,
        validation: &'a Validation<'rows>,
        members: usize,
    ) -> Self {
        let doubtful = if normal.rows <= normal.active.len() as f64 {
            Declined::FewerRowsThanFeatures
        } else {
            Declined::IllConditioned
        };
        let (p, rows) = (frame.features(), validation.rows.len());
        Self {
            data,
            normal,
            frame,
            validation,
            doubtful,
            fitted: Fitted {
                // Zeros are fresh pages, which nothing touches before the predictions.
                predictions: vec![0.0; members * rows],
                ..Fitted::none(members, p, 0, doubtful)
            },
        }
    }

    /// The answers, with NaN for the predictions of declined members.
    pub fn finished(mut self) -> Fitted {
        let rows = self.validation.rows.len();
        for (member, declined) in self.fitted.declined.iter().enumerate() {
            if declined.is_some() {
                self.fitted.predictions[member * rows..][..rows].fill(f64::NAN);
            }
        }
        self.fitted
    }

    pub fn decline_all(&mut self, members: impl Iterator<Item = usize>, reason: Declined) {
        members.for_each(|member| self.fitted.decline(member, reason));
    }

    /// Answers the members of all sets, without those that stand in the way of a promise. The
    /// validation rows are gathered once for all of them, and again for what is left of sets that
    /// did not keep it.
    pub fn run(&mut self, mut sets: Vec<Set<'_>>) {
        while !sets.is_empty() {
            let mut solved = Vec::with_capacity(sets.len());
            sets.retain_mut(|set| {
                let found = self.solved(set);
                let any = found.is_some();
                solved.extend(found);
                any
            });
            let refused = self.answer(&sets, &solved);
            let mut results = solved.iter().zip(refused);
            sets.retain_mut(|set| match results.next() {
                Some((solved, Some(reason))) => {
                    self.leave_out(set, &solved.suspects, reason);
                    true
                }
                _ => false,
            });
        }
    }

    /// Solves for the members of a set that there is a solution for; None if there is none.
    fn solved(&mut self, set: &mut Set<'_>) -> Option<Solved> {
        while !set.members.is_empty() {
            match (set.solve)(&set.members) {
                Ok(solved) => return Some(solved),
                Err(unsolved) => self.leave_out(set, &unsolved.suspects, unsolved.reason),
            }
        }
        None
    }

    fn leave_out(&mut self, set: &mut Set<'_>, suspects: &[usize], reason: Declined) {
        for &suspect in suspects {
            self.fitted.decline(set.members[suspect], reason);
        }
        let mut place = 0;
        set.members.retain(|_| {
            place += 1;
            !suspects.contains(&(place - 1))
        });
    }

    /// Writes down the answers of sets; says for each why they may not be kept, if so.
    fn answer(&mut self, sets: &[Set<'_>], solved: &[Solved]) -> Vec<Option<Declined>> {
        let preparation = self.data.preparation;
        let pairs = sets.iter().zip(solved);
        let models: Vec<Models<'_>> = pairs
            .map(|(set, solved)| {
                let place = (set.members.as_slice(), set.target);
                let equations = (self.normal, set.side);
                Models::new(place, solved, preparation, equations, self.frame)
            })
            .collect();
        let fill = self.data.impute.then_some(self.normal.fill.as_slice());
        let values = &mut self.fitted.predictions;
        let predicted = predict(&models, self.validation, self.frame, fill, values);
        let mut refused = Vec::with_capacity(sets.len());
        for (place, predicted) in predicted.iter().enumerate() {
            let (set, solved, models) = (&sets[place], &solved[place], &models[place]);
            let reason = self.refusal(set.promise, solved, models.rounding, predicted);
            if reason.is_none() {
                self.write(&set.members, solved, &models.intercept);
            }
            refused.push(reason);
        }
        refused
    }

    fn refusal(
        &self,
        promise: f64,
        solved: &Solved,
        rounding: f64,
        predicted: &Predicted,
    ) -> Option<Declined> {
        if !predicted.finite {
            return Some(Declined::NonFinite);
        }
        let training_error = solved.training_error / self.normal.rows;
        let error = predicted.error.unwrap_or(training_error);
        if !error.is_finite() {
            return Some(Declined::NonFinite);
        }
        // A change of d in the predictions changes a mean squared error r^2 by at most 2 r d.
        let change = PROBE_MARGIN * predicted.probed.sqrt() + rounding;
        // A NaN is not within the promise either.
        let kept = 2.0 * change <= promise * error.sqrt();
        (!kept).then_some(self.doubtful)
    }

    fn write(&mut self, members: &[usize], solved: &Solved, intercept: &[f64]) {
        let p = self.frame.features();
        for (k, &member) in members.iter().enumerate() {
            let coef = &mut self.fitted.coef[member * p..][..p];
            for (value, found) in coef.iter_mut().zip(solved.coef.col(k).iter()) {
                *value = *found;
            }
            self.fitted.intercept[member] = intercept[k];
            self.fitted.declined[member] = None;
        }
    }
}
