use super::*;
use crate::kernels::moments::moments;
use crate::kernels::workers::Workers;
use ndarray::Array2;

const PLAIN: Preparation = Preparation {
    scale: true,
    fit_intercept: true,
};

fn build(x: &Array2<f64>, centre: f64, indicators: Vec<usize>) -> Result<Normal, Refusal> {
    let y = Array2::from_shape_fn((x.nrows(), 1), |(i, _)| (i * i % 7) as f64);
    let rows: Vec<u32> = (0..x.nrows() as u32).collect();
    let source = Source::new(x.view());
    let frame = Frame {
        centre: vec![centre; x.ncols()],
        y_centre: vec![1.0],
        impute: !indicators.is_empty(),
        indicators,
    };
    let workers = Workers::new(1).unwrap();
    let m = moments(&source, y.view(), &[&rows], &frame, &workers).remove(0);
    let base: Vec<f64> = (0..frame.width()).map(|i| m[(i, i)]).collect();
    let training = Training {
        moments: &m,
        base: &base,
        rows: &rows,
        frame: &frame,
        known: None,
        order: None,
    };
    normal_equations(&training, &source, PLAIN, true)
}

fn rhs(normal: &Normal) -> &[f64] {
    &normal.sides[0].as_ref().unwrap().rhs
}

fn base_data() -> Array2<f64> {
    Array2::from_shape_fn((20, 2), |(i, j)| ((i * (j + 3)) % 8) as f64)
}

#[test]
fn imputing_in_the_moments_is_imputing_the_data() {
    let mut holes = base_data();
    holes[[4, 0]] = f64::NAN;
    holes[[4, 1]] = f64::NAN;
    holes[[9, 1]] = f64::NAN;
    let mut filled = holes.clone();
    for mut column in filled.columns_mut() {
        let present: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
        let mean = present.iter().sum::<f64>() / present.len() as f64;
        column.mapv_inplace(|v| if v.is_nan() { mean } else { v });
    }
    let a = build(&holes, 2.5, vec![0, 1]).unwrap();
    let b = build(&filled, 2.5, vec![]).unwrap();
    assert!((a.matrix[(1, 0)] - b.matrix[(1, 0)]).abs() < 1e-14);
    for k in 0..2 {
        assert!((rhs(&a)[k] - rhs(&b)[k]).abs() < 1e-13);
        assert!((a.offset[k] - b.offset[k]).abs() < 1e-14);
        assert!((a.unit[k] - b.unit[k]).abs() < 1e-13);
    }
}

#[test]
fn constant_empty_and_broken_columns_are_told_apart() {
    let mut x = base_data();
    x.column_mut(1).fill(0.3);
    assert_eq!(build(&x, 0.0, vec![]).unwrap().active, vec![0]);
    x.column_mut(1).fill(f64::NAN);
    let refusal = |x: &Array2<f64>, q: Vec<usize>| build(x, 0.0, q).unwrap_err();
    assert_eq!(refusal(&x, vec![1]), Declined::EmptyColumn.into());
    assert_eq!(refusal(&x, vec![]), Declined::NonFinite.into());
    x.column_mut(1).fill(1e200);
    assert_eq!(refusal(&x, vec![]), Declined::NonFinite.into());
}

#[test]
fn scale_is_one_within_the_reference_bound() {
    assert_eq!(standard_scale(4.0, 1.0, 100.0), Ok(2.0));
    assert_eq!(standard_scale(1e-30, 1e3, 100.0), Ok(1.0));
    let bound = (100.0 * 1e3 * f64::EPSILON).powi(2);
    assert_eq!(
        standard_scale(bound, 1e3, 100.0),
        Err(Declined::ConstantColumn)
    );
}
