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
    assert_eq!(below(1.0, 1.0, 0.0), Err(Declined::Borderline));
    assert_eq!(below(1.0, 1.1, 0.0), Ok(true));
    assert_eq!(below(1.1, 1.0, 0.0), Ok(false));
    assert_eq!(below(1.1, 1.0, 0.2), Err(Declined::Borderline));
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
