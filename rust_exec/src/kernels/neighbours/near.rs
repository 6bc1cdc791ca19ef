//! Points that may be among the nearest of a query, by ranks in single precision.

use super::frame::Frame;
use super::panels::Taker;
use crate::kernels::simd;

/// What a query keeps of a sweep.
#[derive(Default)]
pub struct Near {
    /// Norm of the query within the frame.
    norm: f64,
    limit: f32,
    /// Points within the limit as it was when they came, in the order of the sweep.
    points: Vec<(f32, u32)>,
    /// The least ranks, and those since they were told.
    ranks: Vec<f32>,
}

/// The points of several queries that may be among the `size` nearest.
pub struct Nears<'a> {
    pub frame: &'a Frame,
    pub size: usize,
    /// Points in all.
    pub points: usize,
    /// Whether to keep all points that came within the limit; else those within it in the end.
    pub whole: bool,
    /// Most points that a query may keep.
    pub most: usize,
    pub queries: Vec<Near>,
}

impl Near {
    pub fn new(norm: f64) -> Self {
        Self {
            norm,
            limit: f32::INFINITY,
            points: Vec::new(),
            ranks: Vec::new(),
        }
    }

    /// Whether single precision tells too little of the points.
    pub fn is_lost(&self) -> bool {
        self.limit == f32::NEG_INFINITY
    }

    /// All that came within the limit.
    pub fn came(&self) -> impl Iterator<Item = u32> {
        self.points.iter().map(|found| found.1)
    }

    /// Points that may be among the nearest, or tied with the last.
    pub fn nearest(&self) -> impl Iterator<Item = u32> {
        let within = self.points.iter().filter(|found| found.0 <= self.limit);
        within.map(|found| found.1)
    }
}

/// Ranks that are gathered before the least of them are told.
fn room(size: usize) -> usize {
    size + size / 2 + 16
}

impl Nears<'_> {
    fn cut(&mut self, query: usize) {
        let near = &mut self.queries[query];
        if near.ranks.len() >= self.size {
            let (_, last, _) = near
                .ranks
                .select_nth_unstable_by(self.size - 1, f32::total_cmp);
            near.limit = self.frame.limit(near.norm, *last);
            near.ranks.truncate(self.size);
        }
        if !self.whole {
            let limit = near.limit;
            near.points.retain(|found| found.0 <= limit);
        }
        if near.points.len() > self.most {
            *near = Near {
                limit: f32::NEG_INFINITY,
                ..Near::new(near.norm)
            };
        }
    }

    /// To be called after the sweep.
    pub fn finish(&mut self) {
        for query in 0..self.queries.len() {
            if !self.queries[query].is_lost() {
                self.cut(query);
            }
        }
    }
}

impl Taker<f32> for Nears<'_> {
    fn limit(&self, query: usize) -> f32 {
        self.queries[query].limit
    }

    #[inline(never)]
    fn take(&mut self, query: usize, first: usize, ranks: &[f32]) {
        let room = room(self.size);
        let near = &mut self.queries[query];
        for lane in lanes(ranks, near.limit) {
            if first + lane < self.points {
                near.points.push((ranks[lane], (first + lane) as u32));
                near.ranks.push(ranks[lane]);
            }
        }
        if near.ranks.len() >= room {
            self.cut(query);
        }
    }
}

/// Places of the points within a limit for each query, none for a query where there are more than
/// `most` of them.
pub struct Within {
    pub limits: Vec<f32>,
    pub places: Vec<Vec<u32>>,
    pub points: usize,
    pub most: usize,
}

impl Taker<f32> for Within {
    fn limit(&self, query: usize) -> f32 {
        self.limits[query]
    }

    #[inline(never)]
    fn take(&mut self, query: usize, first: usize, ranks: &[f32]) {
        let (limit, places) = (&mut self.limits[query], &mut self.places[query]);
        for lane in lanes(ranks, *limit) {
            if first + lane < self.points {
                places.push((first + lane) as u32);
            }
        }
        if places.len() > self.most {
            *limit = f32::NEG_INFINITY;
            *places = Vec::new();
        }
    }
}

/// Lanes of a vector of ranks that are within the limit, of which there are few.
#[inline(always)]
fn lanes(ranks: &[f32], limit: f32) -> impl Iterator<Item = usize> {
    let mut bits = simd::dispatch(
        #[inline(always)]
        || {
            let mut bits = 0_u32;
            for (lane, rank) in ranks.iter().enumerate() {
                bits |= u32::from(*rank <= limit) << lane;
            }
            bits
        },
    );
    std::iter::from_fn(move || {
        let lane = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (lane < u32::BITS).then_some(lane as usize)
    })
}
