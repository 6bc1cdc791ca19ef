//! Terms hashed to columns, as scikit-learn's FeatureHasher does with MurmurHash3.

use super::analyzer::{Analyzer, Scratch};
use super::texts::Texts;

/// Signed counts in compressed sparse rows, the columns of a row ascending. Counts that cancel
/// out stay as zeros.
#[derive(Debug, Default, PartialEq)]
pub struct Hashed {
    pub indptr: Vec<i64>,
    pub indices: Vec<i32>,
    pub values: Vec<f64>,
}

pub fn hash_terms(
    texts: &Texts<'_>,
    analyzer: &Analyzer<'_>,
    columns: i32,
    alternate_sign: bool,
) -> Hashed {
    let mut hashed = Hashed::default();
    let mut scratch = Scratch::default();
    let mut row: Vec<(i32, f64)> = Vec::new();
    hashed.indptr.push(0);
    for place in 0..texts.len() {
        row.clear();
        analyzer.terms(texts.get(place), &mut scratch, |term| {
            let hash = murmur3(term) as i32;
            let column = (hash.unsigned_abs() % columns as u32) as i32;
            let sign = if alternate_sign && hash < 0 {
                -1.0
            } else {
                1.0
            };
            row.push((column, sign));
        });
        row.sort_unstable_by_key(|entry| entry.0);
        let start = hashed.indices.len();
        for &(column, sign) in &row {
            match hashed.indices.last() {
                Some(&last) if last == column && hashed.indices.len() > start => {
                    if let Some(value) = hashed.values.last_mut() {
                        *value += sign;
                    }
                }
                _ => {
                    hashed.indices.push(column);
                    hashed.values.push(sign);
                }
            }
        }
        hashed.indptr.push(hashed.indices.len() as i64);
    }
    hashed
}

/// MurmurHash3 (x86, 32 bits, seed 0) by Austin Appleby.
pub fn murmur3(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mixed = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (fours, rest) = bytes.as_chunks::<4>();
    let mut hash = 0_u32;
    for four in fours {
        hash ^= mixed(u32::from_le_bytes(*four));
        hash = hash
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        let mut last = [0_u8; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash ^= mixed(u32::from_le_bytes(last));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}
