//! Keras configurations: plain data, declared once.
//!
//! [`config!`](crate::config!) turns one list of fields into a struct with constructor, setters, Keras's JSON in both
//! directions, and the list itself as data ([`FieldSpec`]). A [`Field`] is a type that can stand in such a list.

mod dictionary;
mod keras;
mod macros;
mod object;
mod sizes;
mod spec;

pub use dictionary::Dictionary;
pub(crate) use keras::only_keras_has;
pub use object::{ClassId, object, open_object};
pub(crate) use object::{is_keras, open_built_in};
pub use spec::{FieldSpec, Kind, Mark, Setting, seeds_drawn, settings_to_json};

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use cornu_graph::{Context, Error, ErrorKind, Result, list, nearest};
use ndarray::{ArrayBase, Data, Ix1};
use serde_json::{Map, Value, json};

/// Settings of one Keras class: what `get_config` gives. [`config!`](crate::config!) implements it.
pub trait Config: fmt::Debug + Any + Send + Sync {
    /// Keras's name of the class: `Dense`.
    fn class_name(&self) -> &str;

    /// Keras's module of the class, `keras.layers`; of a class of one's own the package it is registered under.
    fn module(&self) -> &str;

    /// The settings of its own, in Keras's order.
    fn settings(&self) -> Vec<Setting<'_>>;

    /// The settings as Keras writes them.
    fn to_json(&self) -> Map<String, Value> {
        settings_to_json(&self.settings())
    }

    /// Looks for settings that cannot be right whatever the data, such as an unknown activation.
    ///
    /// # Errors
    /// The first such setting.
    fn check(&self) -> Result<()> {
        let place = |setting: &Setting| format!("{}.{}", self.class_name(), setting.name);
        self.settings().iter().try_for_each(|setting| setting.check().map_err(|error| error.context(place(setting))))
    }
}

/// Settings that can be read, and told without an object at hand. [`config!`](crate::config!) implements it.
pub trait FromConfig: Config + Sized {
    /// [`Config::class_name`].
    const CLASS: &'static str;

    /// [`Config::module`].
    const PACKAGE: &'static str;

    /// What settings there are.
    fn fields() -> Vec<FieldSpec>;

    /// Reads settings; those that are missing take their defaults.
    ///
    /// # Errors
    /// Names the first key that is unknown, missing or of the wrong kind.
    fn from_json(config: &Map<String, Value>) -> Result<Self>;
}

/// A type of settings.
pub trait Field {
    /// The setting as Keras writes it.
    fn to_json(&self) -> Value;

    /// The setting that Keras wrote.
    ///
    /// # Errors
    /// Says what was expected.
    fn from_json(json: &Value) -> Result<Self>
    where
        Self: Sized;

    /// What is expected.
    fn kind() -> Kind
    where
        Self: Sized;

    /// What is wrong with this value, if it can be told without data.
    ///
    /// # Errors
    /// A name that is not known.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The objects of Keras in it.
    fn objects(&self) -> Vec<&dyn Config> {
        Vec::new()
    }
}

/// What a setter takes for a field of type `F`: an `F`; for an optional field also what it is an option of; for a
/// choice also its name.
pub trait IntoField<F> {
    /// The field.
    fn into_field(self) -> F;
}

impl<F> IntoField<F> for F {
    fn into_field(self) -> F {
        self
    }
}

impl<F: Field> IntoField<Option<F>> for F {
    fn into_field(self) -> Option<F> {
        Some(self)
    }
}

impl IntoField<f64> for i32 {
    fn into_field(self) -> f64 {
        self.into()
    }
}

impl IntoField<Option<f64>> for i32 {
    fn into_field(self) -> Option<f64> {
        Some(self.into())
    }
}

impl IntoField<f64> for f32 {
    fn into_field(self) -> f64 {
        self.into()
    }
}

impl IntoField<String> for &str {
    fn into_field(self) -> String {
        self.into()
    }
}

impl IntoField<Option<String>> for &str {
    fn into_field(self) -> Option<String> {
        Some(self.into())
    }
}

/// What a list of settings comes in beside a vector.
macro_rules! lists {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<F: Field + Clone, $($generics)*> IntoField<Vec<F>> for $type {
            fn into_field(self) -> Vec<F> {
                self.to_vec()
            }
        }

        impl<F: Field + Clone, $($generics)*> IntoField<Option<Vec<F>>> for $type {
            fn into_field(self) -> Option<Vec<F>> {
                Some(self.to_vec())
            }
        }
    )*};
}

