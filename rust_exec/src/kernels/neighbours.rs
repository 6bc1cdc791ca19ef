//! The nearest points of many queries, for several numbers of neighbours from one pass.
//!
//! Input: points and queries (float64). Output: distances and positions as scikit-learn's search
//! gives them for each number, ties included, to the last bit. A pass over panels of points keeps
//! the nearest of each query; the few queries where equal ranks leave a choice are gone through
//! again as scikit-learn goes through them.

pub mod best;
pub mod heap;
pub mod panels;
pub mod walk;

use ndarray::ArrayView2;

use self::best::{Best, Bests};
use self::heap::{Heap, Heaps};
use self::panels::{Arithmetic, Panels, Taker};
use self::walk::Tree;
use super::workers::Workers;

/// Which search of scikit-learn is followed.
#[derive(Clone, Copy)]
pub enum Method<'a> {
    /// Brute force on squared norms of points and queries. With `merged`, ranks pass through a
    /// second heap at the end, as they do for few queries; with `single`, distances are rounded
    /// as they are for float32 data.
    Brute {
        point_norms: &'a [f64],
        query_norms: &'a [f64],
        merged: bool,
        single: bool,
    },
    Tree(Tree<'a>),
}

/// Queries and points, and the numbers of neighbours that are asked for: ascending, at most as
/// many as there are points.
pub struct Problem<'a> {
    pub points: ArrayView2<'a, f64>,
    pub queries: ArrayView2<'a, f64>,
    pub sizes: &'a [usize],
    pub method: Method<'a>,
}

/// Neighbours of some queries, row by row.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Lists {
    pub distances: Vec<f64>,
    pub points: Vec<i64>,
}

/// Neighbours of all queries: the beginnings of `all`, but for the queries in `tied`.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Neighbours {
    /// (queries, largest size)
    pub all: Lists,
    /// For each size: queries for which ties matter, and their lists.
    pub tied: Vec<(Vec<i64>, Lists)>,
}

/// Queries per piece of work: their state stays in the cache beside a panel.
const BLOCK: usize = 96;
/// Queries with ties whose ranks are held at a time.
const TIED: usize = 6;

pub fn nearest(problem: &Problem, workers: &Workers) -> Neighbours {
    let (norms, arithmetic) = match problem.method {
        Method::Brute { point_norms, .. } => (point_norms, Arithmetic::Expanded),
        Method::Tree(_) => (&[][..], Arithmetic::Differences),
    };
    let panels = Panels::new(problem.points, norms, arithmetic);
    let queries = problem.queries.nrows();
    let blocks = workers.map(queries.div_ceil(BLOCK), |block| {
        let start = block * BLOCK;
        let rows: Vec<usize> = (start..(start + BLOCK).min(queries)).collect();
        problem.block(&panels, &rows)
    });
    let mut found = Neighbours {
        tied: vec![Default::default(); problem.sizes.len()],
        ..Default::default()
    };
    for block in blocks {
        found.all.append(block.all);
        for (whole, part) in found.tied.iter_mut().zip(block.tied) {
            whole.0.extend(part.0);
            whole.1.append(part.1);
        }
    }
    found
}

impl Lists {
    fn append(&mut self, other: Self) {
        self.distances.extend(other.distances);
        self.points.extend(other.points);
    }
}

