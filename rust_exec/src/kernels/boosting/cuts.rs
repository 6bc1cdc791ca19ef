//! Where the libraries cut a feature into bins. Input: the values of the training rows. Output:
//! edges between bins, and what each holds.
//!
//! Where edges lie decides which way values go that training has not seen, and how finely small
//! tables are fitted: scores depend on it by more than a random draw does.

use super::options::Library;
use crate::kernels::trees::bins::{MAX_BINS, Span, between, halfway};

/// LightGBM takes values this near to zero for zero, which has a bin of its own.
const ZERO: f64 = 1e-35;
/// LightGBM's `min_data_in_bin`.
const FEWEST: usize = 3;
/// The greatest edge of HistGradientBoosting.
const HIGHEST: f64 = 1e300;

/// A distinct value, and how many rows have it.
type Value = (f64, usize);

/// Most bins of a feature without missing values. XGBoost's 256th takes the code of those, which
/// then go to the right, as XGBoost sends them where training has had none.
pub fn most_bins(library: Library) -> usize {
    MAX_BINS + usize::from(library == Library::XgBoost)
}

/// Edges and spans of at most `max_bins` bins of ascending values; `missing` says whether there
/// are missing values beside them.
pub fn cut(
    library: Library,
    values: &[f64],
    missing: bool,
    max_bins: usize,
) -> (Vec<f64>, Vec<Span>) {
    let mut edges = match library {
        Library::LightGbm => lightgbm(&distinct(values), max_bins - usize::from(missing)),
        Library::XgBoost => xgboost(values, max_bins.min(MAX_BINS + usize::from(!missing))),
        Library::Histogram => histogram(values, max_bins),
    };
    edges.dedup();
    let spans = spans(values, &edges);
    (edges, spans)
}

fn distinct(values: &[f64]) -> Vec<Value> {
    let runs = values.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], run.len())).collect()
}

/// What each bin holds; an empty one the edge beside it.
fn spans(values: &[f64], edges: &[f64]) -> Vec<Span> {
    if values.is_empty() {
        return Vec::new();
    }
    let mut rest = values;
    let ends = edges.iter().copied().chain([f64::INFINITY]);
    let bins = ends.map(|end| {
        let (here, later) = rest.split_at(rest.partition_point(|v| *v <= end));
        rest = later;
        match (here.first(), here.last()) {
            (Some(&low), Some(&high)) => Span { low, high },
            _ => Span {
                low: end,
                high: end,
            },
        }
    });
    bins.collect()
}

/// `FindBinWithZeroAsOneBin`: negative and positive values share the bins by their rows.
fn lightgbm(values: &[Value], max_bins: usize) -> Vec<f64> {
    let rows = |values: &[Value]| values.iter().map(|value| value.1).sum::<usize>();
    let below = values.partition_point(|value| value.0 <= -ZERO);
    let above = values.partition_point(|value| value.0 <= ZERO);
    let (negative, positive) = (&values[..below], &values[above..]);
    let counts = (rows(negative), rows(positive));
    let mut edges = Vec::new();
    if !negative.is_empty() && max_bins > 1 {
        let share = counts.0 as f64 / (counts.0 + counts.1) as f64;
        let most = (share * (max_bins - 1) as f64) as usize;
        edges = greedy(negative, counts.0, most.max(1));
        edges.push(-ZERO);
    }
    let left = max_bins.saturating_sub(1 + edges.len());
    if !positive.is_empty() && left > 0 {
        edges.push(ZERO);
        edges.extend(greedy(positive, counts.1, left));
    }
    edges
}

/// `GreedyFindBin`: frequent values have a bin of their own, the others share the rest evenly.
fn greedy(values: &[Value], rows: usize, max_bins: usize) -> Vec<f64> {
    let edge = |at: usize| halfway(values[at].0, values[at + 1].0);
    let between = 0..values.len() - 1;
    let mut filled = 0;
    if values.len() <= max_bins {
        let ends = between.filter(|&at| {
            filled += values[at].1;
            let full = filled >= FEWEST;
            filled *= usize::from(!full);
            full
        });
        return ends.map(edge).collect();
    }
    let max_bins = max_bins.min(rows / FEWEST);
    let even = rows as f64 / max_bins as f64;
    let is_big = |at: usize| values[at].1 as f64 >= even;
    let big = (0..values.len()).filter(|&at| is_big(at));
    let (frequent, their_rows) = big.fold((0, 0), |(n, sum), at| (n + 1, sum + values[at].1));
    let mut bins_left = max_bins as f64 - f64::from(frequent);
    let mut rows_left = (rows - their_rows) as f64;
    let mut size = rows_left / bins_left;
    let mut edges = Vec::new();
    for at in between {
        if edges.len() + 1 >= max_bins {
            break;
        }
        filled += values[at].1;
        if !is_big(at) {
            rows_left -= values[at].1 as f64;
        }
        let half = (size * 0.5).max(1.0);
        let full = filled as f64 >= size || (is_big(at + 1) && filled as f64 >= half);
        if is_big(at) || full {
            edges.push(edge(at));
            filled = 0;
            if !is_big(at) {
                bins_left -= 1.0;
                size = rows_left / bins_left;
            }
        }
    }
    edges
}

/// Cuts of the quantile sketch: each is a value, in single precision, and the lowest of its bin.
fn xgboost(values: &[f64], max_bins: usize) -> Vec<f64> {
    let single: Vec<f64> = values.iter().map(|&v| f64::from(v as f32)).collect();
    let values = distinct(&single);
    let below = |at: usize| {
        let cut = values[at].0 as f32;
        halfway(f64::from(cut.next_down()), f64::from(cut))
    };
    if values.len() <= max_bins {
        return (1..values.len()).map(below).collect();
    }
    // Rows up to each value, and to the one before it.
    let ends = values.iter().scan(0, |sum, value| {
        *sum += value.1;
        Some(*sum)
    });
    let ends: Vec<usize> = ends.collect();
    let (first, last) = (ends[0], ends[ends.len() - 2]);
    let mut edges = Vec::new();
    let (mut at, mut before) = (1, 0);
    for k in 1..max_bins {
        let wanted = first as f64 + k as f64 * (last - first) as f64 / max_bins as f64;
        let middle = |at: usize| (ends[at] + ends[at - 1]) as f64 / 2.0;
        while at + 1 < values.len() && wanted >= middle(at + 1) {
            at += 1;
        }
        if at + 1 == values.len() {
            break;
        }
        let chosen = at + usize::from(wanted >= ends[at] as f64);
        if chosen > before {
            edges.push(below(chosen));
            before = chosen;
        }
    }
    edges
}

/// Halfway between few values, else at percentiles (`averaged_inverted_cdf`).
fn histogram(values: &[f64], max_bins: usize) -> Vec<f64> {
    let few = distinct(values);
    if few.len() <= max_bins {
        let few: Vec<f64> = few.iter().map(|value| value.0).collect();
        return between(&few).0;
    }
    let percentile = |k: usize| {
        let place = k as u128 * values.len() as u128;
        let at = (place / max_bins as u128) as usize;
        let exact = place.is_multiple_of(max_bins as u128);
        halfway(values[at - usize::from(exact)], values[at]).min(HIGHEST)
    };
    (1..max_bins).map(percentile).collect()
}
