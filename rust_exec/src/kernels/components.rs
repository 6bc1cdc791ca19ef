//! Ridge and least squares on principal components: all sizes, penalties and folds at once.
//!
//! Input: a matrix, targets, folds, members (a number of components and a penalty each). Output
//! per fold: what [`super::linear`] gives. Semantics are those of scikit-learn's
//! `make_pipeline(SimpleImputer(), StandardScaler(), PCA(size), model)` with either of the first
//! two steps optional, where the model is `LinearRegression` or `Ridge(alpha)`.
//!
//! One eigendecomposition per fold serves every member: on components, the normal equations are
//! diagonal. The answer depends on the span of the components alone, which rounding moves by its
//! size over the gap between the last square kept and the first one left out.

use faer::Mat;
use ndarray::ArrayView2;

use super::answers::{Checked, Fitted, PROMISE, Set, Solve};
use super::closed::Noise;
use super::folds::Fold;
use super::models::{PROBES, Solved, Validation};
use super::moments::Frame;
use super::normal::{Normal, Preparation, RightSide};
use super::over_folds::{Data, Family, fit_folds, fit_path};
use super::principal::{Along, Complete, Filter, Principal};
use super::workers::Workers;
use crate::errors::{Declined, KernelError};

/// `LinearRegression` leaves out singular values below this share of the greatest; squared, with
/// a margin.
const LEAST_SQUARE: f64 = 4e-12;
/// How close to the asked share of the variance a sum of shares may come.
const SHARE_MARGIN: f64 = 1e-9;
/// Members whose errors are at least this share of the greatest are declined together.
const SUSPECT: f64 = 0.25;

/// How many components are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    Count(usize),
    /// As many as explain more than this share of the variance.
    Share(f64),
}

/// One model: how many components, and the penalty of Ridge (0 is least squares).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    pub size: Size,
    pub alpha: f64,
    /// The column of `y`.
    pub target: usize,
}

impl Member {
    /// `size` is a whole number of components from 1, or a share below 1.
    pub fn checked(size: f64, alpha: f64, target: usize) -> Result<Self, KernelError> {
        if !(alpha.is_finite() && alpha >= 0.0) {
            let message = format!("alphas must be finite and not negative, got {alpha}");
            return Err(KernelError::input("bad_alpha", message));
        }
        let size = if size > 0.0 && size < 1.0 {
            Size::Share(size)
        } else if size >= 1.0 && size.fract() == 0.0 && size < f64::from(u32::MAX) {
            Size::Count(size as usize)
        } else {
            let message = format!("sizes must be whole numbers from 1 or shares, got {size}");
            return Err(KernelError::input("bad_size", message));
        };
        Ok(Self {
            size,
            alpha,
            target,
        })
    }
}

/// `svd_solver` of the reference library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    Auto,
    Given(Complete),
}

impl Solver {
    pub fn named(name: &str) -> Result<Self, KernelError> {
        match name {
            "auto" => Ok(Self::Auto),
            "covariance_eigh" => Ok(Self::Given(Complete::Covariance)),
            "full" => Ok(Self::Given(Complete::Full)),
            _ => {
                let message = format!("solver must be auto, covariance_eigh or full, got {name}");
                Err(KernelError::input("bad_solver", message))
            }
        }
    }

    /// What `auto` means for `n` rows of `p` features.
    fn resolve(self, n: usize, p: usize, size: Size) -> Result<Complete, Declined> {
        let fewest = n.min(p);
        if matches!(size, Size::Count(count) if count > fewest) {
            return Err(Declined::TooManyComponents);
        }
        match (self, size) {
            (Self::Given(given), _) => Ok(given),
            _ if p <= 1000 && n >= 10 * p => Ok(Complete::Covariance),
            (_, Size::Count(count)) if n.max(p) > 500 && (count as f64) < 0.8 * fewest as f64 => {
                Err(Declined::RandomisedSolver)
            }
            _ => Ok(Complete::Full),
        }
    }
}

/// The data and how to fit it.
pub struct Problem<'a> {
    pub x: ArrayView2<'a, f64>,
    /// (n, t)
    pub y: ArrayView2<'a, f64>,
    pub members: &'a [Member],
    pub impute: bool,
    pub scale: bool,
    pub whiten: bool,
    pub solver: Solver,
}

