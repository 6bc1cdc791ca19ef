//! One-hot columns that are never written out: a category code per row stands for them.
//!
//! Input: codes (n, c) and how many categories each of the c columns has. Output: sums of other
//! columns per category, counts of pairs of categories, and terms of predictions. A row adds to
//! one sum per column instead of to a product per category.

use faer::MatRef;
use ndarray::ArrayView2;
use pulp::{Simd, WithSimd};

use crate::errors::KernelError;

/// Rows that are turned round at a time; few enough to stay in the first-level cache.
const TURNED: usize = 64;
/// Categories that may be counted at all; far fewer are ever served.
const MOST: usize = 1 << 20;

/// Which category of a column has no feature of its own, as in scikit-learn's `OneHotEncoder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    None,
    /// The first one that the training rows have.
    First,
    /// The first one, if the training rows have two.
    IfBinary,
}

/// Categorical columns as codes.
#[derive(Debug, Clone)]
pub struct Categories<'a> {
    /// (n, c); -1 is no category.
    codes: ArrayView2<'a, i32>,
    /// (c + 1,) first category of each column among those of all columns.
    starts: Vec<usize>,
    drop: Vec<Drop>,
}

impl<'a> Categories<'a> {
    pub fn checked(
        codes: ArrayView2<'a, i32>,
        sizes: &[i64],
        drop: &[i64],
    ) -> Result<Self, KernelError> {
        let columns = codes.ncols();
        if sizes.len() != columns || drop.len() != columns {
            let (sizes, drop) = (sizes.len(), drop.len());
            let message = format!(
                "codes has {columns} columns, but there are {sizes} sizes and {drop} drops"
            );
            return Err(KernelError::input("shape_mismatch", message));
        }
        let mut starts = vec![0];
        for (column, size) in sizes.iter().enumerate() {
            if !(0..=i64::from(i32::MAX)).contains(size) {
                let message = format!("sizes[{column}] is {size}");
                return Err(KernelError::input("bad_category", message));
            }
            let most = i32::try_from(*size).unwrap_or(i32::MAX);
            if let Some(code) =
                (codes.column(column).iter()).find(|code| !(-1..most).contains(code))
            {
                let message = format!("codes[:, {column}] has {code}, but {size} categories");
                return Err(KernelError::input("bad_category", message));
            }
            starts.push(starts[column] + *size as usize);
        }
        if starts[columns] > MOST {
            let message = format!(
                "{} categories are more than the kernel counts",
                starts[columns]
            );
            return Err(KernelError::input("bad_category", message));
        }
        let drop = drop.iter().map(|drop| match drop {
            0 => Ok(Drop::None),
            1 => Ok(Drop::First),
            2 => Ok(Drop::IfBinary),
            other => Err(KernelError::input(
                "bad_category",
                format!("drop must be 0, 1 or 2, got {other}"),
            )),
        });
        Ok(Self {
            codes,
            starts,
            drop: drop.collect::<Result<_, _>>()?,
        })
    }

    /// Number of one-hot columns.
    pub fn count(&self) -> usize {
        self.starts[self.drop.len()]
    }

    pub fn rows(&self) -> usize {
        self.codes.nrows()
    }

    pub fn columns(&self) -> usize {
        self.drop.len()
    }

    /// The one-hot columns in which a row has a one.
    #[inline(always)]
    fn ones(&self, row: u32) -> impl Iterator<Item = usize> {
        let codes = self.codes.row(row as usize);
        (codes.into_iter().zip(&self.starts))
            .filter(|(code, _)| **code >= 0)
            .map(|(code, start)| start + *code as usize)
    }

    /// The value of a one-hot column.
    pub fn at(&self, row: u32, category: usize) -> f64 {
        f64::from(u8::from(self.ones(row).any(|one| one == category)))
    }

    /// Whether each one-hot column is a feature, given how often each category comes up.
    pub fn kept(&self, counts: impl Fn(usize) -> f64) -> Vec<bool> {
        let mut kept: Vec<bool> = (0..self.count()).map(|v| counts(v) > 0.0).collect();
        for (column, drop) in self.drop.iter().enumerate() {
            let own = &mut kept[self.starts[column]..self.starts[column + 1]];
            let present = own.iter().filter(|seen| **seen).count();
            let drops = match drop {
                Drop::None => false,
                Drop::First => true,
                Drop::IfBinary => present == 2,
            };
            if let Some(first) = own.iter_mut().find(|seen| **seen && drops) {
                *first = false;
            }
        }
        kept
    }

    /// Adds each row of a block to the sums of its categories, and counts pairs of categories.
    ///
    /// `block` is (rows.len(), width); `sums` (count, width) row by row; `pairs` (count, count)
    /// row by row, of which the lower triangle is written, without the diagonal.
    pub fn scatter(
        &self,
        rows: &[u32],
        block: MatRef<'_, f64>,
        sums: &mut [f64],
        pairs: &mut [f64],
    ) {
        crate::kernels::simd::arch().dispatch(Scatter {
            categories: self,
            rows,
            block,
            sums,
            pairs,
        });
    }

