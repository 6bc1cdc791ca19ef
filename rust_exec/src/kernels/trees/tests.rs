use ndarray::{Array2, ArrayView2, Axis, Slice, array};

use super::bins::{Bins, MISSING, Wanted, halfway};
use super::codes::{Order, View};
use super::histogram::{CELLS, ClassSums, Filled};
use super::scan::{Bounds, Running, Side};
use crate::kernels::workers::Workers;

fn one() -> Workers {
    Workers::new(1).unwrap()
}

fn fit(x: ArrayView2<f64>, max_bins: usize) -> Bins {
    let rows: Vec<u32> = (0..x.nrows() as u32).collect();
    Bins::fit(x, &rows, &[], max_bins, &one()).unwrap()
}

/// Reproducible values without a pattern.
fn noise(rows: usize, columns: usize) -> Array2<f64> {
    let mut state = 7u64;
    Array2::from_shape_fn((rows, columns), |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 30) as f64 - 1.0
    })
}

#[test]
fn few_values_have_a_bin_each_and_edges_halfway() {
    let x = array![[3.0], [1.0], [f64::NAN], [2.0], [1.0]];
    let bins = fit(x.view(), 255);
    assert_eq!(bins.codes, vec![2, 0, MISSING, 1, 0]);
    assert_eq!(bins.edges, vec![vec![1.5, 2.5]]);
    assert_eq!((bins.missing[0], bins.count(0)), (true, 3));
}

#[test]
fn many_values_are_shared_out_evenly() {
    let x = noise(10_000, 2);
    let bins = fit(x.view(), 255);
    for f in 0..2 {
        assert_eq!(bins.count(f), 255);
        let mut held = [0usize; 256];
        bins.column(f).iter().for_each(|&c| held[c as usize] += 1);
        assert!(held[..255].iter().all(|&n| (38..=41).contains(&n)));
        for (i, &code) in bins.column(f).iter().enumerate() {
            let span = bins.spans[f][code as usize];
            assert!(span.low <= x[[i, f]] && x[[i, f]] <= span.high);
        }
    }
}

#[test]
fn a_frequent_value_leaves_its_places_to_others() {
    let mut x = noise(4_000, 1);
    x.slice_axis_mut(Axis(0), Slice::from(..2_000)).fill(0.25);
    assert!(fit(x.view(), 64).count(0) >= 60);
}

#[test]
fn a_code_is_the_number_of_edges_below_the_value() {
    let x = noise(3_000, 1);
    for max_bins in [2, 3, 64, 128, 255] {
        let bins = fit(x.view(), max_bins);
        assert_eq!(bins.count(0), max_bins);
        for (value, &code) in x.iter().zip(&bins.codes) {
            let below = bins.edges[0].iter().filter(|edge| *edge < value).count();
            assert_eq!(below, code as usize);
        }
    }
}

#[test]
fn strides_rows_and_threads_do_not_matter() {
    let x = noise(200, 6);
    let odd = x.slice_axis(Axis(1), Slice::new(0, None, 2));
    let wide = odd.slice_axis(Axis(0), Slice::new(0, None, -2));
    let rows: Vec<u32> = (0..wide.nrows() as u32).rev().chain([0, 0]).collect();
    let copy = wide.as_standard_layout().into_owned();
    let a = Bins::fit(wide, &rows, &[], 31, &one()).unwrap();
    let b = Bins::fit(copy.view(), &rows, &[], 31, &Workers::new(3).unwrap()).unwrap();
    assert_eq!((&a.codes, &a.edges), (&b.codes, &b.edges));
    assert_eq!(a.apply(wide, &rows, &one()).unwrap(), a.codes);
}

#[test]
fn large_samples_keep_the_quantiles() {
    let x = noise(300_000, 1);
    let bins = fit(x.view(), 255);
    let mut held = [0usize; 256];
    bins.codes.iter().for_each(|&c| held[c as usize] += 1);
    assert!(held[..255].iter().all(|&n| (800..=1600).contains(&n)));
}

