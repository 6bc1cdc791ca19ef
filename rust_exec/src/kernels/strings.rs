//! Terms of texts: what scikit-learn's text vectorisers count, hash and decompose.
//!
//! Input: texts as one UTF-8 buffer with offsets, each of them once however often it occurs.
//! Output: counts by text and term, in the order in which the terms first come up.

pub mod analyzer;
pub mod hashing;
pub mod rows;
pub mod table;
pub mod texts;

#[cfg(test)]
mod tests;

use self::analyzer::{Analyzer, Scratch};
use self::table::TermTable;
use self::texts::Texts;
use crate::errors::KernelError;
use crate::kernels::workers::Workers;

/// Counts of terms in compressed sparse rows; within a row in order of first appearance.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub indptr: Vec<i64>,
    pub indices: Vec<i32>,
    pub counts: Vec<i32>,
}

/// Most terms that are counted: column numbers have 32 bits.
const MOST_TERMS: usize = i32::MAX as usize;
/// Texts for which a second thread is worth starting.
const WORTH: usize = 1024;

/// Counts the terms of every text, and lists the terms in order of first appearance.
pub fn count_terms(
    texts: &Texts<'_>,
    analyzer: &Analyzer<'_>,
    workers: &Workers,
    threads: usize,
) -> Result<(TermTable, Counts), KernelError> {
    let parts = if texts.len() < WORTH { 1 } else { threads };
    // Neighbouring texts per part: joined in order, the parts' terms appear as in one pass.
    let bounds: Vec<usize> = (0..=parts).map(|k| texts.len() * k / parts).collect();
    let counted = workers.map(parts, |k| part(texts, analyzer, bounds[k]..bounds[k + 1]));
    let mut parts = counted.into_iter();
    let Some(first) = parts.next() else {
        return Err(KernelError::internal("no part of the texts was counted"));
    };
    let (mut table, mut whole) = first?;
    for counted in parts {
        let (terms, counts) = counted?;
        let mut renamed = Vec::with_capacity(terms.len());
        for id in 0..terms.len() {
            renamed.push(intern(&mut table, terms.term(id))?);
        }
        let offset = whole.indices.len() as i64;
        let ends = counts.indptr.iter().skip(1).map(|end| end + offset);
        whole.indptr.extend(ends);
        let ids = counts.indices.iter().map(|&id| renamed[id as usize]);
        whole.indices.extend(ids);
        whole.counts.extend(counts.counts);
    }
    Ok((table, whole))
}

/// Counts the terms of a vocabulary (its rows) in every text; others are not counted.
pub fn count_known(
    texts: &Texts<'_>,
    analyzer: &Analyzer<'_>,
    vocabulary: &Texts<'_>,
) -> Result<Counts, KernelError> {
    let mut table = TermTable::new();
    for place in 0..vocabulary.len() {
        if intern(&mut table, vocabulary.get(place).as_bytes())? as usize != place {
            let message = format!("term {place} stands in the vocabulary twice");
            return Err(KernelError::input("duplicate_term", message));
        }
    }
    let mut rows = Rows::new(table.len());
    let mut scratch = Scratch::default();
    for place in 0..texts.len() {
        analyzer.terms(texts.get(place), &mut scratch, |term| {
            if let Some(id) = table.find(term) {
                rows.add(id);
            }
        });
        rows.close();
    }
    Ok(rows.counted)
}

fn part(
    texts: &Texts<'_>,
    analyzer: &Analyzer<'_>,
    range: std::ops::Range<usize>,
) -> Result<(TermTable, Counts), KernelError> {
    let mut table = TermTable::new();
    let mut rows = Rows::new(0);
    let mut scratch = Scratch::default();
    let mut failed = None;
    for place in range {
        analyzer.terms(texts.get(place), &mut scratch, |term| {
            match intern(&mut table, term) {
                Ok(id) => {
                    if id as usize >= rows.marks.len() {
                        rows.marks.push((0, 0));
                    }
                    rows.add(id);
                }
                Err(error) => failed = Some(error),
            }
        });
        rows.close();
    }
    match failed {
        Some(error) => Err(error),
        None => Ok((table, rows.counted)),
    }
}

fn intern(table: &mut TermTable, term: &[u8]) -> Result<i32, KernelError> {
    if table.len() >= MOST_TERMS {
        let message = "the texts have more terms than the kernel counts";
        return Err(KernelError::input("too_many_terms", message));
    }
    Ok(table.intern(term))
}

/// Rows that are being counted. `marks` has for each term the text (from 1) that it was last
/// seen in, and its place in that row.
struct Rows {
    counted: Counts,
    marks: Vec<(u64, usize)>,
    closed: u64,
}

impl Rows {
    fn new(terms: usize) -> Self {
        let counted = Counts {
            indptr: vec![0],
            ..Counts::default()
        };
        Self {
            counted,
            marks: vec![(0, 0); terms],
            closed: 0,
        }
    }

    fn add(&mut self, id: i32) {
        let mark = &mut self.marks[id as usize];
        if mark.0 == self.closed + 1 {
            self.counted.counts[mark.1] = self.counted.counts[mark.1].saturating_add(1);
        } else {
            *mark = (self.closed + 1, self.counted.indices.len());
            self.counted.indices.push(id);
            self.counted.counts.push(1);
        }
    }

    fn close(&mut self) {
        self.closed += 1;
        self.counted.indptr.push(self.counted.indices.len() as i64);
    }
}
