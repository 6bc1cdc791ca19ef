//! Metrics of many prediction vectors of one target, as scikit-learn defines them.
//!
//! What depends on the target alone is done once; what several metrics of one vector share (a
//! sort, a table of counts) is done once for the vector. A NaN in an answer is a refusal: the
//! value is undefined, or the library would raise or warn.

pub mod binary;
pub mod confusion;
pub mod multiclass;
pub mod numbers;
mod ranks;
mod sums;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ndarray::ArrayView1;

use crate::errors::KernelError;

/// The values of a vector in one piece; only a strided vector is copied, one at a time.
fn contiguous<'a>(vector: &'a ArrayView1<'_, f64>) -> Cow<'a, [f64]> {
    match vector.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(vector.iter().copied().collect()),
    }
}

/// Ranks are counted in 32 bits.
fn check_target(rows: usize) -> Result<(), KernelError> {
    if rows < u32::MAX as usize {
        return Ok(());
    }
    let message = format!("the target has {rows} rows, more than the kernel counts");
    Err(KernelError::input("too_many_rows", message))
}

fn check_rows(place: usize, found: usize, wanted: usize) -> Result<(), KernelError> {
    if found == wanted {
        return Ok(());
    }
    let message = format!("vector {place} has {found} rows, but the target has {wanted}");
    Err(KernelError::input("shape_mismatch", message))
}

/// Logarithmic loss of the probability given to what happened, clipped as the library does.
fn loss(chance: f64) -> f64 {
    -chance.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

fn unknown(name: &str) -> KernelError {
    KernelError::input("unknown_metric", format!("no metric {name:?}"))
}

/// Reads every name; `known` says what a name means.
fn read<T>(names: &[String], known: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, KernelError> {
    let each = names
        .iter()
        .map(|name| known(name).ok_or_else(|| unknown(name)));
    each.collect()
}
