use super::analyzer::{Analyzer, Class, Classes, Kind, alphabet};
use super::hashing::{hash_terms, murmur3};
use super::rows::Rows as SparseRows;
use super::texts::Texts;
use super::*;

struct Owned {
    bytes: String,
    offsets: Vec<i64>,
}

fn owned(texts: &[&str]) -> Owned {
    let mut offsets = vec![0];
    let mut bytes = String::new();
    for text in texts {
        bytes.push_str(text);
        offsets.push(bytes.len() as i64);
    }
    Owned { bytes, offsets }
}

impl Owned {
    fn view(&self) -> Texts<'_> {
        Texts::new(self.bytes.as_bytes(), &self.offsets, "texts").unwrap()
    }
}

fn terms(kind: Kind, range: (usize, usize), stop: &[&str], text: &str) -> Vec<String> {
    let stop = owned(stop);
    let classes = Classes::new(&[0xa0, 0xe9], &[2, 1]).unwrap();
    let analyzer = Analyzer::new(kind, range, true, &stop.view(), classes).unwrap();
    let mut found = Vec::new();
    analyzer.terms(text, &mut Scratch::default(), |term| {
        found.push(String::from_utf8(term.to_vec()).unwrap());
    });
    found
}

#[test]
fn words_and_their_neighbours() {
    let found = terms(
        Kind::Words(2),
        (1, 2),
        &["the"],
        "The caf\u{e9}-bar, a B52 bar",
    );
    assert_eq!(
        found,
        [
            "caf\u{e9}",
            "bar",
            "b52",
            "bar",
            "caf\u{e9} bar",
            "bar b52",
            "b52 bar"
        ]
    );
    assert_eq!(
        terms(Kind::Words(1), (3, 9), &[], "a b"),
        Vec::<String>::new()
    );
}

#[test]
fn characters_with_spaces_joined() {
    let found = terms(Kind::Chars, (2, 3), &[], "a \u{a0}b\tc");
    assert_eq!(found, ["a ", " b", "b\t", "\tc", "a b", " b\t", "b\tc"]);
}

#[test]
fn characters_within_words_count_a_short_word_once() {
    assert_eq!(
        terms(Kind::CharsInWords, (3, 4), &[], " a bc "),
        [" a ", " bc", "bc ", " bc "]
    );
    assert_eq!(terms(Kind::CharsInWords, (5, 9), &[], "a"), [" a "]);
}

#[test]
fn threads_do_not_change_the_order_of_terms() {
    let many: Vec<String> = (0..3000)
        .map(|k| format!("w{} w{}", k * 7 % 900, k % 13))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let texts = owned(&many);
    let none = owned(&[]);
    let analyzer = Analyzer::new(
        Kind::CharsInWords,
        (2, 4),
        false,
        &none.view(),
        Classes::default(),
    )
    .unwrap();
    let run = |threads: usize| {
        let workers = Workers::new(threads).unwrap();
        let (table, counts) = count_terms(&texts.view(), &analyzer, &workers, threads).unwrap();
        (table.into_parts(), counts)
    };
    let one = run(1);
    assert!(one.0.1.len() > 600); // the table has grown
    assert_eq!(one, run(3));
}

#[test]
fn a_vocabulary_counts_what_it_has() {
    let (texts, terms, none) = (owned(&["b a b", "", "c"]), owned(&["a", "b"]), owned(&[]));
    let analyzer = Analyzer::new(
        Kind::Words(1),
        (1, 1),
        false,
        &none.view(),
        Classes::default(),
    )
    .unwrap();
    let found = count_known(&texts.view(), &analyzer, &terms.view()).unwrap();
    assert_eq!(found.indptr, [0, 2, 2, 2]);
    assert_eq!((found.indices, found.counts), (vec![1, 0], vec![2, 1]));
    let twice = owned(&["a", "a"]);
    let error = count_known(&texts.view(), &analyzer, &twice.view()).unwrap_err();
    assert_eq!(error.code(), "duplicate_term");
}

#[test]
fn hashes_are_those_of_the_reference() {
    // From the verification values of MurmurHash3_x86_32 with seed 0.
    assert_eq!(murmur3(b""), 0);
    assert_eq!(murmur3(b"foo") as i32, -156_908_512);
    assert_eq!(murmur3(b"hello"), 0x248b_fa47);
    let (texts, none) = (owned(&["foo foo bar", ""]), owned(&[]));
    let analyzer = Analyzer::new(
        Kind::Words(2),
        (1, 1),
        false,
        &none.view(),
        Classes::default(),
    )
    .unwrap();
    let found = hash_terms(&texts.view(), &analyzer, 1, true);
    assert_eq!(found.indptr, [0, 1, 1]);
    assert_eq!(found.indices, [0]);
}

#[test]
fn offsets_lie_between_characters() {
    for offsets in [&[][..], &[0, 1], &[0, 9], &[-1, 2], &[2, 0]] {
        let error = Texts::new("\u{e9}".as_bytes(), offsets, "texts").unwrap_err();
        assert_eq!(error.code(), "bad_texts");
    }
    assert!(Texts::new(&[0xff], &[0, 1], "texts").is_err());
    let texts = owned(&["a\u{e9}", "\u{4e1c}"]);
    assert_eq!(alphabet(&texts.view()), [0xe9, 0x4e1c]);
}

#[test]
fn settings_are_checked() {
    assert!(Classes::new(&[200, 100], &[0, 0]).is_err());
    assert!(Classes::new(&[200], &[]).is_err());
    assert!(Classes::new(&[200], &[3]).is_err());
    let none = owned(&[]);
    for (kind, range) in [
        (Kind::Chars, (0, 1)),
        (Kind::Chars, (2, 1)),
        (Kind::Words(0), (1, 1)),
    ] {
        assert!(Analyzer::new(kind, range, false, &none.view(), Classes::default()).is_err());
    }
    assert_ne!(Class::Word, Class::Space);
}

#[test]
fn equal_rows_are_found() {
    let rows = SparseRows::new(&[0, 1, 2, 3, 3, 5], &[1, 1, 1, 1, 2], b"aab11", 1).unwrap();
    let found = rows.equal(4).unwrap();
    assert_eq!(found, (vec![0, 0, 1, 2, 3], vec![0, 2, 3, 4]));
    assert_eq!(rows.equal(3), None);
    let many: Vec<i32> = (0..5000).map(|k| k % 2000).collect();
    let ends: Vec<i32> = (0..=5000).collect();
    let rows = SparseRows::new(&ends, &many, &[], 0).unwrap();
    let (codes, firsts) = rows.equal(5000).unwrap();
    assert!(
        codes
            .iter()
            .zip(&many)
            .all(|(&code, &column)| code == i64::from(column))
    );
    assert_eq!(firsts.len(), 2000);
    for (indptr, indices) in [
        (&[][..], &[][..]),
        (&[0, 2], &[1]),
        (&[1, 1], &[1]),
        (&[0, 1, 0], &[]),
    ] {
        assert!(SparseRows::new(indptr, indices, &[], 0).is_err());
    }
}
