//! The numbers of several descents, one in each lane, and the work on them.

use pulp::Simd;
use pulp::bytemuck::Zeroable;

use super::table::{Table, each, each_mut, get, put, zeros};
use crate::kernels::descent::state::{State, Sums};

/// Vectors of `State`, and the equations.
pub struct Vectors<S: Simd, T> {
    table: T,
    l2: S::f64s,
    // All (p,):
    weights: Vec<S::f64s>,
    fitted: Vec<S::f64s>,
    slope: Vec<S::f64s>,
    step: Vec<S::f64s>,
    /// The l1 penalty; infinite where the coordinate is not active, so that its weight stays zero.
    l1: Vec<S::f64s>,
    /// As in the state; infinite where the coordinate is not active, so that it passes screening.
    length: Vec<S::f64s>,
}

impl<S: Simd, T: Table<S>> Vectors<S, T> {
    pub fn new(table: T, size: usize) -> Self {
        Self {
            table,
            l2: Zeroable::zeroed(),
            weights: zeros::<S>(size),
            fitted: zeros::<S>(size),
            slope: zeros::<S>(size),
            step: zeros::<S>(size),
            l1: zeros::<S>(size),
            length: zeros::<S>(size),
        }
    }

    /// Copies what screening may have changed from a descent to its lane.
    pub fn load(&mut self, lane: usize, state: &State<'_>) {
        put::<S>(&mut self.weights, lane, &state.weights);
        put::<S>(&mut self.fitted, lane, &state.fitted);
        let mut l1 = vec![f64::INFINITY; self.l1.len()];
        let mut length = l1.clone();
        for &j in &state.active {
            l1[j] = state.l1;
            length[j] = state.length[j];
        }
        put::<S>(&mut self.l1, lane, &l1);
        put::<S>(&mut self.length, lane, &length);
    }

    /// A lane goes on with this descent.
    pub fn begin(&mut self, lane: usize, state: &State<'_>) {
        self.table.fill(lane, state.equations);
        each_mut::<S>(&mut self.l2)[lane] = state.l2;
        put::<S>(&mut self.step, lane, &state.step);
        self.load(lane, state);
    }

    /// A lane without a descent has no active coordinate.
    pub fn clear(&mut self, lane: usize) {
        let p = self.weights.len();
        put::<S>(&mut self.weights, lane, &vec![0.0; p]);
        put::<S>(&mut self.l1, lane, &vec![f64::INFINITY; p]);
    }

    /// Copies what rounds change from a lane to its descent.
    pub fn store(&self, lane: usize, state: &mut State<'_>) {
        get::<S>(&self.weights, lane, &mut state.weights);
        get::<S>(&self.fitted, lane, &mut state.fitted);
        get::<S>(&self.slope, lane, &mut state.slope);
    }

    /// `State::step` in every lane.
    ///
    /// Coordinates are stepped through in blocks: within one they tell each other in registers
    /// how they moved, and afterwards tell all others, in the same order.
    #[inline(always)]
    pub fn round(&mut self, simd: S, active: &[usize]) -> (S::f64s, S::f64s) {
        let p = self.weights.len();
        let mut stepping = Stepping {
            simd,
            table: &self.table,
            weights: &mut self.weights[..p],
            step: &self.step[..p],
            l1: &self.l1[..p],
            change: simd.splat_f64s(0.0),
            greatest: simd.splat_f64s(0.0),
        };
        let fitted = &mut self.fitted[..p];
        let (blocks, rest) = active.as_chunks::<4>();
        for &[a, b, c, d] in blocks {
            let (row_a, row_b) = (self.table.row(a), self.table.row(b));
            let (row_c, row_d) = (self.table.row(c), self.table.row(d));
            let (row_a, row_b) = (&row_a[..p], &row_b[..p]);
            let (row_c, row_d) = (&row_c[..p], &row_d[..p]);
            let by_a = stepping.step(a, row_a, fitted[a]);
            let fitted_b = added::<S, T>(simd, fitted[b], by_a, row_a[b]);
            let fitted_c = added::<S, T>(simd, fitted[c], by_a, row_a[c]);
            let fitted_d = added::<S, T>(simd, fitted[d], by_a, row_a[d]);
            let by_b = stepping.step(b, row_b, fitted_b);
            let fitted_c = added::<S, T>(simd, fitted_c, by_b, row_b[c]);
            let fitted_d = added::<S, T>(simd, fitted_d, by_b, row_b[d]);
            let by_c = stepping.step(c, row_c, fitted_c);
            let fitted_d = added::<S, T>(simd, fitted_d, by_c, row_c[d]);
            let by_d = stepping.step(d, row_d, fitted_d);
            // By number: iterators are not always compiled for the chosen instruction set.
            let mut i = 0;
            while i < p {
                let sum = added::<S, T>(simd, fitted[i], by_a, row_a[i]);
                let sum = added::<S, T>(simd, sum, by_b, row_b[i]);
                let sum = added::<S, T>(simd, sum, by_c, row_c[i]);
                fitted[i] = added::<S, T>(simd, sum, by_d, row_d[i]);
                i += 1;
            }
        }
        for &j in rest {
            let row = &self.table.row(j)[..p];
            let by = stepping.step(j, row, fitted[j]);
            let mut i = 0;
            while i < p {
                fitted[i] = added::<S, T>(simd, fitted[i], by, row[i]);
                i += 1;
            }
        }
        (stepping.change, stepping.greatest)
    }

