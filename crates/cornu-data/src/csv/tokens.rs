//! Bytes into lines and fields, by the rules of pandas' tokenizer.

/// What separates fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sep {
    Mark(u8),
    /// Any number of spaces and tabs, also at the ends of a line.
    Blanks,
}

/// The marks of a file. All are ASCII, so that none is part of another character.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) sep: Sep,
    pub(super) quote: u8,
    pub(super) doubled: bool,
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
    pub(super) trim_start: bool,
    pub(super) skip_blank: bool,
}

/// Where a field begins and ends in its block.
pub(super) type Cell = (u32, u32);

/// What there is at a place where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A row of fields, and where the next line begins.
    Row(usize),
    /// Nothing to read: a blank line or a remark.
    Nothing(usize),
    /// A part of a line; the rest is not here yet.
    Unfinished,
    /// A part of a line at the end of the file: the quotation mark here is not closed.
    Open(usize),
    End,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The first byte from `at` on that is one of the marks; the end if there is none.
#[inline(always)]
fn find<const N: usize>(bytes: &[u8], mut at: usize, marks: [u8; N]) -> usize {
    while let Some(&word) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(word);
        // The lowest mark found is a true one: a borrow only reaches bytes above it.
        let hits = marks.iter().fold(0, |hits, &mark| {
            let same = word ^ (ONES * u64::from(mark));
            hits | (same.wrapping_sub(ONES) & !same & HIGH)
        });
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| marks.contains(byte)).map_or(bytes.len(), |more| at + more)
}

