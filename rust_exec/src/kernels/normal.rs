//! Centred, imputed and equilibrated normal equations of one fold, from its moments.
//!
//! Input: moments of the training rows about a frame. Output: a correlation-like matrix with
//! unit diagonal, a right-hand side for each target, and what leads back to raw coefficients.
//! Equilibrating makes the solve indifferent to the columns' units; the ridge penalty, which is
//! not, becomes a diagonal of its own. Constant columns follow scikit-learn's `StandardScaler`:
//! scale 1.

use faer::Mat;

use super::block::Source;
use super::imputed::Imputed;
use super::moments::{Frame, constant_value};
use crate::errors::Declined;

/// Which pipeline is fitted before the linear model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preparation {
    /// Whether every feature is standardised.
    pub scale: bool,
    pub fit_intercept: bool,
}

/// Statistics of a fold's training rows that the caller has; NaN where the kernel is to find
/// the column's mean or standard deviation.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// (columns,) what stands for missing values.
    pub fills: Option<Vec<f64>>,
    /// (columns,) what each column is divided by. One-hot columns are left as they are.
    pub divisors: Option<Vec<f64>>,
}

impl Preparation {
    /// Whether the features are centred before the fit.
    pub fn centred(self) -> bool {
        self.scale || self.fit_intercept
    }

    /// By how many units in the last place the reference library's column means are off.
    ///
    /// It sums columns row by row, so the error grows like a random walk. It cancels where
    /// standardised features are centred once more by the linear model.
    pub fn mean_rounding(self, rows: f64) -> f64 {
        match (self.scale, self.fit_intercept) {
            (true, true) => 0.0,
            (false, false) => 2.0,
            _ => 2.0 + rows.sqrt(),
        }
    }
}

/// Moments of one fold's training rows, and the sums that they were computed from.
pub struct Training<'a> {
    pub moments: &'a Mat<f64>,
    /// Diagonal of the moments that rounding errors are proportional to: the total's when these
    /// moments are a difference, their own when not.
    pub base: &'a [f64],
    pub rows: &'a [u32],
    pub frame: &'a Frame,
    pub known: Option<&'a Known>,
    /// Features in the order in which the linear model has them; None: as they are.
    pub order: Option<&'a [usize]>,
}

/// The normal equations (R + diag(alpha * penalty)) w = rhs of one fold, for every target.
#[derive(Debug)]
pub struct Normal {
    /// Number of training rows.
    pub rows: f64,
    /// Columns that take part; the others are constant and have coefficient 0.
    pub active: Vec<usize>,
    /// (a, a) symmetric, unit diagonal.
    pub matrix: Mat<f64>,
    /// By target; None where its moments are not finite.
    pub sides: Vec<Option<RightSide>>,
    /// (a,) penalty of one unit of alpha.
    pub penalty: Vec<f64>,
    /// (a,) raw coefficient = w / unit.
    pub unit: Vec<f64>,
    /// (a,) square root of how many times larger the summed squares were than what is left
    /// after centring: the loss of digits of a row of `matrix`.
    pub loss: Vec<f64>,
    /// (a,) length of the error that the reference library's rounding of the values that it puts
    /// in place of missing ones gives a column, in units of the column's own length.
    pub filled_error: Vec<f64>,
    /// (a,) training means of the active columns.
    pub mean: Vec<f64>,
    /// (p,) training means of the features, less the frame's centre.
    pub offset: Vec<f64>,
    /// (columns,) what stands for missing values, less the frame's centre.
    pub fill: Vec<f64>,
    /// (p,) bound on the coefficient that rounding may give a constant column in the reference
    /// library, times alpha, for a target of size 1; 0 for active columns.
    pub constant_noise: Vec<f64>,
    /// Bound on the length that rounding may give a constant column in the reference library.
    pub constant_norm: f64,
}

/// What the equations have of one target.
#[derive(Debug)]
pub struct RightSide {
    /// (a,)
    pub rhs: Vec<f64>,
    /// Training mean of the target.
    pub y_mean: f64,
    /// Norm of the target as the sums saw it.
    pub y_norm: f64,
    /// Sum of squares of the target that the fit explains (centred with an intercept).
    pub y_squares: f64,
    /// Size of the target that the rounding of constant columns is multiplied by.
    pub y_size: f64,
}

impl Normal {
    /// Rounding of the right-hand side where the reference library's features have a mean that is
    /// zero but for rounding, and its target keeps its own.
    pub fn mean_error(&self, side: &RightSide, preparation: Preparation, i: usize) -> f64 {
        if preparation.scale && !preparation.fit_intercept {
            let units = preparation.mean_rounding(self.rows) * self.rows * side.y_mean.abs();
            f64::EPSILON * units * self.mean[i].abs() / self.unit[i]
        } else {
            0.0
        }
    }