    /// The sums of `State::gap` in every lane; writes the slopes.
    #[inline(always)]
    pub fn sums(&mut self, simd: S) -> LaneSums<S> {
        let zero = simd.splat_f64s(0.0);
        let mut sums = LaneSums {
            with_target: zero,
            with_fit: zero,
            absolute: zero,
            squares: zero,
            dual_norm: zero,
        };
        let target = self.table.target();
        let mut j = 0;
        while j < target.len() {
            let (w, fitted) = (self.weights[j], self.fitted[j]);
            let target = T::spread(simd, target[j]);
            sums.with_target = simd.add_f64s(sums.with_target, simd.mul_f64s(w, target));
            sums.with_fit = simd.add_f64s(sums.with_fit, simd.mul_f64s(w, fitted));
            sums.absolute = simd.add_f64s(sums.absolute, absolute(simd, w));
            sums.squares = simd.add_f64s(sums.squares, simd.mul_f64s(w, w));
            let slope = simd.sub_f64s(target, fitted);
            let slope = simd.sub_f64s(slope, simd.mul_f64s(self.l2, w));
            self.slope[j] = slope;
            sums.dual_norm = simd.max_f64s(sums.dual_norm, absolute(simd, slope));
            j += 1;
        }
        sums
    }

    /// The least of what `Keeping` compares, in every lane.
    #[inline(always)]
    pub fn least(&self, simd: S, active: &[usize], reach: S::f64s) -> S::f64s {
        let mut least = simd.splat_f64s(f64::INFINITY);
        for &j in active {
            let far = simd.mul_f64s(reach, self.length[j]);
            least = simd.min_f64s(least, simd.add_f64s(absolute(simd, self.slope[j]), far));
        }
        least
    }
}

/// (pulp's own is not always inlined.)
#[inline(always)]
fn absolute<S: Simd>(simd: S, values: S::f64s) -> S::f64s {
    simd.max_f64s(simd.sub_f64s(simd.splat_f64s(0.0), values), values)
}

/// Adds a change times a value to what is fitted. (A closure would not always be inlined, and
/// then be compiled for the oldest instruction set.)
#[inline(always)]
fn added<S: Simd, T: Table<S>>(
    simd: S,
    fitted: S::f64s,
    change: S::f64s,
    value: T::Value,
) -> S::f64s {
    simd.add_f64s(fitted, simd.mul_f64s(change, T::spread(simd, value)))
}

/// The steps of a round.
struct Stepping<'a, S: Simd, T> {
    simd: S,
    table: &'a T,
    weights: &'a mut [S::f64s],
    step: &'a [S::f64s],
    l1: &'a [S::f64s],
    /// The greatest change, and the greatest weight.
    change: S::f64s,
    greatest: S::f64s,
}

impl<S: Simd, T: Table<S>> Stepping<'_, S, T> {
    /// Moves coordinate `j`; returns by how much.
    #[inline(always)]
    fn step(&mut self, j: usize, row: &[T::Value], fitted: S::f64s) -> S::f64s {
        let simd = self.simd;
        let zero = simd.splat_f64s(0.0);
        let before = self.weights[j];
        let own = simd.mul_f64s(before, T::spread(simd, row[j]));
        let target = T::spread(simd, self.table.target()[j]);
        let pull = simd.add_f64s(simd.sub_f64s(target, fitted), own);
        // What the penalty takes off, on either side.
        let l1 = self.l1[j];
        let least = simd.sub_f64s(zero, l1);
        let taken = simd.min_f64s(simd.max_f64s(pull, least), l1);
        let after = simd.mul_f64s(simd.sub_f64s(pull, taken), self.step[j]);
        let change = simd.sub_f64s(after, before);
        self.weights[j] = after;
        self.change = simd.max_f64s(self.change, absolute(simd, change));
        self.greatest = simd.max_f64s(self.greatest, absolute(simd, after));
        change
    }
}

/// `Sums` of every lane.
pub struct LaneSums<S: Simd> {
    with_target: S::f64s,
    with_fit: S::f64s,
    absolute: S::f64s,
    squares: S::f64s,
    dual_norm: S::f64s,
}

impl<S: Simd> LaneSums<S> {
    #[inline(always)]
    pub fn of(&self, lane: usize) -> Sums {
        Sums {
            with_target: each::<S>(&self.with_target)[lane],
            with_fit: each::<S>(&self.with_fit)[lane],
            absolute: each::<S>(&self.absolute)[lane],
            squares: each::<S>(&self.squares)[lane],
            dual_norm: each::<S>(&self.dual_norm)[lane],
        }
    }
}
