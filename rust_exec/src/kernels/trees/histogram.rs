//! Sums of class weights by bin, and which bins have any.

/// One cell per code, the missing one last.
pub const CELLS: usize = 256;

/// Weights of `K` classes and numbers of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSums {
    pub classes: usize,
    /// Cell by cell: the weight of class `c` at code `b` is `weights[b * classes + c]`.
    pub weights: Vec<f64>,
    pub rows: Box<[u32; CELLS]>,
    pub filled: Filled,
}

impl ClassSums {
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            weights: vec![0.0; CELLS * classes],
            rows: Box::new([0; CELLS]),
            filled: Filled::default(),
        }
    }

    /// Adds rows by their codes; `members` are their classes and weights.
    pub fn add(&mut self, codes: impl Iterator<Item = u8>, members: &[(u32, f32)]) {
        for (code, &(class, weight)) in codes.zip(members) {
            self.weights[code as usize * self.classes + class as usize] += f64::from(weight);
            self.rows[code as usize] += 1;
            self.filled.insert(code);
        }
    }

    /// Weights of the classes at a code.
    pub fn cell(&self, code: u8) -> &[f64] {
        let from = code as usize * self.classes;
        &self.weights[from..from + self.classes]
    }

    pub fn clear(&mut self) {
        for code in self.filled.codes() {
            let from = code as usize * self.classes;
            self.weights[from..from + self.classes].fill(0.0);
            self.rows[code as usize] = 0;
        }
        self.filled = Filled::default();
    }
}

/// The codes that occur, so that a node of few rows is scanned and cleared in as few steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled([u64; 4]);

impl Filled {
    /// Of codes that are marked with 1, the others with 0.
    #[inline(always)]
    pub fn of(seen: &[u8; CELLS]) -> Self {
        let mut words = [0; 4];
        for (at, eight) in seen.as_chunks::<8>().0.iter().enumerate() {
            // The product brings the eight low bits together in the highest byte.
            let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            words[at / 8] |= bits << (at % 8 * 8);
        }
        Self(words)
    }

    #[inline]
    pub fn insert(&mut self, code: u8) {
        self.0[(code >> 6) as usize] |= 1 << (code & 63);
    }

    #[inline]
    pub fn contains(&self, code: u8) -> bool {
        self.0[(code >> 6) as usize] >> (code & 63) & 1 == 1
    }

    #[inline(always)]
    pub fn without(mut self, code: u8) -> Self {
        self.0[(code >> 6) as usize] &= !(1 << (code & 63));
        self
    }

    pub fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Calls for each, ascending.
    #[inline(always)]
    pub fn each(self, mut call: impl FnMut(u8)) {
        for (word, mut bits) in self.0.into_iter().enumerate() {
            while bits != 0 {
                call((word as u32 * 64 + bits.trailing_zeros()) as u8);
                bits &= bits - 1;
            }
        }
    }

    /// Ascending.
    #[inline]
    pub fn codes(self) -> impl Iterator<Item = u8> {
        self.0.into_iter().enumerate().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros();
                (bits != 0).then(|| {
                    bits &= bits - 1;
                    (word as u32 * 64 + bit) as u8
                })
            })
        })
    }
}