lists! {
    [const N: usize] [F; N];
    [const N: usize] &[F; N];
    [] &[F];
    [] &Vec<F>;
}

/// `expected a whole number, got "many"`
pub fn expected(what: &str, got: &Value) -> Error {
    Error::usage(format!("expected {what}, got {}", short(&got.to_string())))
}

/// A text of any length for messages.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

macro_rules! plain_fields {
    ($($ty:ty: $kind:ident, $what:literal, $read:expr;)*) => { $(
        impl Field for $ty {
            fn to_json(&self) -> Value {
                json!(self)
            }
            fn from_json(json: &Value) -> Result<Self> {
                let read: fn(&Value) -> Option<$ty> = $read;
                read(json).ok_or_else(|| expected($what, json))
            }
            fn kind() -> Kind {
                Kind::$kind
            }
        }
    )* };
}

plain_fields! {
    bool: Bool, "true or false", Value::as_bool;
    usize: Size, "a whole number", |json| json.as_u64().and_then(|n| usize::try_from(n).ok());
    i64: Whole, "a whole number", Value::as_i64;
    String: Text, "a text", |json| json.as_str().map(Into::into);
}

impl Field for f64 {
    fn to_json(&self) -> Value {
        json!(self)
    }
    fn from_json(json: &Value) -> Result<Self> {
        json.as_f64().ok_or_else(|| expected("a number", json))
    }
    fn kind() -> Kind {
        Kind::Number
    }
    /// JSON has no name for what is not finite: a file would hold nothing in its place. Steps compute in `f32`.
    fn check(&self) -> Result<()> {
        match (self.is_finite(), (*self as f32).is_finite()) {
            (true, true) => Ok(()),
            (true, false) => Err(Error::usage(format!("needs a number within the range of `f32`, got {self:?}"))),
            (false, _) => Err(Error::usage(format!("needs a finite number, got {self}"))),
        }
    }
}

impl<F: Field> Field for Option<F> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_json)
    }
    fn from_json(json: &Value) -> Result<Self> {
        if json.is_null() { Ok(None) } else { F::from_json(json).map(Some) }
    }
    fn kind() -> Kind {
        Kind::Optional(Box::new(F::kind()))
    }
    fn check(&self) -> Result<()> {
        self.as_ref().map_or(Ok(()), Field::check)
    }
    fn objects(&self) -> Vec<&dyn Config> {
        self.iter().flat_map(Field::objects).collect()
    }
}

