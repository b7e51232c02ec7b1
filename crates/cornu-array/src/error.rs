//! The one error type of the workspace: where, what was needed, what was got, how to mend it.

use std::fmt::{self, Write};
use std::panic::Location;
use std::sync::Arc;

/// What kind of mistake an [`Error`] reports, for programs that choose what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A call or a setting that cannot be right: an unknown name, `fit` before `compile`.
    Usage,
    /// Data that does not fit: shapes, labels, not-a-number, a malformed table.
    Data,
    /// A file that is missing, cut short, malformed or cannot be written.
    File,
    /// Something well-formed that this version does not know.
    Unsupported,
    /// A graph that breaks a rule of its ops.
    Graph,
    /// The work was stopped from outside.
    Interrupted,
    /// More memory than the machine gives.
    Memory,
}

/// A mistake in the caller's input.
///
/// Prints as `where: what was needed, what was got`, then the source line if the mistake was made while tracing,
/// then a `help:` line where there is advice to give. `{:?}` prints the same, since that is how Rust prints an error that
/// `main` returns; `{:#?}` prints what it is made of.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    at: Option<&'static Location<'static>>,
    help: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What every fallible function of cornu returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; the message is lower case, names things in backticks, and has no final stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), at: None, help: None, source: None }))
    }

    /// A call or setting that cannot be right.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Data that does not fit.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// A file that is missing, malformed or cannot be written.
    pub fn file(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::File, message)
    }

    /// Something this version does not know.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A graph that breaks a rule of its ops.
    pub fn graph(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Graph, message)
    }

    /// Memory that is not there: `what` needs that many bytes.
    pub fn memory(what: impl fmt::Display, needed: usize) -> Self {
        Self::new(ErrorKind::Memory, format!("{what} needs {} of memory, more than there is", bytes(needed as u64)))
    }

    /// Adds the likely fix.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the line of source that was being traced.
    #[must_use]
    pub fn at(mut self, location: &'static Location<'static>) -> Self {
        self.0.at.get_or_insert(location);
        self
    }

    /// Puts `place: ` before the message: one clause per level, outermost first.
    #[must_use]
    pub fn context(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Makes it a mistake of another kind: what a file says wrongly is the file's mistake.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Records the error underneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// What kind of mistake this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without the source line and the advice.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0.message).fmt(f)?;
        if let Some(at) = self.0.at {
            write!(f, "\n  at {}:{}", at.file(), at.line())?;
        }
        if let Some(help) = &self.0.help {
            write!(f, "\n  help: {}", Printable(help))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { fmt::Debug::fmt(&self.0, f) } else { fmt::Display::fmt(self, f) }
    }
}

/// A number of bytes as Keras shows it: `49.73 KB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.2} {}", UNITS[unit])
}

/// A text with names out of a file in it: codes that would change the terminal are spelt out.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' => f.write_char(c),
            c if c.is_control() => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

/// Adds a place to the error of a result, as [`Error::context`] does.
pub trait Context<T> {
    /// Puts `place: ` before the message of an error.
    fn context(self, place: impl fmt::Display) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.context(place))
    }
}

/// Names as a message shows them: `a`, `b`, and 3 more.
pub fn list(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut list: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        list.push(format!("and {} more", names.len() - SHOWN));
    }
    if list.is_empty() { "none".into() } else { list.join(", ") }
}

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes the product of both lengths, and nobody mistypes a name of a page.
    const LONGEST: usize = 200;
    let plain = |s: &str| s.to_lowercase().replace(['_', '-', ' '], "");
    if word.len() > LONGEST {
        return None;
    }
    let word = plain(word);
    let (letters, most) = (word.chars().count(), 1 + word.len() / 4);
    // Names of very different lengths are far apart, whatever their letters are.
    let near = candidates.into_iter().map(|name| (name, plain(name)));
    let near = near.filter(|(_, plain)| plain.chars().count().abs_diff(letters) <= most);
    let (best, distance) =
        near.map(|(name, plain)| (name, edits(&word, &plain))).min_by_key(|&(_, distance)| distance)?;
    // A name of which no letter is left is no neighbour.
    (distance <= most && distance < letters).then_some(best)
}

/// The least number of letters to insert, delete or replace to turn `a` into `b` (Levenshtein's distance).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A program whose `main` returns an error prints it by `Debug`: to be read by people all the same.
#[test]
fn an_error_that_main_returns_can_be_read() {
    let error = Error::usage("no column `Wieght`").help("did you mean `weight`?").context("table");
    assert_eq!(format!("{error:?}"), "table: no column `Wieght`\n  help: did you mean `weight`?");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(format!("{error:#?}").contains("kind: Usage"));
}

#[test]
fn the_nearest_name_is_found_only_when_near() {
    let names = ["binary_crossentropy", "mean_squared_error", "adam", "sgd"];
    assert_eq!(nearest("binary_crosentropy", names), Some("binary_crossentropy"));
    assert_eq!(nearest("Adam", names), Some("adam"));
    assert_eq!(nearest("BinaryCrossentropy", names), Some("binary_crossentropy"));
    assert_eq!(nearest("quartic", names), None);
    assert_eq!(nearest("c", ["a", "b"]), None);
    let long = "long ".repeat(200_000);
    assert_eq!(nearest(&long, [&long[1..]]), None);
    assert_eq!(nearest("adm", [&long, "adam"]), Some("adam"));
}
