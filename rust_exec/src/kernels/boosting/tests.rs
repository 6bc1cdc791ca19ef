use ndarray::{Array2, ArrayView2};

use super::Prepared;
use super::cuts::{cut, most_bins};
use super::histogram::Packing;
use super::losses::{Targets, initial, quantile};
use super::options::{Categories, Library, Loss, Options};
use super::sample::Random;
use super::split::Rules;
use super::tree::Split;
use crate::kernels::trees::bins::Bins;
use crate::kernels::workers::Workers;

fn workers(threads: usize) -> Workers {
    Workers::new(threads).unwrap()
}

/// Reproducible values between -1 and 1.
fn noise(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut state = seed.wrapping_add(11);
    Array2::from_shape_fn((rows, columns), |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 30) as f64 - 1.0
    })
}

fn target(x: ArrayView2<f64>) -> Vec<f64> {
    let value = |row: ndarray::ArrayView1<f64>| 3.0 * row[0] + (5.0 * row[1]).sin() * row[2];
    x.rows().into_iter().map(value).collect()
}

fn prepared(x: ArrayView2<f64>, derived: &[Vec<u32>], detect: bool) -> Prepared {
    let rows: Vec<u32> = (0..x.nrows() as u32).collect();
    let bins = Bins::fit(x, &rows, &[], 255, &workers(1)).unwrap();
    let codes = bins.codes.clone();
    Prepared::new(bins, codes, derived, detect).unwrap()
}

fn fit(data: &Prepared, y: &[f64], options: &Options, threads: usize) -> Vec<f64> {
    let targets = Targets { y, weights: None };
    data.boost(targets, options, &workers(threads)).unwrap()
}

fn squared(y: &[f64], scores: &[f64]) -> f64 {
    y.iter().zip(scores).map(|(a, b)| (a - b).powi(2)).sum()
}

#[test]
fn every_round_lowers_the_squared_loss_of_the_training_rows() {
    let x = noise(900, 5, 1);
    let y = target(x.view());
    let options = Options {
        stages: (1..=30).collect(),
        ..Options::default()
    };
    let scores = fit(&prepared(x.view(), &[], true), &y, &options, 1);
    let losses: Vec<f64> = scores.chunks(900).map(|s| squared(&y, s)).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]));
    assert!(losses[29] < 0.2 * losses[0]);
}

#[test]
fn threads_tiles_and_combinations_do_not_change_a_bit() {
    // More rows than are worth threads, and columns of which most derive from two codes.
    let (n, codes, other) = (20_000, noise(20_000, 2, 2), noise(20_000, 40, 9));
    let x = Array2::from_shape_fn((n, 40), |(row, column)| {
        let code = (codes[[row, column % 2]] * 90.0).floor();
        match column {
            0..36 => (code * (column as f64 + 0.7)).sin(),
            _ => other[[row, column]],
        }
    });
    let y: Vec<f64> = (0..n)
        .map(|row| x[[row, 3]] + x[[row, 37]] + x[[row, 4]])
        .collect();
    let options = Options {
        stages: vec![3, 6],
        row_share: 0.8,
        column_share: 0.7,
        ..Options::default()
    };
    let plain = fit(&prepared(x.view(), &[], false), &y, &options, 1);
    let groups = vec![
        (0..36).step_by(2).collect::<Vec<u32>>(),
        (1..36).step_by(2).collect(),
    ];
    let given = prepared(x.view(), &groups, false);
    assert_eq!(given.combinations(), vec![180, 180]);
    assert_eq!(fit(&given, &y, &options, 1), plain);
    assert_eq!(fit(&given, &y, &options, 3), plain);
    let columns: Vec<usize> = (0..36)
        .step_by(2)
        .chain((1..36).step_by(2))
        .chain(36..40)
        .collect();
    let sorted = x.select(ndarray::Axis(1), &columns);
    assert_eq!(
        prepared(sorted.view(), &[], true).combinations(),
        vec![180, 180]
    );
}

#[test]
fn sums_of_packed_derivatives_are_those_of_the_rows() {
    let first: Vec<f32> = noise(5000, 1, 3).iter().map(|v| (v * 7.0) as f32).collect();
    let second: Vec<f32> = noise(5000, 1, 4).iter().map(|v| v.abs() as f32).collect();
    for second in [second, Vec::new()] {
        let packing = Packing::of(&first, &second, None).unwrap();
        let mut packed = vec![0; 5000];
        packing.pack(&first, &second, &mut packed);
        for part in [0..1, 0..10, 100..5000, 0..5000] {
            let sum = packed[part.clone()]
                .iter()
                .fold(0i64, |a, b| a.wrapping_add(*b));
            let (g, h) = packing.unpack(sum);
            let wanted: f64 = first[part.clone()].iter().map(|v| f64::from(*v)).sum();
            let counted = part.len() as f64;
            let parts = second.get(part);
            let other = parts.map_or(counted, |h| h.iter().map(|v| f64::from(*v)).sum());
            assert!((g - wanted).abs() < 1e-5 * counted.sqrt(), "{g} {wanted}");
            assert!((h - other).abs() < 1e-5 * counted.sqrt(), "{h} {other}");
        }
    }
    assert!(Packing::of(&[f32::NAN], &[], None).is_none());
    assert!(Packing::of(&[f32::INFINITY], &[1.0], None).is_none());
}

