//! Which rows of a sparse matrix are equal, to the last bit and in the order of their entries.

use std::hash::{BuildHasher, RandomState};

use crate::errors::KernelError;

/// A sparse matrix in compressed rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    indptr: &'a [i32],
    indices: &'a [i32],
    values: &'a [u8],
    width: usize,
}

impl<'a> Rows<'a> {
    /// `values` are the bytes of the entries, `width` of them each.
    pub fn new(
        indptr: &'a [i32],
        indices: &'a [i32],
        values: &'a [u8],
        width: usize,
    ) -> Result<Self, KernelError> {
        let ascending = indptr.windows(2).all(|pair| pair[0] <= pair[1]);
        let end = indptr.last().and_then(|&end| usize::try_from(end).ok());
        let sized = values.len() == indices.len().saturating_mul(width);
        if indptr.first() != Some(&0) || !ascending || end != Some(indices.len()) || !sized {
            let message = "indptr does not lead from 0 to the number of values";
            return Err(KernelError::input("bad_sparse_matrix", message));
        }
        Ok(Self {
            indptr,
            indices,
            values,
            width,
        })
    }

    fn row(&self, row: usize) -> (&'a [i32], &'a [u8]) {
        let (start, end) = (self.indptr[row] as usize, self.indptr[row + 1] as usize);
        let values = &self.values[start * self.width..end * self.width];
        (&self.indices[start..end], values)
    }

    /// For each row the number of its equals, in order of first appearance, and the row of each
    /// number's first. None where there are more than `most` numbers.
    pub fn equal(&self, most: usize) -> Option<(Vec<i64>, Vec<i64>)> {
        let n = self.indptr.len() - 1;
        let seed = RandomState::new().hash_one(0_u8);
        let mut slots: Vec<(u32, u32)> = vec![(0, 0); 1024];
        let mut hashes: Vec<u64> = Vec::new();
        let mut firsts: Vec<i64> = Vec::new();
        let mut codes = Vec::with_capacity(n);
        for row in 0..n {
            let entries = self.row(row);
            let hash = hashed(seed, entries);
            let tag = (hash >> 32) as u32;
            let mut slot = hash as usize & (slots.len() - 1);
            let code = loop {
                let (found, number) = slots[slot];
                if number == 0 {
                    break None;
                }
                let code = number as usize - 1;
                if found == tag && self.row(firsts[code] as usize) == entries {
                    break Some(code);
                }
                slot = (slot + 1) & (slots.len() - 1);
            };
            if let Some(code) = code {
                codes.push(code as i64);
                continue;
            }
            if firsts.len() >= most {
                return None;
            }
            codes.push(firsts.len() as i64);
            firsts.push(row as i64);
            hashes.push(hash);
            slots[slot] = (tag, firsts.len() as u32);
            if 2 * firsts.len() > slots.len() {
                slots = rehashed(&hashes, 2 * slots.len());
            }
        }
        Some((codes, firsts))
    }
}

fn rehashed(hashes: &[u64], size: usize) -> Vec<(u32, u32)> {
    let mut slots = vec![(0, 0); size];
    for (code, &hash) in hashes.iter().enumerate() {
        let mut slot = hash as usize & (size - 1);
        while slots[slot].1 != 0 {
            slot = (slot + 1) & (size - 1);
        }
        slots[slot] = ((hash >> 32) as u32, code as u32 + 1);
    }
    slots
}

fn hashed(seed: u64, (columns, values): (&[i32], &[u8])) -> u64 {
    let mut state = seed;
    for &column in columns {
        state = mixed(state ^ u64::from(column as u32));
    }
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        state = mixed(state ^ u64::from_le_bytes(*eight));
    }
    let mut last = [0_u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    mixed(state ^ u64::from_le_bytes(last))
}

fn mixed(value: u64) -> u64 {
    let product = u128::from(value ^ 0x9E37_79B9_7F4A_7C15) * 0xA3B1_9535_4A39_B70D;
    (product as u64) ^ ((product >> 64) as u64)
}
