//! The members of a linear family as Python gives them.
//!
//! Input: an array of ridge penalties and one of elastic nets. Output: checked parameters.

use ndarray::Array2;
use pyo3::prelude::*;

use crate::boundary::borrow;
use crate::errors::KernelError;
use crate::kernels::descent::Net;

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
