//! Texts in one row of bytes, as Arrow's `LargeUtf8` lays them out.

use crate::{Error, Result};

/// Texts, some of which may be missing. One allocation holds all of them.
///
/// ```
/// use cornu_array::Texts;
///
/// let texts: Texts = [Some("ann"), None, Some("bob")].into_iter().collect();
/// assert_eq!((texts.len(), texts.get(0), texts.get(1)), (3, Some("ann"), None));
/// ```
#[derive(Clone, Debug)]
pub struct Texts {
    bytes: String,
    /// Where each text begins, and where the last one ends.
    offsets: Vec<i64>,
    /// Whether each text is there; nothing where all are.
    present: Option<Vec<bool>>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts { bytes: String::new(), offsets: vec![0], present: None }
    }
}

impl Texts {
    /// No texts yet, with room for `texts` of them, of `bytes` in all.
    pub fn with_capacity(texts: usize, bytes: usize) -> Texts {
        let mut offsets = Vec::with_capacity(texts + 1);
        offsets.push(0);
        Texts { bytes: String::with_capacity(bytes), offsets, present: None }
    }

    /// Texts that lie in `bytes` between `offsets`.
    ///
    /// # Errors
    /// The offsets must ascend, between characters of `bytes`.
    pub fn from_parts(bytes: String, offsets: Vec<i64>, present: Option<Vec<bool>>) -> Result<Texts> {
        let at = |offset: i64| usize::try_from(offset).ok().filter(|&offset| bytes.is_char_boundary(offset));
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { return Ok(Texts::default()) };
        if !offsets.is_sorted() || offsets.iter().any(|&offset| at(offset).is_none()) {
            return Err(Error::data("the offsets of texts must ascend, between characters"));
        }
        let texts = Texts { bytes, offsets, present };
        // A part of others: its bytes alone.
        let is_whole = first == 0 && last as usize == texts.bytes.len();
        Ok(if is_whole { texts } else { texts.iter().collect() })
    }

    /// The number of texts, with those that are missing.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text at `position`; `None` if it is missing.
    ///
    /// # Panics
    /// If `position` is not below [`Texts::len`].
    #[inline]
    pub fn get(&self, position: usize) -> Option<&str> {
        let text = &self.bytes[self.offsets[position] as usize..self.offsets[position + 1] as usize];
        self.present.as_ref().is_none_or(|present| present[position]).then_some(text)
    }

    /// The texts at `positions`, in that order.
    ///
    /// # Panics
    /// If a position is not below [`Texts::len`].
    #[must_use]
    pub fn take(&self, positions: &[usize]) -> Texts {
        let all = self.bytes.as_bytes();
        // Places first, bytes after: each loop reads far apart without waiting for what it read before.
        let (mut starts, mut offsets) = (Vec::with_capacity(positions.len()), Vec::with_capacity(positions.len() + 1));
        let mut end = 0;
        offsets.push(end);
        for &row in positions {
            starts.push(self.offsets[row] as usize);
            end += self.offsets[row + 1] - self.offsets[row];
            offsets.push(end);
        }
        let mut bytes = Vec::with_capacity(end as usize);
        for (&start, ends) in starts.iter().zip(offsets.windows(2)) {
            bytes.extend_from_slice(&all[start..start + (ends[1] - ends[0]) as usize]);
        }
        // Whole texts behind each other are text.
        let bytes = String::from_utf8(bytes).unwrap_or_default();
        let present = self.present.as_ref().map(|present| positions.iter().map(|&row| present[row]).collect());
        Texts { bytes, offsets, present: present.filter(|present: &Vec<bool>| present.contains(&false)) }
    }

    /// The texts of a range of rows.
    ///
    /// # Panics
    /// If it ends behind [`Texts::len`].
    #[must_use]
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Texts {
        let (start, end) = (self.offsets[rows.start], self.offsets[rows.end]);
        let offsets = self.offsets[rows.start..=rows.end].iter().map(|offset| offset - start).collect();
        let present = self.present.as_ref().map(|present| present[rows].to_vec());
        let present = present.filter(|present| present.contains(&false));
        Texts { bytes: self.bytes[start as usize..end as usize].to_owned(), offsets, present }
    }

    /// Adds a text, or one that is missing.
    pub fn push(&mut self, text: Option<&str>) {
        if text.is_none() || self.present.is_some() {
            let len = self.len();
            self.present.get_or_insert_with(|| vec![true; len]).push(text.is_some());
        }
        self.bytes.push_str(text.unwrap_or_default());
        self.offsets.push(self.bytes.len() as i64);
    }

    /// Room for one more text of so many bytes; `false` if there is none.
    pub fn reserve(&mut self, bytes: usize) -> bool {
        let present = self.present.as_mut().is_none_or(|present| present.try_reserve(1).is_ok());
        present && self.bytes.try_reserve(bytes).is_ok() && self.offsets.try_reserve(1).is_ok()
    }

    /// The texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// All texts one behind the other.
    pub fn bytes(&self) -> &str {
        &self.bytes
    }

    /// Where each text begins in [`Texts::bytes`], and where the last one ends.
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// Whether each text is there; `None` where all are.
    pub fn present(&self) -> Option<&[bool]> {
        self.present.as_deref()
    }
}

impl<'a> FromIterator<Option<&'a str>> for Texts {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(texts: I) -> Texts {
        let mut all = Texts::default();
        texts.into_iter().for_each(|text| all.push(text));
        all
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Texts) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[test]
fn missing_texts_are_not_empty_ones() {
    let texts: Texts = [Some(""), None, Some("é"), None].into_iter().collect();
    assert_eq!(texts.iter().collect::<Vec<_>>(), [Some(""), None, Some("é"), None]);
    assert_eq!((texts.bytes(), texts.offsets()), ("é", &[0, 0, 0, 2, 2][..]));
    assert_eq!(texts.present(), Some(&[true, false, true, false][..]));
    assert_ne!(texts, [Some(""), Some(""), Some("é"), None].into_iter().collect());
    assert_eq!([Some("a")].into_iter().collect::<Texts>().present(), None);
    assert_eq!(texts.take(&[2, 1, 2]), [Some("é"), None, Some("é")].into_iter().collect());
    assert_eq!(texts.take(&[2, 0]).present(), None);
    assert_eq!(texts.slice(1..3), [None, Some("é")].into_iter().collect());
    assert_eq!(texts.slice(2..2), Texts::default());
}
