//! A table of terms: each distinct string of bytes gets the next number.

use std::hash::{BuildHasher, RandomState};

/// Open addressing with linear probing. A slot holds part of the hash beside the number (from 1),
/// so that terms are compared only where they are very likely equal.
#[derive(Debug)]
pub struct TermTable {
    slots: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    offsets: Vec<i64>,
    // Unknown to whoever writes the texts: no text can make all terms collide on purpose.
    seed: u64,
}

const FIRST_SLOTS: usize = 1024;

impl Default for TermTable {
    fn default() -> Self {
        Self::new()
    }
}

impl TermTable {
    pub fn new() -> Self {
        Self {
            slots: vec![(0, 0); FIRST_SLOTS],
            bytes: Vec::new(),
            offsets: vec![0],
            seed: RandomState::new().hash_one(0_u8),
        }
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn term(&self, id: usize) -> &[u8] {
        &self.bytes[self.offsets[id] as usize..self.offsets[id + 1] as usize]
    }

    /// The terms one after the other, and where each begins and the last ends.
    pub fn into_parts(self) -> (Vec<u8>, Vec<i64>) {
        (self.bytes, self.offsets)
    }

    /// The number of `term`, the next one if it is new. There are less than 2^31 terms.
    pub fn intern(&mut self, term: &[u8]) -> i32 {
        let hash = self.hash(term);
        let (slot, known) = self.probe(term, hash);
        if let Some(id) = known {
            return id;
        }
        let id = self.len();
        self.bytes.extend_from_slice(term);
        self.offsets.push(self.bytes.len() as i64);
        self.slots[slot] = (tag(hash), id as u32 + 1);
        if 2 * self.len() > self.slots.len() {
            self.grow();
        }
        id as i32
    }

    pub fn find(&self, term: &[u8]) -> Option<i32> {
        self.probe(term, self.hash(term)).1
    }

    /// The slot of a term, or where it would be put.
    fn probe(&self, term: &[u8], hash: u64) -> (usize, Option<i32>) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let (found, number) = self.slots[slot];
            if number == 0 {
                return (slot, None);
            }
            if found == tag(hash) && self.term(number as usize - 1) == term {
                return (slot, Some(number as i32 - 1));
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = 2 * self.slots.len();
        let mut slots = vec![(0, 0); size];
        for id in 0..self.len() {
            let hash = self.hash(self.term(id));
            let mut slot = hash as usize & (size - 1);
            while slots[slot].1 != 0 {
                slot = (slot + 1) & (size - 1);
            }
            slots[slot] = (tag(hash), id as u32 + 1);
        }
        self.slots = slots;
    }

    fn hash(&self, term: &[u8]) -> u64 {
        let mut state = self.seed ^ (term.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (eights, rest) = term.as_chunks::<8>();
        for eight in eights {
            state = folded(state ^ u64::from_le_bytes(*eight));
        }
        let mut last = [0_u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        folded(state ^ u64::from_le_bytes(last))
    }
}

/// A product of 128 bits, its halves joined: every bit of the input reaches every bit.
fn folded(value: u64) -> u64 {
    let product = u128::from(value).wrapping_mul(0xD6E8_FEB8_6659_FD93_A3B1_9535_4A39_B70D);
    (product as u64) ^ ((product >> 64) as u64)
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}
