//! The neighbours that scikit-learn chooses among points of equal rank, and their order.
//!
//! Which of them stay depends on the shape of its heap, and their order on its sort: both are
//! followed step by step (sklearn.utils `_heap.pyx`, `_sorting.pyx` of 1.9).

use super::best::clamped;
use super::panels::Taker;

/// A max-heap of fixed size, full of infinite ranks at first.
pub struct Heap {
    found: Vec<(f64, u32)>,
}

impl Heap {
    pub fn new(size: usize) -> Self {
        Self {
            found: vec![(f64::INFINITY, 0); size],
        }
    }

    #[inline]
    pub fn largest(&self) -> f64 {
        self.found[0].0
    }

    /// Puts a point in the place of the farthest, if it is nearer.
    #[inline]
    pub fn push(&mut self, rank: f64, point: u32) {
        let found = &mut self.found[..];
        if rank >= found[0].0 {
            return;
        }
        let mut hole = 0;
        loop {
            let left = 2 * hole + 1;
            // The right one only if it is farther: a sum, since which it is cannot be foreseen.
            let next = match found.get(left..left + 2) {
                Some(pair) => left + usize::from(pair[1].0 > pair[0].0),
                None if left < found.len() => left,
                None => break,
            };
            if rank >= found[next].0 {
                break;
            }
            found[hole] = found[next];
            hole = next;
        }
        found[hole] = (rank, point);
    }

    /// What is left when all of it is pushed into another heap, in the order of the array.
    pub fn merged(self) -> Self {
        let mut other = Self::new(self.found.len());
        for (rank, point) in &self.found {
            other.push(*rank, *point);
        }
        other
    }

    /// Ranks ascending, with their points.
    pub fn sorted(self) -> (Vec<f64>, Vec<u32>) {
        let (mut ranks, mut points): (Vec<f64>, Vec<u32>) = self.found.into_iter().unzip();
        let depth = 2 * ranks.len().max(1).ilog2() as usize;
        introsort(&mut ranks, &mut points, depth);
        (ranks, points)
    }
}

/// Offers a point to heaps of ascending sizes that are offered the same points.
pub fn offer(heaps: &mut [Heap], rank: f64, point: u32) {
    for heap in heaps.iter_mut().rev() {
        if rank >= heap.largest() {
            break; // nor do the smaller ones let it in
        }
        heap.push(rank, point);
    }
}

/// Heaps of ascending sizes for several queries, filled in the order of the points: brute force.
pub struct Heaps {
    pub rows: Vec<Vec<Heap>>,
    pub points: usize,
}

impl Taker<f64> for Heaps {
    /// The largest heap lets the most in.
    fn limit(&self, query: usize) -> f64 {
        self.rows[query]
            .last()
            .map_or(f64::NEG_INFINITY, Heap::largest)
    }

    #[inline(never)]
    fn take(&mut self, query: usize, first: usize, ranks: &[f64]) {
        let heaps = &mut self.rows[query][..];
        let mut limit = heaps.last().map_or(f64::NEG_INFINITY, Heap::largest);
        for (lane, rank) in ranks.iter().enumerate() {
            if *rank < limit && first + lane < self.points {
                let rank = clamped(*rank);
                offer(heaps, rank, (first + lane) as u32);
                limit = heaps.last().map_or(f64::NEG_INFINITY, Heap::largest);
            }
        }
    }
}

const SMALL: usize = 15;

fn introsort(mut ranks: &mut [f64], mut points: &mut [u32], mut depth: usize) {
    while ranks.len() > SMALL {
        if depth == 0 {
            heapsort(ranks, points);
            return;
        }
        depth -= 1;
        let pivot = partition(ranks, points);
        let (left, right) = ranks.split_at_mut(pivot);
        let (left_points, right_points) = points.split_at_mut(pivot);
        introsort(left, left_points, depth);
        ranks = &mut right[1..];
        points = &mut right_points[1..];
    }
    insertion_sort(ranks, points);
}

/// Parts around the median of three, and gives the place of that.
fn partition(ranks: &mut [f64], points: &mut [u32]) -> usize {
    let (n, middle) = (ranks.len(), ranks.len() / 2);
    let mut swap = |ranks: &mut [f64], i: usize, j: usize| {
        ranks.swap(i, j);
        points.swap(i, j);
    };
    if ranks[0] > ranks[n - 1] {
        swap(ranks, 0, n - 1);
    }
    if ranks[n - 1] > ranks[middle] {
        swap(ranks, n - 1, middle);
        if ranks[0] > ranks[n - 1] {
            swap(ranks, 0, n - 1);
        }
    }
    let pivot = ranks[n - 1];
    let (mut i, mut j) = (1, n - 2);
    loop {
        while i <= j && ranks[i] < pivot {
            i += 1;
        }
        while i <= j && ranks[j] > pivot {
            j -= 1;
        }
        if i >= j {
            break;
        }
        swap(ranks, i, j);
        i += 1;
        j -= 1;
    }
    swap(ranks, i, n - 1);
    i
}

fn insertion_sort(ranks: &mut [f64], points: &mut [u32]) {
    for i in 1..ranks.len() {
        let (rank, point) = (ranks[i], points[i]);
        let mut j = i;
        while j > 0 && ranks[j - 1] > rank {
            ranks[j] = ranks[j - 1];
            points[j] = points[j - 1];
            j -= 1;
        }
        ranks[j] = rank;
        points[j] = point;
    }
}

fn heapsort(ranks: &mut [f64], points: &mut [u32]) {
    let n = ranks.len();
    for start in (0..=(n - 2) / 2).rev() {
        sift_down(ranks, points, start, n);
    }
    for end in (1..n).rev() {
        ranks.swap(0, end);
        points.swap(0, end);
        sift_down(ranks, points, 0, end);
    }
}

fn sift_down(ranks: &mut [f64], points: &mut [u32], start: usize, end: usize) {
    let mut root = start;
    loop {
        let child = 2 * root + 1;
        let mut greatest = root;
        if child < end && ranks[greatest] < ranks[child] {
            greatest = child;
        }
        if child + 1 < end && ranks[greatest] < ranks[child + 1] {
            greatest = child + 1;
        }
        if greatest == root {
            return;
        }
        ranks.swap(root, greatest);
        points.swap(root, greatest);
        root = greatest;
    }
}
