//! What cells with gates have in common: settings, weights, and the noise that dropout makes.

use cornu_graph::{Array, Shape, Tensor};

use super::dropout::kept;
use crate::flavor::Generator;
use crate::trace::Cx;

/// A product for all gates at once, `[.., gates * units]`; with noise of its own for each, gate by gate.
pub(super) fn by_gate(x: &Tensor, weight: &Tensor, noise: &[Tensor]) -> Tensor {
    match noise {
        [] => x.dot(weight),
        [one] => (x * one).dot(weight),
        many => {
            let units = weight.dim(-1) / many.len();
            let part = |gate: usize| weight.slice_axis(1, gate * units..(gate + 1) * units);
            let parts: Vec<Tensor> = many.iter().enumerate().map(|(i, one)| (x * one).dot(&part(i))).collect();
            parts[0].concatenate(&parts[1..].iter().collect::<Vec<_>>(), -1)
        }
    }
}

/// What dropout leaves for so many gates, scaled up: nothing to be done where the list is empty, as in Keras also where the
/// rate is 1.
pub(super) fn noise(
    cx: &mut Cx,
    name: &str,
    (rate, seed): (f64, Option<i64>),
    shape: &Shape,
    gates: usize,
) -> Vec<Tensor> {
    let draws = cx.training() || cx.flavor().draws_noise_outside_training();
    let one = cx.trace().constant(Array::scalar(1.0f32).cast(cx.compute_dtype()));
    let mut drawn = Vec::new();
    for gate in (0..gates).filter(|_| rate > 0.0) {
        let random = match cx.flavor().generator() {
            Generator::Count => cx.random(seed),
            Generator::Stream => cx.child(&format!("{name}_{gate}"), |cx| cx.random(seed)),
        };
        drawn.extend(draws.then(|| kept(cx, &random, rate, shape.clone(), &one)));
    }
    drawn.retain(|_| cx.training() && rate < 1.0);
    drawn
}

