use super::*;

const NET: Net = Net {
    alpha: 0.5,
    l1_ratio: 1.0,
    tol: 1e-4,
    max_iter: 1000,
};

/// Two orthogonal features of ten rows.
fn gram() -> Gram {
    Gram {
        products: vec![10.0, 0.0, 0.0, 10.0],
        target: vec![30.0, -1.0],
        squares: 100.0,
        summed: 100.0,
        rows: 10.0,
    }
}

#[test]
fn orthogonal_features_are_soft_thresholded_in_one_round() {
    let found = descend(&gram(), NET).unwrap();
    assert_eq!(found.weights, vec![2.5, 0.0]);
    // The second round finds that nothing changes.
    assert_eq!(found.rounds, 2);
    assert!(found.gap.abs() < 1e-12);
    assert!((found.residual - (100.0 + 62.5 - 150.0)).abs() < 1e-12);
    let ridge = descend(
        &gram(),
        Net {
            l1_ratio: 0.5,
            ..NET
        },
    )
    .unwrap();
    assert!((ridge.weights[0] - 27.5 / 12.5).abs() < 1e-15);
}

#[test]
fn a_penalty_beyond_all_correlations_needs_no_round() {
    let found = descend(&gram(), Net { alpha: 4.0, ..NET }).unwrap();
    assert_eq!((found.weights, found.rounds), (vec![0.0, 0.0], 0));
}

#[test]
fn the_last_round_ends_it_short_of_the_tolerance() {
    let mut gram = gram();
    gram.products = vec![10.0, 9.0, 9.0, 10.0];
    gram.target = vec![30.0, 25.0];
    let net = Net {
        max_iter: 2,
        tol: 1e-12,
        alpha: 0.01,
        ..NET
    };
    let found = descend(&gram, net).unwrap();
    assert_eq!(found.rounds, 2);
    assert!(found.gap > found.tolerance);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let code = |a, l, t, m| Net::checked(a, l, t, m).err().map(|error| error.code());
    assert_eq!(code(1.0, 1.0, 0.0, 1.0), None);
    for (alpha, l1_ratio, tol, max_iter) in [
        (0.0, 0.5, 1e-4, 9.0),
        (f64::NAN, 0.5, 1e-4, 9.0),
        (1.0, 0.0, 1e-4, 9.0),
        (1.0, 1.1, 1e-4, 9.0),
        (1.0, 0.5, -1e-4, 9.0),
        (1.0, 0.5, f64::INFINITY, 9.0),
        (1.0, 0.5, 1e-4, 0.0),
        (1.0, 0.5, 1e-4, 2.5),
    ] {
        assert_eq!(code(alpha, l1_ratio, tol, max_iter), Some("bad_net"));
    }
}

#[test]
fn what_rounding_decides_is_declined() {
    let constant = Gram {
        squares: 0.0,
        target: vec![0.0, 0.0],
        ..gram()
    };
    assert_eq!(descend(&constant, NET), Err(Declined::Borderline));
    let broken = Gram {
        squares: f64::NAN,
        ..gram()
    };
    assert_eq!(descend(&broken, NET), Err(Declined::Borderline));
}

#[test]
fn without_columns_there_is_nothing_to_descend() {
    let empty = Gram {
        products: vec![],
        target: vec![],
        ..gram()
    };
    let found = descend(&empty, NET).unwrap();
    assert_eq!((found.weights, found.rounds), (vec![], 0));
}

/// Numbers of mean 0, the same ones for the same seed.
pub fn noisy(seed: u64) -> impl FnMut() -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ (seed << 32);
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// The Gram matrix of centred features that share a part, and a target of every other of them.
pub fn random_gram(size: usize, shared: f64, draw: &mut impl FnMut() -> f64) -> Gram {
    let rows = 40 + 2 * size;
    let common: Vec<f64> = (0..rows).map(|_| draw()).collect();
    let mut centred = |also: &[f64], share: f64| {
        let values: Vec<f64> = also.iter().map(|value| share * value + draw()).collect();
        let mean = values.iter().sum::<f64>() / rows as f64;
        values
            .into_iter()
            .map(|value| value - mean)
            .collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = (0..size).map(|_| centred(&common, 2.0 * shared)).collect();
    let mut signal = vec![0.0; rows];
    for column in columns.iter().step_by(2) {
        signal
            .iter_mut()
            .zip(column)
            .for_each(|(sum, value)| *sum += value);
    }
    let target = centred(&signal, 1.0);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let pairs = columns
        .iter()
        .flat_map(|a| columns.iter().map(|b| dot(a, b)));
    Gram {
        products: pairs.collect(),
        target: columns.iter().map(|column| dot(column, &target)).collect(),
        squares: dot(&target, &target),
        summed: dot(&target, &target),
        rows: rows as f64,
    }
}
