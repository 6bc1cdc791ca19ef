//! Draws of rows and features. Input: a seed. Output: ascending numbers without repetition.

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x6a09_e667_f3bc_c909)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The numbers below `of`, in two parts: each is in the first with a probability of `share`,
    /// on its own, as LightGBM and XGBoost draw rows.
    pub fn part(&mut self, of: usize, share: f64) -> (Vec<u32>, Vec<u32>) {
        // Of 2^64; a share of one is not asked.
        let limit = (share * 2f64.powi(64)) as u64;
        (0..of as u32).partition(|_| self.next() < limit)
    }

    /// `wanted` of the numbers below `of`, each choice as likely (selection sampling).
    pub fn choose(&mut self, of: usize, wanted: usize) -> Vec<u32> {
        let mut chosen = Vec::with_capacity(wanted.min(of));
        for number in 0..of {
            let left = wanted - chosen.len().min(wanted);
            if left == 0 {
                break;
            }
            // The upper half of the product is uniform below the number of candidates.
            let drawn = (u128::from(self.next()) * (of - number) as u128) >> 64;
            if drawn < left as u128 {
                chosen.push(number as u32);
            }
        }
        chosen
    }
}
