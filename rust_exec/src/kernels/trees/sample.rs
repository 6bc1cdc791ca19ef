//! The rows of one tree: all of them, or a bootstrap sample, with their weights.

use super::random::Random;

/// How the rows of a tree are drawn.
#[derive(Debug, Clone)]
pub struct Sampling {
    /// Rows drawn with replacement; None: every row, with its weight.
    pub draws: Option<usize>,
    /// Classes weigh the same in every sample.
    pub balanced: bool,
}

/// Row numbers, ascending, and how much each weighs; rows of no weight are left out.
pub struct Sample {
    pub numbers: Vec<u32>,
    pub weights: Vec<f32>,
}

/// Ends of the stretches of [0, 1) in which rows are drawn by their weights.
pub fn cumulated(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let ends = weights.iter().map(|weight| {
        sum += weight / total;
        sum
    });
    ends.collect()
}

/// `ends` is `cumulated` of the row weights, if there are any. `classes` are codes of the rows
/// below `count`, if the sample is balanced.
pub fn sample(
    rows: usize,
    sampling: &Sampling,
    weights: Option<&[f64]>,
    ends: Option<&[f64]>,
    classes: (&[f64], usize),
    random: &mut Random,
) -> Sample {
    let mut found = match sampling.draws {
        None => weights.map_or_else(|| vec![1.0; rows], <[f64]>::to_vec),
        Some(draws) => {
            let mut counts = vec![0.0; rows];
            for _ in 0..draws {
                let row = match ends {
                    None => random.below(rows),
                    Some(ends) => {
                        let at = random.uniform();
                        ends.partition_point(|&end| end <= at).min(rows - 1)
                    }
                };
                counts[row] += 1.0;
            }
            counts
        }
    };
    if sampling.balanced {
        let (codes, count) = classes;
        let mut held = vec![0.0; count];
        for (&class, weight) in codes.iter().zip(&found) {
            held[class as usize] += weight;
        }
        let present = held.iter().filter(|&&weight| weight > 0.0).count() as f64;
        let drawn: f64 = held.iter().sum();
        for (&class, weight) in codes.iter().zip(found.iter_mut()) {
            if *weight > 0.0 {
                *weight *= drawn / (present * held[class as usize]);
            }
        }
    }
    // Every place is written, and some kept: whether a row was drawn is a coin toss.
    let (mut numbers, mut weights) = (vec![0; rows], vec![0.0; rows]);
    let mut kept = 0;
    for (row, &weight) in found.iter().enumerate() {
        let weight = weight as f32;
        numbers[kept] = row as u32;
        weights[kept] = weight;
        kept += usize::from(weight > 0.0);
    }
    numbers.truncate(kept);
    weights.truncate(kept);
    Sample { numbers, weights }
}
