//! The nearest points of many queries, for several numbers of neighbours from one pass.
//!
//! Input: points and queries (float64). Output: distances and positions as scikit-learn's search
//! gives them for each number, ties included, to the last bit; or what models answer from them,
//! without the lists of all queries ever being there. Blocks of queries (`block`) pass over all
//! points, of which panels are copied (`panels`).

pub mod best;
mod block;
pub mod exact;
pub mod frame;
pub mod heap;
mod near;
pub mod panels;
mod real;
pub mod votes;
pub mod walk;

use ndarray::ArrayView2;

use self::block::{Reader, Search};
use self::votes::{Member, Target, Voter};
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
#[derive(Clone, Copy)]
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

/// The lists of all queries.
pub fn nearest(problem: &Problem, workers: &Workers) -> Neighbours {
    let search = Search::new(problem);
    let (queries, size) = (problem.queries.nrows(), search.block_rows(workers.count()));
    let empty = || vec![Default::default(); problem.sizes.len()];
    let blocks = workers.map(queries.div_ceil(size), |block| {
        let rows: Vec<usize> = (block * size..((block + 1) * size).min(queries)).collect();
        let mut kept = Kept {
            lists: vec![None; rows.len()],
            tied: empty(),
            first: rows[0],
        };
        search.block(&rows, &mut kept);
        kept
    });
    let mut found = Neighbours {
        tied: empty(),
        ..Default::default()
    };
    for block in blocks {
        for (distances, points) in block.lists.into_iter().flatten() {
            found.all.append(&distances, &points);
        }
        for (whole, part) in found.tied.iter_mut().zip(block.tied) {
            whole.0.extend(part.0);
            whole.1.distances.extend(part.1.distances);
            whole.1.points.extend(part.1.points);
        }
    }
    found
}

impl Lists {
    fn append(&mut self, distances: &[f64], points: &[u32]) {
        self.distances.extend_from_slice(distances);
        self.points
            .extend(points.iter().map(|point| i64::from(*point)));
    }
}

struct Kept {
    lists: Vec<Option<(Vec<f64>, Vec<u32>)>>,
    tied: Vec<(Vec<i64>, Lists)>,
    first: usize,
}

impl Reader for Kept {
    fn sure(&mut self, position: usize, distances: &[f64], points: &[u32]) {
        self.lists[position] = Some((distances.to_vec(), points.to_vec()));
    }

    fn tied(&mut self, position: usize, size: usize, distances: &[f64], points: &[u32]) {
        self.tied[size].0.push((self.first + position) as i64);
        self.tied[size].1.append(distances, points);
    }
}

/// What `members` answer to each query: (queries, members, width of the target).
pub fn answers(
    problem: &Problem,
    members: &[Member],
    target: Target,
    workers: &Workers,
) -> Vec<f64> {
    let search = Search::new(problem);
    let size = search.block_rows(workers.count());
    let stride = members.len() * target.width();
    let mut answers = vec![0.0; problem.queries.nrows() * stride];
    workers.each_chunk(&mut answers, size * stride, |block, answers| {
        let first = block * size;
        let rows: Vec<usize> = (first..first + answers.len() / stride).collect();
        let mut asked = Answers {
            sizes: problem.sizes,
            members,
            width: target.width(),
            voter: Voter::new(target),
            answers,
        };
        search.block(&rows, &mut asked);
    });
    answers
}

struct Answers<'a> {
    sizes: &'a [usize],
    members: &'a [Member],
    width: usize,
    voter: Voter<'a>,
    answers: &'a mut [f64],
}

impl Answers<'_> {
    fn of(&mut self, position: usize, member: usize, distances: &[f64], points: &[u32]) {
        let start = (position * self.members.len() + member) * self.width;
        let into = &mut self.answers[start..start + self.width];
        let weighted = self.members[member].weighted;
        self.voter.answer(distances, points, weighted, into);
    }
}

impl Reader for Answers<'_> {
    fn sure(&mut self, position: usize, distances: &[f64], points: &[u32]) {
        for member in 0..self.members.len() {
            let size = self.sizes[self.members[member].size];
            if size <= distances.len() {
                self.of(position, member, &distances[..size], &points[..size]);
            }
        }
    }

    fn tied(&mut self, position: usize, size: usize, distances: &[f64], points: &[u32]) {
        for member in 0..self.members.len() {
            if self.members[member].size == size {
                self.of(position, member, distances, points);
            }
        }
    }
}

#[cfg(test)]
mod tests;
