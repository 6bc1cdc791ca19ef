//! The search of a block of queries.
//!
//! A pass in single precision leaves the points that may be among the nearest, and of these the
//! ranks of the library are computed. Where single precision tells too little, a pass in double
//! precision does. The queries where equal ranks leave a choice are gone through as scikit-learn
//! goes through them: brute force through the points that came near in the order of the pass, a
//! tree along its nodes.

use super::best::{Best, Bests, clamped};
use super::exact::Query;
use super::frame::Frame;
use super::heap::{Heap, Heaps, offer};
use super::near::{Near, Nears, Within};
use super::panels::{Arithmetic, Asked, Points};
use super::walk::{Boxes, Tree, Walk};
use super::{Method, Problem};

/// Takes what was found, in any order of the queries of a block.
pub trait Reader {
    /// The list of a query. Sizes that ties matter to follow: they are not to be read from it.
    fn sure(&mut self, position: usize, distances: &[f64], points: &[u32]);

    /// The list of a query for one size, by its place among the sizes, where ties matter.
    fn tied(&mut self, position: usize, size: usize, distances: &[f64], points: &[u32]);
}

/// Most queries of a block: enough for the copying of panels to be little beside their use.
const ROWS: usize = 192;
/// Bytes that the points which came near may take for a block, as a rule.
const ROOM: f64 = 1e6;
/// Features above which single precision is not tried: its errors grow with their number.
const FEATURES: usize = 10_000;

pub struct Search<'a> {
    problem: Problem<'a>,
    points: Points<'a>,
    query_norms: &'a [f64],
    frame: Option<Frame>,
    /// Points to be found of each query.
    kept: usize,
    /// Ranks that differ by no more than this part of themselves count as tied.
    near: f64,
    /// Points that come near in a pass over points in no order.
    expected: f64,
}

/// Ranks as bits, which are ordered as ranks are, and points; and how many of the first are sure
/// not to depend on how ties are broken.
type Found = (Vec<(u64, u32)>, usize);

impl<'a> Search<'a> {
    pub fn new(problem: &Problem<'a>) -> Self {
        let (n, features) = problem.points.dim();
        let largest = problem.sizes.last().copied().unwrap_or(0);
        let (arithmetic, kept, near) = match problem.method {
            Method::Brute { .. } => (Arithmetic::Expanded, largest, 0.0),
            // A bound of a node is as inexact as a rank; which is greater may be chance where
            // the last neighbour and the next are this near.
            Method::Tree(_) => {
                let near = 64.0 * (features + 8) as f64 * f64::EPSILON;
                (Arithmetic::Differences, (largest + 1).min(n), near)
            }
        };
        let (norms, query_norms) = match problem.method {
            Method::Brute {
                point_norms,
                query_norms,
                ..
            } => (point_norms, query_norms),
            Method::Tree(_) => (&[][..], &[][..]),
        };
        let most = greatest(problem.points.iter()).max(greatest(problem.queries.iter()));
        let frame = (features <= FEATURES).then(|| Frame::new(problem.points, most, arithmetic));
        Self {
            problem: *problem,
            points: Points {
                values: problem.points,
                norms,
                arithmetic,
                order: None,
            },
            query_norms,
            frame,
            kept,
            near,
            expected: kept as f64 * (1.0 + (n as f64 / kept.max(1) as f64).ln()),
        }
    }

    /// Queries per block.
    pub fn block_rows(&self, threads: usize) -> usize {
        let queries = self.problem.queries.nrows();
        let room = (ROOM / (12.0 * self.expected)) as usize;
        let blocks = queries.div_ceil(room.clamp(12, ROWS));
        queries
            .div_ceil(blocks.next_multiple_of(threads))
            .next_multiple_of(12)
    }

