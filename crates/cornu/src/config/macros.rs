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
/// A mark behind a default says what numbers can be right: `=> PART`, from 0 to 1; `=> NOT_NEGATIVE`.
#[macro_export]
macro_rules! config {
    ($(#[$doc:meta])* $module:literal pub $kind:ident $name:ident { $($fields:tt)* }) => {
        $crate::config!(@sort [$(#[$doc])* $module $kind $name] [] [] $($fields)*);
    };

    // Sorts the fields into those without and those with a default.
    (@sort $head:tt [$($required:tt)*] [$($rest:tt)*]
        $(#[$doc:meta])* $field:ident: $ty:ty = $default:expr $(=> $mark:ident)?, $($more:tt)*) => {
        $crate::config!(@sort $head [$($required)*] [$($rest)* { $(#[$doc])* $field, $ty, $default, [$($mark)?] }]
            $($more)*);
    };
    (@sort $head:tt [$($required:tt)*] [$($rest:tt)*]
        $(#[$doc:meta])* $field:ident: $ty:ty, $($more:tt)*) => {
        $crate::config!(@sort $head [$($required)* { $(#[$doc])* $field, $ty }] [$($rest)*] $($more)*);
    };

    // What layers have beside their settings is told where layers are.
    (@sort [$(#[$doc:meta])* $module:literal layer $name:ident] $required:tt $rest:tt) => {
        $crate::layer_config!([$(#[$doc])* $module $name] $required $rest);
    };

    (@sort [$(#[$doc:meta])* $module:literal struct $name:ident] [$({ $(#[$a_doc:meta])* $a:ident, $a_ty:ty })*]
        [$({ $(#[$b_doc:meta])* $b:ident, $b_ty:ty, $b_default:expr, $b_marks:tt })*]) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$a_doc])* pub $a: $a_ty,)*
            $($(#[$b_doc])* pub $b: $b_ty,)*
        }
        $crate::config!(@methods $name [] [$($(#[$a_doc])* $a, $a_ty;)*] [$($(#[$b_doc])* $b, $b_ty, $b_default;)*]);

        impl $crate::config::Config for $name {
            $crate::config!(@names $module $name [$($a [])* $($b $b_marks)*]);
            fn to_json(&self) -> $crate::json::Map<String, $crate::json::Value> {
                #[allow(unused_mut)]
                let mut config = $crate::json::Map::new();
                $(config.insert(stringify!($a).into(), $crate::config::Field::to_json(&self.$a));)*
                $(config.insert(stringify!($b).into(), $crate::config::Field::to_json(&self.$b));)*
                config
            }
            fn from_json(config: &$crate::json::Map<String, $crate::json::Value>) -> $crate::Result<Self> {
                let class = stringify!($name);
                let known: &[&str] = &[$(stringify!($a),)* $(stringify!($b),)*];
                $crate::Context::context($crate::config::refuse_unknown_keys(config, known), class)?;
                $(let $a: $a_ty = $crate::config::read(config, class, stringify!($a), None)?;)*
                $(let $b: $b_ty = $crate::config::read(config, class, stringify!($b), Some($b_default))?;)*
                Ok($name { $($a,)* $($b,)* })
            }
        }
    };

    (@methods $name:ident [$($base:tt)*] [$($(#[$a_doc:meta])* $a:ident, $a_ty:ty;)*]
        [$($(#[$b_doc:meta])* $b:ident, $b_ty:ty, $b_default:expr;)*]) => {
        impl $name {
            /// The settings that have no default; all others at their defaults.
            pub fn new($($a: impl $crate::config::IntoField<$a_ty>),*) -> Self {
                $name { $($base)* $($a: $a.into_field(),)* $($b: $b_default,)* }
            }
            $(
                $(#[$b_doc])*
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

    (@names $module:literal $name:ident [$($field:ident [$($mark:ident)?])*]) => {
        fn class_name(&self) -> &'static str {
            stringify!($name)
        }
        fn module(&self) -> &'static str {
            $module
        }
        fn class() -> &'static str {
            stringify!($name)
        }
        fn package() -> &'static str {
            $module
        }
        fn draws(&self) -> usize {
            0 $(+ $crate::config::Field::draws(&self.$field))*
        }
        fn check(&self) -> $crate::Result<()> {
            $({
                let place = concat!(stringify!($name), ".", stringify!($field));
                let marks: &[&str] = &[$(stringify!($mark))?];
                $crate::Context::context($crate::config::check_marked(&self.$field, marks), place)?;
            })*
            Ok(())
        }
    };
}

/// Declares a choice that Keras gives by name (`"l2"`) or as an object (`{"class_name": "L2", "config": …}`).
///
/// A name that is not known becomes `Unknown`, and is reported when the model is next used. Where a name stands for other
/// settings than the defaults of the class, they follow it: `"l1_l2" as { l1: 0.01, l2: 0.01 }`.
///
/// A mark behind a default says what is special about a setting: `=> SEED`, Keras 3 draws a seed where this is `None`;
/// `=> HIDE_NULL`, only some versions of Keras know it, so that it is written only where it says something. The marks of
/// [`config!`] hold as well.
#[macro_export]
macro_rules! one_of {
    ($(#[$doc:meta])* $module:literal $what:literal pub enum $name:ident {
        $($(#[$v_doc:meta])* $variant:ident = $alias:literal $(as { $($by_alias:ident: $value:expr),* })? $(| $more:literal)*
            $({ $($field:ident: $ty:ty = $default:expr $(=> $mark:ident)?),* $(,)? })?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$v_doc])* $variant $({ $(#[allow(missing_docs)] $field: $ty),* })?,)*
            /// A name that is not known; the model reports it when it is next used.
            Unknown(String),
        }

        impl $name {
            /// Every class name.
            pub const CLASSES: &[&str] = &[$(stringify!($variant)),*];

            /// The choice of that name, with default settings or those that the name stands for.
            fn named(name: &str) -> Option<Self> {
                $($(if name == $alias {
                    return Some(Self::$variant { $($by_alias: $value),* });
                })?)*
                $(if [stringify!($variant), $alias $(, $more)*].contains(&name) {
                    return Some(Self::$variant $({ $($field: $default),* })?);
                })*
                None
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::named(name).unwrap_or_else(|| Self::Unknown(name.into()))
            }
        }

        impl $crate::config::IntoField<$name> for &str {
            fn into_field(self) -> $name {
                self.into()
            }
        }

        impl $crate::config::IntoField<Option<$name>> for &str {
            fn into_field(self) -> Option<$name> {
                Some(self.into())
            }
        }

        impl $crate::config::Field for $name {
            fn to_json(&self) -> $crate::json::Value {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        #[allow(unused_mut)]
                        let mut config = $crate::json::Map::new();
                        $($(
                            let json = $crate::config::Field::to_json($field);
                            let marks: &[&str] = &[$(stringify!($mark))?];
                            if !(json.is_null() && marks.contains(&"HIDE_NULL")) {
                                config.insert(stringify!($field).into(), json);
                            }
                        )*)?
                        $crate::config::object($module, stringify!($variant), config)
                    })*
                    Self::Unknown(name) => name.as_str().into(),
                }
            }

            fn from_json(json: &$crate::json::Value) -> $crate::Result<Self> {
                if let Some(name) = json.as_str() {
                    let known = [$($alias),*].into_iter().chain(Self::CLASSES.iter().copied());
                    return Self::named(name).ok_or_else(|| $crate::config::not_known($what, name, known));
                }
                let (class, config) = $crate::config::open_built_in($what, $module, json)?;
                let (class, config) = (class.as_str(), &config);
                match class {
                    $(stringify!($variant) $(| $more)* => {
                        let known: &[&str] = &[$($(stringify!($field)),*)?];
                        $crate::Context::context($crate::config::refuse_unknown_keys(config, known), class)?;
                        Ok(Self::$variant $({
                            $($field: $crate::config::read(config, class, stringify!($field), Some($default))?),*
                        })?)
                    })*
                    other => Err($crate::config::not_known($what, other, Self::CLASSES.iter().copied())),
                }
            }

            fn check(&self) -> $crate::Result<()> {
                match self {
                    Self::Unknown(name) => {
                        let known = [$($alias),*].into_iter().chain(Self::CLASSES.iter().copied());
                        Err($crate::config::unknown($what, name, known))
                    }
                    $(Self::$variant $({ $($field),* })? => {
                        $($({
                            let place = concat!(stringify!($variant), ".", stringify!($field));
                            let marks: &[&str] = &[$(stringify!($mark))?];
                            $crate::Context::context($crate::config::check_marked($field, marks), place)?;
                        })*)?
                        Ok(())
                    })*
                }
            }

            fn draws(&self) -> usize {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        let unseeded: &[bool] = &[$($({
                            let marks: &[&str] = &[$(stringify!($mark))?];
                            marks.contains(&"SEED") && $crate::config::Field::to_json($field).is_null()
                        }),*)?];
                        usize::from(unseeded.contains(&true))
                    })*
                    Self::Unknown(_) => 0,
                }
            }
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
        }
    };
}
