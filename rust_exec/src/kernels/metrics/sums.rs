//! Sums in NumPy's order, so that means have the library's bits.
//!
//! NumPy's `add.reduce` halves a run (at a multiple of eight) until it has at most 128 terms, and
//! sums those in eight interleaved parts. The parts are what vector instructions work on; the
//! order is part of the definition, so every instruction set gives the same bits.

const BLOCK: usize = 128;

/// Where the blocks of a run of `n` terms begin and end.
pub struct Order {
    n: usize,
    blocks: Vec<(usize, usize)>,
}

impl Order {
    pub fn new(n: usize) -> Self {
        let mut blocks = Vec::with_capacity(n / (BLOCK / 2) + 1);
        split(0, n, &mut blocks);
        Self { n, blocks }
    }

    /// The sum of `term(a[i], b[i])` over all rows.
    #[inline(always)]
    pub fn sum(&self, a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
        // A plain loop: what iterators call would not be compiled for the instruction set that
        // this is inlined into.
        let mut parts = Vec::with_capacity(self.blocks.len());
        for &(start, end) in &self.blocks {
            parts.push(block(&a[start..end], &b[start..end], &term));
        }
        combine(self.n, &mut parts.into_iter())
    }
}

fn half(n: usize) -> usize {
    n / 2 - (n / 2) % 8
}

fn split(start: usize, n: usize, blocks: &mut Vec<(usize, usize)>) {
    if n <= BLOCK {
        blocks.push((start, start + n));
    } else {
        split(start, half(n), blocks);
        split(start + half(n), n - half(n), blocks);
    }
}

fn combine(n: usize, parts: &mut impl Iterator<Item = f64>) -> f64 {
    if n <= BLOCK {
        return parts.next().unwrap_or(0.0);
    }
    let left = combine(half(n), parts);
    left + combine(n - half(n), parts)
}

#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "indices of one length are unrolled"
)]
fn block(a: &[f64], b: &[f64], term: &impl Fn(f64, f64) -> f64) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut total = 0.0;
    if !a.is_empty() && a.len() == b.len() {
        let mut r = [0.0; 8];
        for j in 0..8 {
            r[j] = term(a[0][j], b[0][j]);
        }
        for k in 1..a.len() {
            for j in 0..8 {
                r[j] += term(a[k][j], b[k][j]);
            }
        }
        total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    }
    for (x, y) in a_rest.iter().zip(b_rest) {
        total += term(*x, *y);
    }
    total
}
