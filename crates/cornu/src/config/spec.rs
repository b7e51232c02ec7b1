//! Fields as data: what a class can be set to, and what is special about it.

use std::borrow::Cow;
use std::fmt;

use cornu_graph::{Error, Result};
use serde_json::{Map, Value};

use super::Field;

/// One field of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSpec {
    /// Keras's name: `units`.
    pub name: Cow<'static, str>,
    /// What is expected.
    pub kind: Kind,
    /// The value where none is given; `None` if one has to be.
    pub default: Option<Value>,
    /// What it is for.
    pub doc: Cow<'static, str>,
    /// What is special about it.
    pub marks: Vec<Mark>,
}

/// What values a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number of 0 or more.
    Size,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// A text.
    Text,
    /// One of these names.
    OneOf(Vec<&'static str>),
    /// An object of that family, or its name: `initializer`.
    Object(&'static str),
    /// That, or nothing.
    Optional(Box<Kind>),
    /// A list of those.
    List(Box<Kind>),
    /// One of those, or a list of them.
    OneOrMany(Box<Kind>),
    /// One of those for each of some names.
    Dictionary(Box<Kind>),
}

/// `a number, or nothing`
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bool => f.write_str("true or false"),
            Kind::Size => f.write_str("a size"),
            Kind::Whole => f.write_str("a whole number"),
            Kind::Number => f.write_str("a number"),
            Kind::Text => f.write_str("a text"),
            Kind::OneOf(names) => write!(f, "one of `{}`", names.join("`, `")),
            Kind::Object(family) => write!(f, "the name or object of {} {family}", article(family)),
            Kind::Optional(kind) => write!(f, "{kind}, or nothing"),
            Kind::List(kind) => write!(f, "a list, each {kind}"),
            Kind::OneOrMany(kind) => write!(f, "{kind}, or a list of such"),
            Kind::Dictionary(kind) => write!(f, "a dictionary, each {kind}"),
        }
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// What is special about a field. A mark stands behind the default: `seed: Option<i64> = None => SEED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(&'static str);

/// What numbers a mark asks for, and whether one is such.
type Range = (&'static str, fn(f64) -> bool);

impl Mark {
    /// The seed of an object's random numbers: Keras 3 draws one where this is `None`.
    pub const SEED: Mark = Mark("SEED");
    /// How strong an object's noise is: of 0 there is none, and Keras 3 draws no seed.
    pub const NOISE: Mark = Mark("NOISE");
    /// Only some versions of Keras know it, so that it is written only where it says something: neither `null` nor `false`.
    pub const HIDE_NULL: Mark = Mark("HIDE_NULL");
    /// Keras 2 does not know it: files for it leave it out where it asks for nothing, null or false.
    pub const KERAS3: Mark = Mark("KERAS3");
    /// No file keeps it.
    pub const UNSAVED: Mark = Mark("UNSAVED");
    /// A number from 0 to 1.
    pub const PART: Mark = Mark("PART");
    /// A number of 1 or more.
    pub const POSITIVE: Mark = Mark("POSITIVE");
    /// A number of 0 or more.
    pub const NOT_NEGATIVE: Mark = Mark("NOT_NEGATIVE");

    /// Whether a number can be right, and what was needed if not.
    fn range(self) -> Option<Range> {
        match self {
            Mark::PART => Some(("from 0 to 1", |x| (0.0..=1.0).contains(&x))),
            Mark::POSITIVE => Some(("of 1 or more", |x| x >= 1.0)),
            Mark::NOT_NEGATIVE => Some(("of 0 or more", |x| x >= 0.0)),
            _ => None,
        }
    }
}

/// The value of one field of an object.
pub struct Setting<'a> {
    /// Keras's name.
    pub name: &'a str,
    /// What is special about it.
    pub marks: &'a [Mark],
    /// The value.
    pub value: &'a dyn Field,
}

impl Setting<'_> {
    /// [`Field::check`], and whether a number is in the range that a mark names.
    ///
    /// # Errors
    /// What was needed, and what was got.
    pub fn check(&self) -> Result<()> {
        self.value.check()?;
        for (needed, fits) in self.marks.iter().filter_map(|mark| mark.range()) {
            if let Some(got) = self.value.to_json().as_f64().filter(|x| !fits(*x)) {
                return Err(Error::usage(format!("needs a number {needed}, got {got}")));
            }
        }
        Ok(())
    }
}

/// The object of Keras's JSON that these settings make.
pub fn settings_to_json(settings: &[Setting]) -> Map<String, Value> {
    let pairs = settings.iter().map(|setting| (setting.name.to_owned(), setting.value.to_json(), setting.marks));
    let silent = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
    let hidden = |value: &Value, marks: &[Mark]| silent(value) && marks.contains(&Mark::HIDE_NULL);
    let shown = pairs.filter(|(_, value, marks)| !hidden(value, marks) && !marks.contains(&Mark::UNSAVED));
    shown.map(|(name, value, _)| (name, value)).collect()
}

/// How many seeds Keras 3 draws when it makes an object of these settings: for each field marked as a seed that is `None`,
/// here and in the objects within it, unless there is no noise.
pub fn seeds_drawn(settings: &[Setting]) -> usize {
    let is_silent = |setting: &Setting| setting.marks.contains(&Mark::NOISE) && setting.value.to_json() == 0.0;
    let silent = settings.iter().any(is_silent);
    let of = |setting: &Setting| {
        let own = !silent && setting.marks.contains(&Mark::SEED) && setting.value.to_json().is_null();
        let within = setting.value.objects().into_iter().map(|object| seeds_drawn(&object.settings()));
        usize::from(own) + within.sum::<usize>()
    };
    settings.iter().map(of).sum()
}
