//! What is a term: scikit-learn's analyzers `word`, `char` and `char_wb`.
//!
//! Characters are classified as Python's `re` and `str` do. Those of ASCII are known here; of all
//! others the caller says what they are, since that depends on the version of Unicode.

use std::collections::HashSet;

use super::texts::Texts;
use crate::errors::KernelError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Other,
    /// `\w`: letters, digits and the underscore.
    Word,
    /// `\s`, and what `str.split()` splits at.
    Space,
}

/// Classes of characters beyond ASCII, in ascending order of the characters.
#[derive(Debug, Default)]
pub struct Classes {
    others: Vec<(u32, Class)>,
}

impl Classes {
    pub fn new(characters: &[u32], classes: &[u8]) -> Result<Self, KernelError> {
        let fault = |message: &str| Err(KernelError::input("bad_classes", message));
        if characters.len() != classes.len() {
            return fault("there is not one class for each character");
        }
        if characters.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fault("the classified characters are not in ascending order");
        }
        let mut others = Vec::with_capacity(classes.len());
        for (&character, &class) in characters.iter().zip(classes) {
            let class = match class {
                0 => Class::Other,
                1 => Class::Word,
                2 => Class::Space,
                _ => return fault("classes are 0 (other), 1 (word) and 2 (space)"),
            };
            others.push((character, class));
        }
        Ok(Self { others })
    }

    fn of(&self, character: char) -> Class {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Class::Word,
            // Python counts the four separators of ASCII as spaces.
            ' ' | '\t'..='\r' | '\x1c'..='\x1f' => Class::Space,
            '\0'..='\x7f' => Class::Other,
            _ => {
                let code = character as u32;
                let found = self.others.binary_search_by_key(&code, |other| other.0);
                found.map_or(Class::Other, |place| self.others[place].1)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Runs of at least so many word characters.
    Words(usize),
    Chars,
    CharsInWords,
}

/// Gives the terms of a text in scikit-learn's order.
#[derive(Debug)]
pub struct Analyzer<'a> {
    kind: Kind,
    /// Least and most words or characters of a term.
    range: (usize, usize),
    lower: bool,
    stop_words: HashSet<&'a str>,
    classes: Classes,
}

/// Memory that is used again for every text.
#[derive(Debug, Default)]
pub struct Scratch {
    lowered: String,
    text: String,
    /// Where tokens or characters begin, and end, in `text`.
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Scratch {
    fn clear(&mut self) {
        self.text.clear();
        self.starts.clear();
        self.ends.clear();
    }

    fn push(&mut self, character: char) {
        self.starts.push(self.text.len());
        self.text.push(character);
        self.ends.push(self.text.len());
    }

    /// All runs of `n` neighbours.
    fn grams(&self, n: usize, found: &mut impl FnMut(&[u8])) {
        for (start, end) in self.starts.iter().zip(self.ends.iter().skip(n - 1)) {
            found(&self.text.as_bytes()[*start..*end]);
        }
    }
}

impl<'a> Analyzer<'a> {
    /// `range`: least and most words or characters of a term. `lower`: make letters of ASCII
    /// small; of texts that have others the caller does so before.
    pub fn new(
        kind: Kind,
        range: (usize, usize),
        lower: bool,
        stop_words: &Texts<'a>,
        classes: Classes,
    ) -> Result<Self, KernelError> {
        if range.0 == 0 || range.1 < range.0 {
            let message = format!("n-grams of {} to {} tokens", range.0, range.1);
            return Err(KernelError::input("bad_ngram_range", message));
        }
        if kind == Kind::Words(0) {
            let message = "tokens have at least one character";
            return Err(KernelError::input("bad_token", message));
        }
        let stop_words = (0..stop_words.len()).map(|place| stop_words.get(place));
        Ok(Self {
            kind,
            range,
            lower,
            stop_words: stop_words.collect(),
            classes,
        })
    }

    /// Hands every term of `text` to `found`, in scikit-learn's order.
    pub fn terms(&self, text: &str, scratch: &mut Scratch, mut found: impl FnMut(&[u8])) {
        let mut lowered = std::mem::take(&mut scratch.lowered);
        let text = if self.lower {
            lowered.clear();
            lowered.push_str(text);
            lowered.make_ascii_lowercase();
            lowered.as_str()
        } else {
            text
        };
        match self.kind {
            Kind::Words(least) => self.words(text, least, scratch, &mut found),
            Kind::Chars => self.chars(text, scratch, &mut found),
            Kind::CharsInWords => self.chars_in_words(text, scratch, &mut found),
        }
        scratch.lowered = lowered;
    }

    fn sizes(&self, most: usize) -> std::ops::RangeInclusive<usize> {
        self.range.0..=self.range.1.min(most)
    }

    /// The tokens stand in the scratch with a space between, as they do in n-grams.
    fn words(
        &self,
        text: &str,
        least: usize,
        scratch: &mut Scratch,
        found: &mut impl FnMut(&[u8]),
    ) {
        scratch.clear();
        let is_word = |character: char| self.classes.of(character) == Class::Word;
        for token in text.split(|character| !is_word(character)) {
            // Enough characters: tokens are short, and most are longer than that.
            if token.chars().nth(least - 1).is_none() || self.stop_words.contains(token) {
                continue;
            }
            if !scratch.text.is_empty() {
                scratch.text.push(' ');
            }
            scratch.starts.push(scratch.text.len());
            scratch.text.push_str(token);
            scratch.ends.push(scratch.text.len());
        }
        for n in self.sizes(scratch.starts.len()) {
            scratch.grams(n, found);
        }
    }

    fn chars(&self, text: &str, scratch: &mut Scratch, found: &mut impl FnMut(&[u8])) {
        scratch.clear();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let mut spaces = 0;
            if self.classes.of(character) == Class::Space {
                while characters
                    .next_if(|&next| self.classes.of(next) == Class::Space)
                    .is_some()
                {
                    spaces += 1;
                }
            }
            scratch.push(if spaces > 0 { ' ' } else { character });
        }
        for n in self.sizes(scratch.starts.len()) {
            scratch.grams(n, found);
        }
    }

    fn chars_in_words(&self, text: &str, scratch: &mut Scratch, found: &mut impl FnMut(&[u8])) {
        let is_space = |character: char| self.classes.of(character) == Class::Space;
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            scratch.clear();
            scratch.push(' ');
            word.chars().for_each(|character| scratch.push(character));
            scratch.push(' ');
            for n in self.range.0..=self.range.1 {
                if n >= scratch.starts.len() {
                    found(scratch.text.as_bytes()); // a short word is a term of its own, once
                    break;
                }
                scratch.grams(n, found);
            }
        }
    }
}

/// The characters beyond ASCII that occur in the texts, in ascending order.
pub fn alphabet(texts: &Texts<'_>) -> Vec<u32> {
    let mut seen = std::collections::BTreeSet::new();
    for place in 0..texts.len() {
        let text = texts.get(place);
        if !text.is_ascii() {
            seen.extend(text.chars().filter(|c| !c.is_ascii()).map(|c| c as u32));
        }
    }
    seen.into_iter().collect()
}
