//! One descent: its state, a round, and the tests that end it or leave out coordinates.

use pulp::{Scalar, Simd, WithSimd};

use super::{Descent, Gram, Net};
use crate::errors::Declined;

/// Relative distance below which a comparison counts as undecided.
const UNDECIDED: f64 = 1e-6;
/// Rounding of the gap, relative to the squares that it is computed from.
const ROUNDING: f64 = 1e-13;
/// Rows of products are padded to multiples of this many values, the lanes of the widest vectors.
const CHUNK: usize = 8;
/// Rounding of a product of two columns, relative to their lengths.
const PRODUCT_ROUNDING: f64 = 8.0 * f64::EPSILON;
/// Share of the gap up to which its doubt leaves the quick test of screening valid.
const SMALL_DOUBT: f64 = 0.01;

/// A Gram matrix as the descents read it.
pub struct Equations<'a> {
    pub gram: &'a Gram,
    /// (p, width) the products, rows padded with zeros.
    products: Vec<f64>,
    width: usize,
    /// Rounding of a slope.
    noise: f64,
}

impl<'a> Equations<'a> {
    pub fn new(gram: &'a Gram) -> Self {
        let p = gram.target.len();
        let width = p.next_multiple_of(CHUNK);
        let mut products = vec![0.0; p * width];
        // Without any column there is no chunk, which may not be empty.
        let rows = gram.products.chunks_exact(p.max(1));
        for (row, values) in products.chunks_exact_mut(width.max(1)).zip(rows) {
            row[..p].copy_from_slice(values);
        }
        let greatest = (0..p).map(|j| gram.products[j * p + j]).fold(0.0, f64::max);
        Self {
            gram,
            products,
            width,
            noise: PRODUCT_ROUNDING * (greatest * gram.summed).sqrt(),
        }
    }

    /// Number of coordinates.
    pub fn size(&self) -> usize {
        self.gram.target.len()
    }

    /// Whether all products are finite, and can be divided by the squares.
    pub fn is_finite(&self) -> bool {
        let divisors = (0..self.size()).map(|j| 1.0 / self.row(j)[j]);
        let values = self.products.iter().chain(&self.gram.target).copied();
        values.chain(divisors).all(f64::is_finite)
    }

    /// Products of coordinate `j` with all others, padded.
    #[inline(always)]
    pub fn row(&self, j: usize) -> &[f64] {
        &self.products[j * self.width..(j + 1) * self.width]
    }
}

/// One descent from beginning to end.
pub struct One<'a>(pub &'a Equations<'a>, pub Net);

impl WithSimd for One<'_> {
    type Output = Result<Descent, Declined>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut state = State::new(self.0, self.1);
        match state.begin()? {
            Some(gap) => Ok(state.stopped(gap)),
            None => state.run(simd),
        }
    }
}

/// The rounds that are left of a descent.
pub struct Rest<'a>(pub State<'a>);

impl WithSimd for Rest<'_> {
    type Output = Result<Descent, Declined>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.0.run(simd)
    }
}

pub struct State<'a> {
    pub equations: &'a Equations<'a>,
    net: Net,
    pub l1: f64,
    pub l2: f64,
    /// Gap that ends the descent.
    tolerance: f64,
    /// Rounds that were run.
    pub round: usize,
    pub weights: Vec<f64>,
    /// (width,) Gram matrix times the weights.
    pub fitted: Vec<f64>,
    /// (p,) reciprocals of the squares with the ridge part.
    pub step: Vec<f64>,
    /// (p,) square roots of the squares with the ridge part.
    pub length: Vec<f64>,
    /// (p,) correlations with the residual, less the ridge part; written by `gap`.
    pub slope: Vec<f64>,
    /// Coordinates that are not screened out.
    pub active: Vec<usize>,
}

/// Sums over the coordinates that the duality gap is computed from.
#[derive(Clone, Copy, Default)]
pub struct Sums {
    /// Weights times right-hand side.
    pub with_target: f64,
    /// Weights times fitted.
    pub with_fit: f64,
    pub absolute: f64,
    pub squares: f64,
    /// Greatest absolute slope.
    pub dual_norm: f64,
}

/// The duality gap and what comes with it.
#[derive(Clone, Copy)]
pub struct Gap {
    value: f64,
    /// By how much rounding may have moved it.
    doubt: f64,
    /// Greatest absolute slope.
    dual_norm: f64,
    residual: f64,
}