    #[inline(always)]
    fn scattered(&self, rows: &[u32], block: MatRef<'_, f64>, sums: &mut [f64], pairs: &mut [f64]) {
        let (width, total) = (block.ncols(), self.count());
        let mut turned = vec![0.0; TURNED * width];
        let mut ones: Vec<usize> = Vec::with_capacity(self.columns());
        for (part, rows) in rows.chunks(TURNED).enumerate() {
            for j in 0..width {
                let column = block.col(j).subrows(part * TURNED, rows.len());
                for (i, value) in column.iter().enumerate() {
                    turned[i * width + j] = *value;
                }
            }
            for (row, values) in rows.iter().zip(turned.chunks_exact(width)) {
                ones.clear();
                ones.extend(self.ones(*row));
                for (place, &one) in ones.iter().enumerate() {
                    let sum = &mut sums[one * width..(one + 1) * width];
                    add(sum, values);
                    for &other in &ones[..place] {
                        pairs[one * total + other] += 1.0;
                    }
                }
            }
        }
    }

    /// Adds to each row's prediction the coefficients, (count,), of its categories.
    pub fn add_terms(&self, rows: &[u32], coef: &[f64], predictions: &mut [f64]) {
        for (column, start) in self.starts[..self.columns()].iter().enumerate() {
            let codes = self.codes.column(column);
            for (value, &row) in predictions.iter_mut().zip(rows) {
                let code = codes[row as usize];
                if code >= 0 {
                    *value += coef[start + code as usize];
                }
            }
        }
    }
}

/// By number: iterators are not always compiled for the chosen instruction set.
#[inline(always)]
fn add(sum: &mut [f64], values: &[f64]) {
    let count = sum.len().min(values.len());
    let (sum, values) = (&mut sum[..count], &values[..count]);
    let mut at = 0;
    while at < count {
        sum[at] += values[at];
        at += 1;
    }
}

/// A call of `scatter` for every instruction set.
struct Scatter<'a, 'codes> {
    categories: &'a Categories<'codes>,
    rows: &'a [u32],
    block: MatRef<'a, f64>,
    sums: &'a mut [f64],
    pairs: &'a mut [f64],
}

impl WithSimd for Scatter<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        (self.categories).scattered(self.rows, self.block, self.sums, self.pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use ndarray::array;

    #[test]
    fn sums_and_pairs_are_those_of_one_hot_columns() {
        let codes = array![[0, 2], [1, -1], [0, 0], [-1, 2], [1, 2]];
        let categories = Categories::checked(codes.view(), &[2, 3], &[0, 0]).unwrap();
        assert_eq!((categories.count(), categories.rows()), (5, 5));
        let rows = [4, 0, 2, 3];
        let block = Mat::from_fn(4, 3, |i, j| (10 * rows[i] + j as u32) as f64);
        let (mut sums, mut pairs) = (vec![0.0; 15], vec![0.0; 25]);
        categories.scatter(&rows, block.as_ref(), &mut sums, &mut pairs);
        for v in 0..5 {
            for j in 0..3 {
                let products = (0..4).map(|i| categories.at(rows[i], v) * block[(i, j)]);
                assert_eq!(sums[v * 3 + j], products.sum::<f64>());
            }
            for u in 0..v {
                let products = rows.map(|row| categories.at(row, v) * categories.at(row, u));
                assert_eq!(pairs[v * 5 + u], products.iter().sum::<f64>());
            }
        }
        let mut predictions = [0.5; 4];
        categories.add_terms(&rows, &[1.0, 2.0, 4.0, 8.0, 16.0], &mut predictions);
        assert_eq!(predictions, [18.5, 17.5, 5.5, 16.5]);
    }

    #[test]
    fn what_is_dropped_goes_by_what_there_is() {
        let codes = array![[0, 0, 0]];
        let counts = [0.0, 3.0, 1.0, 2.0, 2.0, 0.0, 1.0, 1.0, 1.0];
        let kept = |drop: [i64; 3]| {
            let found = Categories::checked(codes.view(), &[3, 3, 3], &drop).unwrap();
            let kept = found.kept(|v| counts[v]);
            kept.iter().map(|k| u8::from(*k)).collect::<Vec<_>>()
        };
        assert_eq!(kept([0, 0, 0]), [0, 1, 1, 1, 1, 0, 1, 1, 1]);
        assert_eq!(kept([1, 1, 1]), [0, 0, 1, 0, 1, 0, 0, 1, 1]);
        assert_eq!(kept([2, 2, 2]), [0, 0, 1, 0, 1, 0, 1, 1, 1]);
    }

    #[test]
    fn bad_codes_are_named() {
        let codes = array![[0, 2], [1, -2]];
        let code = |sizes: &[i64], drop: &[i64]| {
            Categories::checked(codes.view(), sizes, drop)
                .unwrap_err()
                .code()
        };
        assert_eq!(code(&[2, 3], &[0, 0]), "bad_category");
        assert_eq!(code(&[1, 3], &[0, 0]), "bad_category");
        assert_eq!(code(&[2], &[0, 0]), "shape_mismatch");
        assert_eq!(code(&[-1, 3], &[0, 0]), "bad_category");
        let one = codes.view().split_at(ndarray::Axis(1), 1).0;
        assert!(Categories::checked(one, &[2], &[3]).is_err());
    }
}
