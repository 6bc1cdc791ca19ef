use ndarray::Array2;

use super::bins::{Bins, Wanted};
use super::codes::{Order, View};
use super::forest::{Task, Training, forests};
use super::grow::{Shape, grow};
use super::random::Random;
use super::sample::{Sample, Sampling, sample};
use super::values::{Kind, Values};
use super::walk::Asked;
use crate::kernels::workers::Workers;

const EVERY_ROW: Sampling = Sampling {
    draws: None,
    balanced: false,
};

fn shape() -> Shape {
    Shape {
        max_features: 8,
        max_depth: usize::MAX,
        min_samples_split: 2,
        min_samples_leaf: 1,
        min_weight_fraction_leaf: 0.0,
        min_impurity_decrease: 0.0,
        max_leaf_nodes: None,
        random_cuts: false,
    }
}

/// A matrix with duplicate, constant, missing and few values, and targets that depend on it.
fn data(rows: usize) -> (Array2<f64>, Vec<f64>) {
    let mut random = Random::of_tree(3, 5);
    let x = Array2::from_shape_fn((rows, 5), |(row, column)| match column {
        0 | 1 => random.uniform(),
        2 => (row % 3) as f64,
        3 if row % 4 == 0 => f64::NAN,
        3 => random.uniform(),
        _ => 1.0,
    });
    let gap = |value: f64| if value.is_nan() { 2.0 } else { value };
    let y = x.rows().into_iter();
    let y = y.map(|r| 3.0 * r[0] + r[2] + gap(r[3])).collect();
    (x, y)
}

struct Fitted {
    bins: Bins,
    x: Array2<f64>,
}

fn fitted(x: &Array2<f64>) -> Fitted {
    let workers = Workers::new(1).unwrap();
    let rows: Vec<u32> = (0..x.nrows() as u32).collect();
    let wanted = Wanted {
        categorical: &[],
        max_bins: 255,
        order: Order::of(5, 5),
        greatest: f64::INFINITY,
    };
    let bins = Bins::even(x.view(), &rows, wanted, &workers).unwrap();
    let x = x.clone();
    Fitted { bins, x }
}

#[allow(clippy::too_many_arguments)]
fn run(
    found: &Fitted,
    y: &[f64],
    weights: Option<&[f64]>,
    task: Task,
    shape: &Shape,
    sampling: &Sampling,
    asked: (&[u64], &[usize]),
    threads: usize,
) -> Result<Vec<f64>, &'static str> {
    let training = Training {
        bins: &found.bins,
        y,
        weights,
        task,
    };
    let workers = Workers::new(threads).unwrap();
    let rows: Vec<u32> = (0..found.x.nrows() as u32).collect();
    let valid = Asked {
        x: found.x.view(),
        rows: &rows,
    };
    let answer = forests(&training, shape, sampling, asked, valid, &workers);
    answer.map_err(|error| error.code())
}

fn whole_tree(y: &[f64], found: &Fitted, weights: Option<&[f64]>, shape: &Shape) -> Vec<f64> {
    let task = Task::Regression;
    run(found, y, weights, task, shape, &EVERY_ROW, (&[1], &[1]), 1).unwrap()
}

#[test]
fn a_whole_tree_repeats_what_it_was_taught() {
    let (x, y) = data(200);
    let found = fitted(&x);
    for random_cuts in [false, true] {
        let shape = Shape {
            random_cuts,
            ..shape()
        };
        let told = whole_tree(&y, &found, None, &shape);
        let off = told.iter().zip(&y).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-6);
    }
}

#[test]
fn smaller_forests_are_beginnings_and_threads_do_not_matter() {
    let (x, y) = data(300);
    let found = fitted(&x);
    let sampling = Sampling {
        draws: Some(300),
        balanced: false,
    };
    let ask = |sizes: &[usize], threads| {
        let asked: (&[u64], &[usize]) = (&[4, 9], sizes);
        let task = Task::Regression;
        run(&found, &y, None, task, &shape(), &sampling, asked, threads).unwrap()
    };
    let several = ask(&[7, 2], 1);
    assert_eq!(several, ask(&[7, 2], 3));
    assert_eq!(several[300..600], ask(&[2], 1)[..300]);
    assert_eq!(several[600..900], ask(&[7], 2)[300..]);
}

