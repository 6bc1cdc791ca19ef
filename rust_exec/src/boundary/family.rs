//! The members of a linear family, and their targets, as Python gives them.
//!
//! Input: an array of ridge penalties and one of elastic nets; one of columns of the target.
//! Output: checked parameters.

use ndarray::Array2;
use pyo3::prelude::*;

use crate::boundary::borrow;
use crate::errors::KernelError;
use crate::kernels::descent::Net;

/// The column of the target of each member, not checked yet; the first of all, if not given.
pub struct Targets(Option<Vec<i64>>);

impl Targets {
    pub fn read(given: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(given) = given else {
            return Ok(Self(None));
        };
        let targets = borrow::<i64, ndarray::Ix1>(given, "targets", "int64")?;
        Ok(Self(Some(targets.as_array().to_vec())))
    }

    /// `columns` is how many targets there are.
    pub fn checked(self, members: usize, columns: usize) -> Result<Vec<usize>, KernelError> {
        let given = self.0.unwrap_or_else(|| vec![0; members]);
        if given.len() != members {
            let found = given.len();
            let message = format!("targets has {found} entries for {members} members");
            return Err(KernelError::input("shape_mismatch", message));
        }
        let checked = given.into_iter().map(|target| {
            let column = usize::try_from(target).ok().filter(|&k| k < columns);
            column.ok_or_else(|| {
                let message = format!("targets holds {target}, but y has {columns} columns");
                KernelError::input("index_out_of_range", message)
            })
        });
        checked.collect()
    }
}

/// Parameters that are read, not checked yet.
pub struct Family {
    alphas: Vec<f64>,
    /// (m, 4): alpha, l1_ratio, tol, max_iter.
    nets: Array2<f64>,
}

impl Family {
    pub fn read(alphas: &Bound<'_, PyAny>, nets: &Bound<'_, PyAny>) -> PyResult<Self> {
        let alphas = borrow::<f64, ndarray::Ix1>(alphas, "alphas", "float64")?;
        let nets = borrow::<f64, ndarray::Ix2>(nets, "nets", "float64")?;
        Ok(Self {
            alphas: alphas.as_array().to_vec(),
            nets: nets.as_array().to_owned(),
        })
    }

    pub fn members(&self) -> usize {
        self.alphas.len() + self.nets.nrows()
    }

    pub fn checked(self) -> Result<(Vec<f64>, Vec<Net>), KernelError> {
        if self.members() == 0 {
            return Err(KernelError::input(
                "no_members",
                "alphas and nets are empty",
            ));
        }
        if let Some(bad) = self.alphas.iter().find(|a| !(a.is_finite() && **a >= 0.0)) {
            let message = format!("alphas must be finite and not negative, got {bad}");
            return Err(KernelError::input("bad_alpha", message));
        }
        if self.nets.ncols() != 4 {
            let found = self.nets.ncols();
            let message = format!("nets must have 4 columns, got {found}");
            return Err(KernelError::input("shape_mismatch", message));
        }
        let rows = self.nets.rows().into_iter();
        let nets = rows.map(|row| Net::checked(row[0], row[1], row[2], row[3]));
        Ok((self.alphas, nets.collect::<Result<_, _>>()?))
    }
}
