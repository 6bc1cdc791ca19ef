use ndarray::{Array2, ArrayView1, ShapeBuilder, array};

use super::matrix::{fit_columns, map};
use super::statistics::{Affine, Fill, Scale, fit};
use super::summation::{Term, pairwise, plain};
use super::*;

const STANDARD: Scale = Scale::Standard {
    mean: true,
    deviation: true,
};

type Sides = (Vec<f64>, Vec<f64>);

fn encoded(
    sources: &[Source<'_>],
    train: &[u32],
    valid: &[u32],
    order: Order,
    threads: usize,
) -> Result<Result<Sides, Declined>, KernelError> {
    let width: usize = sources.iter().map(Source::width).sum();
    let mut left = vec![0.0; train.len() * width];
    let mut right = vec![0.0; valid.len() * width];
    let workers = Workers::new(threads)?;
    let out = (&mut left[..], &mut right[..]);
    let found = encode(sources, (train, valid), order, &workers, out)?;
    Ok(found.map(|()| (left, right)))
}

fn number(values: &[f64], fill: Fill, scale: Scale) -> Source<'_> {
    Source::Number {
        values: ArrayView1::from(values),
        fill,
        scale,
    }
}

#[test]
fn short_sums_are_taken_in_order_and_long_ones_in_halves() {
    let short = [1e16, 1.0, -1e16];
    assert_eq!(plain(&short), 0.0);
    let long: Vec<f64> = (0..1000).map(|k| f64::from(k) * 0.1).collect();
    let halves = plain(&long[..496]) + plain(&long[496..]);
    assert_eq!(plain(&long), halves);
    assert_eq!(pairwise(&[1.0, f64::NAN, 2.0], Term::Value), 3.0);
    assert!(plain(&[1.0, f64::NAN]).is_nan());
    assert_eq!(plain(&[]).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn blocks_are_the_same_in_both_orders_and_with_any_threads() {
    let rows: Vec<u32> = (0..700).filter(|row| row % 5 != 0).collect();
    let valid: Vec<u32> = (0..700).step_by(5).collect();
    let values: Vec<f64> = (0..700)
        .map(|k| {
            if k % 7 == 0 {
                f64::NAN
            } else {
                f64::from(k).sin()
            }
        })
        .collect();
    let codes: Vec<i32> = (0..700).map(|k| k % 3).collect();
    let block = Array2::from_shape_fn((rows.len(), 2), |(i, j)| (i + j) as f64);
    let block_valid = Array2::from_shape_fn((valid.len(), 2), |(i, j)| (i * 2 + j) as f64);
    let sources = [
        number(&values, Fill::Mean, STANDARD),
        Source::OneHot {
            codes: &codes,
            places: &[1, -1, 0],
            width: 2,
        },
        Source::Block {
            train: block.view(),
            valid: block_valid.view(),
        },
        Source::Table {
            codes: &codes,
            values: &[0.5, f64::NAN, -1.0],
        },
        number(&values, Fill::Median, Scale::None),
    ];
    let by_rows = encoded(&sources, &rows, &valid, Order::Rows, 1)
        .unwrap()
        .unwrap();
    let by_columns = encoded(&sources, &rows, &valid, Order::Columns, 1)
        .unwrap()
        .unwrap();
    for (n, a, b) in [
        (rows.len(), &by_rows.0, &by_columns.0),
        (valid.len(), &by_rows.1, &by_columns.1),
    ] {
        let a = Array2::from_shape_vec((n, 7), a.clone()).unwrap();
        let b = Array2::from_shape_vec((n, 7).f(), b.clone()).unwrap();
        assert!(
            a.iter()
                .zip(b.iter())
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
        assert_eq!(a.row(1).iter().skip(3).take(2).count(), 2);
    }
    for order in [Order::Rows, Order::Columns] {
        let one = encoded(&sources, &rows, &valid, order, 1).unwrap().unwrap();
        let three = encoded(&sources, &rows, &valid, order, 3).unwrap().unwrap();
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&one.0), bits(&three.0));
        assert_eq!(bits(&one.1), bits(&three.1));
    }
    assert_eq!(by_rows.0[1..3], [0.0, 0.0]); // row 1 has code 1, which is in no column
    assert_eq!(by_rows.0[8..10], [1.0, 0.0]); // row 2 has code 2
}

#[test]
fn statistics_are_those_of_the_training_rows() {
    let values = [1.0, 3.0, f64::NAN, 100.0];
    let found = encoded(
        &[number(&values, Fill::Mean, Scale::None)],
        &[0, 1, 2],
        &[3],
        Order::Rows,
        1,
    );
    assert_eq!(found.unwrap().unwrap(), (vec![1.0, 3.0, 2.0], vec![100.0]));
    let median = fit(&mut [5.0, 1.0, f64::NAN, 2.0], Fill::Median, Scale::None).unwrap();
    assert_eq!(median.fill, Some(2.0));
    let even = fit(&mut [4.0, 1.0, 2.0, 9.0], Fill::Median, Scale::None).unwrap();
    assert_eq!(even.fill, Some(3.0));
    let constant = fit(&mut [7.0; 9], Fill::None, STANDARD).unwrap();
    let same = Affine::Standard {
        shift: 7.0,
        divisor: 1.0,
    };
    assert_eq!(constant.affine, same);
}

#[test]
fn what_the_library_refuses_is_declined() {
    for values in [[1.0, f64::INFINITY], [f64::NEG_INFINITY, f64::NAN]] {
        let found = fit(&mut values.clone(), Fill::Mean, STANDARD);
        assert_eq!(found, Err(Declined::NonFinite));
    }
    let empty = fit(&mut [f64::NAN; 3], Fill::Mean, Scale::None);
    assert_eq!(empty, Err(Declined::EmptyColumn));
    let huge = fit(&mut [1e308, 1e308, -1e308], Fill::None, STANDARD);
    assert_eq!(huge, Err(Declined::NonFinite));
    let values = [1.0, 2.0, f64::INFINITY];
    let source = [number(&values, Fill::None, STANDARD)];
    let found = encoded(&source, &[0, 1], &[2], Order::Rows, 1);
    assert_eq!(found.unwrap(), Err(Declined::NonFinite));
    // As they are, infinite values pass.
    let source = [number(&values, Fill::None, Scale::None)];
    let found = encoded(&source, &[0, 1], &[2], Order::Rows, 1);
    assert_eq!(found.unwrap().unwrap().1, vec![f64::INFINITY]);
}

#[test]
fn wrong_sources_are_input_errors() {
    let values = [1.0, 2.0];
    let codes = [0, 2];
    let cases = [
        (number(&values, Fill::None, Scale::None), "shape_mismatch"),
        (
            Source::OneHot {
                codes: &codes,
                places: &[0, 1],
                width: 2,
            },
            "bad_codes",
        ),
        (
            Source::OneHot {
                codes: &codes,
                places: &[0, 5, 1],
                width: 2,
            },
            "shape_mismatch",
        ),
        (
            Source::Table {
                codes: &[-1, 0],
                values: &[0.0],
            },
            "bad_codes",
        ),
    ];
    for (source, code) in cases {
        let found = encoded(&[source], &[0, 2], &[1], Order::Rows, 1);
        assert_eq!(found.unwrap_err().code(), code);
    }
}

#[test]
fn matrices_are_scaled_in_their_own_order() {
    let rows = array![[1.0, f64::NAN], [2.0, 5.0], [4.0, 7.0]];
    for (scale, wanted) in [
        (
            Scale::MinMax {
                low: 0.0,
                high: 3.0,
            },
            [0.0, 0.0],
        ),
        (Scale::MaxAbs, [0.25, 5.0 / 7.0]),
    ] {
        for order in [Order::Rows, Order::Columns] {
            let mut matrix = Array2::zeros((3, 2).set_f(order == Order::Columns));
            matrix.assign(&rows);
            let maps = fit_columns(matrix.view(), Fill::None, scale, order).unwrap();
            let mut out = vec![0.0; 6];
            map(matrix.view(), &maps, order, &mut out).unwrap();
            let (first, second) = match order {
                Order::Rows => (out[0], out[3]),
                Order::Columns => (out[0], out[4]),
            };
            assert_eq!([first, second], wanted);
        }
    }
    let infinite = array![[1.0, f64::INFINITY]];
    let found = fit_columns(infinite.view(), Fill::None, STANDARD, Order::Rows);
    assert_eq!(found, Err(Declined::NonFinite));
}

#[test]
fn codes_are_counted_among_rows() {
    let codes = [0, 1, 1, 7, -2];
    let rows = array![0, 1, 2, 3, 4, 1];
    let mut counts = [0; 2];
    count(&codes, rows.view(), &mut counts).unwrap();
    assert_eq!(counts, [1, 3]);
    let beyond = count(&codes, array![5].view(), &mut counts).unwrap_err();
    assert_eq!(beyond.code(), "index_out_of_range");
}