#[test]
fn two_classes_are_the_same_as_three_of_which_one_is_empty() {
    let (x, y) = data(250);
    let y: Vec<f64> = y.iter().map(|&y| f64::from(u8::from(y > 3.0))).collect();
    let found = fitted(&x);
    for entropy in [false, true] {
        let ask = |count| {
            let task = Task::Classes { count, entropy };
            let shape = Shape {
                // Further down, splits tie, and rounding chooses.
                max_depth: 2,
                max_features: 2,
                ..shape()
            };
            run(&found, &y, None, task, &shape, &EVERY_ROW, (&[1], &[4]), 1).unwrap()
        };
        let (two, three) = (ask(2), ask(3));
        for (a, b) in two.chunks(2).zip(three.chunks(3)) {
            assert!((a[0] - b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9 && b[2] == 0.0);
        }
    }
}

#[test]
fn leaves_are_bounded_by_every_limit() {
    let (x, y) = data(400);
    let found = fitted(&x);
    let y_of = |shape: &Shape| whole_tree(&y, &found, None, shape);
    let distinct = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        values.len()
    };
    let depth = Shape {
        max_depth: 3,
        ..shape()
    };
    assert!(distinct(y_of(&depth)) <= 8);
    let counted = Shape {
        max_leaf_nodes: Some(5),
        ..shape()
    };
    assert_eq!(distinct(y_of(&counted)), 5);
    let leaf = Shape {
        min_samples_leaf: 40,
        ..shape()
    };
    assert!(distinct(y_of(&leaf)) <= 10);
    let fraction = Shape {
        min_weight_fraction_leaf: 0.25,
        ..shape()
    };
    assert!(distinct(y_of(&fraction)) <= 4);
    let decrease = Shape {
        min_impurity_decrease: 1e9,
        ..shape()
    };
    assert_eq!(distinct(y_of(&decrease)), 1);
}

#[test]
fn leaves_are_counted_in_rows_not_in_draws() {
    let (x, y) = data(60);
    let found = fitted(&x);
    let drawn = Sample {
        numbers: (0..4).collect(),
        weights: vec![10.0; 4],
    };
    let criterion = Values {
        y: &y,
        centre: 0.0,
        kind: Kind::Squared,
    };
    let shape = Shape {
        min_samples_leaf: 3,
        ..shape()
    };
    let mut random = Random::of_tree(0, 0);
    let read = (&found.bins, View::of(&found.bins));
    let tree = grow(read, &criterion, &shape, drawn, &mut random);
    assert_eq!(tree.leaves(), 1);
}

#[test]
fn rows_without_weight_are_not_there() {
    let (x, y) = data(100);
    let found = fitted(&x);
    let weights: Vec<f64> = (0..100).map(|row| f64::from(u8::from(row >= 50))).collect();
    let mut other = y.clone();
    other[..50].fill(1e6);
    let kept = whole_tree(&other, &found, Some(&weights), &shape());
    assert!(kept.iter().all(|&value| value < 10.0));
}

#[test]
fn samples_are_drawn_by_weight_and_balanced() {
    let mut random = Random::of_tree(1, 1);
    let sampling = Sampling {
        draws: Some(20_000),
        balanced: true,
    };
    let weights = [0.0, 3.0, 1.0];
    let ends = super::sample::cumulated(&weights);
    let classes = ([0.0, 0.0, 1.0].as_slice(), 2);
    let drawn = sample(
        3,
        &sampling,
        Some(&weights),
        Some(&ends),
        classes,
        &mut random,
    );
    assert_eq!(drawn.numbers, vec![1, 2]);
    assert!((drawn.weights[0] - 10_000.0).abs() < 1.0 && (drawn.weights[1] - 10_000.0).abs() < 1.0);
    let plain = Sampling {
        balanced: false,
        ..sampling
    };
    let drawn = sample(3, &plain, Some(&weights), Some(&ends), classes, &mut random);
    assert!((drawn.weights[0] - 15_000.0).abs() < 500.0);
}

#[test]
fn one_row_and_constant_features_make_a_single_leaf() {
    let x = Array2::from_elem((6, 2), 4.0);
    let told = whole_tree(&[1.0, 2.0, 3.0, 4.0, 5.0, 9.0], &fitted(&x), None, &shape());
    assert!(told.iter().all(|&value| (value - 4.0).abs() < 1e-6));
    let x = Array2::from_elem((1, 1), f64::NAN);
    assert_eq!(whole_tree(&[7.0], &fitted(&x), None, &shape()), vec![7.0]);
}

#[test]
fn wrong_arguments_are_input_errors() {
    let (x, y) = data(20);
    let found = fitted(&x);
    let code = |y: &[f64], weights: Option<&[f64]>, task, shape: &Shape, sizes: &[usize]| {
        run(
            &found,
            y,
            weights,
            task,
            shape,
            &EVERY_ROW,
            (&[1], sizes),
            1,
        )
        .unwrap_err()
    };
    let plain = Task::Regression;
    let classes = Task::Classes {
        count: 2,
        entropy: false,
    };
    assert_eq!(code(&y[1..], None, plain, &shape(), &[1]), "shape_mismatch");
    assert_eq!(
        code(&[f64::NAN; 20], None, plain, &shape(), &[1]),
        "bad_target"
    );
    assert_eq!(code(&y, None, classes, &shape(), &[1]), "bad_target");
    assert_eq!(
        code(&y, Some(&[-1.0; 20]), plain, &shape(), &[1]),
        "bad_weights"
    );
    assert_eq!(
        code(&y, Some(&[0.0; 20]), plain, &shape(), &[1]),
        "bad_weights"
    );
    assert_eq!(code(&y, None, plain, &shape(), &[0]), "bad_size");
    let bad = Shape {
        min_samples_leaf: 0,
        ..shape()
    };
    assert_eq!(code(&y, None, plain, &bad, &[1]), "bad_shape");
}
