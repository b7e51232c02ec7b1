//! Parameters while they are declared. A draft becomes a parameter when its value is taken: by `get`, or as an argument of
//! a layer or an optimizer.

use std::ops::RangeInclusive;

use cornu::config::{IntoField, OneOrMany};
use cornu::optimizers::LearningRate;
use cornu::registry::Family;
use cornu::{Error, choice};

use super::{Condition, Domain, HyperParameters, Sampling};
use crate::value::Value;

/// A whole number of a build function.
pub trait Whole: Copy {
    /// That number; nothing, if it has no room.
    fn of(number: i64) -> Option<Self>;

    /// The number; of those that have no room the nearest.
    fn wide(self) -> i64;
}

/// What is common to all drafts.
struct Draft<'a> {
    hp: &'a HyperParameters,
    name: String,
    default: Option<Value>,
    condition: Option<Condition>,
    /// Whether the condition is one.
    possible: bool,
}

impl<'a> Draft<'a> {
    fn new(hp: &'a HyperParameters, name: String) -> Draft<'a> {
        Draft { hp, name, default: None, condition: None, possible: true }
    }

    fn parent<V: Into<Value>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Draft<'a> {
        self.condition = self.hp.condition(name, values.into_iter().map(Into::into).collect());
        self.possible = self.condition.is_some();
        self
    }

    fn declare(self, domain: Domain) -> Option<Value> {
        let Draft { hp, name, default, condition, possible } = self;
        if possible { hp.declare(&name, domain, default, condition) } else { None }
    }
}

macro_rules! drafts {
    ($($(#[$doc:meta])* $name:ident <$($generic:ident)?> { $($field:ident: $ty:ty),* } default $default:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub struct $name<'a $(, $generic)?> {
            draft: Draft<'a>,
            $($field: $ty,)*
        }

        impl<'a $(, $generic: Clone + Into<Value>)?> $name<'a $(, $generic)?> {
            /// The value where nobody chooses.
            pub fn default(mut self, default: $default) -> Self {
                self.draft.default = Some(default.into());
                self
            }

            /// It exists only where the parameter of that name, which was declared before, has one of these values; elsewhere
            /// its value is the default, and is not noted.
            pub fn parent<V: Into<Value>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
                self.draft = self.draft.parent(name, values);
                self
            }
        }
    )*};
}

drafts! {
    /// A number that is being declared: [`HyperParameters::float`].
    Float<> { min: f64, max: f64, step: Option<f64>, sampling: Sampling } default f64;
    /// A choice that is being declared: [`HyperParameters::choice`].
    Choice<T> { values: Vec<T>, ordered: Option<bool> } default T;
    /// A truth that is being declared: [`HyperParameters::boolean`].
    Boolean<> {} default bool;
}

/// A whole number that is being declared: [`HyperParameters::int`].
#[must_use]
pub struct Int<'a, T> {
    draft: Draft<'a>,
    range: [T; 2],
    step: Option<T>,
    sampling: Sampling,
}

macro_rules! scales {
    ($name:ident <$($generic:ident)?> $step:ty) => {
        impl<'a $(, $generic: Whole)?> $name<'a $(, $generic)?> {
            /// What is between two values: a difference, or a ratio where the scale is logarithmic.
            pub fn step(mut self, step: $step) -> Self {
                self.step = Some(step);
                self
            }

            /// Draws count in ratios: as many between 0.001 and 0.01 as between 0.01 and 0.1.
            pub fn log(self) -> Self {
                self.sampling(Sampling::Log)
            }

            /// The scale.
            pub fn sampling(mut self, sampling: Sampling) -> Self {
                self.sampling = sampling;
                self
            }
        }
    };
}

scales!(Int<T> T);
scales!(Float<> f64);

impl<'a, T: Whole> Int<'a, T> {
    pub(super) fn new(hp: &'a HyperParameters, name: String, range: RangeInclusive<T>) -> Self {
        let range = [*range.start(), *range.end()];
        Int { draft: Draft::new(hp, name), range, step: None, sampling: Sampling::Linear }
    }

    /// The value where nobody chooses.
    pub fn default(mut self, default: T) -> Self {
        self.draft.default = Some(Value::Int(default.wide()));
        self
    }

    /// It exists only where the parameter of that name, which was declared before, has one of these values; elsewhere its
    /// value is the default, and is not noted.
    pub fn parent<V: Into<Value>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.draft = self.draft.parent(name, values);
        self
    }

    /// The value.
    pub fn get(self) -> T {
        let Int { draft, range, step, sampling } = self;
        let (hp, name, default) = (draft.hp, draft.name.clone(), draft.default.clone());
        let [min, max] = range.map(T::wide);
        let value = draft.declare(Domain::Int { min, max, step: step.map(T::wide), sampling }).or(default);
        let Some(Value::Int(number)) = value else { return range[0] };
        T::of(number).unwrap_or_else(|| {
            hp.note(Error::usage(format!("parameter `{name}`: there is no room for {number}")));
            range[0]
        })
    }
}

impl<'a> Float<'a> {
    pub(super) fn new(hp: &'a HyperParameters, name: String, range: RangeInclusive<f64>) -> Self {
        let (min, max) = range.into_inner();
        Float { draft: Draft::new(hp, name), min, max, step: None, sampling: Sampling::Linear }
    }

    /// The value.
    pub fn get(self) -> f64 {
        let Float { draft, min, max, step, sampling } = self;
        let default = draft.default.clone();
        let value = draft.declare(Domain::Float { min, max, step, sampling }).or(default);
        value.and_then(|value| value.number()).unwrap_or(min)
    }
}

