//! Terms of texts: `strings_alphabet`, `strings_count`, `strings_count_known`, `strings_hash`; and
//! equal rows of what was counted: `equal_rows`.

use ndarray::Ix1;
use numpy::{Element, IntoPyArray, PyArray1};
use pyo3::prelude::*;

use super::{Borrowed, borrow, check_threads, run, to_python};
use crate::errors::KernelError;
use crate::kernels::strings::analyzer::{Analyzer, Classes, Kind, alphabet};
use crate::kernels::strings::hashing::hash_terms;
use crate::kernels::strings::rows::Rows as SparseRows;
use crate::kernels::strings::texts::Texts;
use crate::kernels::strings::{Counts, count_known, count_terms};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(strings_alphabet, module)?)?;
    module.add_function(wrap_pyfunction!(strings_count, module)?)?;
    module.add_function(wrap_pyfunction!(strings_count_known, module)?)?;
    module.add_function(wrap_pyfunction!(strings_hash, module)?)?;
    module.add_function(wrap_pyfunction!(equal_rows, module)?)
}

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The two arrays of texts, borrowed.
struct Held<'py> {
    bytes: Borrowed<'py, u8, Ix1>,
    offsets: Borrowed<'py, i64, Ix1>,
    name: &'static str,
}

impl<'py> Held<'py> {
    fn new(pair: &Pair<'py>, name: &'static str) -> PyResult<Self> {
        Ok(Self {
            bytes: borrow(&pair.0, name, "uint8")?,
            offsets: borrow(&pair.1, name, "int64")?,
            name,
        })
    }

    fn parts(&self) -> PyResult<Raw<'_>> {
        let bytes = contiguous(&self.bytes, self.name)?;
        let offsets = contiguous(&self.offsets, self.name)?;
        Ok(Raw {
            bytes,
            offsets,
            name: self.name,
        })
    }
}

/// The same without Python.
#[derive(Clone, Copy)]
struct Raw<'a> {
    bytes: &'a [u8],
    offsets: &'a [i64],
    name: &'static str,
}

impl<'a> Raw<'a> {
    fn texts(self) -> Result<Texts<'a>, KernelError> {
        Texts::new(self.bytes, self.offsets, self.name)
    }
}

fn contiguous<'a, T: Element>(array: &'a Borrowed<'_, T, Ix1>, name: &str) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| {
        let message = format!("{name} is not contiguous; pass a copy of it");
        to_python(array.py(), &KernelError::input("bad_array", message))
    })
}

/// What is a term, as Python says it.
struct Terms<'py> {
    kind: Option<Kind>,
    range: (usize, usize),
    lower: bool,
    stop_words: Held<'py>,
    characters: Borrowed<'py, u32, Ix1>,
    classes: Borrowed<'py, u8, Ix1>,
}

type Settings<'py> = (String, i64, (i64, i64), bool, Pair<'py>, Pair<'py>);

impl<'py> Terms<'py> {
    fn read(settings: Settings<'py>) -> PyResult<Self> {
        let (analyzer, least, range, lower, stop_words, classes) = settings;
        // What is below zero is refused as zero is.
        let count = |value: i64| usize::try_from(value).unwrap_or(0);
        let kind = match analyzer.as_str() {
            "word" => Some(Kind::Words(count(least))),
            "char" => Some(Kind::Chars),
            "char_wb" => Some(Kind::CharsInWords),
            _ => None,
        };
        Ok(Self {
            kind,
            range: (count(range.0), count(range.1)),
            lower,
            stop_words: Held::new(&stop_words, "stop_words")?,
            characters: borrow(&classes.0, "characters", "uint32")?,
            classes: borrow(&classes.1, "classes", "uint8")?,
        })
    }

    fn parts(&self) -> PyResult<RawTerms<'_>> {
        Ok(RawTerms {
            kind: self.kind,
            range: self.range,
            lower: self.lower,
            stop_words: self.stop_words.parts()?,
            characters: contiguous(&self.characters, "characters")?,
            classes: contiguous(&self.classes, "classes")?,
        })
    }
}

struct RawTerms<'a> {
    kind: Option<Kind>,
    range: (usize, usize),
    lower: bool,
    stop_words: Raw<'a>,
    characters: &'a [u32],
    classes: &'a [u8],
}

impl<'a> RawTerms<'a> {
    fn analyzer(&self) -> Result<Analyzer<'a>, KernelError> {
        let classes = Classes::new(self.characters, self.classes)?;
        let Some(kind) = self.kind else {
            let message = "analyzers are word, char and char_wb";
            return Err(KernelError::input("bad_analyzer", message));
        };
        Analyzer::new(
            kind,
            self.range,
            self.lower,
            &self.stop_words.texts()?,
            classes,
        )
    }
}

