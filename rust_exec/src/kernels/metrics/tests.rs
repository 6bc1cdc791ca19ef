use super::ranks::{areas, key, scored_areas, sort};
use super::sums::Order;

#[test]
fn keys_keep_the_order_of_scores() {
    let scores = [
        f64::NEG_INFINITY,
        -2.0,
        -5e-324,
        0.0,
        5e-324,
        1.0,
        1e300,
        f64::INFINITY,
    ];
    assert!(scores.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
    assert_eq!(key(0.0), key(-0.0));
}

#[test]
fn sorting_by_digits_sorts() {
    let mut state = 1_u64;
    let mut keys: Vec<u64> = (0..5000)
        .map(|i| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(i);
            state >> (i % 60)
        })
        .collect();
    let mut wanted = keys.clone();
    wanted.sort_unstable();
    sort(&mut keys, &mut Vec::new());
    assert_eq!(keys, wanted);
}

#[test]
fn ties_count_half() {
    let keys = |scores: &[f64]| scores.iter().map(|&score| key(score)).collect::<Vec<_>>();
    let (area, precision) = areas(&keys(&[0.5, 0.9]), &keys(&[0.1, 0.5]));
    assert_eq!(area, 0.875);
    assert_eq!(precision, 0.5 + 0.5 * (2.0 / 3.0));
    assert!(areas(&[], &[1]).0.is_nan());
}

#[test]
fn scores_of_one_sign_and_of_two_are_ranked_alike() {
    for n in [2, 3, 50, 5000] {
        let scores: Vec<f64> = (0..n).map(|i| f64::from(i * 7919 % 501) / 501.0).collect();
        let hits: Vec<bool> = (0..n).map(|i| i * i % 3 == 1).collect();
        let found = scored_areas(&scores, &hits);
        let below: Vec<f64> = scores.iter().map(|score| score - 2.0).collect();
        let both: Vec<f64> = scores.iter().map(|score| score - 0.5).collect();
        assert_eq!(found, scored_areas(&below, &hits));
        assert_eq!(found, scored_areas(&both, &hits));
    }
    assert!(scored_areas(&[], &[]).0.is_nan());
    assert!(scored_areas(&[0.5, 0.6], &[true, true]).1.is_nan());
}

#[test]
fn sums_of_every_length_have_every_term() {
    for n in (0..300).chain([1000, 4096, 5001]) {
        let values: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let sum = Order::new(n).sum(&values, &values, |a, _| a);
        assert_eq!(sum, (0..n).sum::<usize>() as f64);
    }
}
