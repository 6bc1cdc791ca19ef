//! One kernel per file. Kernels take array views and give plain Rust values: no Python here.

pub mod answers;
pub mod block;
pub mod boosting;
pub mod categories;
pub mod closed;
pub mod components;
pub mod descent;
pub mod encoding;
pub mod folds;
pub mod imputed;
pub mod linear;
pub mod metrics;
pub mod models;
pub mod moments;
pub mod neighbours;
pub mod nets;
pub mod normal;
pub mod over_folds;
pub mod principal;
pub mod simd;
pub mod spectrum;
pub mod strings;
pub mod trees;
pub mod workers;
