//! Trees on binned features: what forests and boosting share.
//!
//! Features are cut into at most 255 bins once per training set, one byte per value; every tree
//! of every configuration then works on the bytes. This makes a tree's score equal to the
//! library's in distribution, not in value.

pub mod bins;
pub mod classes;
pub mod codes;
pub mod criterion;
pub mod encode;
pub mod forest;
#[cfg(test)]
mod forest_tests;
pub mod grow;
pub mod histogram;
pub mod random;
pub mod sample;
pub mod scan;
pub mod split;
#[cfg(test)]
mod tests;
pub mod values;
pub mod walk;
