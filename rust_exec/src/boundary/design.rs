//! What lies beside a matrix of features, as Python gives it: categories and known statistics.
//!
//! Input: arrays or None. Output: checked values that borrow the codes.

use ndarray::ArrayView2;
use pyo3::prelude::*;

use crate::boundary::{Borrowed, borrow};
use crate::errors::KernelError;
use crate::kernels::categories::Categories;
use crate::kernels::normal::Known;

/// Arguments that are read, not checked yet.
pub struct Design<'py> {
    pub codes: Option<Borrowed<'py, i32, ndarray::Ix2>>,
    pub sizes: Vec<i64>,
    pub drop: Vec<i64>,
    pub order: Option<Vec<i64>>,
    pub fills: Option<ndarray::Array2<f64>>,
    pub divisors: Option<ndarray::Array2<f64>>,
}

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

impl<'py> Design<'py> {
    /// `categories` is the triple (codes, sizes, drop).
    pub fn read(
        categories: Option<[&Bound<'py, PyAny>; 3]>,
        order: Given<'_, 'py>,
        fills: Given<'_, 'py>,
        divisors: Given<'_, 'py>,
    ) -> PyResult<Self> {
        let whole = |value: &Bound<'py, PyAny>, name| {
            let array = borrow::<i64, ndarray::Ix1>(value, name, "int64")?;
            Ok::<_, PyErr>(array.as_array().to_vec())
        };
        let table = |value: Given<'_, 'py>, name| {
            let read = |value| borrow::<f64, ndarray::Ix2>(value, name, "float64");
            let array = value.map(read).transpose()?;
            Ok::<_, PyErr>(array.map(|array| array.as_array().to_owned()))
        };
        let (codes, sizes, drop) = match categories {
            None => (None, Vec::new(), Vec::new()),
            Some([codes, sizes, drop]) => (
                Some(borrow::<i32, ndarray::Ix2>(codes, "codes", "int32")?),
                whole(sizes, "sizes")?,
                whole(drop, "drop")?,
            ),
        };
        Ok(Self {
            codes,
            sizes,
            drop,
            order: order.map(|order| whole(order, "order")).transpose()?,
            fills: table(fills, "fills")?,
            divisors: table(divisors, "divisors")?,
        })
    }
}

/// Categories of `rows` rows.
pub fn categories<'a>(
    codes: Option<ArrayView2<'a, i32>>,
    sizes: &[i64],
    drop: &[i64],
    rows: usize,
) -> Result<Option<Categories<'a>>, KernelError> {
    let Some(codes) = codes else {
        return Ok(None);
    };
    if codes.nrows() != rows {
        let message = format!("codes has {} rows, but x has {rows}", codes.nrows());
        return Err(KernelError::input("shape_mismatch", message));
    }
    Categories::checked(codes, sizes, drop).map(Some)
}

/// A permutation of `features` numbers.
pub fn order(given: Option<Vec<i64>>, features: usize) -> Result<Option<Vec<usize>>, KernelError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let mut seen = vec![false; features];
    let mut found = Vec::with_capacity(features);
    for place in given {
        match usize::try_from(place)
            .ok()
            .filter(|&p| p < features && !seen[p])
        {
            Some(place) => {
                seen[place] = true;
                found.push(place);
            }
            None => {
                let message = format!("order holds {place} twice, or out of 0 to {features}");
                return Err(KernelError::input("bad_order", message));
            }
        }
    }
    if found.len() != features {
        let message = format!("order has {} entries for {features} features", found.len());
        return Err(KernelError::input("bad_order", message));
    }
    Ok(Some(found))
}

/// Statistics by fold, of (folds, columns) each. `scale` stands for divisors that are not known.
pub fn known(
    fills: Option<ndarray::Array2<f64>>,
    divisors: Option<ndarray::Array2<f64>>,
    scale: bool,
    (folds, columns): (usize, usize),
) -> Result<Vec<Known>, KernelError> {
    let unknown = || ndarray::Array2::from_elem((folds, columns), f64::NAN);
    let divisors = divisors.or_else(|| scale.then(unknown));
    for (name, table) in [("fills", &fills), ("divisors", &divisors)] {
        let Some(table) = table else { continue };
        if table.dim() != (folds, columns) {
            let (rows, found) = table.dim();
            let message = format!("{name} has shape ({rows}, {found}), not ({folds}, {columns})");
            return Err(KernelError::input("shape_mismatch", message));
        }
        let refused = |v: &&f64| v.is_infinite() || (name == "divisors" && **v <= 0.0);
        if let Some(bad) = table.iter().find(refused) {
            let message = format!("{name} holds {bad}");
            return Err(KernelError::input("bad_statistic", message));
        }
    }
    if fills.is_none() && divisors.is_none() {
        return Ok(Vec::new());
    }
    let row = |table: &Option<ndarray::Array2<f64>>, k| table.as_ref().map(|t| t.row(k).to_vec());
    let of = |k| Known {
        fills: row(&fills, k),
        divisors: row(&divisors, k),
    };
    Ok((0..folds).map(of).collect())
}
