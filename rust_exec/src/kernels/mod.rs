//! One kernel per file. Kernels take array views and give plain Rust values: no Python here.

pub mod block;
pub mod folds;
pub mod imputed;
pub mod models;
pub mod moments;
pub mod normal;
pub mod ridge;
pub mod workers;
