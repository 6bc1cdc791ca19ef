//! Texts in one UTF-8 buffer, as Arrow keeps them.

use crate::errors::KernelError;

/// Borrowed texts; text k is `text[offsets[k]..offsets[k + 1]]`.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    text: &'a str,
    offsets: &'a [i64],
}

impl<'a> Texts<'a> {
    /// Checks that every text is a piece of valid UTF-8.
    pub fn new(bytes: &'a [u8], offsets: &'a [i64], name: &str) -> Result<Self, KernelError> {
        let fault = |message: String| KernelError::input("bad_texts", message);
        let text = std::str::from_utf8(bytes)
            .map_err(|error| fault(format!("{name} is not UTF-8: {error}")))?;
        if offsets.is_empty() {
            return Err(fault(format!(
                "{name} has no offsets; there is at least one"
            )));
        }
        let mut last = 0;
        for &offset in offsets {
            let inside = usize::try_from(offset).is_ok_and(|at| text.is_char_boundary(at));
            if !inside || offset < last {
                let message = format!("offset {offset} of {name} is no place between characters");
                return Err(fault(message));
            }
            last = offset;
        }
        Ok(Self { text, offsets })
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, place: usize) -> &'a str {
        let (start, end) = (self.offsets[place], self.offsets[place + 1]);
        self.text.get(start as usize..end as usize).unwrap_or("")
    }
}
