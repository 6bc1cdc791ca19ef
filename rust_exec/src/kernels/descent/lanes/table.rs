//! Equations in lanes, and how a lane of vectors is written and read.

use pulp::Simd;
use pulp::bytemuck::{Zeroable, cast_slice, cast_slice_mut};

use crate::kernels::descent::state::Equations;

/// The equations of all lanes.
pub trait Table<S: Simd> {
    type Value: Copy;

    /// A lane goes on with these equations.
    fn fill(&mut self, lane: usize, equations: &Equations<'_>);
    fn row(&self, j: usize) -> &[Self::Value];
    fn target(&self) -> &[Self::Value];
    fn spread(simd: S, value: Self::Value) -> S::f64s;
}

pub struct Shared<'a>(pub &'a Equations<'a>);

impl<S: Simd> Table<S> for Shared<'_> {
    type Value = f64;

    fn fill(&mut self, _: usize, _: &Equations<'_>) {}

    #[inline(always)]
    fn row(&self, j: usize) -> &[f64] {
        self.0.row(j)
    }

    #[inline(always)]
    fn target(&self) -> &[f64] {
        &self.0.gram.target
    }

    #[inline(always)]
    fn spread(simd: S, value: f64) -> S::f64s {
        simd.splat_f64s(value)
    }
}

pub struct Own<S: Simd> {
    size: usize,
    /// (p, p)
    products: Vec<S::f64s>,
    /// (p,)
    target: Vec<S::f64s>,
}

impl<S: Simd> Own<S> {
    pub fn new(size: usize) -> Self {
        Self {
            size,
            products: zeros::<S>(size * size),
            target: zeros::<S>(size),
        }
    }
}

impl<S: Simd> Table<S> for Own<S> {
    type Value = S::f64s;

    fn fill(&mut self, lane: usize, equations: &Equations<'_>) {
        for (j, row) in self.products.chunks_exact_mut(self.size.max(1)).enumerate() {
            put::<S>(row, lane, equations.row(j));
        }
        put::<S>(&mut self.target, lane, &equations.gram.target);
    }

    #[inline(always)]
    fn row(&self, j: usize) -> &[S::f64s] {
        &self.products[j * self.size..(j + 1) * self.size]
    }

    #[inline(always)]
    fn target(&self) -> &[S::f64s] {
        &self.target
    }

    #[inline(always)]
    fn spread(_: S, value: S::f64s) -> S::f64s {
        value
    }
}

pub fn zeros<S: Simd>(count: usize) -> Vec<S::f64s> {
    vec![Zeroable::zeroed(); count]
}

/// Writes `source` to a lane, as far as there are vectors.
pub fn put<S: Simd>(vectors: &mut [S::f64s], lane: usize, source: &[f64]) {
    let values = cast_slice_mut::<S::f64s, f64>(vectors).iter_mut();
    let lane = values.skip(lane).step_by(S::F64_LANES);
    lane.zip(source)
        .for_each(|(value, source)| *value = *source);
}

pub fn get<S: Simd>(vectors: &[S::f64s], lane: usize, target: &mut [f64]) {
    let values = cast_slice::<S::f64s, f64>(vectors).iter();
    let lane = values.skip(lane).step_by(S::F64_LANES);
    target
        .iter_mut()
        .zip(lane)
        .for_each(|(target, value)| *target = *value);
}

/// One value of each lane.
#[inline(always)]
pub fn each<S: Simd>(vector: &S::f64s) -> &[f64] {
    cast_slice(std::slice::from_ref(vector))
}

#[inline(always)]
pub fn each_mut<S: Simd>(vector: &mut S::f64s) -> &mut [f64] {
    cast_slice_mut(std::slice::from_mut(vector))
}
