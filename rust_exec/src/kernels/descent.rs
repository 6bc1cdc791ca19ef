//! Coordinate descent for the elastic net on second moments, step for step as scikit-learn's.
//!
//! Input: a Gram matrix with its right-hand side, and the penalties. Output: the weights with which
//! scikit-learn's `enet_coordinate_descent` (cyclic, from zero, with gap-safe screening) stops.
//! That solver stops at a tolerance, so equal scores ask for the same steps, not for the optimum:
//! the order of coordinates, the screening and every test are those of scikit-learn 1.7 to 1.9.
//! On the Gram matrix a step costs p instead of n operations, and gives the same numbers but for
//! rounding; a test so close that rounding could decide it is declined.

mod lanes;
mod state;

use crate::errors::{Declined, KernelError};
use crate::kernels::simd;
use lanes::{Jobs, MOST_OWN, Work};
use state::{Equations, One};

/// Greatest number of rounds: floats count exactly up to here, and far fewer are ever run.
const MAX_ROUNDS: f64 = 9e15;

/// A penalty, and when to stop; the parameters of scikit-learn's `ElasticNet`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Net {
    pub alpha: f64,
    pub l1_ratio: f64,
    pub tol: f64,
    pub max_iter: usize,
}

impl Net {
    /// A net of parameters in scikit-learn's ranges; without an l1 part it is no net.
    pub fn checked(
        alpha: f64,
        l1_ratio: f64,
        tol: f64,
        max_iter: f64,
    ) -> Result<Self, KernelError> {
        let fault = |what: &str, value: f64| {
            let message = format!("nets: {what}, got {value}");
            Err(KernelError::input("bad_net", message))
        };
        if !(alpha > 0.0 && alpha.is_finite()) {
            return fault("alpha must be finite and positive", alpha);
        }
        if !(l1_ratio > 0.0 && l1_ratio <= 1.0) {
            return fault("l1_ratio must be positive and at most 1", l1_ratio);
        }
        if !(tol >= 0.0 && tol.is_finite()) {
            return fault("tol must be finite and not negative", tol);
        }
        if !((1.0..=MAX_ROUNDS).contains(&max_iter) && max_iter.fract() == 0.0) {
            return fault("max_iter must be a positive whole number", max_iter);
        }
        Ok(Self {
            alpha,
            l1_ratio,
            tol,
            max_iter: max_iter as usize,
        })
    }
}

/// What a linear model sees of its training rows.
#[derive(Debug, Clone)]
pub struct Gram {
    /// (p, p) row by row, symmetric, with a positive diagonal.
    pub products: Vec<f64>,
    /// (p,) products with the target.
    pub target: Vec<f64>,
    /// Squares of the target.
    pub squares: f64,
    /// Squares of the target that `squares` was computed from.
    pub summed: f64,
    /// Number of training rows.
    pub rows: f64,
}

/// Where the descent stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Descent {
    /// (p,)
    pub weights: Vec<f64>,
    /// Rounds over the coordinates, as scikit-learn's `n_iter_`.
    pub rounds: usize,
    /// Duality gap at the end.
    pub gap: f64,
    /// The gap that was to be reached.
    pub tolerance: f64,
    /// Residual sum of squares.
    pub residual: f64,
}

/// Runs the descent; an l1 penalty of more than zero is required.
pub fn descend(gram: &Gram, net: Net) -> Result<Descent, Declined> {
    // The inner loops are compiled for several instruction sets and chosen at run time.
    simd::arch().dispatch(One(&Equations::new(gram), net))
}

/// Runs the descents of all `nets` on one Gram matrix, several at once; each gives what
/// [`descend`] gives, to the last bit.
pub fn descend_all(gram: &Gram, nets: &[Net]) -> Vec<Result<Descent, Declined>> {
    let equations = Equations::new(gram);
    let work: Vec<Work> = nets.iter().map(|net| (&equations, *net)).collect();
    simd::arch_for(work.len()).dispatch(Jobs::Shared(&work))
}

/// Runs descents that have a Gram matrix each, all of one size; each gives what [`descend`] gives.
pub fn descend_each(jobs: impl Iterator<Item = (Gram, Net)>) -> Vec<Result<Descent, Declined>> {
    let mut jobs = jobs.peekable();
    if jobs
        .peek()
        .is_some_and(|(gram, _)| gram.target.len() > MOST_OWN)
    {
        // Large matrices are made and dropped one after the other.
        return jobs.map(|(gram, net)| descend(&gram, net)).collect();
    }
    let jobs: Vec<(Gram, Net)> = jobs.collect();
    let equations: Vec<Equations> = jobs.iter().map(|(gram, _)| Equations::new(gram)).collect();
    let nets = jobs.iter().map(|(_, net)| *net);
    let work: Vec<Work> = equations.iter().zip(nets).collect();
    simd::arch_for(work.len()).dispatch(Jobs::Own(&work))
}

#[cfg(test)]
mod tests;
