//! Reproducible random numbers: xorshift64*, one stream per tree.

pub struct Random(u64);

impl Random {
    /// The stream of a tree: its number counts from 0.
    pub fn of_tree(seed: u64, tree: u64) -> Self {
        // The finaliser of splitmix64 makes unlike streams of neighbouring numbers.
        let mut state = seed
            .wrapping_mul(0xD134_2543_DE82_EF95)
            .wrapping_add(tree.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((state ^ (state >> 31)) | 1)
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// One of `0..count`; 0 if there is none.
    #[inline]
    pub fn below(&mut self, count: usize) -> usize {
        (((self.next() >> 32) * count as u64) >> 32) as usize
    }

    /// In [0, 1).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
