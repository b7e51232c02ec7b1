//! Functions that layers put after their sums: `keras.activations`. One row is one function.

use cornu_graph::{Result, Tensor};
use serde_json::{Map, Value};

use crate::choice::family;
use crate::config::{Config, FieldSpec, FromConfig, Setting, refuse_others};

/// A function that a layer puts after its sum. Keras's own go by their names; one with settings is an object.
///
/// ```
/// use cornu::activations::Activation;
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// `x` where it is positive, a small part of it elsewhere.
///     "my.activations" pub struct Leaky {
///         /// The part.
///         slope: f64 = 0.25,
///     }
/// }
///
/// impl Activation for Leaky {
///     fn apply(&self, x: Tensor) -> Tensor {
///         x.gt(0.0).select(&x, &x * self.slope)
///     }
/// }
///
/// let mut model = sequential![Dense::new(1).kernel_initializer("ones").activation(Leaky::new()).input_shape([1])];
/// assert_eq!(model.predict([[-2.0]])?[[0, 0]], -0.5);
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Activation: Config {
    /// The function, applied.
    #[track_caller]
    fn apply(&self, x: Tensor) -> Tensor;

    /// Whether it makes probabilities of logits, from which cross-entropies are then computed.
    fn takes_logits(&self) -> bool {
        false
    }
}

macro_rules! activations {
    ($($(#[$doc:meta])* $class:ident = $name:literal, $f:expr $(, logits: $logits:literal)?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct $class;

            impl Config for $class {
                fn class_name(&self) -> &str {
                    $name
                }
                fn module(&self) -> &str {
                    "keras.activations"
                }
                fn settings(&self) -> Vec<Setting<'_>> {
                    Vec::new()
                }
            }

            impl FromConfig for $class {
                const CLASS: &'static str = $name;
                const PACKAGE: &'static str = "keras.activations";
                fn fields() -> Vec<FieldSpec> {
                    Vec::new()
                }
                fn from_json(config: &Map<String, Value>) -> Result<Self> {
                    refuse_others($name, config, &[]).map(|()| $class)
                }
            }

            impl Activation for $class {
                #[track_caller]
                fn apply(&self, x: Tensor) -> Tensor {
                    let f: fn(Tensor) -> Tensor = $f;
                    f(x)
                }

                $(fn takes_logits(&self) -> bool {
                    $logits
                })?
            }
        )*

        family! {
            "activation" in activations: dyn Activation {
                const FUNCTIONS: bool = true;
                const NOTHING: Option<&'static str> = Some("linear");
            } = [$($class = ;)*]
        }
    };
}

activations! {
    // class = Keras's name, function, whether it makes probabilities of logits
    /// `x`
    Linear = "linear", |x| x;
    /// `max(x, 0)`
    Relu = "relu", |x| x.relu();
    /// `1 / (1 + exp(-x))`
    Sigmoid = "sigmoid", |x| x.sigmoid(), logits: true;
    /// `exp(x) / sum(exp(x))` over the last axis.
    Softmax = "softmax", |x| x.softmax(-1), logits: true;
    /// The hyperbolic tangent.
    Tanh = "tanh", |x| x.tanh();
}