#[test]
fn one_row_and_constants_give_the_mean() {
    let x = Array2::zeros((1, 2));
    let scores = fit(
        &prepared(x.view(), &[], true),
        &[4.0],
        &Options::default(),
        1,
    );
    assert_eq!(scores, vec![4.0]);
    let x = Array2::from_elem((50, 3), f64::NAN);
    let y: Vec<f64> = (0..50).map(f64::from).collect();
    let scores = fit(&prepared(x.view(), &[], true), &y, &Options::default(), 1);
    assert!(scores.iter().all(|s| *s == 24.5));
    let constant = fit(
        &prepared(noise(50, 3, 5).view(), &[], true),
        &[0.1; 50],
        &Options::default(),
        1,
    );
    assert!(constant.iter().all(|s| (s - 0.1).abs() < 1e-12));
}

#[test]
fn missing_values_are_split_off_on_either_side() {
    for side in [-1.0, 1.0] {
        let x = Array2::from_shape_fn((200, 1), |(row, _)| match row % 4 {
            0 => f64::NAN,
            other => other as f64,
        });
        let y: Vec<f64> = x
            .iter()
            .map(|v| if v.is_nan() { 3.0 * side } else { *v })
            .collect();
        let options = Options {
            stages: vec![1],
            learning_rate: 1.0,
            leaf_rows: 1,
            ..Options::default()
        };
        let scores = fit(&prepared(x.view(), &[], true), &y, &options, 1);
        assert!(squared(&y, &scores) < 1e-9);
    }
}

#[test]
fn few_places_for_histograms_give_the_same_tree() {
    // Depth alone limits these trees, so that their histograms outgrow what is kept.
    let x = noise(2500, 300, 6);
    let y = target(x.view());
    let options = Options {
        stages: vec![1],
        leaves: 1 << 10,
        leaf_rows: 1,
        ..Options::default()
    };
    let scores = fit(&prepared(x.view(), &[], false), &y, &options, 1);
    let leaves: std::collections::BTreeSet<u64> = scores.iter().map(|s| s.to_bits()).collect();
    assert!(leaves.len() > 700);
}

#[test]
fn partition_keeps_the_order_of_both_sides() {
    let split = Split {
        feature: 0,
        threshold: 4,
        codes: None,
        missing_left: true,
        left: -1,
        right: -2,
    };
    let column = [9, 4, 255, 5, 0];
    let (mut rows, mut spare) = ([0, 1, 2, 3, 4], [0; 5]);
    assert_eq!(split.partition(&column, &mut rows, &mut spare), 3);
    assert_eq!(rows, [1, 2, 4, 0, 3]);
}

#[test]
fn draws_are_ascending_and_as_many_as_asked() {
    let mut random = Random::new(1);
    for (of, wanted) in [(10, 10), (10, 1), (1000, 333), (1, 1), (5, 0)] {
        let drawn = random.choose(of, wanted);
        assert_eq!(drawn.len(), wanted);
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(drawn.iter().all(|&row| (row as usize) < of));
    }
    let mut counts = [0; 4];
    (0..4000).for_each(|_| {
        random
            .choose(4, 2)
            .iter()
            .for_each(|&v| counts[v as usize] += 1)
    });
    assert!(
        counts.iter().all(|&n| (1900..2100).contains(&n)),
        "{counts:?}"
    );
}

#[test]
fn quantiles_and_initial_scores() {
    let pairs: Vec<(f64, f64)> = (1..=10).map(|v| (f64::from(v), 1.0)).collect();
    assert_eq!(quantile(pairs.clone(), 0.5, false), 6.0 - 0.0);
    assert_eq!(quantile(pairs.clone(), 0.5, true), 5.0);
    assert_eq!(quantile(pairs, 0.99, false), 10.0);
    assert_eq!(quantile(vec![(3.0, 1.0)], 0.1, false), 3.0);
    assert_eq!(quantile(Vec::new(), 0.1, true), 0.0);
    let targets = Targets {
        y: &[0.0, 1.0, 1.0, 1.0],
        weights: Some(&[3.0, 1.0, 1.0, 1.0]),
    };
    assert_eq!(initial(Loss::Logistic, targets), vec![0.0]);
    assert_eq!(initial(Loss::Squared, targets), vec![0.5]);
}

#[test]
fn penalties_shrink_leaves() {
    let options = Options {
        l1: 2.0,
        l2: 3.0,
        ..Options::default()
    };
    let rules = Rules::of(&options, true, 1);
    assert_eq!(rules.value(8.0, 3.0), -1.0);
    assert_eq!(rules.value(-8.0, 3.0), 1.0);
    assert_eq!(rules.value(1.0, 3.0).abs(), 0.0);
}