/// See `rust_exec.strings`.
#[pyfunction]
fn strings_alphabet<'py>(py: Python<'py>, texts: Pair<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let texts = Held::new(&texts, "texts")?;
    let texts = texts.parts()?;
    let found = run(py, move || Ok(alphabet(&texts.texts()?)))?;
    Ok(found.into_pyarray(py))
}

type Rows<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
);

fn rows(py: Python<'_>, counts: Counts) -> Rows<'_> {
    (
        counts.indptr.into_pyarray(py),
        counts.indices.into_pyarray(py),
        counts.counts.into_pyarray(py),
    )
}

type TermArrays<'py> = (Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<i64>>);

/// See `rust_exec.count_terms`.
#[pyfunction]
fn strings_count<'py>(
    py: Python<'py>,
    texts: Pair<'py>,
    settings: Settings<'py>,
    threads: i64,
) -> PyResult<(TermArrays<'py>, Rows<'py>)> {
    let (texts, settings) = (Held::new(&texts, "texts")?, Terms::read(settings)?);
    let (texts, settings) = (texts.parts()?, settings.parts()?);
    let (table, counts) = run(py, move || {
        let workers = check_threads(threads)?;
        let threads = threads.unsigned_abs() as usize;
        count_terms(&texts.texts()?, &settings.analyzer()?, &workers, threads)
    })?;
    let (bytes, offsets) = table.into_parts();
    let terms = (bytes.into_pyarray(py), offsets.into_pyarray(py));
    Ok((terms, rows(py, counts)))
}

/// See `rust_exec.count_known_terms`.
#[pyfunction]
fn strings_count_known<'py>(
    py: Python<'py>,
    texts: Pair<'py>,
    settings: Settings<'py>,
    vocabulary: Pair<'py>,
) -> PyResult<Rows<'py>> {
    let (texts, settings) = (Held::new(&texts, "texts")?, Terms::read(settings)?);
    let vocabulary = Held::new(&vocabulary, "vocabulary")?;
    let (texts, settings, vocabulary) = (texts.parts()?, settings.parts()?, vocabulary.parts()?);
    let counts = run(py, move || {
        count_known(&texts.texts()?, &settings.analyzer()?, &vocabulary.texts()?)
    })?;
    Ok(rows(py, counts))
}

type Hashes<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<f64>>,
);

/// See `rust_exec.hash_terms`.
#[pyfunction]
fn strings_hash<'py>(
    py: Python<'py>,
    texts: Pair<'py>,
    settings: Settings<'py>,
    columns: i64,
    alternate_sign: bool,
) -> PyResult<Hashes<'py>> {
    let (texts, settings) = (Held::new(&texts, "texts")?, Terms::read(settings)?);
    let (texts, settings) = (texts.parts()?, settings.parts()?);
    let hashed = run(py, move || {
        let Some(columns) = i32::try_from(columns).ok().filter(|&columns| columns > 0) else {
            let message = "the number of columns is between 1 and 2^31 - 1";
            return Err(KernelError::input("bad_columns", message));
        };
        let analyzer = settings.analyzer()?;
        Ok(hash_terms(
            &texts.texts()?,
            &analyzer,
            columns,
            alternate_sign,
        ))
    })?;
    Ok((
        hashed.indptr.into_pyarray(py),
        hashed.indices.into_pyarray(py),
        hashed.values.into_pyarray(py),
    ))
}

type Sparse<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

type Codes<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>);

/// See `rust_exec.equal_rows`. `values` are the entries' bytes.
#[pyfunction]
fn equal_rows<'py>(
    py: Python<'py>,
    matrix: Sparse<'py>,
    width: usize,
    most: i64,
) -> PyResult<Option<Codes<'py>>> {
    let values: Borrowed<'py, u8, Ix1> = borrow(&matrix.0, "data", "uint8")?;
    let indices: Borrowed<'py, i32, Ix1> = borrow(&matrix.1, "indices", "int32")?;
    let indptr: Borrowed<'py, i32, Ix1> = borrow(&matrix.2, "indptr", "int32")?;
    let (values, indices) = (
        contiguous(&values, "data")?,
        contiguous(&indices, "indices")?,
    );
    let indptr = contiguous(&indptr, "indptr")?;
    let found = run(py, move || {
        let rows = SparseRows::new(indptr, indices, values, width)?;
        Ok(rows.equal(usize::try_from(most).unwrap_or(0)))
    })?;
    Ok(found.map(|(codes, firsts)| (codes.into_pyarray(py), firsts.into_pyarray(py))))
}