impl Problem<'_> {
    fn query_norms(&self) -> &[f64] {
        match self.method {
            Method::Brute { query_norms, .. } => query_norms,
            Method::Tree(_) => &[],
        }
    }

    fn distance(&self, rank: f64) -> f64 {
        match self.method {
            Method::Brute { single: true, .. } => f64::from((rank as f32).sqrt()),
            _ => rank.sqrt(),
        }
    }

    fn put(&self, row: usize, heap: Heap, into: &mut (Vec<i64>, Lists)) {
        let (ranks, points) = heap.sorted();
        into.0.push(row as i64);
        let distances = ranks.iter().map(|rank| self.distance(*rank));
        into.1.distances.extend(distances);
        into.1
            .points
            .extend(points.iter().map(|point| i64::from(*point)));
    }

    fn block(&self, panels: &Panels, rows: &[usize]) -> Neighbours {
        let largest = self.sizes.last().copied().unwrap_or(0);
        let (kept, near) = match self.method {
            Method::Brute { .. } => (largest, 0.0),
            // A bound of a node is as inexact as a rank; which is greater may be chance where
            // the last neighbour and the next are this near.
            Method::Tree(_) => {
                let near = 64.0 * (self.points.ncols() + 8) as f64 * f64::EPSILON;
                ((largest + 1).min(panels.rows()), near)
            }
        };
        let mut bests = Bests {
            rows: rows.iter().map(|_| Best::new(kept)).collect(),
            points: panels.rows(),
        };
        panels.sweep(self.queries, rows, self.query_norms(), &mut bests);
        let mut found = Neighbours {
            tied: vec![Default::default(); self.sizes.len()],
            ..Default::default()
        };
        let mut tied: Vec<(usize, usize)> = Vec::new();
        for (row, best) in rows.iter().zip(bests.rows) {
            let (list, sure) = best.finish(near);
            for (rank, point) in list.into_iter().take(largest) {
                found
                    .all
                    .distances
                    .push(self.distance(f64::from_bits(rank)));
                found.all.points.push(i64::from(point));
            }
            if sure < largest {
                tied.push((*row, sure));
            }
        }
        match self.method {
            Method::Brute { merged, .. } => self.follow(panels, &tied, merged, &mut found),
            Method::Tree(tree) => {
                for part in tied.chunks(TIED) {
                    self.follow_tree(panels, part, tree, &mut found);
                }
            }
        }
        found
    }

    /// Goes through all points as brute force does, for queries with ties: (row, neighbours that
    /// are sure).
    fn follow(
        &self,
        panels: &Panels,
        tied: &[(usize, usize)],
        merged: bool,
        found: &mut Neighbours,
    ) {
        let rows: Vec<usize> = tied.iter().map(|(row, _)| *row).collect();
        let heaps = |(_, sure): &(usize, usize)| self.heaps(*sure);
        let mut heaps = Heaps {
            rows: tied.iter().map(heaps).collect(),
            points: panels.rows(),
        };
        panels.sweep(self.queries, &rows, self.query_norms(), &mut heaps);
        for (row, heaps) in rows.iter().zip(heaps.rows) {
            let first = self.sizes.len() - heaps.len();
            for (heap, into) in heaps.into_iter().zip(&mut found.tied[first..]) {
                let heap = if merged { heap.merged() } else { heap };
                self.put(*row, heap, into);
            }
        }
    }

    /// As `follow`, in the order of the tree.
    fn follow_tree(
        &self,
        panels: &Panels,
        tied: &[(usize, usize)],
        tree: Tree,
        found: &mut Neighbours,
    ) {
        let rows: Vec<usize> = tied.iter().map(|(row, _)| *row).collect();
        let mut ranks = Ranks {
            width: panels.padded(),
            values: vec![0.0; rows.len() * panels.padded()],
        };
        panels.sweep(self.queries, &rows, self.query_norms(), &mut ranks);
        for (position, (row, sure)) in tied.iter().enumerate() {
            let ranks = &ranks.values[position * ranks.width..][..panels.rows()];
            let mut least = vec![f64::NAN; tree.nodes.nrows()];
            let heaps = self.heaps(*sure);
            let first = self.sizes.len() - heaps.len();
            for (mut heap, into) in heaps.into_iter().zip(&mut found.tied[first..]) {
                tree.walk(self.queries.row(*row), ranks, &mut least, &mut heap);
                self.put(*row, heap, into);
            }
        }
    }

    /// Empty heaps of the sizes for which ties matter.
    fn heaps(&self, sure: usize) -> Vec<Heap> {
        let sizes = self.sizes.iter().filter(|size| **size > sure);
        sizes.map(|size| Heap::new(*size)).collect()
    }
}

/// All ranks of a few queries.
struct Ranks {
    width: usize,
    values: Vec<f64>,
}

impl Taker for Ranks {
    fn limit(&self, _: usize) -> f64 {
        f64::INFINITY
    }

    fn take(&mut self, query: usize, first: usize, ranks: &[f64]) {
        let start = query * self.width + first;
        self.values[start..start + ranks.len()].copy_from_slice(ranks);
    }
}

#[cfg(test)]
mod tests;