/// A coordinate j with `bound < |slope j| + reach * length j` is sure to pass screening.
#[derive(Clone, Copy)]
pub struct Keeping {
    pub reach: f64,
    pub bound: f64,
}

impl<'a> State<'a> {
    #[inline(always)]
    pub fn new(equations: &'a Equations<'a>, net: Net) -> Self {
        let gram = equations.gram;
        let p = equations.size();
        let l2 = net.alpha * (1.0 - net.l1_ratio) * gram.rows;
        let squares = (0..p).map(|j| equations.row(j)[j] + l2);
        Self {
            equations,
            net,
            l1: net.alpha * net.l1_ratio * gram.rows,
            l2,
            tolerance: net.tol * gram.squares,
            round: 0,
            weights: vec![0.0; p],
            fitted: vec![0.0; equations.width],
            step: squares.clone().map(|square| 1.0 / square).collect(),
            length: squares.map(f64::sqrt).collect(),
            slope: vec![0.0; p],
            active: (0..p).collect(),
        }
    }

    /// What precedes the rounds; the gap if none is needed.
    #[inline(always)]
    pub fn begin(&mut self) -> Result<Option<Gap>, Declined> {
        let gap = self.gap();
        if !self.reached(gap)? {
            self.screen(gap)?;
            return Ok(None);
        }
        Ok(Some(gap))
    }

    /// Runs the rounds that are left.
    #[inline(always)]
    pub fn run<S: Simd>(mut self, simd: S) -> Result<Descent, Declined> {
        loop {
            let (change, greatest) = self.step(simd);
            self.round += 1;
            if self.settled(change, greatest)? {
                let gap = self.gap();
                if self.reached(gap)? {
                    return Ok(self.stopped(gap));
                }
                // Also after the last round, as in scikit-learn: it may set weights to zero.
                self.screen(gap)?;
                if self.is_last() {
                    return Ok(self.stopped(gap));
                }
            }
        }
    }

