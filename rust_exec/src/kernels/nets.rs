//! All elastic nets of one fold and target, from its normal equations.
//!
//! Input: normal equations and nets. Output: where scikit-learn's coordinate descent stops for
//! each, and probes: how far the descents of most rounds move when the equations change by the
//! size of rounding errors. A descent never stretches an error it is given, so its errors grow
//! with its rounds, and those of the longest bound the others'.

use faer::Mat;

use super::closed::Noise;
use super::descent::{Descent, Gram, Net, descend_all, descend_each};
use super::models::{PROBE_SIZE, PROBES, Solved, Unsolved};
use super::normal::{Normal, Preparation, RightSide};
use crate::errors::Declined;

/// The descents of one fold and target; a net's place is that of its parameters.
pub struct Nets<'a> {
    normal: &'a Normal,
    side: &'a RightSide,
    preparation: Preparation,
    nets: Vec<Net>,
    gram: Gram,
    /// (active,) length of each column as the linear model sees it.
    length: Vec<f64>,
    found: Vec<Result<Descent, Declined>>,
}

impl<'a> Nets<'a> {
    pub fn new(
        nets: Vec<Net>,
        preparation: Preparation,
        normal: &'a Normal,
        side: &'a RightSide,
    ) -> Self {
        let length: Vec<f64> = normal.penalty.iter().map(|x| 1.0 / x.sqrt()).collect();
        let size = length.len();
        let mut products = Vec::with_capacity(size * size);
        for i in 0..size {
            products.extend((0..size).map(|j| normal.matrix[(i, j)] * length[i] * length[j]));
        }
        let gram = Gram {
            products,
            target: (0..size).map(|i| side.rhs[i] * length[i]).collect(),
            squares: side.y_squares,
            summed: side.y_norm * side.y_norm,
            rows: normal.rows,
        };
        let found = descend_all(&gram, &nets);
        Self {
            normal,
            side,
            preparation,
            nets,
            gram,
            length,
            found,
        }
    }

    /// The descent of a net, or why there is none.
    pub fn of(&self, net: usize) -> Result<&Descent, Declined> {
        self.found[net].as_ref().map_err(|reason| *reason)
    }

    /// Coefficients of those `nets` that have a descent; `nets` may hold no others.
    pub fn solved(&self, nets: &[usize]) -> Result<Solved, Unsolved> {
        let mut descents = Vec::with_capacity(nets.len());
        for (k, &net) in nets.iter().enumerate() {
            descents.push(self.of(net).map_err(|reason| Unsolved {
                reason,
                suspects: vec![k],
            })?);
        }
        let mut suspects: Vec<usize> = (0..nets.len()).collect();
        suspects.sort_by_key(|&k| std::cmp::Reverse(descents[k].rounds));
        suspects.truncate(PROBES);

        let mut coef = Mat::zeros(self.normal.offset.len(), nets.len() + PROBES);
        for (k, descent) in descents.iter().enumerate() {
            self.write(&descent.weights, &mut coef, k);
        }
        let changed = suspects.iter().map(|&k| self.changed(descents[k]));
        let probes = changed.zip(suspects.iter().map(|&k| self.nets[nets[k]]));
        for ((probe, &k), other) in suspects.iter().enumerate().zip(descend_each(probes)) {
            let moved = moved(other, descents[k]).map_err(|reason| Unsolved {
                reason,
                suspects: vec![k],
            })?;
            self.write(&moved, &mut coef, nets.len() + probe);
        }
        let residuals = descents.iter().map(|descent| descent.residual);
        Ok(Solved {
            coef,
            training_error: residuals.fold(f64::INFINITY, f64::min),
            rounding: 0.0,
            suspects,
        })
    }

    fn write(&self, weights: &[f64], coef: &mut Mat<f64>, column: usize) {
        let Normal { active, unit, .. } = self.normal;
        for (i, weight) in weights.iter().enumerate() {
            coef[(active[i], column)] = weight * self.length[i] / unit[i];
        }
    }

    /// The equations, changed by as much as rounding may have changed them by the end of `descent`.
    fn changed(&self, descent: &Descent) -> Gram {
        let size = self.length.len();
        // The library carries the residual along, which adds rounding with every step.
        let steps = (descent.rounds * size) as f64;
        let amount = f64::EPSILON * (PROBE_SIZE + steps.sqrt());
        let loss = &self.normal.loss;
        let mut gram = self.gram.clone();
        let mut noise = Noise::default();
        let solution = Mat::from_fn(size, 1, |i, _| descent.weights[i] * self.length[i]);
        let filled = self.normal.filled_errors(&solution, descent.residual);
        for i in 0..size {
            for j in 0..=i {
                let scale = loss[i] * loss[j] * self.length[i] * self.length[j];
                let change = noise.draw() * amount * scale;
                gram.products[i * size + j] += change;
                if i != j {
                    gram.products[j * size + i] += change;
                }
            }
            let sums = amount * loss[i] * self.side.y_norm;
            let means = (self.normal).mean_error(self.side, self.preparation, i);
            let all = sums + means + PROBE_SIZE * filled[i];
            gram.target[i] += noise.draw() * all * self.length[i];
        }
        gram
    }
}

/// By how much the weights are others, if the descent took as many rounds.
fn moved(other: Result<Descent, Declined>, found: &Descent) -> Result<Vec<f64>, Declined> {
    let other = other?;
    if other.rounds != found.rounds {
        return Err(Declined::Borderline);
    }
    let pairs = other.weights.iter().zip(&found.weights);
    Ok(pairs.map(|(other, found)| other - found).collect())
}
