use ndarray::Array2;

use super::Prepared;
use super::losses::Targets;
use super::options::{Categories, Library, Options};
use super::tree::{Codes, Split};
use crate::kernels::trees::bins::Bins;
use crate::kernels::workers::Workers;

const LIBRARIES: [Library; 3] = [Library::LightGbm, Library::XgBoost, Library::Histogram];

/// One round on one column of categories, whose leaves are means where nothing is penalised.
fn fit(
    x: &[f64],
    y: &[f64],
    valid: &[f64],
    (library, categories): (Library, Categories),
    options: Options,
) -> Vec<f64> {
    let workers = Workers::new(1).unwrap();
    let column = |values: &[f64]| Array2::from_shape_fn((values.len(), 1), |(row, _)| values[row]);
    let rows = |n: usize| (0..n as u32).collect::<Vec<u32>>();
    let bins = Bins::fit(column(x).view(), &rows(x.len()), &[true], 255, &workers).unwrap();
    let codes = bins.apply(column(valid).view(), &rows(valid.len()), &workers);
    let data = Prepared::new(bins, codes.unwrap(), &[], true).unwrap();
    let options = Options {
        stages: vec![1],
        learning_rate: 1.0,
        leaf_rows: 1,
        library,
        categories,
        ..options
    };
    let targets = Targets { y, weights: None };
    data.boost(targets, &options, &workers).unwrap()
}

fn plain(library: Library, one_hot: usize) -> (Library, Categories) {
    let categories = Categories {
        one_hot,
        most: 255,
        rows: 1,
        l2: 0.0,
        smooth: 1e-6,
    };
    (library, categories)
}

fn near(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    let close = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(close, "{found:?} instead of {wanted:?}");
}

#[test]
fn sets_of_codes() {
    let mut codes = Codes::of(&[0, 63, 64, 200]);
    let members = |codes: &Codes| (0..=255).filter(|&c| codes.has(c)).collect::<Vec<u8>>();
    assert_eq!(members(&codes), [0, 63, 64, 200]);
    codes.put(255, true);
    codes.put(63, false);
    codes.put(62, false);
    assert_eq!(members(&codes), [0, 64, 200, 255]);
}

#[test]
fn rows_of_a_set_go_left_and_missing_ones_as_the_split_says() {
    for (missing_left, wanted) in [(false, vec![1, 3, 0, 2, 4]), (true, vec![1, 2, 3, 0, 4])] {
        let split = Split {
            feature: 0,
            threshold: 0,
            codes: Some(Codes::of(&[4, 200])),
            missing_left,
            left: -1,
            right: -2,
        };
        let (mut rows, mut spare) = (vec![0, 1, 2, 3, 4], [0; 5]);
        let left = split.partition(&[9, 4, 255, 200, 5], &mut rows, &mut spare);
        assert_eq!((left, rows), (2 + usize::from(missing_left), wanted));
    }
}

#[test]
fn one_split_parts_the_categories_with_high_targets_from_the_others() {
    // Alternating, so that no threshold does it.
    let x: Vec<f64> = (0..600).map(|row| f64::from(row % 10)).collect();
    let y: Vec<f64> = x.iter().map(|code| code % 2.0).collect();
    let valid: Vec<f64> = (0..10).map(f64::from).collect();
    let wanted: Vec<f64> = valid.iter().map(|code| code % 2.0).collect();
    for library in LIBRARIES {
        let found = fit(
            &x,
            &y,
            &valid,
            plain(library, 3),
            Options {
                leaves: 2,
                ..Options::default()
            },
        );
        near(&found, &wanted);
    }
}