/// The high bit of each byte of a word that is one of the marks.
#[inline(always)]
fn hits<const N: usize>(word: u64, marks: [u8; N]) -> u64 {
    marks.iter().fold(0, |hits, &mark| {
        let other = word ^ (ONES * u64::from(mark));
        // A byte that is not zero carries into its own high bit, and no further.
        hits | !(((other & !HIGH) + !HIGH) | other | !HIGH)
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl Dialect {
    fn is_sep(&self, byte: u8) -> bool {
        match self.sep {
            Sep::Mark(mark) => byte == mark,
            Sep::Blanks => is_blank(byte),
        }
    }

    /// Where an unquoted part of a field ends.
    #[inline(always)]
    fn end(&self, bytes: &[u8], at: usize) -> usize {
        let mark = if let Sep::Mark(mark) = self.sep { mark } else { b' ' };
        if self.escape.is_none() && self.comment.is_none() && self.sep != Sep::Blanks {
            return find(bytes, at, [mark, b'\n', b'\r']);
        }
        let tab = if self.sep == Sep::Blanks { b'\t' } else { mark };
        find(bytes, at, [mark, tab, b'\n', b'\r', self.escape.unwrap_or(mark), self.comment.unwrap_or(mark)])
    }

    /// The line that begins at `from`: its fields are added to `cells`, and to `untidy` the numbers of those that have
    /// marks in them ([`Dialect::tidy`]). `last`: nothing comes behind these bytes.
    pub(super) fn line(
        &self,
        bytes: &[u8],
        from: usize,
        last: bool,
        cells: &mut Vec<Cell>,
        untidy: &mut Vec<usize>,
    ) -> Step {
        let mut at = from;
        match self.start(bytes, from, last) {
            Ok(start) => at = at.max(start),
            Err(step) => return step,
        }
        if let Some(step) = self.unquoted(bytes, &mut at, cells) {
            return step;
        }
        loop {
            if self.trim_start {
                at += bytes[at..].iter().take_while(|&&byte| byte == b' ').count();
            }
            let (cell, end) = match bytes.get(at) {
                Some(&byte) if byte == self.quote => match self.quoted(bytes, at, untidy, cells.len()) {
                    Some(found) => found,
                    None if last => return Step::Open(at),
                    None => return Step::Unfinished,
                },
                _ => self.plain(bytes, at, at, untidy, cells.len()),
            };
            cells.push(cell);
            match bytes.get(end) {
                Some(&byte) if self.is_sep(byte) => at = end + 1,
                _ => return self.line_end(bytes, end, last).unwrap_or(Step::Unfinished),
            }
            if self.sep == Sep::Blanks {
                at += bytes[at..].iter().take_while(|&&byte| is_blank(byte)).count();
                if let Some(step) = self.line_end(bytes, at, last) {
                    return step;
                }
            }
        }
    }

    /// The step to the next line, if this one ends here.
    fn line_end(&self, bytes: &[u8], at: usize, last: bool) -> Option<Step> {
        let row = |next: Option<usize>| next.map_or(Step::Unfinished, Step::Row);
        match bytes.get(at) {
            None => Some(row(last.then_some(at))),
            Some(b'\n') => Some(Step::Row(at + 1)),
            Some(b'\r') => Some(row(after_return(bytes, at, last))),
            Some(&byte) if Some(byte) == self.comment => Some(row(self.comment(bytes, at, last))),
            Some(_) => None,
        }
    }

    /// The fields of a line from `at` on, up to one in quotation marks, where marks are as in most files; gives where the
    /// next line begins if there is none, and that line is here.
    #[inline(always)]
    fn unquoted(&self, bytes: &[u8], at: &mut usize, cells: &mut Vec<Cell>) -> Option<Step> {
        let Sep::Mark(mark) = self.sep else { return None };
        if self.escape.is_some() || self.comment.is_some() || self.trim_start || bytes.get(*at) == Some(&self.quote) {
            return None;
        }
        let mut from = *at;
        while let Some(&word) = bytes[from..].first_chunk::<8>() {
            let mut found = hits(u64::from_le_bytes(word), [mark, b'\n', b'\r']);
            while found != 0 {
                let end = from + (found.trailing_zeros() / 8) as usize;
                found &= found - 1;
                match bytes[end] {
                    b'\n' => {
                        cells.push((*at as u32, end as u32));
                        return Some(Step::Row(end + 1));
                    }
                    b'\r' => return None,
                    _ => cells.push((*at as u32, end as u32)),
                }
                *at = end + 1;
                if bytes.get(*at) == Some(&self.quote) {
                    return None;
                }
            }
            from += 8;
        }
        None
    }

    /// Where the first field of a line begins, or what the line is if it has none.
    fn start(&self, bytes: &[u8], from: usize, last: bool) -> Result<usize, Step> {
        let whole = |next: Option<usize>, step: fn(usize) -> Step| next.map_or(Step::Unfinished, step);
        let empty = if self.skip_blank { Step::Nothing } else { Step::Row };
        let is_space = |byte: u8| {
            is_blank(byte) && (self.skip_blank || self.sep == Sep::Blanks) && {
                self.sep == Sep::Blanks || !self.is_sep(byte)
            }
        };
        let first = from + bytes[from..].iter().take_while(|&&byte| is_space(byte)).count();
        match bytes.get(first) {
            None if !last => Err(Step::Unfinished),
            None if first == from => Err(Step::End),
            None => Err(empty(first)),
            Some(b'\n') => Err(empty(first + 1)),
            Some(b'\r') => Err(whole(after_return(bytes, first, last), empty)),
            Some(&byte) if Some(byte) == self.comment && (first == from || self.sep == Sep::Blanks) => {
                Err(whole(self.comment(bytes, first, last), Step::Nothing))
            }
            Some(_) if self.sep == Sep::Blanks => Ok(first),
            Some(_) => Ok(from),
        }
    }

    /// Where the line behind a remark begins.
    fn comment(&self, bytes: &[u8], at: usize, last: bool) -> Option<usize> {
        let end = find(bytes, at, [b'\n', b'\r']);
        match bytes.get(end) {
            None => last.then_some(end),
            Some(b'\n') => Some(end + 1),
            Some(_) => after_return(bytes, end, last),
        }
    }

    /// An unquoted field from `start`, or the unquoted end of one from `at` on, and where it ends.
    fn plain(&self, bytes: &[u8], start: usize, mut at: usize, untidy: &mut Vec<usize>, cell: usize) -> (Cell, usize) {
        loop {
            let end = self.end(bytes, at);
            if self.escape.is_none() || bytes.get(end).copied() != self.escape {
                return ((start as u32, end as u32), end);
            }
            note(untidy, cell);
            at = (end + 2).min(bytes.len());
        }
    }

    /// A field that begins with a quotation mark, and where it ends; `None` if the mark is not closed.
    fn quoted(&self, bytes: &[u8], start: usize, untidy: &mut Vec<usize>, cell: usize) -> Option<(Cell, usize)> {
        let mut at = start + 1;
        loop {
            at = find(bytes, at, [self.quote, self.escape.unwrap_or(self.quote)]);
            let mark = *bytes.get(at)?;
            if Some(mark) == self.escape {
                note(untidy, cell);
                at += 2;
                bytes.get(at - 1)?;
                continue;
            }
            match bytes.get(at + 1) {
                Some(&next) if self.doubled && next == self.quote => {
                    note(untidy, cell);
                    at += 2;
                }
                Some(&next) if !(self.is_sep(next) || matches!(next, b'\n' | b'\r')) => {
                    note(untidy, cell);
                    return Some(self.plain(bytes, start, at + 1, untidy, cell));
                }
                _ if untidy.last() == Some(&cell) => return Some(((start as u32, at as u32 + 1), at + 1)),
                _ => return Some(((start as u32 + 1, at as u32), at + 1)),
            }
        }
    }

    /// Takes the marks out of a field, which becomes shorter, and gives its new length. What is left over is spaces.
    pub(super) fn tidy(&self, field: &mut [u8]) -> usize {
        let mut inside = field.first() == Some(&self.quote);
        let (mut from, mut to) = (usize::from(inside), 0);
        while from < field.len() {
            let byte = field[from];
            if Some(byte) == self.escape && from + 1 < field.len() {
                from += 1;
            } else if inside && byte == self.quote {
                if self.doubled && field.get(from + 1) == Some(&self.quote) {
                    from += 1;
                } else {
                    inside = false;
                    from += 1;
                    continue;
                }
            }
            field[to] = field[from];
            (from, to) = (from + 1, to + 1);
        }
        field[to..].fill(b' ');
        to
    }
}

fn note(untidy: &mut Vec<usize>, cell: usize) {
    if untidy.last() != Some(&cell) {
        untidy.push(cell);
    }
}

/// Where the line behind a carriage return begins; a line feed may follow it, and may not be here yet.
fn after_return(bytes: &[u8], at: usize, last: bool) -> Option<usize> {
    match bytes.get(at + 1) {
        Some(b'\n') => Some(at + 2),
        None if !last => None,
        _ => Some(at + 1),
    }
}