impl<'a> Problem<'a> {
    fn data(&self) -> Data<'a> {
        Data {
            x: self.x,
            y: self.y,
            impute: self.impute,
            preparation: Preparation {
                scale: self.scale,
                fit_intercept: true,
            },
            categories: None,
            order: None,
            known: &[],
        }
    }

    /// What `member` computes of the decomposition.
    fn filter(&self, member: Member, principal: &Principal, rows: f64) -> Result<Filter, Declined> {
        let count = match member.size {
            Size::Count(count) => count,
            Size::Share(share) => explaining(share, &principal.squares)?,
        };
        let alpha = member.alpha;
        if count > principal.rank() {
            return Err(Declined::RankDeficient);
        }
        let whole = count == principal.rank() && principal.is_complete();
        // A penalty makes all directions together well-conditioned, however short.
        let continuous = whole && !self.whiten && alpha > 0.0;
        if !continuous && !principal.is_clear(count) {
            return Err(Declined::SmallGap);
        }
        let (least, greatest) = (principal.squares[count - 1], principal.squares[0]);
        if !self.whiten && alpha == 0.0 && least < LEAST_SQUARE * greatest {
            return Err(Declined::RankDeficient);
        }
        // Whitened columns all have the length of rows - 1 units.
        let (gain, shift) = if self.whiten {
            ((rows - 1.0) / (rows - 1.0 + alpha), 0.0)
        } else {
            (1.0, alpha)
        };
        Ok(Filter { count, gain, shift })
    }
}

/// The fewest components whose shares of the variance add up to more than `share`.
fn explaining(share: f64, squares: &[f64]) -> Result<usize, Declined> {
    let total: f64 = squares.iter().sum();
    let mut sum = 0.0;
    for (i, square) in squares.iter().enumerate() {
        sum += square;
        let explained = sum / total;
        if (explained - share).abs() < SHARE_MARGIN {
            return Err(Declined::Borderline);
        }
        if explained > share {
            return Ok(i + 1);
        }
    }
    Err(Declined::Borderline)
}

impl Family for Problem<'_> {
    fn members(&self) -> usize {
        self.members.len()
    }

    fn finish(
        &self,
        data: &Data<'_>,
        normal: &Normal,
        frame: &Frame,
        validation: &Validation<'_>,
    ) -> Fitted {
        let mut checked = Checked::new(data, normal, frame, validation, self.members.len());
        let (n, p) = (normal.rows as usize, frame.features());
        let mut found: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
        for (k, member) in self.members.iter().enumerate() {
            let finite = normal.sides[member.target].is_some();
            match self.solver.resolve(n, p, member.size) {
                _ if !finite => checked.fitted.decline(k, Declined::NonFinite),
                Ok(Complete::Covariance) => found[0].push(k),
                Ok(Complete::Full) => found[1].push(k),
                Err(reason) => checked.fitted.decline(k, reason),
            }
        }
        let by = [Complete::Covariance, Complete::Full];
        let mut decomposed = Vec::with_capacity(2);
        for (by, members) in by.into_iter().zip(found) {
            if members.is_empty() {
                continue;
            }
            match Principal::new(normal, frame, data.preparation, by) {
                Ok(principal) => decomposed.push((principal, members)),
                Err(reason) => checked.decline_all(members.into_iter(), reason),
            }
        }
        let mut sets = Vec::new();
        for (principal, members) in &decomposed {
            for (target, side) in normal.sides.iter().enumerate() {
                let Some(side) = side else { continue };
                let along = principal.along(side);
                let mut mine = Vec::new();
                let mut solutions = Vec::new();
                for &k in members {
                    let member = self.members[k];
                    if member.target != target {
                        continue;
                    }
                    match self.filter(member, principal, normal.rows) {
                        Ok(filter) => {
                            solutions.push(Solution::new(principal, side, &along, filter));
                            mine.push(k);
                        }
                        Err(reason) => checked.fitted.decline(k, reason),
                    }
                }
                let places = mine.clone();
                let solve: Solve<'_> = Box::new(move |left| {
                    let at = |member: &usize| places.binary_search(member).ok();
                    let chosen = left.iter().filter_map(at);
                    let chosen: Vec<&Solution> = chosen.map(|place| &solutions[place]).collect();
                    Ok(solved(principal, normal, data, &chosen))
                });
                sets.push(Set {
                    members: mine,
                    target,
                    side,
                    promise: PROMISE,
                    solve,
                });
            }
        }
        checked.run(sets);
        checked.finished()
    }
}