#[test]
fn wrong_options_and_targets_are_input_errors() {
    let base = Options::default;
    let bad = [
        Options {
            stages: vec![],
            ..base()
        },
        Options {
            stages: vec![2, 1],
            ..base()
        },
        Options {
            stages: vec![0],
            ..base()
        },
        Options {
            leaves: 1,
            ..base()
        },
        Options { depth: 0, ..base() },
        Options {
            l2: f64::NAN,
            ..base()
        },
        Options {
            learning_rate: 0.0,
            ..base()
        },
        Options {
            row_share: 0.0,
            ..base()
        },
        Options {
            column_share: 1.5,
            ..base()
        },
        Options {
            loss: Loss::Quantile { level: 1.0 },
            ..base()
        },
        Options {
            categories: Categories {
                smooth: 0.0,
                ..Categories::default()
            },
            ..base()
        },
        Options {
            categories: Categories {
                l2: f64::NAN,
                ..Categories::default()
            },
            ..base()
        },
    ];
    for options in bad {
        assert_eq!(options.checked().unwrap_err().code(), "bad_option");
    }
    let check =
        |loss, y: &[f64], weights| Targets { y, weights }.checked(loss).err().map(|e| e.code());
    assert_eq!(check(Loss::Logistic, &[0.5], None), Some("bad_target"));
    assert_eq!(check(Loss::Squared, &[f64::NAN], None), Some("bad_target"));
    assert_eq!(
        check(Loss::Poisson { step: 0.0 }, &[-1.0], None),
        Some("bad_target")
    );
    assert_eq!(
        check(Loss::Squared, &[1.0], Some(&[0.0])),
        Some("bad_weight")
    );
    assert_eq!(
        check(Loss::Squared, &[1.0], Some(&[1.0, 1.0])),
        Some("shape_mismatch")
    );
    assert_eq!(check(Loss::Squared, &[1.0], Some(&[1.0])), None);
}

#[test]
fn bins_are_cut_where_the_libraries_cut_them() {
    let edges = |library, values: &[f64], missing, bins| cut(library, values, missing, bins).0;
    let all = [Library::LightGbm, Library::XgBoost, Library::Histogram];
    let few = [-2.0, -1.0, -1.0, -1.0, 0.0, 4.0, 4.0, 4.0, 6.0, 8.0];
    // At least three rows in a bin, zero in one of its own.
    let lightgbm = vec![-1e-35, 1e-35, 5.0];
    assert_eq!(edges(Library::LightGbm, &few, false, 255), lightgbm);
    // Edges just below values.
    let xgboost = edges(Library::XgBoost, &few, false, 255);
    let values = [-1.0, 0.0, 4.0, 6.0, 8.0];
    assert_eq!(xgboost.len(), values.len());
    for (edge, value) in xgboost.iter().zip(values) {
        assert!(*edge < value && value - edge < 1e-6);
    }
    let histogram = vec![-1.5, -0.5, 2.0, 5.0, 7.0];
    assert_eq!(edges(Library::Histogram, &few, false, 255), histogram);
    // Quantiles where there are too many values.
    let many: Vec<f64> = (1..=100).map(f64::from).collect();
    let tenths: Vec<f64> = (1..10).map(|k| f64::from(k) * 10.0 + 0.5).collect();
    assert_eq!(edges(Library::Histogram, &many, false, 10), tenths);
    assert_eq!(edges(Library::LightGbm, &many, false, 11)[1..], tenths);
    assert_eq!(edges(Library::LightGbm, &many, true, 12)[1..], tenths);
    for library in all {
        let most = most_bins(library);
        let (edges, spans) = cut(library, &many, true, most.min(7));
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]) && spans.len() <= 7);
        assert_eq!(spans.len(), edges.len() + 1);
        assert_eq!(cut(library, &[], true, 2), (Vec::new(), Vec::new()));
        assert_eq!(
            cut(library, &[f64::MAX; 9], false, 2).1.len(),
            1 + usize::from(library == Library::LightGbm)
        );
        cut(
            library,
            &[f64::NEG_INFINITY, -1e300, 0.0, f64::INFINITY],
            true,
            2,
        );
    }
}

#[test]
fn shares_are_rounded_as_the_libraries_round_them() {
    let columns = |library, share, features| {
        let options = Options {
            library,
            column_share: share,
            ..Options::default()
        };
        options.columns(features)
    };
    assert_eq!(columns(Library::LightGbm, 0.5, 5), 3);
    assert_eq!(columns(Library::XgBoost, 0.5, 5), 2);
    assert_eq!(columns(Library::XgBoost, 0.7, 10), 7);
    assert_eq!(columns(Library::Histogram, 0.41, 5), 3);
    for library in [Library::LightGbm, Library::XgBoost, Library::Histogram] {
        assert_eq!(columns(library, 0.01, 5), 1);
        assert_eq!(columns(library, 1.0, 5), 5);
    }
    let (chosen, left) = Random::new(3).part(10_000, 0.7);
    assert_eq!(chosen.len() + left.len(), 10_000);
    assert!(chosen.len().abs_diff(7000) < 200 && chosen.len() != 7000);
}
