//! Functions that layers put after their sums: `keras.activations`. One row is one function.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use cornu_graph::{Error, Shape, Tensor};

use crate::choice::family;
use crate::config::Config;
use crate::flavor::Flavor;

/// A function that a layer puts after its sum. Keras's own go by their names, or are objects with arguments:
/// `.activation(Elu::new().alpha(0.5))`. Keras's files cannot hold arguments of functions, so files have those as classes of
/// the package `cornu.activations`, which Keras refuses, unless it is told of a class `cornu.activations>elu`.
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
    ($($(#[$doc:meta])* $class:ident = $name:ident $(| $alias:literal)* $({ $($fields:tt)* })?, $f:expr
        $(, logits: $logits:literal)?;)*) => {
        $(
            crate::config! {
                $(#[$doc])*
                "keras.activations" pub function $class($name) { $($($fields)*)? }
            }

            impl Activation for $class {
                #[track_caller]
                fn apply(&self, x: Tensor) -> Tensor {
                    let f: fn(&Self, Tensor) -> Tensor = $f;
                    f(self, x)
                }

                $(fn takes_logits(&self) -> bool {
                    $logits
                })?
            }
        )*

        family! {
            "activation" in activations: dyn Activation {
                const FUNCTIONS: Option<&'static str> = Some("cornu.activations");
                const NOTHING: Option<&'static str> = Some("linear");
            } = [$($class = $($alias)|*;)*]
        }
    };
}

activations! {
    // class = Keras's name | other names { arguments }, function, whether it makes probabilities of logits
    /// `x` above zero, `alpha * (exp(x / alpha) - 1)` below.
    Celu = celu {
        /// What it falls to, negated.
        alpha: f64 = 1.0,
    }, |f, x| x.relu() + expm1(&(x.minimum(0.0) / f.alpha)) * f.alpha;
    /// `x` above zero, `alpha * (exp(x) - 1)` below.
    Elu = elu {
        /// What it falls to, negated.
        alpha: f64 = 1.0,
    }, |f, x| elu(&x, f.alpha);
    /// `exp(x)`
    Exponential = exponential, |_, x| x.exp();
    /// `x` times the part of a normal distribution that lies below `x`: `x / 2 * (1 + erf(x / sqrt(2)))`.
    Gelu = gelu {
        /// Whether that part is taken to be `(1 + tanh(sqrt(2 / pi) * (x + 0.044715 x³))) / 2`.
        approximate: bool = false,
    }, |f, x| {
        let inner = if f.approximate {
            ((&x + &x * &x * &x * 0.044715) * FRAC_2_PI.sqrt()).tanh()
        } else {
            (&x * FRAC_1_SQRT_2).erf()
        };
        x * 0.5 * (inner + 1.0)
    };
    /// The first half along an axis, times the sigmoid of the second.
    Glu = glu {
        /// The axis, which becomes half as long.
        axis: i64 = -1,
    }, |f, x| glu(&x, f.axis as isize);
    /// `x` farther from zero than a threshold, zero elsewhere.
    HardShrink = hard_shrink {
        /// The threshold.
        threshold: f64 = 0.5,
    }, |f, x| x.abs().gt(f.threshold).select(x, 0.0);
    /// A line from 0 at -3 to 1 at 3; in Keras 2 from -2.5 to 2.5.
    HardSigmoid = hard_sigmoid, |_, x| {
        if Flavor::of(&x).hard_sigmoid_is_steep() { (x * 0.2 + 0.5).clip(0.0, 1.0) } else { relu6(&(x + 3.0)) / 6.0 }
    };
    /// `x` times a line from 0 at -3 to 1 at 3.
    HardSilu = hard_silu | "hard_swish", |_, x| relu6(&(&x + 3.0)) / 6.0 * x;
    /// `x` held between -1 and 1.
    HardTanh = hard_tanh, |_, x| x.clip(-1.0, 1.0);
    /// `x` above zero, a small part of it elsewhere.
    LeakyRelu = leaky_relu {
        /// The slope below zero.
        negative_slope: f64 = 0.2,
    }, |f, x| x.gt(0.0).select(&x, &x * f.negative_slope);
    /// `x`
    Linear = linear, |_, x| x;
    /// `log(1 / (1 + exp(-x)))`
    LogSigmoid = log_sigmoid, |_, x| -softplus(&-x);
    /// `x - log(sum(exp(x)))` along an axis.
    LogSoftmax = log_softmax {
        /// The axis.
        axis: i64 = -1,
    }, |f, x| x.log_softmax(f.axis as isize);
    /// `x * tanh(log(1 + exp(x)))`
    Mish = mish, |_, x| softplus(&x).tanh() * x;
    /// `x` from `threshold` to `max_value`, which it does not exceed; `negative_slope * (x - threshold)` below.
    Relu = relu {
        /// The slope below the threshold.
        negative_slope: f64 = 0.0,
        /// The most that comes out.
        max_value: Option<f64> = None,
        /// Where `x` begins to come out.
        threshold: f64 = 0.0,
    }, |f, x| {
        let y = match f.max_value {
            Some(6.0) if f.threshold == 0.0 => relu6(&x),
            most => {
                let above = if f.threshold == 0.0 { x.relu() } else { x.gt(f.threshold).select(&x, 0.0) };
                most.map_or(above.clone(), |most| above.clip(0.0, most))
            }
        };
        if f.negative_slope == 0.0 { y } else { y - (-x + f.threshold).relu() * f.negative_slope }
    };
    /// `x` held between 0 and 6.
    Relu6 = relu6, |_, x| relu6(&x);
    /// `x` above zero, `1.67326 * (exp(x) - 1)` below, both times 1.0507: so layers keep mean 0 and variance 1.
    Selu = selu, |_, x| elu(&x, 1.6732632423543772) * 1.0507009873554805;
    /// `1 / (1 + exp(-x))`
    Sigmoid = sigmoid, |_, x| x.sigmoid(), logits: true;
    /// `x / (1 + exp(-x))`
    Silu = silu | "swish", |_, x| x.sigmoid() * x;
    /// `x` brought nearer to zero by a threshold, zero within it.
    SoftShrink = soft_shrink {
        /// The threshold.
        threshold: f64 = 0.5,
    }, |f, x| {
        let below = x.lt(-f.threshold).select(&x + f.threshold, 0.0);
        x.gt(f.threshold).select(&x - f.threshold, below)
    };
    /// `exp(x) / sum(exp(x))` along an axis.
    Softmax = softmax {
        /// The axis.
        axis: i64 = -1,
    }, |f, x| x.softmax(f.axis as isize), logits: true;
    /// `log(1 + exp(x))`
    Softplus = softplus, |_, x| softplus(&x);
    /// `x / (1 + |x|)`
    Softsign = softsign, |_, x| &x / (x.abs() + 1.0);
    /// Zero up to -1, `x` from 1 on, `(x + 1)² / 4` between.
    SparsePlus = sparse_plus, |_, x| {
        let between = (&x + 1.0).square() * 0.25;
        x.le(-1.0).select(0.0, x.lt(1.0).select(between, &x))
    };
    /// A line from 0 at -1 to 1 at 1.
    SparseSigmoid = sparse_sigmoid, |_, x| {
        let between = (&x + 1.0) * 0.5;
        x.le(-1.0).select(0.0, x.ge(1.0).select(1.0, between))
    };
    /// `max(x - t, 0)`, with a `t` for each row along an axis (Martins and Astudillo, 2016). Where more than one element
    /// comes out positive, Keras 3.15 takes another `t` than theirs, and rows do not sum to 1; so does this.
    Sparsemax = sparsemax {
        /// The axis. Memory grows with the square of its size.
        axis: i64 = -1,
    }, |f, x| sparsemax(&x, f.axis as isize);
    /// `(x + sqrt(x² + b)) / 2`
    Squareplus = squareplus {
        /// How smooth it is at zero.
        b: f64 = 4.0,
    }, |f, x| ((x.square() + f.b).sqrt() + x) / 2.0;
    /// The hyperbolic tangent.
    Tanh = tanh, |_, x| x.tanh();
    /// `x - tanh(x)`
    TanhShrink = tanh_shrink, |_, x| &x - x.tanh();
    /// `x` above a threshold, another number elsewhere.
    Threshold = threshold {
        /// The threshold.
        threshold: f64,
        /// The number.
        default_value: f64,
    }, |f, x| x.gt(f.threshold).select(&x, f.default_value);
}

#[track_caller]
fn elu(x: &Tensor, alpha: f64) -> Tensor {
    x.relu() + expm1(&x.minimum(0.0)) * alpha
}

/// `exp(x) - 1` of numbers that are not positive, exact near zero: `tanh(x / 2) * (exp(x) + 1)`.
#[track_caller]
fn expm1(x: &Tensor) -> Tensor {
    (x / 2.0).tanh() * (x.exp() + 1.0)
}

/// `x` held between 0 and 6, flat at both ends.
#[track_caller]
fn relu6(x: &Tensor) -> Tensor {
    x.ge(6.0).select(6.0, x.relu())
}

/// `log(1 + exp(x))`, exact where it is small, with slope 1/2 at zero.
#[track_caller]
fn softplus(x: &Tensor) -> Tensor {
    let small = x.gt(0.0).select(-x, x);
    x.relu() + small.exp().log1p()
}

#[track_caller]
fn glu(x: &Tensor, axis: isize) -> Tensor {
    let size = x.dim(axis);
    if !size.is_multiple_of(2) {
        let message = format!("`glu` needs an even size along axis {axis}, got {size}");
        x.trace().fail(Error::graph(message).help("give the layer before it twice as many units as come out"));
    }
    x.slice_axis(axis, 0..size / 2) * x.slice_axis(axis, size / 2..size).sigmoid()
}

/// `max(x - t, 0)`, where `k` elements count, those that all larger ones together exceed by less than 1. As Keras 3.15 has
/// it, `t` is the sum of their running sums, the largest first, less 1, divided by `k`. Comparing each with each tells how
/// many are larger, so nothing is put in order; equal ones have the mean of their places.
#[track_caller]
fn sparsemax(x: &Tensor, axis: isize) -> Tensor {
    let (axis, rank) = (x.axis(axis), x.rank());
    if rank == 0 {
        return x.clone();
    }
    let (shape, along) = (x.shape(), axis as isize);
    let square = Shape::from([&shape[..=axis], &shape[axis..]].concat());
    let but = |left_out: usize| Vec::from_iter((0..=rank).filter(|&at| at != left_out));
    let own = x.broadcast(square.clone(), &but(axis + 1));
    let other = x.broadcast(square, &but(axis));
    let counts = (&other - &own).relu().sum([along + 1]).lt(1.0);
    let place = other.gt(&own).cast(x.dtype()) + other.eq(&own).cast(x.dtype()) * 0.5;
    let before = place.sum([along + 1]) - 0.5;
    let total = |x: Tensor| x.sum([along]).reshape(shape.with(axis, 1));
    let k = total(counts.cast(x.dtype()));
    let running = total(counts.select(x * (&k - before), 0.0));
    (x - (running - 1.0) / k).relu()
}
