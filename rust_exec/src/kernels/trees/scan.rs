//! Running sums over the codes of a node's rows, and the best place to cut them.

use super::bins::MISSING;
use super::histogram::{CELLS, Filled};

/// (weight * y, weight, 1, y) of a row, and sums of it.
pub type Lanes = [f32; 4];

/// Places that are judged at a time.
const WIDTH: usize = 8;
const ROOM: usize = CELLS + WIDTH;

/// What both sides of a cut must have, and what they have together.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub least: Side,
    pub all: Side,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Side {
    pub rows: f64,
    pub weight: f64,
}

impl Bounds {
    #[inline(always)]
    pub fn allow(&self, rows: f64, weight: f64) -> bool {
        (rows >= self.least.rows)
            & (self.all.rows - rows >= self.least.rows)
            & (weight >= self.least.weight)
            & (self.all.weight - weight >= self.least.weight)
    }
}

/// Sums over the codes up to a place.
pub struct Running {
    sum: [f64; ROOM],
    weight: [f64; ROOM],
    rows: [f64; ROOM],
    /// Codes by place, if `places` are not all codes.
    codes: [u8; ROOM],
    places: usize,
    dense: bool,
    /// Sums over the missing values: (weight * y, weight, rows).
    pub missing: [f64; 3],
}

impl Default for Running {
    fn default() -> Self {
        Self {
            sum: [0.0; ROOM],
            weight: [0.0; ROOM],
            rows: [0.0; ROOM],
            codes: [0; ROOM],
            places: 0,
            dense: true,
            missing: [0.0; 3],
        }
    }
}

impl Running {
    /// Takes the sums of all codes below `bins` out of their cells.
    #[inline(always)]
    pub fn take(&mut self, cells: &mut [Lanes; CELLS], bins: usize) {
        let mut sums = [0.0; 3];
        let to = self.sum.iter_mut().zip(&mut self.weight);
        let to = to.zip(&mut self.rows);
        for (cell, ((sum, weight), rows)) in cells[..bins].iter_mut().zip(to) {
            for lane in 0..3 {
                sums[lane] += f64::from(cell[lane]);
            }
            [*sum, *weight, *rows] = sums;
            *cell = [0.0; 4];
        }
        self.places = bins;
        self.dense = true;
        self.end(cells);
    }

    /// As `take`, where only the codes of `filled` have any sums.
    #[inline(always)]
    pub fn take_few(&mut self, cells: &mut [Lanes; CELLS], filled: Filled) {
        let (mut sums, mut place) = ([0.0; 3], 0);
        let (sum, weight) = (&mut self.sum, &mut self.weight);
        let (rows, codes) = (&mut self.rows, &mut self.codes);
        filled.without(MISSING).each(
            #[inline(always)]
            |code| {
                let cell = &mut cells[code as usize];
                for lane in 0..3 {
                    sums[lane] += f64::from(cell[lane]);
                }
                *cell = [0.0; 4];
                let at = place % CELLS;
                [sum[at], weight[at], rows[at]] = sums;
                codes[at] = code;
                place += 1;
            },
        );
        self.places = place;
        self.dense = false;
        self.end(cells);
    }

    #[inline(always)]
    fn end(&mut self, cells: &mut [Lanes; CELLS]) {
        let missing = &mut cells[MISSING as usize];
        let [sum, weight, rows, _] = *missing;
        self.missing = [f64::from(sum), f64::from(weight), f64::from(rows)];
        *missing = [0.0; 4];
        // No side is allowed at the places beyond.
        for rows in &mut self.rows[self.places..self.places + WIDTH] {
            *rows = f64::NEG_INFINITY;
        }
    }

    /// Whether these rows, so many in all, have several codes.
    #[inline(always)]
    pub fn varies(&self, all: f64) -> bool {
        if self.missing[2] > 0.0 {
            self.missing[2] < all
        } else if self.dense {
            let mut first = 0;
            while first + 1 < self.places && self.rows[first] <= 0.0 {
                first += 1;
            }
            self.rows[first] < all
        } else {
            self.places > 1
        }
    }

    /// The first of the places that are worth most on the left of a cut, with `more` sums there
    /// as well, and the worth: negative infinity if no cut is allowed. `worth` is of the sum
    /// and the weight on the left.
    #[inline(always)]
    pub fn best(
        &self,
        bounds: &Bounds,
        more: [f64; 3],
        worth: impl Fn(f64, f64) -> f64,
    ) -> (f64, usize) {
        let (mut most, mut found) = ([f64::NEG_INFINITY; WIDTH], [0u64; WIDTH]);
        let sums = self.sum.as_chunks::<WIDTH>().0;
        let weights = self.weight.as_chunks::<WIDTH>().0;
        let rows = self.rows.as_chunks::<WIDTH>().0;
        let groups = sums.iter().zip(weights).zip(rows);
        let groups = groups.take(self.places.div_ceil(WIDTH));
        for (group, ((sums, weights), rows)) in (0u64..).zip(groups) {
            for lane in 0..WIDTH {
                let weight = weights[lane] + more[1];
                let value = worth(sums[lane] + more[0], weight);
                let allowed = bounds.allow(rows[lane] + more[2], weight);
                let better = allowed & (value > most[lane]);
                most[lane] = if better { value } else { most[lane] };
                found[lane] = if better { group } else { found[lane] };
            }
        }
        let mut best = (f64::NEG_INFINITY, 0);
        for lane in 0..WIDTH {
            let place = found[lane] as usize * WIDTH + lane;
            if most[lane] > best.0 || (most[lane] == best.0 && place < best.1) {
                best = (most[lane], place);
            }
        }
        best
    }

    /// The code at a place, the next one that occurs, and the rows up to it.
    #[inline(always)]
    pub fn at(&self, place: usize) -> (u8, Option<u8>, f64) {
        let rows = self.rows[place];
        if self.dense {
            let mut next = place + 1;
            while next < self.places && self.rows[next] <= rows {
                next += 1;
            }
            (
                place as u8,
                (next < self.places).then_some(next as u8),
                rows,
            )
        } else {
            let next = (place + 1 < self.places).then_some(self.codes[place + 1]);
            (self.codes[place], next, rows)
        }
    }
}
