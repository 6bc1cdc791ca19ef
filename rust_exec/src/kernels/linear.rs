//! The linear family over all folds and penalties at once.
//!
//! Input: a matrix, targets, folds, penalties. Output per fold: coefficients on the raw features,
//! intercepts and validation predictions for every member of the family, or the reason why a member
//! was declined. Semantics are those of scikit-learn's
//! `make_pipeline(SimpleImputer(), StandardScaler(), model)` with either step optional, where the
//! model is `LinearRegression`, `Ridge(alpha)`, `Lasso` or `ElasticNet`.
//!
//! One pass over the rows gives every fold's moments with every target, a second one the
//! predictions of all members. Between them each ridge penalty costs one Cholesky factorisation of a small matrix, and each elastic
//! net a coordinate descent on it. (An eigendecomposition serves every ridge penalty but costs as
//! much as about thirty factorisations, and loses the small columns when units differ widely.)

use ndarray::ArrayView2;

use super::answers::{Checked, Fitted, NET_PROMISE, PROMISE, Set, Solve};
use super::categories::Categories;
use super::closed;
use super::descent::Net;
use super::folds::Fold;
use super::models::Validation;
use super::moments::Frame;
use super::nets::Nets;
use super::normal::{Known, Normal, Preparation, RightSide};
use super::over_folds::{Data, Family, fit_folds, fit_path};
use super::workers::Workers;
use crate::errors::Declined;

/// The data and how to fit it. Members are the closed forms, then the nets.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    pub x: ArrayView2<'a, f64>,
    /// (n, t)
    pub y: ArrayView2<'a, f64>,
    /// Ridge penalties; 0 is least squares.
    pub alphas: &'a [f64],
    pub nets: &'a [Net],
    /// The column of `y` of each member.
    pub targets: &'a [usize],
    pub impute: bool,
    pub preparation: Preparation,
    /// One-hot columns beside those of `x`.
    pub categories: Option<&'a Categories<'a>>,
    /// All features in the order in which the linear model has them.
    pub order: Option<&'a [usize]>,
    /// Statistics by fold; empty if there are none.
    pub known: &'a [Known],
}

impl<'a> Problem<'a> {
    fn data(&self) -> Data<'a> {
        Data {
            x: self.x,
            y: self.y,
            impute: self.impute,
            preparation: self.preparation,
            categories: self.categories,
            order: self.order,
            known: self.known,
        }
    }
}

impl Family for Problem<'_> {
    fn members(&self) -> usize {
        self.alphas.len() + self.nets.len()
    }

    fn finish(
        &self,
        data: &Data<'_>,
        normal: &Normal,
        frame: &Frame,
        validation: &Validation<'_>,
    ) -> Fitted {
        let mut checked = Checked::new(data, normal, frame, validation, self.members());
        let nets: Vec<_> = (normal.sides.iter().enumerate())
            .map(|(target, side)| self.nets_of(target, side.as_ref(), data, normal))
            .collect();
        let mut sets = Vec::new();
        for (target, side) in normal.sides.iter().enumerate() {
            let Some(side) = side else {
                checked.decline_all(self.of(target), Declined::NonFinite);
                continue;
            };
            let doubtful = checked.doubtful;
            let own = self.of(target).filter(|&member| member < self.alphas.len());
            // Least squares apart from ridges: where it leaves directions out, its probes say
            // nothing of the ridges, which solve for those as well.
            let (least_squares, ridges) = own.partition(|&member| self.alphas[member] == 0.0);
            for members in [least_squares, ridges] {
                let solve: Solve<'_> = Box::new(move |left| {
                    let alphas: Vec<f64> = left.iter().map(|&member| self.alphas[member]).collect();
                    closed::solve(&alphas, data.preparation, normal, side, doubtful)
                });
                sets.push(Set {
                    members,
                    target,
                    side,
                    promise: PROMISE,
                    solve,
                });
            }
            if let Some((members, nets)) = &nets[target] {
                let solve: Solve<'_> = Box::new(move |left| {
                    let at = |member: &usize| members.binary_search(member).ok();
                    let left: Vec<usize> = left.iter().filter_map(at).collect();
                    nets.solved(&left)
                });
                sets.push(Set {
                    members: members.clone(),
                    target,
                    side,
                    promise: NET_PROMISE,
                    solve,
                });
            }
        }
        checked.run(sets);
        for (members, nets) in nets.iter().flatten() {
            for (net, &member) in members.iter().enumerate() {
                if let (None, Ok(found)) = (checked.fitted.declined[member], nets.of(net)) {
                    let values = [found.rounds as f64, found.gap, found.tolerance];
                    checked.fitted.descent[member * 3..][..3].copy_from_slice(&values);
                }
            }
        }
        checked.finished()
    }
}

impl Problem<'_> {
    /// The members of a target, ascending.
    fn of(&self, target: usize) -> impl Iterator<Item = usize> {
        let targets = self.targets.iter().enumerate();
        targets.filter_map(move |(member, &own)| (own == target).then_some(member))
    }

    /// The elastic nets of a target, as members and as descents.
    fn nets_of<'a>(
        &self,
        target: usize,
        side: Option<&'a RightSide>,
        data: &Data<'_>,
        normal: &'a Normal,
    ) -> Option<(Vec<usize>, Nets<'a>)> {
        let side = side?;
        let closed = self.alphas.len();
        let members: Vec<usize> = self.of(target).filter(|&member| member >= closed).collect();
        let nets: Vec<Net> = members.iter().map(|k| self.nets[k - closed]).collect();
        let any = !nets.is_empty();
        any.then(|| (members, Nets::new(nets, data.preparation, normal, side)))
    }
}

/// Fits every fold with every member.
pub fn linear_folds<'a>(
    problem: &'a Problem<'a>,
    folds: &'a [Fold],
    workers: &Workers,
) -> Vec<Fitted> {
    fit_folds(&problem.data(), problem, folds, workers)
}

/// Fits one training matrix with every member and predicts the rows of another.
pub fn linear_path<'a>(
    problem: &'a Problem<'a>,
    x_valid: ArrayView2<'_, f64>,
    workers: &Workers,
) -> Fitted {
    fit_path(&problem.data(), problem, x_valid, workers)
}

#[cfg(test)]
mod tests;
