//! Codes as histograms read them: up to sixteen features of a row side by side.
//!
//! Input: codes column by column. Output: tiles. Features that take few combinations of values
//! together (one-hot columns, components and dates of one string column) are kept once per
//! combination: their histograms are filled from sums per combination (factorised).

use std::collections::HashMap;

use crate::kernels::trees::bins::Bins;

/// Most features side by side: their histograms fit the first-level cache.
pub const WIDEST: usize = 16;
/// Rows that tell whether columns take few combinations of values.
const SAMPLE: usize = 2048;
/// Rows per combination from which on sums per combination pay.
const REPEATS: usize = 16;
/// Columns of a group from which on they do.
const SEVERAL: usize = 4;

/// `width` codes per row, or per combination; features beyond `features` are padding of zeros.
pub struct Tile {
    pub features: Vec<u32>,
    pub width: usize,
    pub codes: Vec<u8>,
}

/// Features whose tiles share their rows.
pub struct Group {
    pub features: Vec<u32>,
    pub factor: Option<Factor>,
}

/// Combinations that the features of a group take together.
pub struct Factor {
    /// By row.
    pub codes: Vec<u32>,
    /// A row of each combination.
    pub rows: Vec<u32>,
}

/// Groups of all features: those of `derived`, which is to say that the columns of each are
/// functions of one code per row, and runs of other columns that are found to repeat.
pub fn groups(bins: &Bins, derived: &[Vec<u32>], detect: bool) -> Vec<Group> {
    let usable = |f: &u32| (*f as usize) < bins.features && bins.count(*f as usize) > 0;
    let mut taken = vec![false; bins.features];
    let mut found = Vec::new();
    for columns in derived {
        let mut columns: Vec<u32> = columns.iter().copied().filter(usable).collect();
        columns.retain(|&f| !std::mem::replace(&mut taken[f as usize], true));
        found.extend(factored(bins, columns));
    }
    let rest = (0..bins.features as u32).filter(|f| usable(f) && !taken[*f as usize]);
    let rest: Vec<u32> = rest.collect();
    let mut plain = Vec::new();
    for run in runs(bins, &rest, detect) {
        match factored_or_not(bins, run) {
            Ok(group) => found.push(group),
            Err(columns) => plain.extend(columns),
        }
    }
    if !plain.is_empty() {
        found.push(Group {
            features: plain,
            factor: None,
        });
    }
    found
}

fn factored(bins: &Bins, columns: Vec<u32>) -> Option<Group> {
    if columns.is_empty() {
        return None;
    }
    Some(match factored_or_not(bins, columns) {
        Ok(group) => group,
        Err(features) => Group {
            features,
            factor: None,
        },
    })
}

fn factored_or_not(bins: &Bins, columns: Vec<u32>) -> Result<Group, Vec<u32>> {
    let factor = (columns.len() >= SEVERAL).then(|| combinations(bins, &columns));
    match factor.flatten() {
        Some(factor) => Ok(Group {
            features: columns,
            factor: Some(factor),
        }),
        None => Err(columns),
    }
}

/// Stretches of columns that repeat together in a sample of rows, and single columns.
fn runs(bins: &Bins, columns: &[u32], detect: bool) -> Vec<Vec<u32>> {
    if !detect || bins.rows < 4 * SAMPLE {
        return vec![columns.to_vec()];
    }
    let step = bins.rows / SAMPLE;
    let mut found: Vec<Vec<u32>> = Vec::new();
    let mut ids = vec![0u32; SAMPLE];
    let mut seen: HashMap<(u32, u8), u32> = HashMap::new();
    for &f in columns {
        let codes = bins.column(f as usize);
        let sample = codes.iter().step_by(step).take(SAMPLE);
        seen.clear();
        let mut joint = Vec::with_capacity(SAMPLE);
        for (id, &code) in ids.iter().zip(sample) {
            let next = seen.len() as u32;
            joint.push(*seen.entry((*id, code)).or_insert(next));
        }
        let fits =
            found.last().is_some_and(|run| !run.is_empty()) && repeats(seen.len(), bins.rows);
        if fits {
            if let Some(run) = found.last_mut() {
                run.push(f);
            }
            ids = joint;
            continue;
        }
        found.push(vec![f]);
        seen.clear();
        let sample = codes.iter().step_by(step).take(SAMPLE);
        ids = sample.map(|&code| u32::from(code)).collect();
    }
    found
}

/// Whether a sample has no more combinations than one of the most that would pay, were they
/// equally frequent.
fn repeats(distinct: usize, rows: usize) -> bool {
    let most = (rows / REPEATS) as f64;
    let expected = most * -(-(SAMPLE as f64) / most).exp_m1();
    distinct as f64 <= expected
}

/// The combinations of all rows; None if they are too many to pay.
fn combinations(bins: &Bins, columns: &[u32]) -> Option<Factor> {
    let most = bins.rows / REPEATS;
    let mut ids = vec![0u32; bins.rows];
    let mut rows = vec![0u32];
    if bins.rows == 0 {
        return None;
    }
    for &f in columns {
        let codes = bins.column(f as usize);
        // (combination so far, code) -> combination; most columns of a group tell nothing new.
        let mut table = vec![u32::MAX; rows.len() * 256];
        let mut found = Vec::with_capacity(rows.len());
        for (row, (id, &code)) in ids.iter_mut().zip(codes).enumerate() {
            let entry = &mut table[*id as usize * 256 + code as usize];
            if *entry == u32::MAX {
                *entry = found.len() as u32;
                found.push(row as u32);
                if found.len() > most {
                    return None;
                }
            }
            *id = *entry;
        }
        rows = found;
    }
    Some(Factor { codes: ids, rows })
}

impl Group {
    /// Tiles of those of the features that `used` allows.
    pub fn tiles(&self, bins: &Bins, used: &dyn Fn(u32) -> bool) -> Vec<Tile> {
        let features: Vec<u32> = self.features.iter().copied().filter(|f| used(*f)).collect();
        let mut tiles = Vec::new();
        let mut rest = features.as_slice();
        while !rest.is_empty() {
            let width = match rest.len() {
                1..=4 => 4,
                5..=8 => 8,
                9..=11 => 8,
                12 => 12,
                _ => WIDEST,
            };
            let (now, later) = rest.split_at(width.min(rest.len()));
            tiles.push(self.tile(bins, now, width));
            rest = later;
        }
        tiles
    }

    fn tile(&self, bins: &Bins, features: &[u32], width: usize) -> Tile {
        const BLOCK: usize = 512; // rows whose codes stay in the cache until all are written
        let rows = self.factor.as_ref().map_or(bins.rows, |f| f.rows.len());
        let mut codes = vec![0u8; rows * width];
        for (block, out) in codes.chunks_mut(BLOCK * width).enumerate() {
            let from = block * BLOCK;
            for (place, &f) in features.iter().enumerate() {
                let column = bins.column(f as usize);
                let cells = out[place..].iter_mut().step_by(width);
                match &self.factor {
                    None => cells.zip(&column[from..]).for_each(|(to, c)| *to = *c),
                    Some(factor) => cells
                        .zip(&factor.rows[from..])
                        .for_each(|(to, &row)| *to = column[row as usize]),
                }
            }
        }
        Tile {
            features: features.to_vec(),
            width,
            codes,
        }
    }
}