#[test]
fn one_category_is_told_from_the_rest() {
    let x: Vec<f64> = (0..400).map(|row| f64::from(row % 4)).collect();
    let y: Vec<f64> = x
        .iter()
        .map(|&code| [9.0, 0.0, 8.0, 1.0][code as usize])
        .collect();
    for library in [Library::LightGbm, Library::XgBoost] {
        let two = Options {
            leaves: 2,
            ..Options::default()
        };
        let found = fit(
            &x,
            &y,
            &[0.0, 1.0, 2.0, 3.0],
            plain(library, 4),
            two.clone(),
        );
        // The first and the second gain the same alone, both as far from the mean.
        near(&found, &[9.0, 3.0, 3.0, 3.0]);
        let found = fit(&x, &y, &[0.0, 1.0, 2.0, 3.0], plain(library, 3), two);
        near(&found, &[8.5, 0.5, 8.5, 0.5]);
    }
}

#[test]
fn missing_and_unseen_values_go_where_the_library_sends_them() {
    // Missing values answer as category 1 does, which differs from 0.
    let x: Vec<f64> = (0..900).map(|row| [0.0, 1.0, f64::NAN][row % 3]).collect();
    let y: Vec<f64> = x
        .iter()
        .map(|&code| if code == 0.0 { 6.0 } else { 0.0 })
        .collect();
    let two = Options {
        leaves: 2,
        ..Options::default()
    };
    for library in LIBRARIES {
        let found = fit(
            &x,
            &y,
            &[0.0, 1.0, f64::NAN, 7.0],
            plain(library, 3),
            two.clone(),
        );
        near(&found, &[6.0, 0.0, 0.0, 0.0]);
    }
    // Now as the category that is told from the rest: LightGBM alone cannot join the two.
    let y: Vec<f64> = x
        .iter()
        .map(|&code| if code == 1.0 { 0.0 } else { 6.0 })
        .collect();
    for library in LIBRARIES {
        let found = fit(
            &x,
            &y,
            &[0.0, 1.0, f64::NAN, 7.0],
            plain(library, 3),
            two.clone(),
        );
        near(&found, &[6.0, 0.0, 6.0, 6.0]);
    }
    // Where nothing is missing: with the others in LightGBM, with most in HistGradientBoosting.
    let x: Vec<f64> = (0..900)
        .map(|row| f64::from(u8::from(row % 3 == 0)))
        .collect();
    let y: Vec<f64> = x.iter().map(|&code| -6.0 * code).collect();
    let found = fit(&x, &y, &[f64::NAN], plain(Library::Histogram, 0), two);
    near(&found, &[0.0]);
}

#[test]
fn rare_categories_are_in_no_set_and_sets_grow_by_enough_rows() {
    let mut x: Vec<f64> = (0..300).map(|row| f64::from(row % 3)).collect();
    x.extend([3.0; 4]);
    let y: Vec<f64> = x
        .iter()
        .map(|&code| [0.0, 0.0, 0.0, 90.0][code as usize])
        .collect();
    let two = Options {
        leaves: 2,
        ..Options::default()
    };
    let valid = [0.0, 3.0];
    let (library, common) = plain(Library::LightGbm, 0);
    let found = fit(&x, &y, &valid, (library, common), two.clone());
    near(&found, &[0.0, 90.0]);
    for other in [
        Categories {
            smooth: 5.0,
            ..common
        },
        Categories { rows: 5, ..common },
        Categories { most: 0, ..common },
    ] {
        let found = fit(&x, &y, &valid, (library, other), two.clone());
        assert!(found[1] < 10.0, "{found:?}");
    }
    // The added penalty is that of the leaves of a set, too.
    let other = Categories { l2: 4.0, ..common };
    let found = fit(&x, &y, &valid, (library, other), two);
    let mean = 90.0 * 4.0 / 304.0;
    near(&found[1..], &[mean + (90.0 - mean) * 4.0 / 8.0]);
}

#[test]
fn one_category_and_none_give_the_mean() {
    for library in LIBRARIES {
        for value in [2.0, f64::NAN] {
            let y: Vec<f64> = (0..40).map(f64::from).collect();
            let found = fit(
                &[value; 40],
                &y,
                &[2.0, f64::NAN],
                plain(library, 3),
                Options::default(),
            );
            near(&found, &[19.5, 19.5]);
        }
    }
}
