//! Vectors of float32 or float64, so that a sweep is written once for both.

use std::ops::{Add, Mul};

use pulp::Simd;
use pulp::bytemuck::Pod;

/// A type of number with vectors of it.
pub trait Real: Pod + PartialOrd + Add<Output = Self> + Mul<Output = Self> {
    type Vector<S: Simd>: Pod;
    const ZERO: Self;
    const INFINITY: Self;
    const NOTHING: Self;

    fn of(value: f64) -> Self;

    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// Fused: rounded once.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    fn min<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// Whether a value is at most `limit`.
    fn any_within<S: Simd>(simd: S, values: Self::Vector<S>, limit: Self) -> bool;
}

macro_rules! real {
    ($real:ident, $vector:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident,
     $mul_add:ident, $min:ident, $within:ident, $first:ident) => {
        impl Real for $real {
            type Vector<S: Simd> = S::$vector;
            const ZERO: Self = 0.0;
            const INFINITY: Self = $real::INFINITY;
            const NOTHING: Self = $real::NEG_INFINITY;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $real
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn min<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$min(a, b)
            }
            #[inline(always)]
            fn any_within<S: Simd>(simd: S, values: S::$vector, limit: Self) -> bool {
                let within = simd.$within(values, simd.$splat(limit));
                // Whether there is one is all to be had: pulp 0.22 counts the lanes of short
                // masks backwards.
                simd.$first(within) < size_of::<S::$vector>() / size_of::<$real>()
            }
        }
    };
}

real!(
    f64,
    f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    mul_add_f64s,
    min_f64s,
    less_than_or_equal_f64s,
    first_true_m64s
);
real!(
    f32,
    f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    mul_add_f32s,
    min_f32s,
    less_than_or_equal_f32s,
    first_true_m32s
);