    fn asked<'b>(&self, rows: &'b [usize]) -> Asked<'b>
    where
        'a: 'b,
    {
        Asked {
            values: self.problem.queries,
            norms: self.query_norms,
            rows,
        }
    }

    fn query(&self, row: usize) -> Query {
        let norm = self.query_norms.get(row).copied().unwrap_or(0.0);
        Query::new(self.problem.queries.row(row).to_vec(), norm)
    }

    /// Finds the neighbours of these rows of the queries.
    pub fn block(&self, rows: &[usize], reader: &mut impl Reader) {
        let mut nears = self.nears(rows);
        let lost = |position: &usize| nears.get(*position).is_none_or(Near::is_lost);
        let lost: Vec<usize> = (0..rows.len()).filter(lost).collect();
        let mut plainly = self.plainly(rows, &lost).into_iter();
        let largest = self.problem.sizes.last().copied().unwrap_or(0);
        let (mut again, mut walks) = (Vec::new(), Vec::new());
        let mut list = List::default();
        for (position, row) in rows.iter().enumerate() {
            let near = nears.get_mut(position).map(std::mem::take);
            let near = near.filter(|near| !near.is_lost());
            let mut query = self.query(*row);
            let found = match &near {
                Some(near) => Some(self.chosen(near, &mut query)),
                None => plainly.next(),
            };
            let Some((found, sure)) = found else {
                continue;
            };
            list.fill(
                found[..largest]
                    .iter()
                    .map(|found| (self.distance(f64::from_bits(found.0)), found.1)),
            );
            reader.sure(position, &list.distances, &list.points);
            if sure >= largest {
                continue;
            }
            match (self.problem.method, near) {
                (Method::Brute { merged, .. }, Some(near)) => {
                    let mut heaps = self.heaps(sure);
                    query.ranks(&self.points, near.came(), |point, rank| {
                        offer(&mut heaps, clamped(rank), point);
                    });
                    self.put(position, heaps, merged, reader);
                }
                (Method::Brute { .. }, None) => again.push((position, sure)),
                (Method::Tree(_), _) => {
                    let last = f64::from_bits(found[largest - 1].0);
                    walks.push((position, sure, last));
                }
            }
        }
        match self.problem.method {
            Method::Brute { merged, .. } => self.follow(rows, &again, merged, reader),
            Method::Tree(tree) => self.walk(rows, &walks, tree, reader),
        }
    }

    /// What came near to each row; nothing if single precision is of no use.
    fn nears(&self, rows: &[usize]) -> Vec<Near> {
        let Some(frame) = &self.frame else {
            return Vec::new();
        };
        let near = |row: &usize| Near::new(frame.norm(self.problem.queries.row(*row)));
        let mut nears = Nears {
            frame,
            size: self.kept,
            points: self.points.rows(),
            whole: matches!(self.problem.method, Method::Brute { .. }),
            most: (4.0 * self.expected) as usize + 256,
            queries: rows.iter().map(near).collect(),
        };
        self.points.sweep_near(self.asked(rows), frame, &mut nears);
        nears.finish();
        nears.queries
    }

    /// The nearest of the points that came near.
    fn chosen(&self, near: &Near, query: &mut Query) -> Found {
        let mut found = Vec::with_capacity(self.kept + 16);
        query.ranks(&self.points, near.nearest(), |point, rank| {
            found.push((clamped(rank).to_bits(), point));
        });
        found.sort_unstable();
        let close = |pair: &[(u64, u32)]| {
            let (one, two) = (f64::from_bits(pair[0].0), f64::from_bits(pair[1].0));
            two - one <= self.near * two
        };
        found.truncate(self.kept + 1);
        let sure = found.windows(2).position(close).unwrap_or(self.kept);
        (found, sure)
    }

    /// The nearest of the rows at these positions, by ranks in double precision.
    fn plainly(&self, rows: &[usize], positions: &[usize]) -> Vec<Found> {
        let rows: Vec<usize> = positions.iter().map(|position| rows[*position]).collect();
        let mut bests = Bests {
            rows: rows.iter().map(|_| Best::new(self.kept)).collect(),
            points: self.points.rows(),
        };
        if !rows.is_empty() {
            self.points.sweep(self.asked(&rows), &mut bests);
        }
        let bests = bests.rows.into_iter();
        bests.map(|best| best.finish(self.near)).collect()
    }

    /// Goes through all points as brute force does, for queries with ties: (position, neighbours
    /// that are sure).
    fn follow(
        &self,
        rows: &[usize],
        tied: &[(usize, usize)],
        merged: bool,
        reader: &mut impl Reader,
    ) {
        if tied.is_empty() {
            return;
        }
        let rows: Vec<usize> = tied.iter().map(|(position, _)| rows[*position]).collect();
        let mut heaps = Heaps {
            rows: tied.iter().map(|(_, sure)| self.heaps(*sure)).collect(),
            points: self.points.rows(),
        };
        self.points.sweep(self.asked(&rows), &mut heaps);
        for ((position, _), heaps) in tied.iter().zip(heaps.rows) {
            self.put(*position, heaps, merged, reader);
        }
    }

    /// Walks the tree for queries with ties: (position, neighbours that are sure, last rank).
    fn walk(
        &self,
        rows: &[usize],
        tied: &[(usize, usize, f64)],
        tree: Tree,
        reader: &mut impl Reader,
    ) {
        if tied.is_empty() {
            return;
        }
        // In p features there are at most e^4 times as many points this far away; few nodes are
        // come to before the farthest neighbour so far is nearer.
        let wide = 1.0 + 8.0 / self.problem.points.ncols().max(4) as f64;
        let rows: Vec<usize> = tied.iter().map(|tied| rows[tied.0]).collect();
        let mut within = Within {
            limits: vec![f32::NEG_INFINITY; rows.len()],
            places: vec![Vec::new(); rows.len()],
            points: self.points.rows(),
            most: 24 * self.kept + 64,
        };
        if let Some(frame) = &self.frame {
            for ((limit, row), (_, _, last)) in within.limits.iter_mut().zip(&rows).zip(tied) {
                let norm = frame.norm(self.problem.queries.row(*row));
                *limit = frame.within(norm, wide * last);
            }
            let points = Points {
                order: Some(tree.order),
                ..self.points
            };
            points.sweep_near(self.asked(&rows), frame, &mut within);
        }
        let boxes = Boxes::new(tree.bounds);
        for (position, (at, sure, last)) in tied.iter().enumerate() {
            let mut query = self.query(rows[position]);
            let places = &within.places[position];
            let mut known = Vec::with_capacity(places.len());
            let points = places
                .iter()
                .map(|place| tree.order[*place as usize] as u32);
            query.ranks(&self.points, points, |_, rank| known.push((0, rank)));
            for (known, place) in known.iter_mut().zip(places) {
                known.0 = *place;
            }
            let mut heaps = self.heaps(*sure);
            let walk = Walk {
                tree,
                points: &self.points,
                query: &mut query,
                known: &known,
                reach: if within.limits[position] == f32::NEG_INFINITY {
                    f64::NEG_INFINITY
                } else {
                    wide * last
                },
                heaps: &mut heaps,
                boxes: &boxes,
                last: (usize::MAX, 0.0),
                present: Vec::new(),
            };
            walk.run();
            self.put(*at, heaps, false, reader);
        }
    }

    fn distance(&self, rank: f64) -> f64 {
        match self.problem.method {
            Method::Brute { single: true, .. } => f64::from((rank as f32).sqrt()),
            _ => rank.sqrt(),
        }
    }

    fn put(&self, position: usize, heaps: Vec<Heap>, merged: bool, reader: &mut impl Reader) {
        let first = self.problem.sizes.len() - heaps.len();
        for (size, heap) in heaps.into_iter().enumerate() {
            let heap = if merged { heap.merged() } else { heap };
            let (mut ranks, points) = heap.sorted();
            for rank in &mut ranks {
                *rank = self.distance(*rank);
            }
            reader.tied(position, first + size, &ranks, &points);
        }
    }

    /// Empty heaps of the sizes for which ties matter.
    fn heaps(&self, sure: usize) -> Vec<Heap> {
        let sizes = self.problem.sizes.iter().filter(|size| **size > sure);
        sizes.map(|size| Heap::new(*size)).collect()
    }
}

#[derive(Default)]
struct List {
    distances: Vec<f64>,
    points: Vec<u32>,
}

impl List {
    fn fill(&mut self, found: impl Iterator<Item = (f64, u32)>) {
        self.distances.clear();
        self.points.clear();
        for (distance, point) in found {
            self.distances.push(distance);
            self.points.push(point);
        }
    }
}

/// The greatest absolute value.
fn greatest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.fold(0.0, |most, value| value.abs().max(most))
}