#[test]
fn infinities_and_neighbouring_floats_are_ordered() {
    let next = f64::from_bits(1.0f64.to_bits() + 1);
    let values = [
        f64::NEG_INFINITY,
        -f64::MAX,
        -0.0,
        1.0,
        next,
        f64::MAX,
        f64::INFINITY,
    ];
    let x = Array2::from_shape_vec((7, 1), values.to_vec()).unwrap();
    assert_eq!(fit(x.view(), 255).codes, vec![0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(halfway(f64::NEG_INFINITY, f64::INFINITY), 0.0);
    let zeros = array![[0.0], [-0.0]];
    assert_eq!(fit(zeros.view(), 255).codes, vec![0, 0]);
}

#[test]
fn empty_constant_and_missing_columns_have_no_edges() {
    let x = array![[5.0, f64::NAN], [5.0, f64::NAN]];
    let bins = fit(x.view(), 255);
    assert_eq!(bins.codes, vec![0, 0, MISSING, MISSING]);
    assert_eq!((bins.count(0), bins.count(1)), (1, 0));
    let none = Bins::fit(x.view(), &[], &[], 255, &one()).unwrap();
    assert_eq!((none.codes.len(), none.features), (0, 2));
    let other = bins.apply(array![[9.0, 1.0]].view(), &[0], &one()).unwrap();
    assert_eq!(other, vec![0, 0]);
}

#[test]
fn categories_are_told_apart_exactly() {
    let x = array![[10.0], [20.0], [40.0], [f64::NAN]];
    let rows = [0, 1, 2, 3];
    let bins = Bins::fit(x.view(), &rows, &[true], 3, &one()).unwrap();
    assert_eq!(bins.codes, vec![0, 1, 2, MISSING]);
    let unseen = array![[20.0], [21.0], [f64::NAN]];
    let codes = bins.apply(unseen.view(), &[0, 1, 2], &one()).unwrap();
    assert_eq!(codes, vec![1, MISSING, MISSING]);
    let refused = Bins::fit(x.view(), &rows, &[true], 2, &one()).unwrap_err();
    assert_eq!(refused.code(), "too_many_categories");
}

#[test]
fn wrong_arguments_are_input_errors() {
    let x = noise(3, 2);
    let code = |rows: &[u32], flags: &[bool], bins| {
        let fitted = Bins::fit(x.view(), rows, flags, bins, &one());
        fitted.unwrap_err().code()
    };
    assert_eq!(code(&[3], &[], 255), "index_out_of_range");
    assert_eq!(code(&[0], &[true], 255), "shape_mismatch");
    assert_eq!(code(&[0], &[], 256), "bad_bins");
    let first = x.slice_axis(Axis(1), Slice::from(..1));
    let narrow = fit(x.view(), 255).apply(first, &[0], &one());
    assert_eq!(narrow.unwrap_err().code(), "shape_mismatch");
}

#[test]
fn classes_are_summed_by_weight_and_counted_by_row() {
    let codes = [9u8, 9, 255];
    let mut sums = ClassSums::new(3);
    sums.add(codes.into_iter(), &[(2, 2.0), (0, 1.0), (1, 4.0)]);
    assert_eq!(sums.cell(9), [1.0, 0.0, 2.0]);
    assert_eq!((sums.rows[9], sums.rows[255]), (2, 1));
    sums.clear();
    assert_eq!(sums, ClassSums::new(3));
}

#[test]
fn codes_are_the_same_by_row_and_by_feature() {
    for features in [1, 9, 70] {
        let x = noise(1_100, features);
        let bins = fit(x.view(), 255);
        let rows: Vec<u32> = (0..1_100).collect();
        for tried in [1, features] {
            let wanted = Wanted {
                categorical: &[],
                max_bins: 255,
                order: Order::of(features, tried),
                greatest: f64::INFINITY,
            };
            let read = Bins::even(x.view(), &rows, wanted, &one()).unwrap();
            let view = View::of(&read);
            for f in 0..features {
                let place = view.place(f);
                let found = (0..1_100).map(|row| view.at(row, place));
                assert!(found.eq(bins.column(f).iter().copied()));
            }
        }
    }
}

/// Both ways to read cells choose the same cut, and leave them empty.
#[test]
fn few_and_many_codes_are_cut_alike() {
    let values = noise(40, 1);
    for missing in [false, true] {
        let (mut seen, mut cells) = ([0; CELLS], [[0.0f32; 4]; CELLS]);
        for (place, &value) in values.iter().enumerate() {
            let code = if missing && place % 4 == 0 {
                255
            } else {
                place * 6
            };
            seen[code] = 1;
            let add = [value as f32, 1.0, 1.0, value as f32];
            for lane in 0..4 {
                cells[code][lane] += add[lane];
            }
        }
        let side = |rows| Side { rows, weight: rows };
        let bounds = Bounds {
            least: side(3.0),
            all: side(40.0),
        };
        let worth = |sum: f64, weight: f64| sum * sum / (weight * (40.0 - weight));
        let found = [false, true].map(|few| {
            let mut cells = cells;
            let mut running = Running::default();
            if few {
                running.take_few(&mut cells, Filled::of(&seen));
            } else {
                running.take(&mut cells, 255);
            }
            assert_eq!(cells, [[0.0; 4]; CELLS]);
            assert!(running.varies(40.0));
            let (without, place) = running.best(&bounds, [0.0; 3], worth);
            let (with, other) = running.best(&bounds, running.missing, worth);
            let places = (running.at(place), running.at(other));
            (without, with, places, running.missing)
        });
        assert_eq!(found[0], found[1]);
        assert_eq!(found[0].3[2], if missing { 10.0 } else { 0.0 });
        assert!(found[0].2.0.2 >= 3.0 && found[0].2.0.2 <= 37.0);
    }
}

#[test]
fn rows_of_one_code_do_not_vary() {
    let mut cells = [[0.0f32; 4]; CELLS];
    for code in [7, 255] {
        cells[code] = [1.0, 2.0, 2.0, 1.0];
        let mut running = Running::default();
        running.take(&mut cells, 20);
        assert!(!running.varies(2.0));
    }
}
