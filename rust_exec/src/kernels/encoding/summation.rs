//! Sums with the rounding of NumPy's, so that statistics of columns are equal to the last bit.
//!
//! Input: values in memory order. Output: what `ndarray.sum(axis=0)` gives: pairwise within a
//! column whose values lie side by side, row after row where those of a row do. Vector
//! instructions are chosen at run time; they change no rounding, for each running sum keeps the
//! order of its additions.

use pulp::Arch;

/// Longest run that is summed by eight running sums; longer ones are halved.
const RUN: usize = 128;

/// What is added up of a value `x`; of NaN nothing is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    Value,
    /// `x - c`
    Apart(f64),
    /// `(x - c)` squared
    Square(f64),
}

/// The sum of a contiguous column; NaN counts as zero.
pub fn pairwise(values: &[f64], term: Term) -> f64 {
    let arch = crate::kernels::simd::arch();
    // A reduction starts from zero, which turns a sum of -0.0 into 0.0.
    0.0 + match term {
        Term::Value => halved::<0>(arch, values, 0.0),
        Term::Apart(centre) => halved::<1>(arch, values, centre),
        Term::Square(centre) => halved::<2>(arch, values, centre),
    }
}

/// The sum of a contiguous column as it is: not finite if a value is not.
pub fn plain(values: &[f64]) -> f64 {
    0.0 + halved::<3>(crate::kernels::simd::arch(), values, 0.0)
}

fn halved<const TERM: u8>(arch: Arch, values: &[f64], centre: f64) -> f64 {
    let n = values.len();
    if n > RUN {
        let middle = n / 2 - (n / 2) % 8;
        return halved::<TERM>(arch, &values[..middle], centre)
            + halved::<TERM>(arch, &values[middle..], centre);
    }
    arch.dispatch(
        #[inline(always)]
        || run::<TERM>(values, centre),
    )
}

#[inline(always)]
fn of<const TERM: u8>(value: f64, centre: f64) -> f64 {
    let term = match TERM {
        0 => value,
        1 => value - centre,
        2 => (value - centre) * (value - centre),
        _ => return value,
    };
    if term.is_nan() { 0.0 } else { term }
}

// Loops over positions, here and in the other hot parts: they stay whole in every build, where
// chains of iterators depend on what the compiler inlines.
#[inline(always)]
fn run<const TERM: u8>(values: &[f64], centre: f64) -> f64 {
    let n = values.len();
    let whole = n - n % 8;
    let mut sum = -0.0;
    if n >= 8 {
        let mut sums = [0.0; 8];
        for k in 0..8 {
            sums[k] = of::<TERM>(values[k], centre);
        }
        let mut start = 8;
        while start < whole {
            let block = &values[start..start + 8];
            for k in 0..8 {
                sums[k] += of::<TERM>(block[k], centre);
            }
            start += 8;
        }
        let [a, b, c, d, e, g, h, i] = sums;
        sum = ((a + b) + (c + d)) + ((e + g) + (h + i));
    }
    for &value in &values[whole..] {
        sum += of::<TERM>(value, centre);
    }
    sum
}
