//! The answers of one fold: the members that could be fitted to the promised accuracy.
//!
//! Input: a fold's normal equations and its validation rows. Output: coefficients and predictions
//! of every member of the family, or why a member was declined. A member is declined by itself:
//! those that rounding moves most are left out until the rest keeps the promise.

use ndarray::ArrayView1;

use super::block::Source;
use super::models::{Models, Solved, Table, Unsolved};
use super::moments::Frame;
use super::normal::Normal;
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

    pub fn decline(&mut self, member: usize, reason: Declined) {
        let members = self.declined.len();
        let (p, rows) = (self.coef.len() / members, self.predictions.len() / members);
        self.coef[member * p..][..p].fill(f64::NAN);
        self.intercept[member] = f64::NAN;
        self.predictions[member * rows..][..rows].fill(f64::NAN);
        self.descent[member * 3..][..3].fill(f64::NAN);
        self.declined[member] = Some(reason);
    }
}

/// Rows to predict, and their target where there is one.
pub struct Validation<'a> {
    pub source: Source<'a>,
    pub y: Option<ArrayView1<'a, f64>>,
    pub rows: &'a [u32],
}

/// The members of one fold as they are answered.
pub struct Checked<'a, 'data, 'rows> {
    data: &'a Data<'data>,
    normal: &'a Normal,
    frame: &'a Frame,
    validation: &'a Validation<'rows>,
    /// The reason given where rounding could have moved a score.
    pub doubtful: Declined,
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
            fitted: Fitted::none(members, p, rows, doubtful),
        }
    }

    /// Answers `members`, without those that stand in the way of the promise.
    pub fn run(
        &mut self,
        mut members: Vec<usize>,
        promise: f64,
        solve: impl Fn(&[usize]) -> Result<Solved, Unsolved>,
    ) {
        while !members.is_empty() {
            let solved = solve(&members);
            let refused = match &solved {
                Err(Unsolved { reason, suspects }) => Some((*reason, suspects)),
                Ok(solved) => self
                    .answer(&members, solved, promise)
                    .map(|reason| (reason, &solved.suspects)),
            };
            let Some((reason, suspects)) = refused else {
                return;
            };
            for &suspect in suspects {
                self.fitted.decline(members[suspect], reason);
            }
            let mut place = 0;
            members.retain(|_| {
                place += 1;
                !suspects.contains(&(place - 1))
            });
        }
    }

    /// Writes down the answers of `members`; says why they may not be kept, if so.
    fn answer(&mut self, members: &[usize], solved: &Solved, promise: f64) -> Option<Declined> {
        let Validation { source, y, rows } = self.validation;
        let models = Models::new(solved, self.data.preparation, self.normal, self.frame);
        let fill = self.data.impute.then_some(self.normal.fill.as_slice());
        let mut table = Table {
            values: &mut self.fitted.predictions,
            rows: rows.len(),
            places: members,
        };
        let predicted = models.predict(source, *y, rows, fill, &mut table);
        if !predicted.finite {
            return Some(Declined::NonFinite);
        }
        let training_error = solved.training_error / self.normal.rows;
        let error = predicted.error.unwrap_or(training_error);
        if !error.is_finite() {
            return Some(Declined::NonFinite);
        }
        // A change of d in the predictions changes a mean squared error r^2 by at most 2 r d.
        let change = PROBE_MARGIN * predicted.probed.sqrt() + models.rounding;
        // A NaN is not within the promise either.
        let kept = 2.0 * change <= promise * error.sqrt();
        if !kept {
            return Some(self.doubtful);
        }
        let p = self.frame.features();
        for (k, &member) in members.iter().enumerate() {
            let coef = &mut self.fitted.coef[member * p..][..p];
            for (value, found) in coef.iter_mut().zip(solved.coef.col(k).iter()) {
                *value = *found;
            }
            self.fitted.intercept[member] = models.intercept[k];
            self.fitted.declined[member] = None;
        }
        None
    }
}
