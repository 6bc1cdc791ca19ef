use super::*;
use crate::errors::Declined;
use ndarray::Array2;

const ALPHAS: [f64; 3] = [10.0, 0.1, 1.0];
const NETS: [Net; 2] = [
    Net {
        alpha: 0.1,
        l1_ratio: 1.0,
        tol: 1e-4,
        max_iter: 1000,
    },
    Net {
        alpha: 0.3,
        l1_ratio: 0.5,
        tol: 1e-6,
        max_iter: 1000,
    },
];

fn data(n: usize) -> (Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((n, 3), |(i, j)| ((i * i + 5 * i * j + j) % 17) as f64);
    let y = Array2::from_shape_fn((n, 1), |(i, _)| {
        x[[i, 0]] - 0.5 * x[[i, 2]] + (i % 3) as f64
    });
    (x, y)
}

fn problem<'a>(x: &'a Array2<f64>, y: &'a Array2<f64>, impute: bool) -> Problem<'a> {
    Problem {
        x: x.view(),
        y: y.view(),
        alphas: &ALPHAS,
        nets: &NETS,
        targets: &[0; 5],
        impute,
        categories: None,
        order: None,
        known: &[],
        preparation: Preparation {
            scale: true,
            fit_intercept: true,
        },
    }
}

fn k_fold(n: u32, count: u32) -> Vec<Fold> {
    let fold = |k| Fold {
        train: (0..n).filter(|row| row % count != k).collect(),
        valid: (0..n).filter(|row| row % count == k).collect(),
    };
    (0..count).map(fold).collect()
}

fn close(a: &[f64], b: &[f64]) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-11;
    a.len() == b.len() && a.iter().zip(b).all(near)
}

fn declined(fits: &[Fitted]) -> Vec<Vec<Option<Declined>>> {
    fits.iter().map(|fit| fit.declined.clone()).collect()
}

#[test]
fn shared_moments_give_what_each_fold_gives_alone() {
    let (mut x, y) = data(60);
    for impute in [false, true] {
        if impute {
            x[[7, 1]] = f64::NAN;
            x[[20, 1]] = f64::NAN;
        }
        let problem = problem(&x, &y, impute);
        let folds = k_fold(60, 4);
        let workers = Workers::new(1).unwrap();
        let shared = linear_folds(&problem, &folds, &workers);
        assert_eq!(declined(&shared), vec![vec![None; 5]; 4]);
        let threaded = linear_folds(&problem, &folds, &Workers::new(2).unwrap());
        for ((fold, shared), threaded) in folds.iter().zip(shared).zip(threaded) {
            assert_eq!(shared.coef, threaded.coef);
            assert_eq!(shared.predictions, threaded.predictions);
            let alone = linear_folds(&problem, std::slice::from_ref(fold), &workers).remove(0);
            assert!(close(&alone.coef, &shared.coef));
            assert!(close(&alone.intercept, &shared.intercept));
            assert!(close(&alone.predictions, &shared.predictions));
            assert!(shared.descent[9] >= 1.0);
            assert!(shared.descent[10] <= shared.descent[11]);
            assert!(shared.descent[..9].iter().all(|v| v.is_nan()));
        }
    }
}

#[test]
fn one_feature_has_the_textbook_solution() {
    let x = Array2::from_shape_vec((4, 1), vec![0.0, 1.0, 2.0, 3.0]).unwrap();
    let y = ndarray::arr2(&[[1.0], [2.0], [4.0], [4.0]]);
    let mut problem = problem(&x, &y, false);
    problem.preparation.scale = false;
    let fit = linear_path(&problem, x.view(), &Workers::new(1).unwrap());
    let slopes: Vec<f64> = (ALPHAS.iter().map(|alpha| 5.5 / (5.0 + alpha)))
        .chain([(5.5 - 0.4) / 5.0, (5.5 - 0.6) / 5.6])
        .collect();
    for (k, slope) in slopes.iter().enumerate() {
        assert!((fit.coef[k] - slope).abs() < 1e-14);
        assert!((fit.intercept[k] - (2.75 - 1.5 * slope)).abs() < 1e-14);
        assert!((fit.predictions[4 * k + 2] - (2.75 + 0.5 * slope)).abs() < 1e-14);
    }
}

#[test]
fn members_are_declined_one_by_one() {
    let (mut x, y) = data(30);
    let folds = k_fold(30, 3);
    let workers = Workers::new(1).unwrap();
    // A direction near the bound below which the reference library leaves it out.
    for i in 0..30 {
        x[[i, 1]] = x[[i, 0]] + 2e-5 * (i % 2) as f64;
    }
    let mut singular = problem(&x, &y, false);
    (singular.alphas, singular.targets) = (&[1.0, 0.0], &[0; 4]);
    let found = linear_folds(&singular, &folds, &workers);
    let wanted = vec![None, Some(Declined::RankDeficient), None, None];
    assert_eq!(declined(&found), vec![wanted; 3]);
    for fit in &found {
        assert!(fit.coef[..3].iter().all(|v| v.is_finite()));
        assert!(fit.coef[3..6].iter().all(|v| v.is_nan()));
        assert!(fit.predictions[10..20].iter().all(|v| v.is_nan()));
        assert!(fit.predictions[20..].iter().all(|v| v.is_finite()));
    }
}

#[test]
fn least_squares_of_equal_columns_is_that_of_least_norm() {
    let (mut x, y) = data(30);
    let doubled = x.column(0).to_owned();
    x.column_mut(1).assign(&doubled);
    let mut singular = problem(&x, &y, false);
    (singular.alphas, singular.targets) = (&[0.0], &[0]);
    singular.nets = &[];
    let workers = Workers::new(1).unwrap();
    let folds = k_fold(30, 3);
    let found = linear_folds(&singular, &folds, &workers);
    let once = x.select(ndarray::Axis(1), &[0, 2]);
    let problem = Problem {
        x: once.view(),
        ..singular
    };
    let wanted = linear_folds(&problem, &folds, &workers);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found.declined, vec![None]);
        assert!(close(&found.predictions, &wanted.predictions));
        let half = 0.5 * wanted.coef[0];
        assert!(close(&found.coef, &[half, half, wanted.coef[1]]));
    }
}

#[test]
fn folds_out_of_reach_are_declined_one_by_one() {
    let (mut x, y) = data(30);
    let folds = k_fold(30, 3);
    let workers = Workers::new(1).unwrap();
    x.column_mut(1).assign(&y.column(0));
    let mut unpenalised = problem(&x, &y, false);
    (unpenalised.alphas, unpenalised.targets) = (&[0.0], &[0]);
    unpenalised.nets = &[];
    let exact = linear_folds(&unpenalised, &folds, &workers);
    assert_eq!(
        declined(&exact),
        vec![vec![Some(Declined::IllConditioned)]; 3]
    );

    let filtered = [
        folds[0].clone(),
        Fold {
            train: vec![1, 2],
            valid: vec![0],
        },
    ];
    x[[0, 2]] = f64::INFINITY;
    let mixed = linear_folds(&problem(&x, &y, false), &filtered, &workers);
    assert_eq!(mixed[1].declined[0], Some(Declined::NonFinite));
    let (x, y) = data(30);
    let few = linear_folds(&problem(&x, &y, false), &filtered, &workers);
    assert_eq!(few[0].declined, vec![None; 5]);
}