impl<'a> Boolean<'a> {
    pub(super) fn new(hp: &'a HyperParameters, name: String) -> Self {
        Boolean { draft: Draft::new(hp, name) }
    }

    /// The value.
    pub fn get(self) -> bool {
        let default = self.draft.default.clone();
        self.draft.declare(Domain::Boolean).or(default) == Some(Value::Bool(true))
    }
}

impl<'a, T: Clone + Into<Value>> Choice<'a, T> {
    pub(super) fn new(hp: &'a HyperParameters, name: String, values: Vec<T>) -> Self {
        Choice { draft: Draft::new(hp, name), values, ordered: None }
    }

    /// Whether the order of the values means something. It does where they are numbers, unless this says that it does not.
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.ordered = Some(ordered);
        self
    }

    /// The value.
    ///
    /// # Panics
    /// Where there is nothing to choose from: so there is no value. The trial fails.
    pub fn get(self) -> T {
        let Choice { draft, values, ordered } = self;
        let all: Vec<Value> = values.iter().cloned().map(Into::into).collect();
        let numbers = all.first().is_some_and(|first| matches!(first, Value::Int(_) | Value::Float(_)));
        let (name, default) = (draft.name.clone(), draft.default.clone());
        let domain = Domain::Choice { values: all.clone(), ordered: ordered.unwrap_or(numbers) };
        let value = draft.declare(domain).or(default);
        let place = value.and_then(|value| all.iter().position(|known| *known == value)).unwrap_or(0);
        let found = values.into_iter().nth(place);
        found.unwrap_or_else(|| panic!("parameter `{name}`: needs something to choose from, got an empty list"))
    }
}

macro_rules! whole {
    ($($type:ty)*) => {$(
        impl Whole for $type {
            fn of(number: i64) -> Option<$type> {
                number.try_into().ok()
            }

            fn wide(self) -> i64 {
                self.try_into().unwrap_or(i64::MAX)
            }
        }
    )*};
}

whole!(i32 u32 i64 usize);

/// Drafts as arguments of settings.
macro_rules! fields {
    (@one [$($generics:tt)*] $draft:ty, $field:ty, $of:expr) => {
        impl<$($generics)*> IntoField<$field> for $draft {
            fn into_field(self) -> $field {
                let of: fn(Self) -> $field = $of;
                of(self)
            }
        }
    };
    ($([$($generics:tt)*] $draft:ty { $($field:ty: $of:expr;)* })*) => {$(
        fields!(@each [$($generics)*] $draft, $([$field, $of])*);
    )*};
    (@each $generics:tt $draft:ty, $([$field:ty, $of:expr])*) => {
        $(fields!(@one $generics $draft, $field, $of);)*
    };
}

fields! {
    [T: Whole] Int<'_, T> {
        usize: |draft| checked(draft);
        i64: |draft| checked(draft);
        f64: |draft| draft.get().wide() as f64;
        Option<usize>: |draft| Some(checked(draft));
        Option<i64>: |draft| Some(checked(draft));
        Option<f64>: |draft| Some(draft.get().wide() as f64);
        Option<OneOrMany<usize>>: |draft| Some(OneOrMany::One(checked(draft)));
        Option<OneOrMany<i64>>: |draft| Some(OneOrMany::One(checked(draft)));
    }
    [T: Whole, const N: usize] Int<'_, T> {
        [usize; N]: |draft| [checked(draft); N];
        Option<[usize; N]>: |draft| Some([checked(draft); N]);
    }
    [] Float<'_> {
        f64: |draft| draft.get();
        Option<f64>: |draft| Some(draft.get());
        LearningRate: |draft| draft.get().into_field();
        OneOrMany<f64>: |draft| draft.get().into_field();
        Option<OneOrMany<f64>>: |draft| draft.get().into_field();
    }
    [] Boolean<'_> {
        bool: |draft| draft.get();
        Option<bool>: |draft| Some(draft.get());
    }
    [] Choice<'_, &str> {
        String: |draft| draft.get().into();
        Option<String>: |draft| Some(draft.get().into());
    }
    [F: ?Sized + Family] Choice<'_, &str> {
        choice::Choice<F>: |draft| draft.get().into_field();
        Option<choice::Choice<F>>: |draft| draft.get().into_field();
    }
    [] Choice<'_, f64> {
        f64: |draft| draft.get();
        Option<f64>: |draft| Some(draft.get());
        LearningRate: |draft| draft.get().into_field();
    }
    [T: Whole + Into<Value>] Choice<'_, T> {
        usize: |draft| checked_choice(draft);
        Option<usize>: |draft| Some(checked_choice(draft));
    }
    [T: Whole + Into<Value>, const N: usize] Choice<'_, T> {
        [usize; N]: |draft| [checked_choice(draft); N];
        Option<[usize; N]>: |draft| Some([checked_choice(draft); N]);
    }
}

/// The value as a number of another type.
fn checked<T: Whole, N: Whole + From<u8>>(draft: Int<'_, T>) -> N {
    let (hp, name) = (draft.draft.hp, draft.draft.name.clone());
    narrowed(hp, &name, draft.get().wide())
}

fn checked_choice<T: Whole + Into<Value>, N: Whole + From<u8>>(draft: Choice<'_, T>) -> N {
    let (hp, name) = (draft.draft.hp, draft.draft.name.clone());
    narrowed(hp, &name, draft.get().wide())
}

fn narrowed<N: Whole + From<u8>>(hp: &HyperParameters, name: &str, number: i64) -> N {
    N::of(number).unwrap_or_else(|| {
        hp.note(Error::usage(format!("parameter `{name}` is a size of a layer, which cannot be {number}")));
        N::from(1)
    })
}
