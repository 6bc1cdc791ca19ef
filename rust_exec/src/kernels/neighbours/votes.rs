//! What models of neighbours answer, from the lists of one query.
//!
//! Input: distances and points of a list. Output: scikit-learn's mean, label or probabilities
//! (`KNeighborsRegressor` and `KNeighborsClassifier` of 1.9, one target), to the last bit: sums are
//! taken in NumPy's order.

use crate::kernels::encoding::summation::plain;

/// What points have, which neighbours answer with.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    Values(&'a [f64]),
    /// Codes below `classes`; with `chances`, probabilities are answered after the label.
    Classes {
        codes: &'a [u32],
        classes: usize,
        chances: bool,
    },
}

/// A model: the place of its number of neighbours among the sizes, and whether they weigh by
/// distance.
#[derive(Clone, Copy)]
pub struct Member {
    pub size: usize,
    pub weighted: bool,
}

impl Target<'_> {
    /// Numbers that a model answers a query with.
    pub fn width(&self) -> usize {
        match self {
            Target::Values(_) => 1,
            Target::Classes {
                classes, chances, ..
            } => 1 + if *chances { *classes } else { 0 },
        }
    }
}

/// Works out answers; the vectors are room.
pub struct Voter<'a> {
    target: Target<'a>,
    weights: Vec<f64>,
    terms: Vec<f64>,
    counts: Vec<f64>,
}

impl<'a> Voter<'a> {
    pub fn new(target: Target<'a>) -> Self {
        let classes = match target {
            Target::Values(_) => 0,
            Target::Classes { classes, .. } => classes,
        };
        Self {
            target,
            weights: Vec::new(),
            terms: Vec::new(),
            counts: vec![0.0; classes],
        }
    }

    /// The answer of a model to a list of its size, (width,).
    pub fn answer(&mut self, distances: &[f64], points: &[u32], weighted: bool, into: &mut [f64]) {
        if weighted {
            self.weigh(distances);
        }
        match self.target {
            Target::Values(values) => into[0] = self.mean(values, points, weighted),
            Target::Classes {
                codes,
                classes,
                chances,
            } => {
                let labels = points.iter().map(|point| codes[*point as usize] as usize);
                self.counts.fill(0.0);
                for (position, label) in labels.enumerate() {
                    self.counts[label] += if weighted {
                        self.weights[position]
                    } else {
                        1.0
                    };
                }
                if chances {
                    let total = plain(&self.counts);
                    for (chance, count) in into[1..=classes].iter_mut().zip(&self.counts) {
                        *chance = count / total;
                    }
                }
                if weighted {
                    self.total_by_class(codes, points);
                }
                into[0] = first_of_most(&self.counts) as f64;
            }
        }
    }

    fn weigh(&mut self, distances: &[f64]) {
        self.weights.clear();
        self.weights.extend(distances.iter().map(|gap| 1.0 / gap));
        if self.weights.iter().any(|weight| weight.is_infinite()) {
            for weight in &mut self.weights {
                *weight = f64::from(weight.is_infinite());
            }
        }
    }

    fn mean(&mut self, values: &[f64], points: &[u32], weighted: bool) -> f64 {
        self.terms.clear();
        let found = points.iter().map(|point| values[*point as usize]);
        if !weighted {
            self.terms.extend(found);
            return plain(&self.terms) / points.len() as f64;
        }
        let weighed = found
            .zip(&self.weights)
            .map(|(value, weight)| value * weight);
        self.terms.extend(weighed);
        plain(&self.terms) / plain(&self.weights)
    }

    /// Sums of weights in the order in which labels take them: as of a list of all neighbours,
    /// zero for those of other classes.
    fn total_by_class(&mut self, codes: &[u32], points: &[u32]) {
        for (class, count) in self.counts.iter_mut().enumerate() {
            if *count == 0.0 {
                continue;
            }
            self.terms.clear();
            let own = points.iter().zip(&self.weights);
            let own = own.map(|(point, weight)| {
                if codes[*point as usize] as usize == class {
                    *weight
                } else {
                    0.0
                }
            });
            self.terms.extend(own);
            *count = plain(&self.terms);
        }
    }
}

/// The first place of the greatest value; 0 if none is above zero.
fn first_of_most(counts: &[f64]) -> usize {
    let (mut best, mut most) = (0, 0.0);
    for (place, count) in counts.iter().enumerate() {
        if *count > most {
            (best, most) = (place, *count);
        }
    }
    best
}
