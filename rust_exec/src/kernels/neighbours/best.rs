//! The nearest points of a query so far, from a stream of ranks.

use super::panels::Taker;

/// A point and its rank. Ranks are not negative, so that their bits are ordered as they are.
type Found = (u64, u32);

/// Keeps the `size` least ranks, and notices whether the last of them was tied.
pub struct Best {
    size: usize,
    /// No rank above it is among the nearest.
    limit: f64,
    /// The limit at which a point with the same rank was left out last.
    tie: f64,
    found: Vec<Found>,
}

impl Best {
    pub fn new(size: usize) -> Self {
        Self {
            size,
            limit: f64::INFINITY,
            tie: f64::NAN,
            found: Vec::with_capacity(capacity(size)),
        }
    }

    fn offer(&mut self, rank: f64, point: usize) {
        let rank = clamped(rank);
        if rank < self.limit {
            self.found.push((rank.to_bits(), point as u32));
            if self.found.len() == capacity(self.size) {
                self.cut();
            }
        } else if rank == self.limit {
            self.tie = rank;
        }
    }

    /// Leaves the `size` nearest, if there are more.
    fn cut(&mut self) {
        if self.found.len() < self.size {
            return;
        }
        let (_, limit, rest) = self.found.select_nth_unstable(self.size - 1);
        let bits = limit.0;
        if rest.iter().any(|found| found.0 == bits) {
            self.tie = f64::from_bits(bits);
        }
        self.limit = f64::from_bits(bits);
        self.found.truncate(self.size);
    }

    /// The nearest points, ascending by rank and then by position; and how many of the first of
    /// them are sure not to depend on how ties are broken. Ranks that differ by no more than
    /// the part `near` of themselves count as tied.
    pub fn finish(mut self, near: f64) -> (Vec<Found>, usize) {
        self.cut();
        self.found.sort_unstable();
        let close = |pair: &[Found]| {
            let (one, two) = (f64::from_bits(pair[0].0), f64::from_bits(pair[1].0));
            two - one <= near * two
        };
        let inner = self.found.windows(2).position(close);
        let outer = (self.tie == self.limit).then(|| self.found.len().saturating_sub(1));
        let sure = inner.or(outer).unwrap_or(self.found.len());
        (self.found, sure)
    }
}

fn capacity(size: usize) -> usize {
    size + size / 2 + 16
}

/// scikit-learn's guard against what cancellation may leave.
pub fn clamped(rank: f64) -> f64 {
    if rank > 0.0 { rank } else { 0.0 }
}

/// The nearest points of several queries.
pub struct Bests {
    pub rows: Vec<Best>,
    pub points: usize,
}

impl Taker<f64> for Bests {
    fn limit(&self, query: usize) -> f64 {
        self.rows[query].limit
    }

    #[inline(never)]
    fn take(&mut self, query: usize, first: usize, ranks: &[f64]) {
        let best = &mut self.rows[query];
        for (lane, rank) in ranks.iter().enumerate() {
            if *rank <= best.limit && first + lane < self.points {
                best.offer(*rank, first + lane);
            }
        }
    }
}
