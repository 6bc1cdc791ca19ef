use super::*;
use ndarray::{Array2, Slice};

fn sample() -> Array2<f64> {
    Array2::from_shape_fn((6, 4), |(i, j)| (10 * i + j) as f64)
}

#[test]
fn every_layout_packs_the_same_values() {
    let c_order = sample();
    let f_order = c_order.t().as_standard_layout().into_owned();
    let mut wide = Array2::zeros((12, 8));
    let every_second = |_| Slice::new(0, None, 2);
    wide.slice_each_axis_mut(every_second).assign(&c_order);
    let views = [
        c_order.view(),
        f_order.t(),
        wide.slice_each_axis(every_second),
    ];
    let centre = [1.0, 2.0, 3.0, 4.0];
    for view in views {
        let source = Source::new(view);
        for rows in [&[1, 2, 3][..], &[5, 0, 0]] {
            let mut block = Block::new(5);
            source.pack(rows, &centre, Missing::Keep, &mut block);
            block.set_column(4, std::iter::repeat(1.0));
            let packed = block.view();
            for (i, &row) in rows.iter().enumerate() {
                for j in 0..4 {
                    assert_eq!(packed[(i, j)], c_order[[row as usize, j]] - centre[j]);
                }
                assert_eq!(packed[(i, 4)], 1.0);
            }
        }
    }
}

#[test]
fn missing_values_are_filled_or_kept() {
    let mut x = sample();
    x[[2, 1]] = f64::NAN;
    let f_order = x.t().as_standard_layout().into_owned();
    for view in [x.view(), f_order.t()] {
        let source = Source::new(view);
        let mut block = Block::new(4);
        for rows in [&[1, 2][..], &[2, 1]] {
            source.pack(rows, &[0.0; 4], Missing::Fill(&[7.0; 4]), &mut block);
            let i = rows.iter().position(|&r| r == 2).unwrap();
            assert_eq!(block.view()[(i, 1)], 7.0);
            assert_eq!(block.view()[(i, 2)], 22.0);
            source.pack(rows, &[0.0; 4], Missing::Keep, &mut block);
            assert!(block.view()[(i, 1)].is_nan());
            let (mut sums, mut missing) = (vec![0.0; 4], vec![0; 4]);
            block.add_sums(&mut sums, &mut missing);
            assert_eq!(sums, vec![30.0, 11.0, 34.0, 36.0]);
            assert_eq!(missing, vec![0, 1, 0, 0]);
        }
    }
}