/// Declares a layer whose cell has gates, and that cell: documentation and name of both, and the settings of their own that
/// stand early and late among those that all such cells have.
macro_rules! gated {
    (
        $(#[$doc:meta])* layer $layer:ident
        $(#[$cell_doc:meta])* cell $cell:ident named $name:literal
        early { $($early:tt)* } late { $($late:tt)* }
    ) => {
        crate::layers::gates::gated! {
            @declare [$(#[$doc])* $layer] [$(#[$cell_doc])* $cell] $name
            [
                /// What is put after the sum that becomes state or output.
                activation: Choice<dyn Activation> = "tanh".into(),
                /// What is put after the sums of the gates.
                recurrent_activation: Choice<dyn Activation> = "sigmoid".into(),
                /// Whether biases are added.
                use_bias: bool = true,
            ]
            [$($early)*]
            [
                /// How the weights of the input start, `[features, gates * units]`.
                kernel_initializer: Choice<dyn Initializer> = "glorot_uniform".into(),
                /// How the weights of the state start, `[units, gates * units]`.
                recurrent_initializer: Choice<dyn Initializer> = "orthogonal".into(),
                /// How the biases start.
                bias_initializer: Choice<dyn Initializer> = "zeros".into(),
            ]
            [
                /// A penalty on the weights of the input.
                kernel_regularizer: Option<Choice<dyn Regularizer>> = None,
                /// A penalty on the weights of the state.
                recurrent_regularizer: Option<Choice<dyn Regularizer>> = None,
                /// A penalty on the biases.
                bias_regularizer: Option<Choice<dyn Regularizer>> = None,
            ]
            [
                /// What the weights of the input are held to.
                kernel_constraint: Option<Choice<dyn Constraint>> = None,
                /// What the weights of the state are held to.
                recurrent_constraint: Option<Choice<dyn Constraint>> = None,
                /// What the biases are held to.
                bias_constraint: Option<Choice<dyn Constraint>> = None,
                /// The share of the input that is dropped while training.
                dropout: f64 = 0.0 => PART,
                /// The share of the state that is dropped while training.
                recurrent_dropout: f64 = 0.0 => PART,
                $($late)*
                /// For noise independent of all other layers.
                seed: Option<i64> = None => SEED,
                /// 1: each gate has noise of its own, as it always has where a part of the state is dropped. Else: all
                /// have the same.
                implementation: Option<usize> = None => HIDE_NULL,
            ]
        }
    };

    (@declare [$(#[$doc:meta])* $layer:ident] [$(#[$cell_doc:meta])* $cell:ident] $name:literal
        [$($head:tt)*] [$($early:tt)*] [$($starts:tt)*] [$($penalties:tt)*] [$($tail:tt)*]) => {
        crate::layers::rnn::recurrence! {
            $(#[$doc])*
            $layer {
                /// The number of outputs.
                units: usize,
                $($head)* $($starts)* $($early)* $($penalties)*
                /// A penalty on what the layer puts out.
                activity_regularizer: Option<Choice<dyn Regularizer>> = None,
                $($tail)*
                /// Whether only kernels of cuDNN will do, of which there are none.
                use_cudnn: bool = false => UNSAVED,
            }
            own => own.own_cell().into();

            fn activity_regularizer(&self) -> Option<&Choice<dyn Regularizer>> {
                self.activity_regularizer.as_ref()
            }
        }

        crate::config! {
            $(#[$cell_doc])*
            "keras.layers" pub layer $cell {
                /// The number of outputs.
                units: usize,
                $($head)* $($early)* $($starts)* $($penalties)* $($tail)*
                /// Whether the layer around it would be one kernel where there is cuDNN: what a part of the input that is
                /// dropped depends on in Keras 2.
                fused: bool = false => UNSAVED,
            }
        }

        crate::layers::gates::gated! { @cell $layer $cell $name $($head)* $($early)* $($starts)* $($penalties)* $($tail)* }
    };

    (@cell $layer:ident $cell:ident $name:literal $($(#[$doc:meta])* $field:ident: $ty:ty = $default:expr $(=> $mark:ident)?,)*) => {
        impl $layer {
            fn own_cell(&self) -> $cell {
                let base = Base { trainable: self.base.trainable, dtype: self.base.dtype.clone(), ..Base::default() };
                let usual = self.activation.to_json() == "tanh" && self.recurrent_activation.to_json() == "sigmoid";
                let fused = usual && self.use_bias && self.recurrent_dropout == 0.0 && !self.unroll && !self.time_major;
                $cell { base, units: self.units, $($field: Clone::clone(&self.$field),)* fused }.name($name)
            }
        }

        impl Layer for $cell {
            fn cell(&self) -> Option<&dyn Cell> {
                Some(self)
            }
            fn check_settings(&self) -> Result<()> {
                if self.units == 0 { Err(Error::usage("`units` must be at least 1, got 0")) } else { Ok(()) }
            }
        }

        impl $cell {
            /// Whether gates are multiplied one by one.
            fn by_gate(&self) -> bool {
                self.implementation == Some(1) || self.recurrent_dropout != 0.0
            }

            /// The weights of input and state, and the biases, for so many gates.
            fn weights(&self, cx: &mut Cx, x: &Tensor, gates: usize, bias: Shape, start: &Choice<dyn Initializer>) -> (Tensor, Tensor, Option<Tensor>) {
                let width = gates * self.units;
                let (penalty, limit) = (&self.kernel_regularizer, &self.kernel_constraint);
                let kernel = cx.parameter("kernel", [x.dim(-1), width], &self.kernel_initializer, penalty, limit);
                let (penalty, limit) = (&self.recurrent_regularizer, &self.recurrent_constraint);
                let of_state = cx.parameter("recurrent_kernel", [self.units, width], &self.recurrent_initializer, penalty, limit);
                let (penalty, limit) = (&self.bias_regularizer, &self.bias_constraint);
                let bias = self.use_bias.then(|| cx.parameter("bias", bias, start, penalty, limit));
                (kernel, of_state, bias)
            }

            /// The noise of input and state, for so many gates or for all of them; `fused` if the cell is one that cuDNN has.
            fn noise(&self, cx: &mut Cx, x: &Tensor, gates: usize, fused: bool) -> [Vec<Tensor>; 2] {
                let (of_input, of_state) = ((self.dropout, self.seed), (self.recurrent_dropout, self.seed));
                let count = if self.by_gate() || cx.flavor().draws_noise_for_each_gate() { gates } else { 1 };
                let by_step = fused && self.fused && x.rank() == 3 && cx.flavor().draws_noise_for_each_step();
                let rows: Vec<usize> = if by_step { vec![x.dim(1), x.dim(0)] } else { vec![x.dim(-2)] };
                let shape = |last: usize| rows.iter().copied().chain([last]).collect::<Shape>();
                let mut of_input = noise(cx, "dropout", of_input, &shape(x.dim(-1)), count);
                if by_step {
                    of_input.iter_mut().for_each(|noise| *noise = noise.transpose(&[1, 0, 2]));
                }
                let of_state = noise(cx, "recurrent_dropout", of_state, &shape(self.units), count);
                [of_input, of_state].map(|mut drawn| {
                    drawn.truncate(if self.by_gate() && !by_step { gates } else { 1 });
                    drawn
                })
            }
        }
    };
}
pub(super) use gated;
