//! Histograms of gradients in fixed point: one 64-bit addition per row and feature.
//!
//! Input: first and second derivatives. Output: their sums by bin, both in one integer, the first
//! above the second. Integers add up to the same in any order, so that a sibling is exactly
//! parent less child, and neither tiles nor threads change a tree.

use super::layout::{Factor, Group, Tile};

/// Codes of a feature.
pub const CELLS: usize = 256;
/// 2^52: a double whose lower bits hold an integer.
const ANCHOR: u64 = 0x4330_0000_0000_0000;
const ANCHORED: f64 = 4_503_599_627_370_496.0;
const SIGN: u64 = 1 << 63;

/// Sums by code of one feature.
pub type Cells = [i64; CELLS];

/// How derivatives are packed: `first / first_unit` rounded, times 2^shift, plus `second /
/// second_unit` rounded. Sums of all rows fit whatever their signs.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    shift: u32,
    first_unit: f64,
    second_unit: f64,
    /// What reading the upper part as a double adds to it.
    offset: f64,
}

impl Packing {
    /// The finest units for these rows; None if a derivative is not finite. With `second` empty
    /// second derivatives are 1.
    pub fn of(first: &[f32], second: &[f32], rows: Option<&[u32]>) -> Option<Self> {
        let sum = |values: &[f32]| -> f64 {
            match rows {
                None => values.iter().map(|v| f64::from(v.abs())).sum(),
                Some(rows) => {
                    let chosen = rows
                        .iter()
                        .map(|&row| f64::from(values[row as usize].abs()));
                    chosen.sum()
                }
            }
        };
        let sums = (
            sum(first),
            if second.is_empty() { 0.0 } else { sum(second) },
        );
        if !(sums.0 + sums.1).is_finite() {
            return None;
        }
        let n = rows.map_or(first.len(), <[u32]>::len) as f64;
        let constant = second.is_empty();
        let counted = u64::BITS - (n as u64).leading_zeros() + 1;
        let shift = if constant { counted.max(12) } else { 32 };
        let unit = |sum: f64, bits: u32| {
            let units = (bits as f64).exp2() - n;
            if sum > 0.0 { sum / units } else { 1.0 }
        };
        let first_unit = unit(sums.0, 62 - shift);
        let second_unit = if constant {
            1.0
        } else {
            unit(sums.1, shift - 1)
        };
        Some(Self {
            shift,
            first_unit,
            second_unit,
            offset: f64::from_bits(ANCHOR | (SIGN >> shift)),
        })
    }

    /// Packs the derivatives of every row.
    pub fn pack(&self, first: &[f32], second: &[f32], packed: &mut [i64]) {
        let (g, h) = (1.0 / self.first_unit, 1.0 / self.second_unit);
        // A double this great has its unit in the last place, which rounds what is added.
        const ROUND: f64 = 1.5 * ANCHORED;
        let whole = |v: f64| (v + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i64;
        let shift = self.shift;
        if second.is_empty() {
            for (to, first) in packed.iter_mut().zip(first) {
                *to = (whole(f64::from(*first) * g) << shift).wrapping_add(1);
            }
        } else {
            for ((to, first), second) in packed.iter_mut().zip(first).zip(second) {
                let upper = whole(f64::from(*first) * g) << shift;
                *to = upper.wrapping_add(whole(f64::from(*second) * h));
            }
        }
    }

    /// Sums of first and second derivatives.
    #[inline(always)]
    pub fn unpack(&self, packed: i64) -> (f64, f64) {
        let bits = packed as u64;
        let first = f64::from_bits(((bits ^ SIGN) >> self.shift) | ANCHOR);
        let second = f64::from_bits((bits & ((1 << self.shift) - 1)) | ANCHOR);
        (
            (first - self.offset) * self.first_unit,
            (second - ANCHORED) * self.second_unit,
        )
    }
}

/// Adds the gradients of rows to the histograms of a tile. `packed[k]` belongs to `rows[k]`, or
/// to row k if `rows` is None.
pub fn add(cells: &mut [Cells], tile: &Tile, rows: Option<&[u32]>, packed: &[i64]) {
    match tile.width {
        4 => add_wide::<4>(cells, tile, rows, packed),
        8 => add_wide::<8>(cells, tile, rows, packed),
        12 => add_wide::<12>(cells, tile, rows, packed),
        _ => add_wide::<16>(cells, tile, rows, packed),
    }
}

fn add_wide<const W: usize>(
    cells: &mut [Cells],
    tile: &Tile,
    rows: Option<&[u32]>,
    packed: &[i64],
) {
    let (codes, _) = tile.codes.as_chunks::<W>();
    let Some(cells) = cells.first_chunk_mut::<W>() else {
        return;
    };
    match rows {
        None => {
            for (codes, &value) in codes.iter().zip(packed) {
                add_row(cells, codes, value);
            }
        }
        Some(rows) => {
            for (&row, &value) in rows.iter().zip(packed) {
                if let Some(codes) = codes.get(row as usize) {
                    add_row(cells, codes, value);
                }
            }
        }
    }
}

#[inline(always)]
fn add_row<const W: usize>(cells: &mut [Cells; W], codes: &[u8; W], value: i64) {
    for feature in 0..W {
        let cell = &mut cells[feature][codes[feature] as usize];
        *cell = cell.wrapping_add(value);
    }
}

/// Gradients summed by combination; `rows` as for [`add`].
pub fn by_combination(factor: &Factor, rows: Option<&[u32]>, packed: &[i64]) -> Vec<i64> {
    let mut sums = vec![0i64; factor.rows.len()];
    let mut put = |code: u32, value: i64| {
        let sum = &mut sums[code as usize];
        *sum = sum.wrapping_add(value);
    };
    match rows {
        None => factor
            .codes
            .iter()
            .zip(packed)
            .for_each(|(&code, &v)| put(code, v)),
        Some(rows) => rows
            .iter()
            .zip(packed)
            .for_each(|(&row, &v)| put(factor.codes[row as usize], v)),
    }
    sums
}

/// The sibling: what the parent has beyond the child, in the parent's place.
pub fn subtract(parent: &mut [Cells], child: &[Cells]) {
    for (parent, child) in parent.iter_mut().zip(child) {
        for (above, below) in parent.iter_mut().zip(child) {
            *above = above.wrapping_sub(*below);
        }
    }
}

/// What a group's histograms are filled from.
pub enum Input {
    Rows,
    /// Gradients by combination.
    Sums(Vec<i64>),
    /// Combinations by row, where the rows are fewer than the combinations.
    Codes(Vec<u32>),
}

impl Input {
    pub fn of(group: &Group, rows: Option<&[u32]>, values: &[i64]) -> Self {
        match (&group.factor, rows) {
            (None, _) => Self::Rows,
            (Some(factor), Some(rows)) if rows.len() < factor.rows.len() => {
                Self::Codes(rows.iter().map(|&row| factor.codes[row as usize]).collect())
            }
            (Some(factor), _) => Self::Sums(by_combination(factor, rows, values)),
        }
    }
}
