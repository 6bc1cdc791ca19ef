//! Numeric kernels of Stratum. The kernels are plain Rust; `boundary` is all that knows Python.
#![forbid(unsafe_code)]

#[cfg(feature = "python")]
mod boundary;
pub mod errors;
pub mod kernels;

#[cfg(feature = "python")]
pub use boundary::_native;
