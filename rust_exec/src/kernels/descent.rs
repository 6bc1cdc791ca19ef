//! Coordinate descent for the elastic net on second moments, step for step as scikit-learn's.
//!
//! Input: a Gram matrix with its right-hand side, and the penalties. Output: the weights with which
//! scikit-learn's `enet_coordinate_descent` (cyclic, from zero, with gap-safe screening) stops.
//! That solver stops at a tolerance, so equal scores ask for the same steps, not for the optimum:
//! the order of coordinates, the screening and every test are those of scikit-learn 1.7 to 1.9.
//! On the Gram matrix a step costs p instead of n operations, and gives the same numbers but for
//! rounding; a test so close that rounding could decide it is declined.

use pulp::{Simd, WithSimd};

use crate::errors::{Declined, KernelError};
use crate::kernels::simd;

/// Greatest number of rounds: floats count exactly up to here, and far fewer are ever run.
const MAX_ROUNDS: f64 = 9e15;

/// Relative distance below which a comparison counts as undecided.
const UNDECIDED: f64 = 1e-6;
/// Rounding of the gap, relative to the squares that it is computed from.
const ROUNDING: f64 = 1e-13;
/// Rows of products are padded to multiples of this many values, so that no loop has a remainder.
const LANES: usize = 8;
/// Rounding of a product of two columns, relative to their lengths.
const PRODUCT_ROUNDING: f64 = 8.0 * f64::EPSILON;

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
    simd::arch().dispatch(State::new(gram, net))
}

impl WithSimd for State<'_> {
    type Output = Result<Descent, Declined>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        self.run()
    }
}

struct State<'a> {
    gram: &'a Gram,
    net: Net,
    l1: f64,
    l2: f64,
    /// Gap that ends the descent.
    tolerance: f64,
    weights: Vec<f64>,
    /// (p, width) the Gram matrix, its rows padded with zeros.
    products: Vec<f64>,
    width: usize,
    /// (width,) Gram matrix times the weights.
    fitted: Vec<f64>,
    /// (p,) reciprocals of the squares with the ridge part.
    step: Vec<f64>,
    /// Correlations with the residual, less the ridge part; written by `gap`.
    slope: Vec<f64>,
    /// Rounding of a slope.
    noise: f64,
}

/// The duality gap and what comes with it.
#[derive(Clone, Copy)]
struct Gap {
    value: f64,
    /// By how much rounding may have moved it.
    doubt: f64,
    /// Greatest absolute slope.
    dual_norm: f64,
    residual: f64,
}

impl<'a> State<'a> {
    fn new(gram: &'a Gram, net: Net) -> Self {
        let p = gram.target.len();
        let greatest = (0..p).map(|j| gram.products[j * p + j]).fold(0.0, f64::max);
        let width = p.next_multiple_of(LANES);
        let mut products = vec![0.0; p * width];
        // Without any column there is no chunk, which may not be empty.
        let rows = gram.products.chunks_exact(p.max(1));
        for (row, values) in products.chunks_exact_mut(width.max(1)).zip(rows) {
            row[..p].copy_from_slice(values);
        }
        let l2 = net.alpha * (1.0 - net.l1_ratio) * gram.rows;
        Self {
            gram,
            products,
            width,
            step: (0..p)
                .map(|j| 1.0 / (gram.products[j * p + j] + l2))
                .collect(),
            noise: PRODUCT_ROUNDING * (greatest * gram.summed).sqrt(),
            net,
            l1: net.alpha * net.l1_ratio * gram.rows,
            l2,
            tolerance: net.tol * gram.squares,
            weights: vec![0.0; p],
            fitted: vec![0.0; width],
            slope: vec![0.0; p],
        }
    }

    #[inline(always)]
    fn run(mut self) -> Result<Descent, Declined> {
        let mut gap = self.gap();
        if self.reached(gap)? {
            return Ok(self.stopped(0, gap));
        }
        let mut active: Vec<usize> = (0..self.weights.len()).collect();
        self.screen(&mut active, gap)?;
        for round in 1..=self.net.max_iter {
            let (change, greatest) = self.round(&active);
            let last = round == self.net.max_iter;
            let settled =
                last || greatest == 0.0 || below(change / greatest, self.net.tol, ROUNDING)?;
            if settled {
                gap = self.gap();
                if self.reached(gap)? {
                    return Ok(self.stopped(round, gap));
                }
                // Also after the last round, as in scikit-learn: it may set weights to zero.
                self.screen(&mut active, gap)?;
                if last {
                    return Ok(self.stopped(round, gap));
                }
            }
        }
        Err(Declined::Borderline)
    }