impl<F: Field> Field for Vec<F> {
    fn to_json(&self) -> Value {
        self.iter().map(Field::to_json).collect()
    }
    fn from_json(json: &Value) -> Result<Self> {
        json.as_array().ok_or_else(|| expected("a list", json))?.iter().map(F::from_json).collect()
    }
    fn kind() -> Kind {
        Kind::List(Box::new(F::kind()))
    }
    fn check(&self) -> Result<()> {
        self.iter().try_for_each(Field::check)
    }
    fn objects(&self) -> Vec<&dyn Config> {
        self.iter().flat_map(Field::objects).collect()
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub enum OneOrMany<T> {
    /// One value.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }
}

impl<T> From<T> for OneOrMany<T> {
    fn from(value: T) -> Self {
        OneOrMany::One(value)
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(values: Vec<T>) -> Self {
        OneOrMany::Many(values)
    }
}

impl<T, const N: usize> From<[T; N]> for OneOrMany<T> {
    fn from(values: [T; N]) -> Self {
        OneOrMany::Many(values.into())
    }
}

impl<F: Field> Field for OneOrMany<F> {
    fn to_json(&self) -> Value {
        match self {
            OneOrMany::One(value) => value.to_json(),
            OneOrMany::Many(values) => values.to_json(),
        }
    }
    fn from_json(json: &Value) -> Result<Self> {
        // Keras writes arrays of NumPy as objects.
        let json = if json["class_name"] == "__numpy__" { &json["config"]["value"] } else { json };
        if json.is_array() { Vec::from_json(json).map(OneOrMany::Many) } else { F::from_json(json).map(OneOrMany::One) }
    }
    fn kind() -> Kind {
        Kind::OneOrMany(Box::new(F::kind()))
    }
    fn check(&self) -> Result<()> {
        self.as_slice().iter().try_for_each(Field::check)
    }
}

impl IntoField<OneOrMany<f64>> for f64 {
    fn into_field(self) -> OneOrMany<f64> {
        OneOrMany::One(self)
    }
}

impl IntoField<Option<OneOrMany<f64>>> for f64 {
    fn into_field(self) -> Option<OneOrMany<f64>> {
        Some(OneOrMany::One(self))
    }
}

impl<const N: usize> IntoField<Option<OneOrMany<f64>>> for [f64; N] {
    fn into_field(self) -> Option<OneOrMany<f64>> {
        Some(self.into())
    }
}

impl IntoField<OneOrMany<f64>> for i32 {
    fn into_field(self) -> OneOrMany<f64> {
        OneOrMany::One(self.into())
    }
}

impl IntoField<OneOrMany<i64>> for i64 {
    fn into_field(self) -> OneOrMany<i64> {
        OneOrMany::One(self)
    }
}

impl<const N: usize> IntoField<OneOrMany<i64>> for [i64; N] {
    fn into_field(self) -> OneOrMany<i64> {
        OneOrMany::Many(self.into())
    }
}

/// Whole numbers, one or some, where there need be none.
macro_rules! optional_whole {
    ($($type:ty)*) => {$(
        impl IntoField<Option<OneOrMany<$type>>> for $type {
            fn into_field(self) -> Option<OneOrMany<$type>> {
                Some(OneOrMany::One(self))
            }
        }

        impl<const N: usize> IntoField<Option<OneOrMany<$type>>> for [$type; N] {
            fn into_field(self) -> Option<OneOrMany<$type>> {
                Some(self.into())
            }
        }
    )*};
}

optional_whole!(i64 usize);

/// What many numbers come in: among them what a scaler hands out, and rows of `ndarray`.
macro_rules! many_numbers {
    ($([$($generics:tt)*] $type:ty, $numbers:expr;)*) => {$(
        impl<$($generics)*> IntoField<OneOrMany<f64>> for $type {
            fn into_field(self) -> OneOrMany<f64> {
                let numbers: fn(Self) -> Vec<f64> = $numbers;
                OneOrMany::Many(numbers(self))
            }
        }
    )*};
}

many_numbers! {
    [] Vec<f64>, |numbers| numbers;
    [] &Vec<f64>, |numbers| numbers.clone();
    [] &[f64], |numbers| numbers.to_vec();
    [const N: usize] [f64; N], |numbers| numbers.to_vec();
    [const N: usize] &[f64; N], |numbers| numbers.to_vec();
    [S: Data<Elem = f64>] ArrayBase<S, Ix1>, |numbers| numbers.to_vec();
    [S: Data<Elem = f64>] &ArrayBase<S, Ix1>, |numbers| numbers.to_vec();
}

/// The error for a name that is none of `known`: it lists those, and tells what only Keras has from what nobody has.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let (shown, known) = (short(name), Vec::from_iter(known));
    // Most classes have a name in small letters too, which is what is written.
    let small: Vec<&str> = known.iter().copied().filter(|name| !name.contains(char::is_uppercase)).collect();
    let list = list(if small.is_empty() { &known } else { &small });
    if only_keras_has(what, name, &known) {
        let message = format!(
            "unknown {what} `{shown}`: Keras has `{shown}`, this version of cornu does not yet; there are {list}"
        );
        return Error::unsupported(message);
    }
    let error = Error::usage(format!("unknown {what} `{shown}`; there are {list}"));
    match nearest(name, known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// [`unknown`] for what is read from JSON: it may well be right in another version.
pub fn not_known<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    unknown(what, name, known).of_kind(ErrorKind::Unsupported)
}

/// Refuses keys that are not in `known`.
///
/// # Errors
/// The first such key, and the nearest known one.
pub fn refuse_unknown_keys<'a>(config: &Map<String, Value>, known: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let known = Vec::from_iter(known);
    match config.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(not_known("key", key, known)),
        None => Ok(()),
    }
}

/// Refuses keys that are none of a class's fields.
///
/// # Errors
/// The first such key, and the nearest field.
pub fn refuse_others(class: &str, config: &Map<String, Value>, fields: &[FieldSpec]) -> Result<()> {
    refuse_unknown_keys(config, fields.iter().map(|field| &*field.name)).context(class)
}

/// The value of a key; `default` where it is missing.
///
/// # Errors
/// A value of the wrong kind, or none where there is no default.
pub fn read<F: Field>(config: &Map<String, Value>, class: &str, key: &str, default: Option<F>) -> Result<F> {
    match (config.get(key), default) {
        (Some(json), _) => F::from_json(json).context(format!("{class}.{key}")),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(Error::usage(format!("{class}: the key `{key}` is missing"))),
    }
}

#[cfg(test)]
mod tests;
