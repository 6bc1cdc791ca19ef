//! Feature blocks of a fold in one pass: numeric columns imputed and scaled, dictionary codes
//! one-hot or ordinally encoded, other blocks copied, side by side.
//!
//! Input: whole columns and dictionary codes with the rows of a fold. Output: the training and
//! the validation matrix, equal to the last bit to what scikit-learn's transformers and NumPy's
//! concatenation make of copies of these rows.

pub mod matrix;
pub mod statistics;
pub mod summation;
#[cfg(test)]
mod tests;
mod write;

use ndarray::{ArrayView1, ArrayView2};

use self::statistics::{Fill, Fitted, Scale, fit};
use super::workers::Workers;
use crate::errors::{Declined, KernelError};

/// What some columns of the block are made of.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// One column; the values of all rows.
    Number {
        values: ArrayView1<'a, f64>,
        fill: Fill,
        scale: Scale,
    },
    /// `width` columns; by code the one that is set, or -1 for none.
    OneHot {
        codes: &'a [i32],
        places: &'a [i32],
        width: usize,
    },
    /// One column; its values by code.
    Table { codes: &'a [i32], values: &'a [f64] },
    /// Columns that were made elsewhere, for the rows of each side.
    Block {
        train: ArrayView2<'a, f64>,
        valid: ArrayView2<'a, f64>,
    },
}

impl Source<'_> {
    pub fn width(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Table { .. } => 1,
            Self::OneHot { width, .. } => *width,
            Self::Block { train, .. } => train.ncols(),
        }
    }
}

/// How the matrices lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Rows,
    Columns,
}

/// Fits on the training rows, and writes both sides to `out`: zeros, (rows, width) each in the
/// order asked for. Rows and codes must be in range.
///
/// Declines what the library treats in its own way: infinite values, columns without any.
pub fn encode(
    sources: &[Source<'_>],
    rows: (&[u32], &[u32]),
    order: Order,
    workers: &Workers,
    out: (&mut [f64], &mut [f64]),
) -> Result<Result<(), Declined>, KernelError> {
    let (train, valid) = rows;
    check(sources, train, valid)?;
    let width: usize = sources.iter().map(Source::width).sum();
    if out.0.len() != train.len() * width || out.1.len() != valid.len() * width {
        return Err(KernelError::internal("the matrices have other shapes"));
    }
    let fitted = workers.map(sources.len(), |k| fitted(&sources[k], train, valid));
    let fitted: Result<Vec<Option<Fitted>>, Declined> = fitted.into_iter().collect();
    let fitted = match fitted {
        Ok(fitted) => fitted,
        Err(declined) => return Ok(Err(declined)),
    };
    let block = write::Block {
        sources,
        fitted: &fitted,
        width,
        order,
        workers,
    };
    block.write(train, true, out.0);
    block.write(valid, false, out.1);
    Ok(Ok(()))
}

/// Adds to `counts` how often each code comes up among `rows`; other codes are counted nowhere.
pub fn count(
    codes: &[i32],
    rows: ArrayView1<'_, i64>,
    counts: &mut [i64],
) -> Result<(), KernelError> {
    for &row in rows {
        let Some(&code) = usize::try_from(row).ok().and_then(|row| codes.get(row)) else {
            let message = format!("row {row} is asked for, but there are {}", codes.len());
            return Err(KernelError::input("index_out_of_range", message));
        };
        let code = usize::try_from(code);
        if let Some(count) = code.ok().and_then(|code| counts.get_mut(code)) {
            *count += 1;
        }
    }
    Ok(())
}

fn fitted(source: &Source<'_>, train: &[u32], valid: &[u32]) -> Result<Option<Fitted>, Declined> {
    let Source::Number {
        values,
        fill,
        scale,
    } = source
    else {
        return Ok(None);
    };
    if *fill == Fill::None && *scale == Scale::None {
        return Ok(None);
    }
    let mut taken = vec![0.0; train.len()];
    gather(values, train, &mut taken);
    let found = fit(&mut taken, *fill, *scale)?;
    if valid.iter().any(|&row| values[row as usize].is_infinite()) {
        return Err(Declined::NonFinite);
    }
    Ok(Some(found))
}

fn check(sources: &[Source<'_>], train: &[u32], valid: &[u32]) -> Result<(), KernelError> {
    let last = train.iter().chain(valid).copied().max();
    let needed = last.map_or(0, |row| row as usize + 1);
    let fault = |k: usize, what: String| {
        Err(KernelError::input(
            "shape_mismatch",
            format!("source {k} {what}"),
        ))
    };
    for (k, source) in sources.iter().enumerate() {
        let rows = match source {
            Source::Number { values, .. } => values.len(),
            Source::OneHot {
                codes,
                places,
                width,
            } => {
                let limit = i32::try_from(*width).unwrap_or(i32::MAX);
                if places.iter().any(|&place| place < -1 || place >= limit) {
                    return fault(k, format!("has places beyond its {width} columns"));
                }
                known(k, codes, places.len())?
            }
            Source::Table { codes, values } => known(k, codes, values.len())?,
            Source::Block { train: a, valid: b } => {
                if a.nrows() != train.len() || b.nrows() != valid.len() || a.ncols() != b.ncols() {
                    let (a, b) = (a.shape(), b.shape());
                    return fault(k, format!("has shapes {a:?} and {b:?}"));
                }
                needed
            }
        };
        if rows < needed {
            return fault(
                k,
                format!("has {rows} rows, but row {} is asked for", needed - 1),
            );
        }
    }
    Ok(())
}

fn known(k: usize, codes: &[i32], size: usize) -> Result<usize, KernelError> {
    let mut greatest = 0;
    for &code in codes {
        // Of a negative code this is beyond any size.
        greatest = greatest.max(code as u32);
    }
    if codes.is_empty() || (greatest as usize) < size.min(i32::MAX as usize) {
        return Ok(codes.len());
    }
    let message = format!("source {k} has a code that is not among its {size} categories");
    Err(KernelError::input("bad_codes", message))
}

/// The values of some rows.
fn gather(values: &ArrayView1<'_, f64>, rows: &[u32], taken: &mut [f64]) {
    let taken = &mut taken[..rows.len()];
    match values.as_slice() {
        Some(values) => {
            for k in 0..rows.len() {
                taken[k] = values[rows[k] as usize];
            }
        }
        None => {
            for k in 0..rows.len() {
                taken[k] = values[rows[k] as usize];
            }
        }
    }
}