    /// One round over the active coordinates: the greatest change, and the greatest weight.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S) -> (f64, f64) {
        let (mut change, mut greatest) = (0.0_f64, 0.0_f64);
        let target = &self.equations.gram.target;
        let mut next = self.active.first().map_or(0.0, |&j| self.fitted[j]);
        for (turn, &j) in self.active.iter().enumerate() {
            let row = self.equations.row(j);
            let square = row[j];
            let before = self.weights[j];
            let pull = target[j] - next + before * square;
            let beyond = pull.abs() - self.l1;
            let after = if beyond > 0.0 {
                beyond.copysign(pull) * self.step[j]
            } else {
                0.0
            };
            // What the next step waits for comes first, and not by way of memory.
            let follower = self.active.get(turn + 1).map_or(j, |&j| j);
            next = self.fitted[follower];
            if after != before {
                self.weights[j] = after;
                next += (after - before) * row[follower];
                add(simd, &mut self.fitted, after - before, row);
            }
            change = change.max((after - before).abs());
            greatest = greatest.max(after.abs());
        }
        (change, greatest)
    }

    pub fn is_last(&self) -> bool {
        self.round == self.net.max_iter
    }

    /// Whether the round was such that the gap is to be looked at.
    #[inline(always)]
    pub fn settled(&self, change: f64, greatest: f64) -> Result<bool, Declined> {
        if self.is_last() || greatest == 0.0 {
            return Ok(true);
        }
        below(change / greatest, self.net.tol, ROUNDING)
    }

    #[inline(always)]
    fn gap(&mut self) -> Gap {
        let target = &self.equations.gram.target;
        let mut sums = Sums::default();
        for (j, w) in self.weights.iter().enumerate() {
            sums.with_target += w * target[j];
            sums.with_fit += w * self.fitted[j];
            sums.absolute += w.abs();
            sums.squares += w * w;
            let slope = target[j] - self.fitted[j] - self.l2 * w;
            self.slope[j] = slope;
            sums.dual_norm = sums.dual_norm.max(slope.abs());
        }
        self.gap_of(sums)
    }

    /// Formulation A of the duality gap, scaled as in scikit-learn.
    #[inline(always)]
    pub fn gap_of(&self, sums: Sums) -> Gap {
        let Equations { gram, noise, .. } = self.equations;
        let residual = gram.squares + sums.with_fit - 2.0 * sums.with_target;
        let residual_target = gram.squares - sums.with_target;
        let quadratic = residual + self.l2 * sums.squares;
        let primal = 0.5 * quadratic + self.l1 * sums.absolute;
        // The dual point is the residual, scaled until it is feasible.
        let scale = |norm: f64| self.l1 / norm.max(self.l1);
        let dual = |scale: f64| -0.5 * (scale * scale) * quadratic + scale * residual_target;
        let dual_norm = sums.dual_norm;
        let range = [dual_norm - noise, dual_norm + noise].map(|norm| dual(scale(norm)));
        Gap {
            value: primal - dual(scale(dual_norm)),
            doubt: (range[0] - range[1]).abs() + ROUNDING * gram.summed,
            dual_norm,
            residual,
        }
    }

    #[inline(always)]
    pub fn reached(&self, gap: Gap) -> Result<bool, Declined> {
        below(gap.value, self.tolerance, gap.doubt)
    }

    /// Leaves out coordinates that are sure to be zero at the optimum (Fercoq et al. 2015).
    #[inline(always)]
    pub fn screen(&mut self, gap: Gap) -> Result<(), Declined> {
        if self.all_stay(gap) {
            return Ok(());
        }
        self.leave_out(gap)
    }

    /// Whether no coordinate is left out, as far as a quick test tells.
    #[inline(always)]
    fn all_stay(&self, gap: Gap) -> bool {
        self.keeping(gap).is_some_and(|Keeping { reach, bound }| {
            let stays = |&j: &usize| self.slope[j].abs() + reach * self.length[j] > bound;
            self.active.iter().all(stays)
        })
    }

    fn leave_out(&mut self, gap: Gap) -> Result<(), Declined> {
        let Equations { noise, .. } = self.equations;
        let radius = (2.0 * gap.value).sqrt() / self.l1;
        let mut kept = Vec::with_capacity(self.active.len());
        for &j in &self.active {
            let feasible = self.l1.max(gap.dual_norm);
            let length = self.length[j];
            let distance = (1.0 - (self.slope[j] / feasible).abs()) / length;
            let doubt = 2.0 * noise / feasible / length + radius * gap.doubt / gap.value;
            if below(distance, radius, doubt)? {
                kept.push(j);
            } else if self.weights[j] != 0.0 {
                let weight = std::mem::take(&mut self.weights[j]);
                add(Scalar, &mut self.fitted, -weight, self.equations.row(j));
            }
        }
        self.active = kept;
        Ok(())
    }

    /// A test that needs no division for each coordinate, where there is one.
    ///
    /// Screening keeps j where `(1 - |slope| / feasible) / length` is less than the radius, by a
    /// share of `UNDECIDED + doubt / gap` of it and `2 noise / feasible / length`. Multiplied by
    /// feasible and length, and with margins that exceed all rounding, that is this test.
    #[inline(always)]
    pub fn keeping(&self, gap: Gap) -> Option<Keeping> {
        let feasible = self.l1.max(gap.dual_norm);
        let reach = (1.0 - 2.0 * SMALL_DOUBT) * (2.0 * gap.value).sqrt() / self.l1 * feasible;
        let bound = feasible * (1.0 + 1e-9) + 3.0 * self.equations.noise;
        let valid = gap.doubt <= SMALL_DOUBT * gap.value && reach > 0.0 && bound.is_finite();
        valid.then_some(Keeping { reach, bound })
    }

    pub fn stopped(self, gap: Gap) -> Descent {
        Descent {
            // No zero is negative.
            weights: self
                .weights
                .into_iter()
                .map(|weight| weight + 0.0)
                .collect(),
            rounds: self.round,
            gap: gap.value,
            tolerance: self.tolerance,
            residual: gap.residual.max(0.0),
        }
    }
}

/// Whether `value <= bound`, where rounding cannot have decided it.
#[inline(always)]
pub fn below(value: f64, bound: f64, rounding: f64) -> Result<bool, Declined> {
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
fn add<S: Simd>(simd: S, sum: &mut [f64], factor: f64, row: &[f64]) {
    let factor = simd.splat_f64s(factor);
    // Rows are padded to whole vectors.
    let (sums, _) = S::as_mut_simd_f64s(sum);
    let (values, _) = S::as_simd_f64s(row);
    let count = sums.len().min(values.len());
    let (sums, values) = (&mut sums[..count], &values[..count]);
    // By number: iterators are not always compiled for the chosen instruction set.
    let mut at = 0;
    while at < count {
        sums[at] = simd.add_f64s(sums[at], simd.mul_f64s(factor, values[at]));
        at += 1;
    }
}

#[cfg(test)]
mod tests;
