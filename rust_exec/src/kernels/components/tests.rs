use super::*;
use ndarray::Array2;

/// Two columns without correlation, of squares 4 * 9 and 4 * 1 about their means 10 and 0.
fn data() -> (Array2<f64>, Array2<f64>) {
    let x = [[13.0, 1.0], [13.0, -1.0], [7.0, 1.0], [7.0, -1.0]];
    (
        ndarray::arr2(&x),
        ndarray::arr2(&[[5.0], [3.0], [1.0], [0.0]]),
    )
}

fn problem<'a>(x: &'a Array2<f64>, y: &'a Array2<f64>, members: &'a [Member]) -> Problem<'a> {
    Problem {
        x: x.view(),
        y: y.view(),
        members,
        impute: false,
        scale: false,
        whiten: false,
        solver: Solver::Given(Complete::Full),
    }
}

fn member(size: f64, alpha: f64) -> Member {
    Member::checked(size, alpha, 0).unwrap()
}

fn fitted<'a>(problem: &'a Problem<'a>) -> Fitted {
    component_path(problem, problem.x, &Workers::new(1).unwrap())
}

fn close(found: &[f64], wanted: &[f64]) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-13;
    found.len() == wanted.len() && found.iter().zip(wanted).all(near)
}

#[test]
fn components_are_taken_by_their_length() {
    let (x, y) = data();
    // Products with the target: 21 and 3; its mean is 2.25.
    let members = [member(1.0, 0.0), member(1.0, 6.0), member(2.0, 6.0)];
    let fit = fitted(&problem(&x, &y, &members));
    assert_eq!(fit.declined, vec![None; 3]);
    let (plain, short) = (21.0 / 36.0, 21.0 / 42.0);
    assert!(close(&fit.coef, &[plain, 0.0, short, 0.0, short, 0.3]));
    let intercept = [
        2.25 - 10.0 * plain,
        2.25 - 10.0 * short,
        2.25 - 10.0 * short,
    ];
    assert!(close(&fit.intercept, &intercept));
    assert!(close(&fit.predictions[8..], &[4.05, 3.45, 1.05, 0.45]));
    assert!(fit.descent.iter().all(|value| value.is_nan()));
}

#[test]
fn whitening_makes_all_lengths_one() {
    let (x, y) = data();
    let members = [member(1.0, 1.0), member(2.0, 1.0)];
    let mut problem = problem(&x, &y, &members);
    problem.whiten = true;
    let fit = fitted(&problem);
    // Columns whose squares add up to 3, and a penalty of 1.
    let (long, short) = (0.75 * 21.0 / 36.0, 0.75 * 3.0 / 4.0);
    assert!(close(&fit.coef, &[long, 0.0, long, short]));
}

#[test]
fn shares_of_the_variance_are_exceeded() {
    assert_eq!(explaining(0.5, &[6.0, 3.0, 1.0]), Ok(1));
    assert_eq!(explaining(0.61, &[6.0, 3.0, 1.0]), Ok(2));
    assert_eq!(explaining(0.95, &[6.0, 3.0, 1.0]), Ok(3));
    let borderline = Err(Declined::Borderline);
    assert_eq!(explaining(0.9, &[6.0, 3.0, 1.0]), borderline);
    assert_eq!(explaining(0.5, &[f64::NAN]), borderline);
    let (x, y) = data();
    let members = [member(0.8, 1.0), member(0.91, 1.0)];
    let fit = fitted(&problem(&x, &y, &members));
    assert!(fit.coef[1].abs() < 1e-13 && fit.coef[3].abs() > 0.1);
}

#[test]
fn equal_lengths_and_lengths_of_nothing_are_declined_by_themselves() {
    let (mut x, y) = data();
    for row in 0..4 {
        x[[row, 1]] *= 3.0;
    }
    let members = [member(1.0, 1.0), member(2.0, 1.0), member(3.0, 1.0)];
    let fit = fitted(&problem(&x, &y, &members));
    let wanted = [
        Some(Declined::SmallGap),
        None,
        Some(Declined::TooManyComponents),
    ];
    assert_eq!(fit.declined, wanted);
    assert!(fit.coef[..2].iter().all(|value| value.is_nan()));
    x.column_mut(1).fill(2.0);
    let fit = fitted(&problem(&x, &y, &members[..2]));
    assert_eq!(fit.declined, [None, Some(Declined::RankDeficient)]);
}

#[test]
fn auto_follows_the_shape() {
    let resolve = |n, p, size| Solver::Auto.resolve(n, p, size);
    let count = Size::Count;
    assert_eq!(resolve(600, 60, count(5)), Ok(Complete::Covariance));
    assert_eq!(resolve(599, 60, count(5)), Err(Declined::RandomisedSolver));
    assert_eq!(resolve(599, 60, count(48)), Ok(Complete::Full));
    assert_eq!(resolve(599, 60, Size::Share(0.1)), Ok(Complete::Full));
    assert_eq!(resolve(500, 60, count(5)), Ok(Complete::Full));
    assert_eq!(
        resolve(20_000, 1001, count(5)),
        Err(Declined::RandomisedSolver)
    );
    assert_eq!(resolve(30, 60, count(31)), Err(Declined::TooManyComponents));
}

#[test]
fn members_and_solvers_out_of_range_are_refused() {
    let code = |size, alpha| {
        Member::checked(size, alpha, 0)
            .err()
            .map(|error| error.code())
    };
    assert_eq!(code(1.0, 0.0), None);
    assert_eq!(code(0.5, 1.0), None);
    for size in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
        assert_eq!(code(size, 1.0), Some("bad_size"));
    }
    for alpha in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(code(1.0, alpha), Some("bad_alpha"));
    }
    assert_eq!(Solver::named("auto").unwrap(), Solver::Auto);
    assert_eq!(Solver::named("arpack").unwrap_err().code(), "bad_solver");
}

#[test]
fn folds_share_moments_for_any_thread_count() {
    let n = 60;
    let x = Array2::from_shape_fn((n, 3), |(i, j)| ((i * i + 5 * i * j + j) % 17) as f64);
    let y = Array2::from_shape_fn((n, 1), |(i, _)| {
        x[[i, 0]] - 0.5 * x[[i, 2]] + (i % 3) as f64
    });
    let members = [member(1.0, 0.0), member(2.0, 1.0), member(0.6, 1.0)];
    let mut problem = problem(&x, &y, &members);
    problem.scale = true;
    let fold = |k| Fold {
        train: (0..n as u32).filter(|row| row % 4 != k).collect(),
        valid: (0..n as u32).filter(|row| row % 4 == k).collect(),
    };
    let folds: Vec<Fold> = (0..4).map(fold).collect();
    let one = component_folds(&problem, &folds, &Workers::new(1).unwrap());
    let two = component_folds(&problem, &folds, &Workers::new(2).unwrap());
    for ((fold, one), two) in folds.iter().zip(&one).zip(&two) {
        assert_eq!(one.declined, vec![None; 3]);
        assert_eq!(one.predictions, two.predictions);
        let alone = std::slice::from_ref(fold);
        let alone = component_folds(&problem, alone, &Workers::new(1).unwrap()).remove(0);
        let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-11;
        assert!(alone.predictions.iter().zip(&one.predictions).all(near));
    }
}
