//! Scaling a matrix that a fold already has: StandardScaler, MinMaxScaler or MaxAbsScaler behind
//! another step.
//!
//! Input: training and validation matrix. Output: scaled copies in the same memory order.

use ndarray::{ArrayView2, Axis};

use super::Order;
use super::statistics::{Affine, Fill, Fitted, Scale, fit, min_max, nonzero, standard};
use crate::errors::Declined;

/// Fits on `train`; gives a map for each column. `order` is that of the sums: see `summation`.
pub fn fit_columns(
    train: ArrayView2<'_, f64>,
    fill: Fill,
    scale: Scale,
    order: Order,
) -> Result<Vec<Fitted>, Declined> {
    if order == Order::Columns || train.ncols() == 1 {
        return train
            .columns()
            .into_iter()
            .map(|column| fit(&mut column.to_vec(), fill, scale))
            .collect();
    }
    if fill != Fill::None {
        return by_rows_filled(train, fill, scale);
    }
    let affine = by_rows(train, scale)?;
    Ok(affine
        .into_iter()
        .map(|affine| Fitted { fill: None, affine })
        .collect())
}

/// Imputation in front of a scaler sums row after row too; only the mean depends on it.
fn by_rows_filled(
    train: ArrayView2<'_, f64>,
    fill: Fill,
    scale: Scale,
) -> Result<Vec<Fitted>, Declined> {
    if scale != Scale::None {
        return Err(Declined::Borderline);
    }
    let state = Rows::of(train)?;
    let found = match fill {
        Fill::Mean => state.mean(),
        _ => {
            return train
                .columns()
                .into_iter()
                .map(|column| fit(&mut column.to_vec(), fill, scale))
                .collect();
        }
    };
    Ok(found
        .into_iter()
        .map(|mean| Fitted {
            fill: Some(mean),
            affine: Affine::Same,
        })
        .collect())
}

/// Rows that are looked at together, so that they are still in the cache.
const ROWS: usize = 256;

/// Some rows at a time of a matrix in C order.
fn slices<'a>(matrix: ArrayView2<'a, f64>) -> Result<impl Iterator<Item = &'a [f64]>, Declined> {
    let p = matrix.ncols().max(1);
    match matrix.to_slice() {
        Some(values) => Ok(values.chunks(ROWS * p)),
        // The boundary asks for C order; nothing is known of the sums of another one.
        None => Err(Declined::Borderline),
    }
}

struct Rows {
    present: Vec<f64>,
    sum: Vec<f64>,
    least: Vec<f64>,
    most: Vec<f64>,
}

impl Rows {
    fn of(train: ArrayView2<'_, f64>) -> Result<Self, Declined> {
        let p = train.ncols();
        let mut found = Self {
            present: vec![0.0; p],
            sum: vec![0.0; p],
            least: vec![f64::INFINITY; p],
            most: vec![f64::NEG_INFINITY; p],
        };
        for rows in slices(train)? {
            crate::kernels::simd::arch().dispatch(
                #[inline(always)]
                || found.add(rows),
            );
        }
        let infinite =
            found.least.contains(&f64::NEG_INFINITY) || found.most.contains(&f64::INFINITY);
        if infinite {
            return Err(Declined::NonFinite);
        }
        if found.present.contains(&0.0) {
            return Err(Declined::EmptyColumn);
        }
        Ok(found)
    }

    #[inline(always)]
    fn add(&mut self, rows: &[f64]) {
        let p = self.sum.len();
        let (count, sum) = (&mut self.present[..p], &mut self.sum[..p]);
        let (least, most) = (&mut self.least[..p], &mut self.most[..p]);
        let mut start = 0;
        while start < rows.len() {
            let row = &rows[start..start + p];
            for j in 0..p {
                let x = row[j];
                let missing = x.is_nan();
                count[j] += if missing { 0.0 } else { 1.0 };
                sum[j] += if missing { 0.0 } else { x };
                least[j] = if x < least[j] { x } else { least[j] };
                most[j] = if x > most[j] { x } else { most[j] };
            }
            start += p;
        }
    }

    fn mean(&self) -> Vec<f64> {
        self.sum
            .iter()
            .zip(&self.present)
            .map(|(sum, n)| sum / n)
            .collect()
    }
}

