use super::*;
use crate::kernels::descent::tests::{noisy, random_gram};
use crate::kernels::descent::{Gram, descend};
use crate::kernels::simd::chosen;

/// Nets that stop at different rounds: at once, at the tolerance, at the last round, or nowhere.
fn nets() -> Vec<Net> {
    let mut nets = Vec::new();
    for (tol, max_iter) in [(1e-4, 1000), (1e-7, 1000), (1e-12, 7), (0.0, 1)] {
        for l1_ratio in [0.05, 0.5, 1.0] {
            for alpha in [0.3, 0.001, 0.05, 0.01, 100.0] {
                nets.push(Net {
                    alpha,
                    l1_ratio,
                    tol,
                    max_iter,
                });
            }
        }
    }
    nets
}

/// The bits of an answer.
fn bits(found: &Found) -> Result<(usize, Vec<u64>), Declined> {
    let values = |found: &Descent| {
        let numbers = [found.gap, found.tolerance, found.residual];
        found
            .weights
            .iter()
            .chain(&numbers)
            .map(|value| value.to_bits())
            .collect()
    };
    found
        .as_ref()
        .map(|found| (found.rounds, values(found)))
        .map_err(|reason| *reason)
}

/// What each instruction set gives for `jobs`, and wide vectors where the processor has none.
fn everywhere(jobs: impl Fn() -> Jobs<'static>) -> Vec<Vec<Found>> {
    let names = ["portable", "v3", "best"];
    let mut found: Vec<_> = names
        .iter()
        .map(|name| chosen(name).dispatch(jobs()))
        .collect();
    found.push(pulp::Scalar256b.vectorize(jobs()));
    found.push(pulp::Scalar512b.vectorize(jobs()));
    found
}

/// Grams of several shapes, some with a column that is zero or not finite.
fn grams() -> Vec<Gram> {
    let mut draw = noisy(3);
    let mut grams = Vec::new();
    for (size, correlation) in [
        (1, 0.0),
        (2, 0.9),
        (5, 0.5),
        (8, 0.0),
        (11, 0.95),
        (30, 0.7),
    ] {
        grams.push(random_gram(size, correlation, &mut draw));
    }
    for value in [0.0, f64::INFINITY, f64::NAN] {
        let mut gram = random_gram(6, 0.5, &mut draw);
        for i in 0..6 {
            gram.products[2 * 6 + i] = value;
            gram.products[i * 6 + 2] = value;
        }
        gram.target[2] = 0.0;
        grams.push(gram);
    }
    grams
}

#[test]
fn lanes_give_what_one_at_a_time_gives_to_the_last_bit() {
    let nets = nets();
    let mut rounds = std::collections::BTreeSet::new();
    for gram in grams() {
        let wanted: Vec<Found> = nets.iter().map(|net| descend(&gram, *net)).collect();
        rounds.extend(wanted.iter().flatten().map(|found| found.rounds));
        let gram: &'static Gram = Box::leak(Box::new(gram));
        let equations: &'static Equations = Box::leak(Box::new(Equations::new(gram)));
        for count in [1, 9, nets.len()] {
            let work: Vec<Work> = nets[..count].iter().map(|net| (equations, *net)).collect();
            let work: &'static [Work] = work.leak();
            for found in everywhere(|| Jobs::Shared(work)) {
                let found: Vec<_> = found.iter().map(bits).collect();
                assert_eq!(found, wanted[..count].iter().map(bits).collect::<Vec<_>>());
            }
        }
    }
    assert!(rounds.contains(&0) && rounds.contains(&7) && rounds.len() > 20);
}

#[test]
fn lanes_of_their_own_equations_do_not_mix_them() {
    let nets = nets();
    let mut draw = noisy(4);
    for size in [1, 4, 13] {
        let grams = nets.iter().map(|_| random_gram(size, 0.6, &mut draw));
        let grams: &'static [Gram] = grams.collect::<Vec<_>>().leak();
        let equations: &'static [Equations] =
            grams.iter().map(Equations::new).collect::<Vec<_>>().leak();
        let work: Vec<Work> = equations.iter().zip(nets.clone()).collect();
        let work: &'static [Work] = work.leak();
        let wanted = grams
            .iter()
            .zip(&nets)
            .map(|(gram, net)| bits(&descend(gram, *net)));
        let wanted: Vec<_> = wanted.collect();
        assert!(wanted.iter().flatten().count() > nets.len() / 2);
        for found in everywhere(|| Jobs::Own(work)) {
            assert_eq!(found.iter().map(bits).collect::<Vec<_>>(), wanted);
        }
    }
}
