//! The linear family over all folds and penalties at once.
//!
//! Input: a matrix, a target, folds, penalties. Output per fold: coefficients on the raw
//! features, intercepts and validation predictions for every member of the family, or the reason
//! why a member was declined. Semantics are those of scikit-learn's
//! `make_pipeline(SimpleImputer(), StandardScaler(), model)` with either step optional, where the
//! model is `LinearRegression`, `Ridge(alpha)`, `Lasso` or `ElasticNet`.
//!
//! One pass over the rows gives every fold's moments, a second one the predictions. Between
//! them each ridge penalty costs one Cholesky factorisation of a small matrix, and each elastic
//! net a coordinate descent on it. (An eigendecomposition serves every ridge penalty but costs as
//! much as about thirty factorisations, and loses the small columns when units differ widely.)

use ndarray::{ArrayView1, ArrayView2};

use super::answers::{Checked, Fitted, NET_PROMISE, PROMISE, Validation};
use super::categories::Categories;
use super::closed;
use super::descent::Net;
use super::folds::Fold;
use super::moments::Frame;
use super::nets::Nets;
use super::normal::{Known, Normal, Preparation};
use super::over_folds::{Data, Family, fit_folds, fit_path};
use super::workers::Workers;

/// The data and how to fit it. Members are the closed forms, then the nets.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    pub x: ArrayView2<'a, f64>,
    pub y: ArrayView1<'a, f64>,
    /// Ridge penalties; 0 is least squares.
    pub alphas: &'a [f64],
    pub nets: &'a [Net],
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
        let closed = self.alphas.len();
        let mut checked = Checked::new(data, normal, frame, validation, self.members());
        let doubtful = checked.doubtful;
        // Least squares apart from ridges: where it leaves directions out, its probes say nothing of
        // the ridges, which solve for those as well.
        let (least_squares, ridges) = (0..closed).partition(|&member| self.alphas[member] == 0.0);
        for members in [least_squares, ridges] {
            checked.run(members, PROMISE, |left| {
                let alphas: Vec<f64> = left.iter().map(|&member| self.alphas[member]).collect();
                closed::solve(&alphas, data.preparation, normal, doubtful)
            });
        }
        if !self.nets.is_empty() {
            let nets = Nets::new(self.nets, data.preparation, normal);
            checked.run((closed..self.members()).collect(), NET_PROMISE, |left| {
                let left: Vec<usize> = left.iter().map(|member| member - closed).collect();
                nets.solved(&left)
            });
            for net in 0..self.nets.len() {
                let member = closed + net;
                if let (None, Ok(found)) = (checked.fitted.declined[member], nets.of(net)) {
                    let values = [found.rounds as f64, found.gap, found.tolerance];
                    checked.fitted.descent[member * 3..][..3].copy_from_slice(&values);
                }
            }
        }
        checked.fitted
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