    /// Rounding of right-hand sides by that of the values put in place of missing ones, for a
    /// solution `weights` that leaves `residual`, a sum of squares.
    pub fn filled_errors(&self, weights: &Mat<f64>, residual: f64) -> Vec<f64> {
        let own = (residual / self.rows).sqrt();
        let pairs = self.filled_error.iter().zip(weights.col(0).iter());
        let fitted = pairs.map(|(e, w)| (e * w).powi(2)).sum::<f64>().sqrt();
        let with = |error: &f64| error * own + fitted;
        self.filled_error.iter().map(with).collect()
    }

    /// Writes solutions of the equations as raw coefficients into columns of `coef`.
    pub fn unscale(&self, solutions: &Mat<f64>, coef: &mut Mat<f64>, first: usize) {
        for k in 0..solutions.ncols() {
            for (i, &column) in self.active.iter().enumerate() {
                coef[(column, first + k)] = solutions[(i, k)] / self.unit[i];
            }
        }
    }
}

/// Why there are no normal equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Declined(Declined),
    /// Subtraction lost too many digits: sum the training rows themselves.
    SumDirectly,
}

impl From<Declined> for Refusal {
    fn from(reason: Declined) -> Self {
        Self::Declined(reason)
    }
}

/// Summed squares may be at most this many times what is left after centring.
const MAX_CANCELLATION: f64 = 1e5;
/// Below this, squares may have underflowed and say nothing.
const TINY_SQUARES: f64 = 1e-280;

enum Column {
    Active,
    Constant(f64),
}

/// Builds the normal equations. `direct` says that the moments are not a difference.
pub fn normal_equations(
    training: &Training<'_>,
    source: &Source<'_>,
    preparation: Preparation,
    direct: bool,
) -> Result<Normal, Refusal> {
    let Training {
        moments,
        base,
        rows,
        frame,
        known,
        order,
    } = training;
    let p = frame.features();
    let columns = source.ncols();
    let one = frame.one();
    let finite = |i: usize| moments[(i, i)].is_finite() && base[i].is_finite();
    if !(0..=one).all(finite) {
        return Err(Declined::NonFinite.into());
    }
    let n = moments[(one, one)];
    let fills = known.and_then(|known| known.fills.as_deref());
    let divisors = known.and_then(|known| known.divisors.as_deref());
    let imputed = Imputed::new(moments, frame, fills)?;
    let offset: Vec<f64> = (0..p).map(|i| imputed.sum(i) / n).collect();
    let mean = |i: usize| frame.centre[i] + offset[i];
    let centred = |i: usize, j: usize| imputed.product(i, j) - n * offset[i] * offset[j];
    let square = |i: usize| {
        let about_mean = centred(i, i).max(0.0);
        if preparation.centred() {
            about_mean
        } else {
            about_mean + n * mean(i) * mean(i)
        }
    };
    let summed = |i: usize| base[i] + imputed.filled_squares(i);

    let mut active = Vec::with_capacity(p);
    let mut constant_noise = vec![0.0; p];
    let mut constant_norm = 0.0_f64;
    let kept = source.categories().map(|categories| {
        let count = |v: usize| moments[(columns + v, columns + v)];
        categories.kept(count)
    });
    for place in 0..p {
        let i = order.map_or(place, |order| order[place]);
        if let (Some(kept), Some(category)) = (&kept, i.checked_sub(columns)) {
            // Sums of ones are exact, and so is what the reference library makes of them.
            let constant = preparation.centred() && moments[(i, i)] == n;
            if kept[category] && !constant {
                active.push(i);
            }
            continue;
        }
        let seen = Seen {
            square: square(i),
            summed: summed(i),
            centred: preparation.centred(),
            direct,
        };
        match seen.classify(source, rows, i)? {
            Column::Active => active.push(i),
            // The reference library subtracts a rounded mean; what is left can take part there.
            Column::Constant(value) => {
                constant_noise[i] = 4.0 * f64::EPSILON * value.abs() * n;
                let left = f64::EPSILON * value.abs() * (2.0 + n.sqrt());
                constant_norm = constant_norm.max(left * n.sqrt());
            }
        }
    }

    let mut scale = vec![1.0; active.len()];
    for (s, &i) in scale.iter_mut().zip(&active) {
        let divisor = match divisors {
            Some(divisors) => divisors.get(i).copied().unwrap_or(1.0),
            None if preparation.scale => f64::NAN,
            None => 1.0,
        };
        *s = if divisor.is_nan() {
            standard_scale(centred(i, i) / n, mean(i), n)?
        } else {
            divisor
        };
    }
    let unit: Vec<f64> = active.iter().map(|&i| square(i).sqrt()).collect();
    let a = active.len();
    let mut matrix = Mat::zeros(a, a);
    for (r, &i) in active.iter().enumerate() {
        for (c, &j) in active[..r].iter().enumerate() {
            let mut value = centred(i, j);
            if !preparation.centred() {
                value += n * mean(i) * mean(j);
            }
            let value = value / unit[r] / unit[c];
            matrix[(r, c)] = value;
            matrix[(c, r)] = value;
        }
        matrix[(r, r)] = 1.0;
    }
    let side = |target: usize| {
        let y = frame.y(target);
        let y_offset = moments[(y, one)] / n;
        let y_mean = frame.y_centre[target] + y_offset;
        let product = |i: usize| {
            let value = imputed.with(i, y) - n * offset[i] * y_offset;
            if preparation.centred() {
                value
            } else {
                value + n * mean(i) * y_mean
            }
        };
        let size = y_mean.abs() + (base[y] / n).sqrt();
        let (uncentred, y_size) = if preparation.fit_intercept {
            (0.0, 8.0 * f64::EPSILON * size)
        } else {
            (n * y_mean * y_mean, size)
        };
        RightSide {
            rhs: (active.iter().zip(&unit))
                .map(|(&i, unit)| product(i) / unit)
                .collect(),
            y_mean,
            y_norm: (base[y] + uncentred).sqrt(),
            y_squares: (moments[(y, y)] - n * y_offset * y_offset).max(0.0) + uncentred,
            y_size,
        }
    };
    let sides = (0..frame.targets()).map(|target| finite(frame.y(target)).then(|| side(target)));
    let sides = sides.collect();
    let penalty = (scale.iter().zip(&unit)).map(|(s, u)| (s / u) * (s / u));
    let loss = (active.iter().zip(&unit)).map(|(&i, u)| (summed(i).sqrt() / u).max(1.0));
    // The library sums a column row by row; the error of its mean grows like a random walk.
    let filled_error = active.iter().zip(&unit).map(|(&i, unit)| {
        let gaps = i < columns && (frame.impute && direct || frame.indicators.contains(&i));
        if gaps {
            f64::EPSILON * (2.0 + n.sqrt()) * mean(i).abs() * n.sqrt() / unit
        } else {
            0.0
        }
    });
    // Also of columns that miss values in the validation rows only.
    let filled = |i: usize| match fills.map(|fills| fills[i]) {
        Some(value) if !value.is_nan() => value - frame.centre[i],
        _ => offset[i],
    };
    let fill = (0..columns).map(filled).collect();
    Ok(Normal {
        rows: n,
        mean: active.iter().map(|&i| mean(i)).collect(),
        filled_error: filled_error.collect(),
        penalty: penalty.collect(),
        loss: loss.collect(),
        active,
        matrix,
        sides,
        unit,
        fill,
        offset,
        constant_noise,
        constant_norm,
    })
}

