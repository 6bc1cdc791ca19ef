use super::*;
use crate::kernels::descent::tests::{noisy, random_gram};

#[test]
fn a_comparison_within_rounding_is_undecided() {
    assert_eq!(below(1.0, 1.0, 0.0), Err(Declined::Borderline));
    assert_eq!(below(1.0, 1.1, 0.0), Ok(true));
    assert_eq!(below(1.1, 1.0, 0.0), Ok(false));
    assert_eq!(below(1.1, 1.0, 0.2), Err(Declined::Borderline));
}

#[test]
fn where_the_quick_test_keeps_all_screening_keeps_all() {
    let mut draw = noisy(5);
    let (mut quick, mut slow) = (0, 0);
    for _ in 0..40 {
        let gram = random_gram(12, 0.7, &mut draw);
        let equations = Equations::new(&gram);
        for alpha in [0.003, 0.03, 0.3] {
            let net = Net {
                alpha,
                l1_ratio: 0.8,
                tol: 1e-9,
                max_iter: 60,
            };
            let mut state = State::new(&equations, net);
            for _ in 0..net.max_iter {
                let gap = state.gap();
                if !matches!(state.reached(gap), Ok(false)) {
                    break;
                }
                let before = state.active.clone();
                let all_stay = state.all_stay(gap);
                let screened = state.leave_out(gap);
                if all_stay {
                    assert_eq!((screened, &state.active), (Ok(()), &before));
                    quick += 1;
                } else {
                    slow += 1;
                }
                state.step(Scalar);
            }
        }
    }
    assert!(quick > 4 * slow && slow > 50, "{quick} quick, {slow} slow");
}