    /// One round over the active coordinates: the greatest change, and the greatest weight.
    #[inline(always)]
    fn round(&mut self, active: &[usize]) -> (f64, f64) {
        let width = self.width;
        let (mut change, mut greatest) = (0.0_f64, 0.0_f64);
        for &j in active {
            let row = &self.products[j * width..(j + 1) * width];
            let square = row[j];
            let before = self.weights[j];
            let pull = self.gram.target[j] - self.fitted[j] + before * square;
            let beyond = pull.abs() - self.l1;
            let after = if beyond > 0.0 {
                beyond.copysign(pull) * self.step[j]
            } else {
                0.0
            };
            if after != before {
                self.weights[j] = after;
                add(&mut self.fitted, after - before, row);
            }
            change = change.max((after - before).abs());
            greatest = greatest.max(after.abs());
        }
        (change, greatest)
    }

    /// Formulation A of the duality gap, scaled as in scikit-learn.
    #[inline(always)]
    fn gap(&mut self) -> Gap {
        let gram = self.gram;
        let (mut with_target, mut with_fit) = (0.0, 0.0);
        let (mut absolute, mut squares) = (0.0, 0.0);
        let mut dual_norm = 0.0_f64;
        for (j, w) in self.weights.iter().enumerate() {
            with_target += w * gram.target[j];
            with_fit += w * self.fitted[j];
            absolute += w.abs();
            squares += w * w;
            let slope = gram.target[j] - self.fitted[j] - self.l2 * w;
            self.slope[j] = slope;
            dual_norm = dual_norm.max(slope.abs());
        }
        let residual = gram.squares + with_fit - 2.0 * with_target;
        let residual_target = gram.squares - with_target;
        let quadratic = residual + self.l2 * squares;
        let primal = 0.5 * quadratic + self.l1 * absolute;
        // The dual point is the residual, scaled until it is feasible.
        let scale = |norm: f64| self.l1 / norm.max(self.l1);
        let dual = |scale: f64| -0.5 * (scale * scale) * quadratic + scale * residual_target;
        let range = [dual_norm - self.noise, dual_norm + self.noise].map(|norm| dual(scale(norm)));
        Gap {
            value: primal - dual(scale(dual_norm)),
            doubt: (range[0] - range[1]).abs() + ROUNDING * gram.summed,
            dual_norm,
            residual,
        }
    }

    fn reached(&self, gap: Gap) -> Result<bool, Declined> {
        below(gap.value, self.tolerance, gap.doubt)
    }

    /// Leaves out coordinates that are sure to be zero at the optimum (Fercoq et al. 2015).
    #[inline(always)]
    fn screen(&mut self, active: &mut Vec<usize>, gap: Gap) -> Result<(), Declined> {
        let width = self.width;
        let radius = (2.0 * gap.value).sqrt() / self.l1;
        let mut kept = Vec::with_capacity(active.len());
        for &j in active.iter() {
            let row = &self.products[j * width..(j + 1) * width];
            let feasible = self.l1.max(gap.dual_norm);
            let length = (row[j] + self.l2).sqrt();
            let distance = (1.0 - (self.slope[j] / feasible).abs()) / length;
            let doubt = 2.0 * self.noise / feasible / length + radius * gap.doubt / gap.value;
            if below(distance, radius, doubt)? {
                kept.push(j);
            } else if self.weights[j] != 0.0 {
                let weight = std::mem::take(&mut self.weights[j]);
                add(&mut self.fitted, -weight, row);
            }
        }
        *active = kept;
        Ok(())
    }

    fn stopped(self, rounds: usize, gap: Gap) -> Descent {
        Descent {
            weights: self.weights,
            rounds,
            gap: gap.value,
            tolerance: self.tolerance,
            residual: gap.residual.max(0.0),
        }
    }
}

/// Whether `value <= bound`, where rounding cannot have decided it.
#[inline(always)]
fn below(value: f64, bound: f64, rounding: f64) -> Result<bool, Declined> {
    let doubt = UNDECIDED * bound.abs() + rounding;
    // A NaN is neither.
    if value > bound + doubt {
        Ok(false)
    } else if value < bound - doubt {
        Ok(true)
    } else {
        Err(Declined::Borderline)
    }
}

#[inline(always)]
fn add(sum: &mut [f64], factor: f64, row: &[f64]) {
    let (sums, _) = sum.as_chunks_mut::<LANES>();
    let (rows, _) = row.as_chunks::<LANES>();
    let count = sums.len().min(rows.len());
    // By number: iterators are not always compiled for the chosen instruction set.
    let mut at = 0;
    while at < count {
        let (s, r) = (&mut sums[at], &rows[at]);
        let mut lane = 0;
        while lane < LANES {
            s[lane] += factor * r[lane];
            lane += 1;
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests;