/// What the moments say of a column.
struct Seen {
    /// Sum of squares that the fit sees.
    square: f64,
    /// Sum of squares that it was computed from.
    summed: f64,
    centred: bool,
    direct: bool,
}

impl Seen {
    fn classify(
        &self,
        source: &Source<'_>,
        rows: &[u32],
        column: usize,
    ) -> Result<Column, Refusal> {
        let clear = self.square * MAX_CANCELLATION > self.summed;
        if clear && self.summed > TINY_SQUARES {
            return Ok(Column::Active);
        }
        match constant_value(source, rows, column) {
            Some(value) if self.centred || value == 0.0 => Ok(Column::Constant(value)),
            // Without centring a constant column is a feature like any other.
            Some(_) if clear && self.square > TINY_SQUARES => Ok(Column::Active),
            _ if self.direct => Err(Declined::ConstantColumn.into()),
            _ => Err(Refusal::SumDirectly),
        }
    }
}

/// `StandardScaler`'s scale of a column that is not exactly constant.
///
/// scikit-learn calls a column constant when its variance is within the rounding error of the
/// two-pass algorithm, `n * eps * var + (n * mean * eps)**2`; near that bound nobody can tell.
fn standard_scale(variance: f64, mean: f64, n: f64) -> Result<f64, Declined> {
    let rounding = n * mean * f64::EPSILON;
    let bound = n * f64::EPSILON * variance + rounding * rounding;
    if variance > 2.0 * bound {
        Ok(variance.sqrt())
    } else if variance < 0.5 * bound {
        Ok(1.0)
    } else {
        Err(Declined::ConstantColumn)
    }
}

#[cfg(test)]
mod tests;