/// One member's weights, and what rounding may do to them.
struct Solution {
    /// (count,) of the components.
    weights: Vec<f64>,
    /// (a,) errors of the weights, those of components that are left out too.
    errors: Vec<f64>,
    /// (c,) errors of the coefficients of constant columns.
    constant: Vec<f64>,
    /// Residual sum of squares of the training rows.
    residual: f64,
    /// Sum of squares of what the errors make of the training rows.
    moved: f64,
}

impl Solution {
    fn new(principal: &Principal, side: &RightSide, along: &Along, filter: Filter) -> Self {
        let weights = principal.weights(&filter, along);
        let (errors, constant) = principal.errors(&filter, along);
        let explained =
            |i: usize| weights[i] * (2.0 * along.products[i] - principal.squares[i] * weights[i]);
        let explained: f64 = (0..weights.len()).map(explained).sum();
        let moved = errors.iter().zip(&principal.squares);
        Self {
            residual: (side.y_squares - explained).max(0.0),
            moved: moved.map(|(error, square)| error * error * square).sum(),
            weights,
            errors,
            constant,
        }
    }
}

/// The coefficients of `chosen`, with probes of the errors of all of them.
fn solved(principal: &Principal, normal: &Normal, data: &Data<'_>, chosen: &[&Solution]) -> Solved {
    let (count, p) = (chosen.len(), normal.offset.len());
    let greatest = |part: fn(&Solution) -> &[f64], i: usize| {
        let errors = chosen.iter().map(|solution| part(solution)[i]);
        // Unlike f64::max, this keeps a NaN.
        errors.fold(0.0, |a, b| if a > b { a } else { b })
    };
    let mut noise = Noise::default();
    let columns = Mat::from_fn(principal.rank(), count + PROBES, |i, k| {
        match chosen.get(k) {
            Some(solution) => solution.weights.get(i).copied().unwrap_or(0.0),
            None => noise.draw() * greatest(|solution| &solution.errors, i),
        }
    });
    let mut coef = Mat::zeros(p, count + PROBES);
    principal.unscale(normal, &columns, &mut coef);
    for (place, column) in principal.constant().enumerate() {
        for probe in 0..PROBES {
            let error = greatest(|solution| &solution.constant, place);
            coef[(column, count + probe)] = noise.draw() * error;
        }
    }
    let rounding = chosen.iter().map(|solution| {
        if data.preparation.scale {
            0.0
        } else {
            principal.projecting(&normal.mean, &solution.weights)
        }
    });
    let least = chosen.iter().map(|solution| solution.residual);
    let worst = chosen.iter().map(|solution| solution.moved);
    let worst = worst.fold(0.0, f64::max);
    // A NaN is not small.
    let small = |moved: f64| moved < SUSPECT * worst;
    Solved {
        coef,
        training_error: least.fold(f64::INFINITY, f64::min),
        rounding: rounding.fold(0.0, f64::max),
        suspects: (0..count).filter(|&k| !small(chosen[k].moved)).collect(),
    }
}

/// Fits every fold with every member.
pub fn component_folds<'a>(
    problem: &'a Problem<'a>,
    folds: &'a [Fold],
    workers: &Workers,
) -> Vec<Fitted> {
    fit_folds(&problem.data(), problem, folds, workers)
}

/// Fits one training matrix with every member and predicts the rows of another.
pub fn component_path<'a>(
    problem: &'a Problem<'a>,
    x_valid: ArrayView2<'_, f64>,
    workers: &Workers,
) -> Fitted {
    fit_path(&problem.data(), problem, x_valid, workers)
}

#[cfg(test)]
mod tests;
