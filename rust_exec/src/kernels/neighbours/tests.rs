use ndarray::{Array1, Array2, Array3, Axis, array};

use super::heap::Heap;
use super::walk::Tree;
use super::{Method, Neighbours, Problem, nearest};
use crate::kernels::workers::Workers;

/// Numbers between -1 and 1 on a grid of `steps`: few steps give ties.
fn table(rows: usize, columns: usize, steps: u64, seed: u64) -> Array2<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array2::from_shape_fn((rows, columns), |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % (2 * steps + 1)) as f64 / steps as f64 - 1.0
    })
}

fn norms(values: &Array2<f64>) -> Vec<f64> {
    let rows = values.rows().into_iter();
    rows.map(|row| row.iter().map(|v| v * v).sum()).collect()
}

fn brute(
    points: &Array2<f64>,
    queries: &Array2<f64>,
    sizes: &[usize],
    threads: usize,
) -> Neighbours {
    let (point_norms, query_norms) = (norms(points), norms(queries));
    let problem = Problem {
        points: points.view(),
        queries: queries.view(),
        sizes,
        method: Method::Brute {
            point_norms: &point_norms,
            query_norms: &query_norms,
            merged: false,
            single: false,
        },
    };
    nearest(&problem, &Workers::new(threads).unwrap())
}

/// A tree of one leaf.
struct Leaf {
    order: Array1<i64>,
    nodes: Array2<i64>,
    bounds: Array3<f64>,
}

impl Leaf {
    fn new(points: &Array2<f64>) -> Self {
        let n = points.nrows() as i64;
        let column = |least: bool| {
            let pick = move |a: f64, b: &f64| if least { a.min(*b) } else { a.max(*b) };
            points.fold_axis(Axis(0), points[(0, 0)], move |a, b| pick(*a, b))
        };
        let bounds = ndarray::stack(Axis(0), &[column(true).view(), column(false).view()]);
        Self {
            order: (0..n).collect(),
            nodes: array![[0, n, 1]],
            bounds: bounds.unwrap().insert_axis(Axis(1)),
        }
    }

    fn tree(&self) -> Tree<'_> {
        Tree {
            order: self.order.view(),
            nodes: self.nodes.view(),
            bounds: self.bounds.view(),
            power: 2.0,
        }
    }
}

/// Distances of each query, ascending, by the plainest arithmetic.
fn plain(points: &Array2<f64>, queries: &Array2<f64>, size: usize) -> Vec<f64> {
    let mut found = Vec::new();
    for query in queries.rows() {
        let gap = |point: ndarray::ArrayView1<f64>| {
            let squares = query.iter().zip(point).map(|(a, b)| (a - b) * (a - b));
            squares.sum::<f64>().sqrt()
        };
        let mut all: Vec<f64> = points.rows().into_iter().map(gap).collect();
        all.sort_by(f64::total_cmp);
        found.extend_from_slice(&all[..size]);
    }
    found
}

#[test]
fn both_methods_find_the_least_distances() {
    for (rows, columns, asked) in [(1, 1, 1), (50, 3, 7), (257, 20, 100), (33, 5, 98)] {
        let points = table(rows, columns, 1 << 40, 1);
        let queries = table(asked, columns, 1 << 40, 2);
        let size = rows.min(9);
        let wanted = plain(&points, &queries, size);
        let leaf = Leaf::new(&points);
        let by_tree = Problem {
            points: points.view(),
            queries: queries.view(),
            sizes: &[size],
            method: Method::Tree(leaf.tree()),
        };
        let by_tree = nearest(&by_tree, &Workers::new(1).unwrap());
        assert_eq!(by_tree.all.distances, wanted);
        let by_brute = brute(&points, &queries, &[size], 1);
        for (found, wanted) in by_brute.all.distances.iter().zip(&wanted) {
            assert!((found - wanted).abs() <= 1e-7, "{found} {wanted}");
        }
    }
}

#[test]
fn ties_are_told_for_the_sizes_that_they_touch() {
    let points = array![[0.0], [3.0], [-3.0], [9.0]];
    let found = brute(&points, &array![[0.0], [8.0]], &[1, 2, 3, 4], 1);
    let touched: Vec<&[i64]> = found.tied.iter().map(|tied| &tied.0[..]).collect();
    assert_eq!(touched, [&[][..], &[0], &[0], &[0]]);
    // The heap keeps the first of two that are as far.
    assert_eq!(found.tied[1].1.points, [0, 1]);
    assert_eq!(found.all.points[4..], [3, 1, 0, 2]);
}

#[test]
fn threads_change_nothing() {
    let (points, queries) = (table(300, 6, 2, 3), table(250, 6, 2, 4));
    let one = brute(&points, &queries, &[1, 5, 40], 1);
    assert_eq!(one, brute(&points, &queries, &[1, 5, 40], 3));
    assert!(one.tied[2].0.len() > 200);
}

#[test]
fn a_heap_keeps_the_least_and_sorts_them() {
    for (count, steps) in [(5, 3), (40, 4), (400, 1 << 30), (400, 2)] {
        let ranks: Vec<f64> = table(count, 1, steps, 5).iter().map(|v| v + 1.0).collect();
        let size = count.min(60);
        let mut heap = Heap::new(size);
        for (point, rank) in ranks.iter().enumerate() {
            heap.push(*rank, point as u32);
        }
        let (found, points) = heap.merged().sorted();
        let mut wanted = ranks.clone();
        wanted.sort_by(f64::total_cmp);
        assert_eq!(found, wanted[..size]);
        assert!(
            points
                .iter()
                .zip(&found)
                .all(|(p, rank)| ranks[*p as usize] == *rank)
        );
    }
}

#[test]
fn a_walk_that_would_leave_the_arrays_is_refused() {
    let leaf = Leaf::new(&table(4, 2, 9, 6));
    assert!(leaf.tree().is_sound(4, 2));
    assert!(!leaf.tree().is_sound(5, 2) && !leaf.tree().is_sound(4, 3));
    for (place, bad) in [((0, 0), -1), ((0, 1), 5), ((0, 2), 0)] {
        let mut nodes = leaf.nodes.clone();
        nodes[place] = bad;
        let tree = Tree {
            nodes: nodes.view(),
            ..leaf.tree()
        };
        assert!(!tree.is_sound(4, 2), "{place:?}");
    }
    for bad in [-1, 4, i64::MAX] {
        let order = array![0, 1, 2, bad];
        let tree = Tree {
            order: order.view(),
            ..leaf.tree()
        };
        assert!(!tree.is_sound(4, 2));
    }
}
