//! Ranks of chosen points, to the library's last bit.

use super::panels::{Arithmetic, Points};
use crate::kernels::simd;

/// Points that are worked on at a time.
const LANES: usize = 8;

/// A query's values, its squared norm, and room to work in.
pub struct Query {
    pub values: Vec<f64>,
    pub norm: f64,
    room: Vec<f64>,
}

impl Query {
    pub fn new(values: Vec<f64>, norm: f64) -> Self {
        Self {
            values,
            norm,
            room: Vec::new(),
        }
    }

    /// Calls `take` with each of the chosen points and its rank, in their order.
    pub fn ranks(
        &mut self,
        points: &Points,
        chosen: impl Iterator<Item = u32>,
        mut take: impl FnMut(u32, f64),
    ) {
        let mut chosen = chosen.peekable();
        while chosen.peek().is_some() {
            let (mut rows, mut count) = ([0; LANES], 0);
            for (place, row) in rows.iter_mut().zip(chosen.by_ref()) {
                *place = row;
                count += 1;
            }
            let ranks = simd::dispatch(
                #[inline(always)]
                || self.some(points, &rows[..count]),
            );
            for (row, rank) in rows[..count].iter().zip(ranks) {
                take(*row, rank);
            }
        }
    }

    #[inline(always)]
    fn some(&mut self, points: &Points, rows: &[u32]) -> [f64; LANES] {
        let features = self.values.len();
        let row = |lane: usize| rows[lane.min(rows.len() - 1)] as usize;
        let mut sums = if points.values.row(row(0)).to_slice().is_some() {
            let values = |lane| points.values.row(row(lane)).to_slice().unwrap_or(&[]);
            sums(&self.values, std::array::from_fn(values), points.arithmetic)
        } else {
            self.room.clear();
            for lane in 0..LANES {
                self.room.extend(points.values.row(row(lane)));
            }
            let values = |lane| &self.room[lane * features..(lane + 1) * features];
            sums(&self.values, std::array::from_fn(values), points.arithmetic)
        };
        if points.arithmetic == Arithmetic::Expanded {
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = (self.norm + -2.0 * *sum) + points.norms[*row as usize];
            }
        }
        sums
    }
}

/// Products or sums of squares of a query and some points.
#[inline(always)]
fn sums(query: &[f64], points: [&[f64]; LANES], arithmetic: Arithmetic) -> [f64; LANES] {
    let features = query.len();
    let points = points.map(|point| &point[..features]);
    let mut sums = [0.0; LANES];
    match arithmetic {
        Arithmetic::Expanded => {
            for feature in 0..features {
                for lane in 0..LANES {
                    sums[lane] = query[feature].mul_add(points[lane][feature], sums[lane]);
                }
            }
        }
        Arithmetic::Differences => {
            for feature in 0..features {
                for lane in 0..LANES {
                    let gap = query[feature] - points[lane][feature];
                    sums[lane] += gap * gap;
                }
            }
        }
    }
    sums
}
