//! Writes one side of a fold. Input: sources, what was learnt of them, rows. Output: the matrix.

use ndarray::{ArrayView1, Axis};

use super::statistics::Fitted;
use super::{Order, Source, gather};
use crate::kernels::workers::Workers;

/// Rows whose numbers are taken at a time, and how many of them are written at a time: their part
/// of a matrix stays in the cache while each source in turn writes its columns.
const CHUNK: usize = 1024;
const FEW: usize = 64;

/// A block whose sources are fitted.
pub struct Block<'s, 'a> {
    pub sources: &'s [Source<'a>],
    pub fitted: &'s [Option<Fitted>],
    pub width: usize,
    pub order: Order,
    pub workers: &'s Workers,
}

impl Block<'_, '_> {
    /// Writes `rows` of the training (or validation) side to zeros.
    pub fn write(&self, rows: &[u32], training: bool, out: &mut [f64]) {
        if out.is_empty() {
            return;
        }
        match self.order {
            Order::Rows => self
                .workers
                .each_chunk(out, CHUNK * self.width, |chunk, part| {
                    let first = chunk * CHUNK;
                    let rows = &rows[first..(first + CHUNK).min(rows.len())];
                    self.by_rows(rows, first, training, part);
                }),
            Order::Columns => {
                let n = rows.len();
                let mut starts = vec![0];
                for source in self.sources {
                    starts.push(starts[starts.len() - 1] + source.width());
                }
                // A chunk is one column: a source of several is asked for each by a part of itself.
                self.workers.each_chunk(out, n, |column, part| {
                    let k = starts.partition_point(|&start| start <= column) - 1;
                    let single = only(&self.sources[k], column - starts[k]);
                    match single {
                        Only::Source(source) => {
                            let target = Strided {
                                values: part,
                                start: 0,
                                step: 1,
                                apart: n,
                            };
                            write(source, self.fitted[k].as_ref(), rows, 0, training, target);
                        }
                        Only::Place(codes, places, place) => {
                            for (out, &row) in part.iter_mut().zip(rows) {
                                let found = places[codes[row as usize] as usize];
                                *out = f64::from(u8::from(found == place));
                            }
                        }
                        Only::Block(values) => {
                            let values = if training { values.0 } else { values.1 };
                            for (out, &value) in part.iter_mut().zip(values) {
                                *out = value;
                            }
                        }
                    }
                });
            }
        }
    }
}

impl Block<'_, '_> {
    /// Writes a chunk of whole rows: numbers are taken column by column, as they lie in memory,
    /// and then put down a few rows at a time.
    fn by_rows(&self, rows: &[u32], first: usize, training: bool, part: &mut [f64]) {
        let size = rows.len();
        let numbers = self.sources.iter().zip(self.fitted);
        let mut taken = Vec::new();
        for (source, fitted) in numbers {
            if let Source::Number { values, .. } = source {
                let start = taken.len();
                taken.resize(start + size, 0.0);
                gather(values, rows, &mut taken[start..]);
                fitted.unwrap_or(Fitted::SAME).apply(&mut taken[start..]);
            }
        }
        for start in (0..size).step_by(FEW) {
            let end = (start + FEW).min(size);
            let part = &mut part[start * self.width..end * self.width];
            let (mut column, mut number) = (0, 0);
            for source in self.sources {
                let mut target = Strided {
                    values: part,
                    start: column,
                    step: self.width,
                    apart: 1,
                };
                if let Source::Number { .. } = source {
                    target.put(0, &taken[number + start..number + end]);
                    number += size;
                } else {
                    let rows = &rows[start..end];
                    write(source, None, rows, first + start, training, target);
                }
                column += source.width();
            }
        }
    }
}

enum Only<'s, 'a> {
    Source(&'s Source<'a>),
    Place(&'a [i32], &'a [i32], i32),
    Block((ArrayView1<'s, f64>, ArrayView1<'s, f64>)),
}

fn only<'s, 'a>(source: &'s Source<'a>, column: usize) -> Only<'s, 'a> {
    match source {
        Source::OneHot { codes, places, .. } => Only::Place(codes, places, column as i32),
        Source::Block { train, valid } => Only::Block((
            train.index_axis(Axis(1), column),
            valid.index_axis(Axis(1), column),
        )),
        _ => Only::Source(source),
    }
}

/// Where values of a row go: `start + row * step + column * apart`.
struct Strided<'v> {
    values: &'v mut [f64],
    start: usize,
    step: usize,
    apart: usize,
}

impl Strided<'_> {
    /// Puts values into the first column, from row `first` on.
    fn put(&mut self, first: usize, values: &[f64]) {
        let start = self.start + first * self.step;
        if self.step == 1 {
            self.values[start..start + values.len()].copy_from_slice(values);
            return;
        }
        let mut place = start;
        for &value in values {
            self.values[place] = value;
            place += self.step;
        }
    }
}

fn write(
    source: &Source<'_>,
    fitted: Option<&Fitted>,
    rows: &[u32],
    first: usize,
    training: bool,
    target: Strided<'_>,
) {
    match source {
        Source::Number { values, .. } => {
            let map = fitted.copied().unwrap_or(Fitted::SAME);
            number(values, rows, map, target);
        }
        Source::OneHot { codes, places, .. } => {
            for (k, &row) in rows.iter().enumerate() {
                let place = places[codes[row as usize] as usize];
                if let Ok(place) = usize::try_from(place) {
                    target.values[target.start + k * target.step + place * target.apart] = 1.0;
                }
            }
        }
        Source::Table { codes, values } => {
            for (k, &row) in rows.iter().enumerate() {
                let value = values[codes[row as usize] as usize];
                target.values[target.start + k * target.step] = value;
            }
        }
        Source::Block { train, valid } => {
            let block = if training { train } else { valid };
            for k in 0..rows.len() {
                let start = target.start + k * target.step;
                let row = block.index_axis(Axis(0), first + k);
                for (j, &value) in row.iter().enumerate() {
                    target.values[start + j * target.apart] = value;
                }
            }
        }
    }
}

fn number(values: &ArrayView1<'_, f64>, rows: &[u32], map: Fitted, mut target: Strided<'_>) {
    let mut taken = [0.0; CHUNK];
    let mut first = 0;
    for rows in rows.chunks(CHUNK) {
        let taken = &mut taken[..rows.len()];
        gather(values, rows, taken);
        map.apply(taken);
        target.put(first, taken);
        first += taken.len();
    }
}