fn by_rows(train: ArrayView2<'_, f64>, scale: Scale) -> Result<Vec<Affine>, Declined> {
    let state = Rows::of(train)?;
    let p = train.ncols();
    match scale {
        Scale::None => Ok(vec![Affine::Same; p]),
        Scale::Standard { mean, deviation } => {
            let centre = state.mean();
            let mut residue = vec![0.0; p];
            let mut squares = vec![0.0; p];
            for rows in slices(train)? {
                crate::kernels::simd::arch().dispatch(
                    #[inline(always)]
                    || deviations(rows, &centre, &mut residue, &mut squares),
                );
            }
            (0..p)
                .map(|j| {
                    let n = state.present[j] as usize;
                    standard(centre[j], residue[j], squares[j], n, mean, deviation)
                })
                .collect()
        }
        Scale::MinMax { low, high } => (0..p)
            .map(|j| min_max(state.least[j], state.most[j], low, high))
            .collect(),
        Scale::MaxAbs => (0..p)
            .map(|j| {
                let divisor = nonzero(state.most[j].abs().max(state.least[j].abs()));
                Ok(Affine::Divide { divisor })
            })
            .collect(),
    }
}

#[inline(always)]
fn deviations(rows: &[f64], centre: &[f64], residue: &mut [f64], squares: &mut [f64]) {
    let p = centre.len();
    let (residue, squares) = (&mut residue[..p], &mut squares[..p]);
    let mut start = 0;
    while start < rows.len() {
        let row = &rows[start..start + p];
        for j in 0..p {
            let apart = row[j] - centre[j];
            let apart = if apart.is_nan() { 0.0 } else { apart };
            residue[j] += apart;
            squares[j] += apart * apart;
        }
        start += p;
    }
}

/// Writes the values of `block` mapped, in its memory order; declines infinite values.
pub fn map(
    block: ArrayView2<'_, f64>,
    maps: &[Fitted],
    order: Order,
    out: &mut [f64],
) -> Result<(), Declined> {
    match order {
        Order::Rows => {
            let p = block.ncols().max(1);
            let standard = uniform(maps);
            for (rows, out) in slices(block)?.zip(out.chunks_mut(ROWS * p)) {
                finite(rows)?;
                match &standard {
                    Some(maps) => crate::kernels::simd::arch().dispatch(
                        #[inline(always)]
                        || standardised(rows, maps, p, out),
                    ),
                    None => {
                        let values = rows.iter().zip(maps.iter().cycle());
                        for (out, (&value, &map)) in out.iter_mut().zip(values) {
                            *out = value;
                            map.apply(std::slice::from_mut(out));
                        }
                    }
                }
            }
        }
        Order::Columns => {
            let n = block.nrows().max(1);
            let columns = block.axis_iter(Axis(1)).zip(out.chunks_mut(n));
            for ((column, out), &map) in columns.zip(maps) {
                match column.to_slice() {
                    Some(values) => out.copy_from_slice(values),
                    None => column.iter().enumerate().for_each(|(k, &x)| out[k] = x),
                }
                finite(out)?;
                map.apply(out);
            }
        }
    }
    Ok(())
}

/// Declines infinite values.
fn finite(values: &[f64]) -> Result<(), Declined> {
    let infinite = crate::kernels::simd::arch().dispatch(
        #[inline(always)]
        || {
            let mut found = 0_u64;
            for value in values {
                found |= u64::from(value.is_infinite());
            }
            found != 0
        },
    );
    if infinite {
        return Err(Declined::NonFinite);
    }
    Ok(())
}

#[inline(always)]
fn standardised(rows: &[f64], maps: &(Vec<f64>, Vec<f64>), p: usize, out: &mut [f64]) {
    let (shifts, divisors) = (&maps.0[..p], &maps.1[..p]);
    let mut start = 0;
    while start < rows.len() {
        let (row, out) = (&rows[start..start + p], &mut out[start..start + p]);
        for j in 0..p {
            out[j] = (row[j] - shifts[j]) / divisors[j];
        }
        start += p;
    }
}

/// Shifts and divisors of a StandardScaler alone, with which rows are computed at once.
fn uniform(maps: &[Fitted]) -> Option<(Vec<f64>, Vec<f64>)> {
    maps.iter()
        .map(|map| match map {
            Fitted {
                fill: None,
                affine: Affine::Standard { shift, divisor },
            } => Some((*shift, *divisor)),
            _ => None,
        })
        .collect()
}
