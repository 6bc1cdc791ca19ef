//! What a kernel can answer instead of a result.
//!
//! [`KernelError`] is a fault of the call (or of the kernel); [`Declined`] is not a fault: the
//! kernel cannot promise its accuracy for this fold, and the caller runs the reference library.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A call that cannot be answered at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelError {
    /// The caller's arguments are wrong. `code` is a stable `snake_case` name.
    Input { code: &'static str, message: String },
    /// The kernel broke one of its own promises.
    Internal { message: String },
}

impl KernelError {
    pub fn input(code: &'static str, message: impl Into<String>) -> Self {
        Self::Input {
            code,
            message: message.into(),
        }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal {
            message: message.into(),
        }
    }

    /// Stable name of the fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input { code, .. } => code,
            Self::Internal { .. } => "kernel_internal",
        }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { message, .. } | Self::Internal { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for KernelError {}

/// Why a fold was left to the reference library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// Rounding in the normal equations could move the score by more than promised.
    IllConditioned,
    /// As above, with no more training rows than features; or so many features that the
    /// reference's dual solver is the cheaper algorithm.
    FewerRowsThanFeatures,
    /// A NaN (without imputation), an infinity, or an overflow in the second moments.
    NonFinite,
    /// A feature without any value in the training rows: mean imputation would drop it.
    EmptyColumn,
    /// A feature whose variance cannot safely be told from zero, or an exactly constant one
    /// without a penalty.
    ConstantColumn,
    /// Least squares on features that are linearly dependent, or so nearly that the reference
    /// library leaves some of them out.
    RankDeficient,
    /// A test of an iterative solver came out so close that rounding could decide it.
    Borderline,
    /// The second moments would not fit in a reasonable amount of memory.
    TooManyFeatures,
    /// More components are asked for than there are rows or features.
    TooManyComponents,
    /// The reference library would decompose by random projections.
    RandomisedSolver,
    /// The last component that is kept and the first that is not are (nearly) equally long, so
    /// that rounding could exchange them.
    SmallGap,
}

impl Declined {
    /// Stable name of the reason, as Python callers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IllConditioned => "ill_conditioned",
            Self::FewerRowsThanFeatures => "fewer_rows_than_features",
            Self::NonFinite => "non_finite",
            Self::EmptyColumn => "empty_column",
            Self::ConstantColumn => "constant_column",
            Self::RankDeficient => "rank_deficient",
            Self::Borderline => "borderline",
            Self::TooManyFeatures => "too_many_features",
            Self::TooManyComponents => "too_many_components",
            Self::RandomisedSolver => "randomised_solver",
            Self::SmallGap => "small_gap",
        }
    }

    /// Whether moments with less rounding could lead to an answer.
    pub fn is_rounding(self) -> bool {
        !matches!(
            self,
            Self::NonFinite | Self::TooManyComponents | Self::RandomisedSolver
        )
    }
}

/// Runs a kernel; a panic becomes an internal error.
pub fn guarded<T>(kernel: impl FnOnce() -> Result<T, KernelError>) -> Result<T, KernelError> {
    // What a panicking kernel leaves half done is its own: it borrows its inputs read-only.
    catch_unwind(AssertUnwindSafe(kernel)).unwrap_or_else(|payload| Err(panicked(&*payload)))
}

fn panicked(payload: &(dyn Any + Send)) -> KernelError {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    KernelError::internal(format!("the kernel panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_internal_error() {
        let error = guarded::<()>(|| panic!("row {}", 3)).unwrap_err();
        assert_eq!(error, KernelError::internal("the kernel panicked: row 3"));
        assert_eq!(error.code(), "kernel_internal");
    }
}
