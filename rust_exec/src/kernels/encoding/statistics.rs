//! What is learnt of a numeric column from its training rows.
//!
//! Input: the training values. Output: an affine map and a fill value, computed in the order of
//! scikit-learn's SimpleImputer, StandardScaler, MinMaxScaler and MaxAbsScaler.

use super::summation::{Term, pairwise, plain};
use crate::errors::Declined;

/// What takes the place of missing values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    None,
    Mean,
    Median,
    Constant(f64),
}

/// How values are scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    None,
    Standard { mean: bool, deviation: bool },
    MinMax { low: f64, high: f64 },
    MaxAbs,
}

/// Applied to each value, in the order of the scaler's own arithmetic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Affine {
    Same,
    /// `(x - shift) / divisor`
    Standard {
        shift: f64,
        divisor: f64,
    },
    /// `x * factor + offset`
    MinMax {
        factor: f64,
        offset: f64,
    },
    /// `x / divisor`
    Divide {
        divisor: f64,
    },
}

impl Affine {
    #[inline(always)]
    pub fn of(self, value: f64) -> f64 {
        match self {
            Self::Same => value,
            Self::Standard { shift, divisor } => (value - shift) / divisor,
            Self::MinMax { factor, offset } => value * factor + offset,
            Self::Divide { divisor } => value / divisor,
        }
    }
}

/// The fitted state of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitted {
    pub fill: Option<f64>,
    pub affine: Affine,
}

impl Fitted {
    pub const SAME: Self = Self {
        fill: None,
        affine: Affine::Same,
    };

    /// Maps values in place.
    pub fn apply(self, values: &mut [f64]) {
        crate::kernels::simd::arch().dispatch(
            #[inline(always)]
            || self.map(values),
        );
    }

    #[inline(always)]
    fn map(self, values: &mut [f64]) {
        if let Some(fill) = self.fill {
            for value in values.iter_mut() {
                *value = if value.is_nan() { fill } else { *value };
            }
        }
        match self.affine {
            Affine::Same => {}
            Affine::Standard { shift, divisor } => {
                for value in values.iter_mut() {
                    *value = (*value - shift) / divisor;
                }
            }
            Affine::MinMax { factor, offset } => {
                for value in values {
                    *value = *value * factor + offset;
                }
            }
            Affine::Divide { divisor } => {
                for value in values {
                    *value /= divisor;
                }
            }
        }
    }
}

/// Fits a column; `values` are its training values, and hold the filled ones afterwards.
///
/// Declines infinite values, and columns without any value, on which the library drops columns
/// or raises errors.
pub fn fit(values: &mut [f64], fill: Fill, scale: Scale) -> Result<Fitted, Declined> {
    if fill == Fill::None && scale == Scale::None {
        return Ok(Fitted::SAME);
    }
    let mut present = values.len();
    // Of finite values only is the sum finite, but for an overflow.
    if !plain(values).is_finite() {
        let (missing, infinite) = special(values);
        if infinite {
            return Err(Declined::NonFinite);
        }
        present -= missing;
    }
    if present == 0 {
        return Err(Declined::EmptyColumn);
    }
    let fill = filling(values, present, fill);
    if let Some(fill) = fill
        && present < values.len()
    {
        if !fill.is_finite() {
            return Err(Declined::NonFinite);
        }
        let only = Fitted {
            fill: Some(fill),
            affine: Affine::Same,
        };
        only.apply(values);
        present = values.len();
    }
    Ok(Fitted {
        fill,
        affine: scaling(values, present, scale)?,
    })
}

/// How many values are missing, and whether one is infinite.
fn special(values: &[f64]) -> (usize, bool) {
    crate::kernels::simd::arch().dispatch(
        #[inline(always)]
        || {
            let (mut missing, mut infinite) = (0_u64, 0_u64);
            for &value in values {
                missing += u64::from(value.is_nan());
                infinite |= u64::from(value.is_infinite());
            }
            (missing as usize, infinite != 0)
        },
    )
}

fn filling(values: &[f64], present: usize, fill: Fill) -> Option<f64> {
    match fill {
        Fill::None => None,
        Fill::Constant(value) => Some(value),
        Fill::Mean => Some(pairwise(values, Term::Value) / present as f64),
        Fill::Median => {
            let kept = values.iter().copied().filter(|value| !value.is_nan());
            Some(median(kept.collect()))
        }
    }
}

/// By selection. `values` are not empty and not NaN.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = if even {
        below.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    } else {
        upper
    };
    // A sum, which starts from zero: of -0.0 too.
    (0.0 + (lower + upper)) / 2.0
}

fn scaling(values: &[f64], present: usize, scale: Scale) -> Result<Affine, Declined> {
    match scale {
        Scale::None => Ok(Affine::Same),
        Scale::Standard { mean, deviation } => {
            let centre = pairwise(values, Term::Value) / present as f64;
            let residue = pairwise(values, Term::Apart(centre));
            let squares = pairwise(values, Term::Square(centre));
            standard(centre, residue, squares, present, mean, deviation)
        }
        Scale::MinMax { low, high } => {
            let (least, most) = bounds(values);
            min_max(least, most, low, high)
        }
        Scale::MaxAbs => {
            let (least, most) = bounds(values);
            let most = most.abs().max(least.abs());
            Ok(Affine::Divide {
                divisor: nonzero(most),
            })
        }
    }
}

/// Least and greatest value; NaN is neither.
fn bounds(values: &[f64]) -> (f64, f64) {
    crate::kernels::simd::arch().dispatch(
        #[inline(always)]
        || {
            let (mut least, mut most) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
            let whole = values.len() - values.len() % 8;
            let mut start = 0;
            while start < whole {
                let block = &values[start..start + 8];
                for k in 0..8 {
                    least[k] = if block[k] < least[k] {
                        block[k]
                    } else {
                        least[k]
                    };
                    most[k] = if block[k] > most[k] {
                        block[k]
                    } else {
                        most[k]
                    };
                }
                start += 8;
            }
            let mut found = (f64::INFINITY, f64::NEG_INFINITY);
            for k in 0..8 {
                found = (found.0.min(least[k]), found.1.max(most[k]));
            }
            for &value in &values[whole..] {
                found = (found.0.min(value), found.1.max(value));
            }
            found
        },
    )
}

/// StandardScaler from the mean, and the sums of deviations from it and of their squares.
pub fn standard(
    centre: f64,
    residue: f64,
    squares: f64,
    present: usize,
    mean: bool,
    deviation: bool,
) -> Result<Affine, Declined> {
    let n = present as f64;
    let variance = (squares - residue * residue / n) / n;
    if !(centre.is_finite() && variance.is_finite()) {
        return Err(Declined::NonFinite);
    }
    let bound = n * centre * f64::EPSILON;
    let constant = variance <= n * f64::EPSILON * variance + bound * bound;
    Ok(Affine::Standard {
        shift: if mean { centre } else { 0.0 },
        divisor: if deviation && !constant {
            variance.sqrt()
        } else {
            1.0
        },
    })
}

pub fn min_max(least: f64, most: f64, low: f64, high: f64) -> Result<Affine, Declined> {
    let range = most - least;
    if !range.is_finite() {
        return Err(Declined::NonFinite);
    }
    let factor = (high - low) / nonzero(range);
    Ok(Affine::MinMax {
        factor,
        offset: low - least * factor,
    })
}

/// A scale that may be divided by.
pub fn nonzero(scale: f64) -> f64 {
    if scale < 10.0 * f64::EPSILON {
        1.0
    } else {
        scale
    }
}
