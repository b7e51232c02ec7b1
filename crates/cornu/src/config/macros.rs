//! The macros that declare Keras classes.

/// Declares a Keras class by the list of its settings.
///
/// ```
/// cornu::config! {
///     /// Repeats its input.
///     "my.layers" pub layer Echo {
///         /// How often.
///         times: usize,
///         /// What each repetition is multiplied by.
///         decay: f64 = 0.5,
///     }
/// }
/// let echo = Echo::new(3).decay(0.25).name("hall");
/// assert_eq!((echo.times, echo.decay), (3, 0.25));
/// ```
///
/// Fields without a default come first and are the arguments of `new`; the others have setters that take what
/// [`IntoField`](crate::config::IntoField) allows. A `layer` also has what all of Keras's layers have
/// ([`Base`](crate::layers::Base)): name, element type, whether it learns, the shape of its input; a `struct` has not.
/// A field of a layer that is called as one of those takes its place.
///
/// A mark behind a default, or behind the type where there is none, says what is special about a field,
/// [`Mark`](crate::config::Mark): `=> PART`, a number from 0 to 1; `=> SEED`, the seed of its random numbers.
#[macro_export]
macro_rules! config {
    ($(#[$doc:meta])* $module:literal pub $kind:ident $name:ident $(($kept:ident))? { $($fields:tt)* }) => {
        $crate::config!(@sort [$(#[$doc])* $module $kind $name $($kept)?] [] [] [] $($fields)*);
    };

    // Sorts the fields into those without and those with a default, and keeps all in the order in which they stand.
    (@sort $head:tt [$($required:tt)*] [$($rest:tt)*] [$($all:tt)*]
        $(#[doc = $doc:literal])* $field:ident: $ty:ty = $default:expr $(=> $mark:ident)?, $($more:tt)*) => {
        $crate::config!(@sort $head [$($required)*] [$($rest)* { [$($doc)*] $field, $ty, $default }]
            [$($all)* { [$($doc)*] $field, $ty, [$default], [$($mark)?] }] $($more)*);
    };
    (@sort $head:tt [$($required:tt)*] [$($rest:tt)*] [$($all:tt)*]
        $(#[doc = $doc:literal])* $field:ident: $ty:ty $(=> $mark:ident)?, $($more:tt)*) => {
        $crate::config!(@sort $head [$($required)* { [$($doc)*] $field, $ty }] [$($rest)*]
            [$($all)* { [$($doc)*] $field, $ty, [], [$($mark)?] }] $($more)*);
    };

    // What layers have beside their settings is told where layers are.
    (@sort [$(#[$doc:meta])* $module:literal layer $name:ident] $required:tt $rest:tt $all:tt) => {
        $crate::layer_config!([$(#[$doc])* $module $name] $required $rest $all);
    };

    (@sort [$(#[$doc:meta])* $module:literal struct $name:ident] $required:tt $rest:tt $all:tt) => {
        $crate::config!(@sort [$(#[$doc])* $module function $name $name] $required $rest $all);
    };

    // A function has a name of its own beside that of its arguments.
    (@sort [$(#[$doc:meta])* $module:literal function $name:ident $function:ident] $required:tt $rest:tt $all:tt) => {
        $crate::config!(@struct [$(#[$doc])* $name] [] $required $rest);

        impl $crate::config::Config for $name {
            $crate::config!(@names $module $function);
            $crate::config!(@settings $all);
        }

        impl $crate::config::FromConfig for $name {
            $crate::config!(@constants $module $function);
            $crate::config!(@fields $all);
            $crate::config!(@read $name [] $all,
                config => $crate::config::refuse_others(Self::CLASS, config, &Self::fields()));
        }
    };

    // A callback is no object of a file: it has what it has seen beside its settings.
    (@sort [$(#[$doc:meta])* $module:literal callback $name:ident $kept:ident] $required:tt $rest:tt $all:tt) => {
        $crate::config!(@struct [$(#[$doc])* $name] [
            /// What it has seen.
            kept: $kept = $kept::default()
        ] $required $rest);
    };

    // The struct with its constructor and setters; `extra` are fields beside the settings: `[base: Base = default]`.
    (@struct [$(#[$doc:meta])* $name:ident] [$($(#[$x_doc:meta])* $extra:ident: $x_ty:ty = $x:expr)?]
        [$({ [$($a_doc:literal)*] $a:ident, $a_ty:ty })*]
        [$({ [$($b_doc:literal)*] $b:ident, $b_ty:ty, $b_default:expr })*]) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$x_doc])* pub $extra: $x_ty,)?
            $($(#[doc = $a_doc])* pub $a: $a_ty,)*
            $($(#[doc = $b_doc])* pub $b: $b_ty,)*
        }

        impl $name {
            /// The settings that have no default; all others at their defaults.
            pub fn new($($a: impl $crate::config::IntoField<$a_ty>),*) -> Self {
                $name { $($extra: $x,)? $($a: $a.into_field(),)* $($b: $b_default,)* }
            }
            $(
                $(#[doc = $b_doc])*
                #[must_use]
                pub fn $b(mut self, $b: impl $crate::config::IntoField<$b_ty>) -> Self {
                    self.$b = $b.into_field();
                    self
                }
            )*
        }
        $crate::config!(@default $name [$($a)*]);
    };

    (@default $name:ident []) => {
        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (@default $name:ident [$($required:ident)+]) => {};

    (@names $module:literal $name:ident) => {
        fn class_name(&self) -> &str {
            stringify!($name)
        }
        fn module(&self) -> &str {
            $module
        }
    };

    (@constants $module:literal $name:ident) => {
        const CLASS: &'static str = stringify!($name);
        const PACKAGE: &'static str = $module;
    };

    (@settings [$({ $doc:tt $field:ident, $ty:ty, $default:tt, [$($mark:ident)?] })*]) => {
        fn settings(&self) -> Vec<$crate::config::Setting<'_>> {
            vec![$($crate::config::Setting {
                name: stringify!($field),
                marks: &[$($crate::config::Mark::$mark)?],
                value: &self.$field,
            },)*]
        }
    };

    (@fields [$({ [$($doc:literal)*] $field:ident, $ty:ty, [$($default:expr)?], [$($mark:ident)?] })*]) => {
        fn fields() -> Vec<$crate::config::FieldSpec> {
            vec![$($crate::config::FieldSpec {
                name: stringify!($field).into(),
                kind: <$ty as $crate::config::Field>::kind(),
                default: $crate::config!(@option [$(<$ty as $crate::config::Field>::to_json(&$default))?]),
                doc: concat!($($doc, "\n"),*).trim().into(),
                marks: vec![$($crate::config::Mark::$mark)?],
            },)*]
        }
    };

    (@option []) => { None };
    (@option [$value:expr]) => { Some($value) };

    // Reads the settings, after `first` has had a look at all of them.
    (@read $name:ident [$($extra:ident)?]
        [$({ $doc:tt $field:ident, $ty:ty, [$($default:expr)?], $marks:tt })*], $config:ident => $first:expr) => {
        fn from_json($config: &$crate::json::Map<String, $crate::json::Value>) -> $crate::Result<Self> {
            let _first = $first?;
            $(let $extra = _first;)?
            $(let $field: $ty = $crate::config::read($config, Self::CLASS, stringify!($field),
                $crate::config!(@option [$($default)?]))?;)*
            Ok($name { $($extra,)? $($field,)* })
        }
    };
}

/// Declares a choice among plain names.
#[macro_export]
macro_rules! names {
    ($(#[$doc:meta])* $what:literal pub enum $name:ident {
        $($(#[$v_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$v_doc])* $variant,)*
        }

        impl $crate::config::Field for $name {
            fn to_json(&self) -> $crate::json::Value {
                match self { $(Self::$variant => $text.into(),)* }
            }
            fn from_json(json: &$crate::json::Value) -> $crate::Result<Self> {
                match json.as_str() {
                    $(Some($text) => Ok(Self::$variant),)*
                    _ => Err($crate::config::expected($what, json)),
                }
            }
            fn kind() -> $crate::config::Kind {
                $crate::config::Kind::OneOf(vec![$($text),*])
            }
        }
    };
}
