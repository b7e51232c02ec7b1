//! Recurrences: a cell that steps through sequences, with masks, and with states that are given, remembered and handed on.

use std::sync::Arc;

use cornu_graph::{Array, DType, Error, Result, Shape, Tensor, Type};

use super::{Argument, Child, Inputs, Layer, LayerRef, Wire};
use crate::config::Setting;
use crate::trace::{Cx, row};

/// The cell of a recurrence: a layer that makes an output and the next states of a row of its input and the last states.
///
/// ```
/// use cornu::layers::{Cell, RNN, Steps};
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// `tanh(x · W + h · U)`.
///     "my.layers" pub layer MinimalCell {
///         /// The number of outputs, and of numbers in its state.
///         units: usize,
///     }
/// }
///
/// impl Layer for MinimalCell {
///     fn cell(&self) -> Option<&dyn Cell> {
///         Some(self)
///     }
/// }
///
/// impl Cell for MinimalCell {
///     fn state_size(&self) -> Vec<usize> {
///         vec![self.units]
///     }
///
///     fn steps(&self, cx: &mut Cx, x: &Tensor) -> Steps<'_> {
///         let w = cx.weight("kernel", [x.dim(-1), self.units], "uniform");
///         let u = cx.weight("recurrent_kernel", [self.units, self.units], "uniform");
///         Steps::new([x.dot(&w)], move |_, x, states| {
///             let h = (&x[0] + states[0].dot(&u)).tanh();
///             vec![h.clone(), h]
///         })
///     }
/// }
///
/// let model = sequential![Input::new([10, 3]), RNN::new(MinimalCell::new(4)).return_sequences(true)];
/// assert_eq!(model.output_shape(), Some(vec![None, Some(10), Some(4)]));
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Cell: Layer {
    /// The number of units of each state.
    fn state_size(&self) -> Vec<usize>;

    /// The number of units of the output: those of the first state, unless it says otherwise.
    fn output_size(&self) -> usize {
        self.state_size().first().copied().unwrap_or(0)
    }

    /// What the cell makes of its input before it sees a state, and its step. `x` is `[batch, …]` for one step, or
    /// `[time, batch, …]` for all of them at once: what is made of it here is made outside of the loop.
    fn steps(&self, cx: &mut Cx, x: &Tensor) -> Steps<'_>;
}

/// A step of a cell: of rows and states, the output and then the next states.
type Step<'a> = dyn Fn(&mut Cx, &[Tensor], &[Tensor]) -> Vec<Tensor> + 'a;

/// What a cell makes of its input, and its step.
pub struct Steps<'a> {
    rows: Vec<Tensor>,
    step: Box<Step<'a>>,
}

impl<'a> Steps<'a> {
    /// `rows` have the axes of the input in front, `[time, batch, …]`; `step` is given those of one step, `[batch, …]`, and
    /// the states, and gives the output, then the next states.
    pub fn new(
        rows: impl IntoIterator<Item = Tensor>,
        step: impl Fn(&mut Cx, &[Tensor], &[Tensor]) -> Vec<Tensor> + 'a,
    ) -> Self {
        Steps { rows: rows.into_iter().collect(), step: Box::new(step) }
    }
}

/// The inputs of a cell that is called by itself.
pub(super) const CELL_ARGUMENTS: [Argument; 2] = [Argument::needed("inputs"), Argument::list("states")];

/// The inputs of a recurrence.
pub(super) const ARGUMENTS: [Argument; 3] =
    [Argument::needed("sequences"), Argument::list("initial_state"), Argument::mask("mask")];

/// A cell that is called by itself: the output, then the next states.
pub(super) fn one_step(cell: &dyn Cell, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
    let x = &inputs.needed("inputs")?.tensor;
    let states = given(&inputs.list("states"), "states", &cell.state_size(), x.dim(0))?;
    let Steps { rows, step } = cell.steps(cx, x);
    Ok(step(cx, &rows, &states).into_iter().map(Wire::from).collect())
}

/// The states that are given, if they are as the cell has them.
fn given(wires: &[&Wire], argument: &str, sizes: &[usize], batch: usize) -> Result<Vec<Tensor>> {
    let needed: Vec<Shape> = sizes.iter().map(|&units| [batch, units].into()).collect();
    let got: Vec<Shape> = wires.iter().map(|wire| wire.tensor.shape()).collect();
    if needed == got {
        return Ok(wires.iter().map(|wire| wire.tensor.clone()).collect());
    }
    let list = |all: &[Shape]| all.iter().map(Shape::to_string).reduce(|a, b| a + ", " + &b).unwrap_or("none".into());
    Err(Error::graph(format!("`{argument}` needs states of shape {}, got {}", list(&needed), list(&got))))
}

/// How a recurrence runs: the settings that all of them have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Whether the outputs of all steps are given, instead of the last.
    pub return_sequences: bool,
    /// Whether the last states are given as well.
    pub return_state: bool,
    /// Whether time runs backwards. Outputs come in the order of the steps.
    pub go_backwards: bool,
    /// Whether a call begins with the states that the last has left.
    pub stateful: bool,
    /// Whether each step is part of the graph by itself, instead of a loop.
    pub unroll: bool,
    /// Whether outputs are zero where the mask says that nothing counts, instead of those of before.
    pub zero_output_for_mask: bool,
    /// Whether time is the first axis, and the batch the second.
    pub time_major: bool,
}

/// A recurrence, as layers see it that run one in their own way.
pub trait Recurrent: Layer {
    /// How it runs.
    fn recurrence(&self) -> Recurrence;

    /// The same of another name, which runs like that.
    fn that_runs(&self, name: &str, how: Recurrence) -> Arc<dyn Layer>;
}

/// What comes of all steps.
struct Run {
    /// Stacked along the time, in the order of the steps, if anybody asks for them.
    outputs: Option<Tensor>,
    last: Tensor,
    states: Vec<Tensor>,
}

impl Recurrence {
    /// Runs the layer `cell` within this one.
    ///
    /// # Errors
    /// Sequences, states, a mask or a batch that do not fit.
    pub fn call(self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let (layer, Wire { tensor: x, mask, .. }) = (inputs.within("cell")?, inputs.needed("sequences")?);
        let cell = cell_of(layer.layer())?;
        if x.rank() < 3 {
            return Err(Error::graph(format!("`sequences` needs [batch, time, ..], got {}", x.ty())));
        }
        let (xs, sizes) = (self.swapped(x), cell.state_size());
        let remembered = self.remembered(cx, &sizes, xs.dim(1))?;
        let start = match &inputs.list("initial_state")[..] {
            [] => remembered.clone(),
            wires => first(cx, given(wires, "initial_state", &sizes, xs.dim(1))?, &remembered),
        };
        let counts = mask.as_ref().map(|mask| self.counts(mask, x)).transpose()?;
        let run = layer.inside(cx, |cx| self.run(cx, cell, &xs, counts, &start))?;
        for (variable, state) in remembered.iter().zip(&run.states) {
            cx.update(variable, state.cast(variable.dtype()));
        }
        let output = match run.outputs.filter(|_| self.return_sequences) {
            Some(all) => Wire::from(self.swapped(&all)).masked(mask.clone()),
            None => run.last.into(),
        };
        let states = run.states.into_iter().filter(|_| self.return_state).map(Wire::from);
        Ok([output].into_iter().chain(states).map(|wire| wire.cast(cx.compute_dtype())).collect())
    }

    /// With the time first, if it is second, or back.
    fn swapped(self, x: &Tensor) -> Tensor {
        let order: Vec<usize> = [1, 0].into_iter().chain(2..x.rank()).collect();
        if self.time_major { x.clone() } else { x.transpose(&order) }
    }

    /// What the last call has left, if this one begins with it.
    fn remembered(self, cx: &mut Cx, sizes: &[usize], batch: usize) -> Result<Vec<Tensor>> {
        if !self.stateful {
            return Ok(Vec::new());
        }
        let built = cx.type_of("rnn_state").map(|ty| ty.shape[0]);
        if let Some(built) = built.filter(|built| *built != batch) {
            let error =
                Error::graph(format!("a stateful layer needs batches of {built} rows, as it has states, got {batch}"));
            return Err(error.help("choose a `batch_size` that divides the number of rows"));
        }
        let name = |i: usize| if i == 0 { "rnn_state".to_owned() } else { format!("rnn_state_{i}") };
        Ok(sizes.iter().enumerate().map(|(i, &units)| cx.memory(&name(i), [batch, units])).collect())
    }

    /// Where steps count, by the mask of `x`: time first, and as broad as one number.
    fn counts(self, mask: &Tensor, x: &Tensor) -> Result<Tensor> {
        let (needed, got) = (Shape::from(&x.shape()[..2]), mask.shape());
        if got != needed && got != Shape::from([needed[0], needed[1], 1]) {
            return Err(Error::graph(format!("`mask` needs shape {needed}, as the sequences have, got {got}")));
        }
        Ok(self.swapped(&mask.cast(DType::Bool).reshape([needed[0], needed[1], 1])))
    }

    /// Runs a cell over the rows of `xs`, from those states or from zero.
    fn run(self, cx: &mut Cx, cell: &dyn Cell, xs: &Tensor, counts: Option<Tensor>, start: &[Tensor]) -> Run {
        let (dtype, masked) = (cx.compute_dtype(), counts.is_some());
        let zero = cx.trace().constant(Array::zeros(&Type::scalar(dtype)));
        let zeros = |units: usize| zero.broadcast_to([xs.dim(1), units]);
        let Steps { mut rows, step } = cell.steps(cx, &xs.cast(dtype));
        rows.extend(counts);
        let mut carries: Vec<Tensor> = match start {
            [] => cell.state_size().into_iter().map(zeros).collect(),
            start => start.iter().map(|state| state.cast(dtype)).collect(),
        };
        let count = carries.len();
        // Where nothing counts, the output is that of before: zero at first, whatever the states are.
        let holds = masked && !self.zero_output_for_mask;
        carries.extend(holds.then(|| zeros(cell.output_size())));
        let mut is_state = None;
        let body = |cx: &mut Cx, carries: &[Tensor], rows: &[Tensor]| {
            let (states, before) = carries.split_at(count);
            let (rows, counts) = rows.split_at(rows.len() - usize::from(masked));
            let (mut output, mut next) = stepped(cx, &*step, rows, states);
            is_state = next.iter().position(|state| state.is(&output)).filter(|_| !masked);
            if let [counts] = counts {
                output = counts.select(&output, before.first().unwrap_or(&zero));
                next = next.iter().zip(states).map(|(new, old)| counts.select(new, old)).collect();
            }
            next.extend(before.iter().map(|_| output.clone()));
            let is_wanted = self.return_sequences || !holds && is_state.is_none();
            (next, Vec::from_iter(is_wanted.then_some(output)))
        };
        let (mut states, outputs) = match self.unroll {
            true => cx.unrolled(xs.dim(0), self.go_backwards, &carries, &rows, body),
            false => cx.scan(xs.dim(0), self.go_backwards, &carries, &rows, body),
        };
        let outputs = outputs.into_iter().next().map(|all| if self.go_backwards { all.reverse([0]) } else { all });
        let held = states.split_off(count).pop().or_else(|| is_state.map(|i| states[i].clone()));
        let last = held.or_else(|| outputs.as_ref().map(|all| row(all, all.dim(0).saturating_sub(1))));
        Run { last: last.unwrap_or(zero), outputs, states }
    }
}

/// What a step gives: the output, and as many states as it was given.
fn stepped(cx: &mut Cx, step: &Step, rows: &[Tensor], states: &[Tensor]) -> (Tensor, Vec<Tensor>) {
    let made = step(cx, rows, states);
    if made.len() != states.len() + 1 {
        let (needed, got) = (states.len(), made.len());
        cx.fail(Error::graph(format!(
            "a cell of {needed} states gives an output and {needed} states, got {got} tensors"
        )));
        return (cx.trace().constant(Array::scalar(0.0f32)), states.to_vec());
    }
    let next = made[1..].iter().zip(states).map(|(new, old)| new.cast(old.dtype()));
    (made[0].cast(cx.compute_dtype()), next.collect())
}

/// The states that a call begins with: those that are given, in Keras 2 unless others than zero are remembered.
fn first(cx: &Cx, given: Vec<Tensor>, remembered: &[Tensor]) -> Vec<Tensor> {
    let count = |state: &Tensor| state.ne(0.0).cast(DType::F32).sum_all();
    match remembered.iter().map(count).reduce(|a, b| a + b).filter(|_| cx.flavor().remembers_over_given()) {
        None => given,
        Some(count) => given.iter().zip(remembered).map(|(given, old)| count.gt(0.0).select(old, given)).collect(),
    }
}

/// The cell that a layer is.
///
/// # Errors
/// It is none.
fn cell_of(layer: &dyn Layer) -> Result<&dyn Cell> {
    let none = || Error::usage(format!("`cell` needs a cell, got `{}`", layer.class_name()));
    layer.cell().ok_or_else(|| none().help("a layer is one by `Layer::cell`"))
}

/// Looks at the cell within a recurrence, and at settings that ask for what there is not.
pub(super) fn check(cell: &Child, settings: &[Setting]) -> Result<()> {
    cell_of(cell.layer())?;
    if settings.iter().any(|setting| setting.name == "use_cudnn" && setting.value.to_json() == true) {
        return Err(
            Error::unsupported("`use_cudnn` needs kernels of cuDNN, of which there are none").help("leave it out")
        );
    }
    cell.layer().check_settings()
}

/// Declares a recurrence by the settings that it has besides those of all, and the cell within it.
macro_rules! recurrence {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* } $own:ident => $cell:expr; $($more:item)*) => {
        crate::config! {
            $(#[$doc])*
            "keras.layers" pub layer $name {
                /// Whether the outputs of all steps are given, instead of the last.
                return_sequences: bool = false,
                /// Whether the last states are given as well, behind the output.
                return_state: bool = false,
                /// Whether time runs backwards. Outputs come in the order of the steps.
                go_backwards: bool = false,
                /// Whether a call begins with the states that the last has left. Every batch has as many rows then.
                stateful: bool = false,
                /// Whether each step is part of the graph by itself, instead of a loop.
                unroll: bool = false,
                /// Whether outputs are zero where the mask says that nothing counts, instead of those of before.
                zero_output_for_mask: bool = false,
                /// Whether time is the first axis, and the batch the second. Keras 3 knows no such layers.
                time_major: bool = false => HIDE_NULL,
                $($fields)*
            }
        }

        impl crate::layers::Layer for $name {
            fn call_all(
                &self,
                cx: &mut crate::trace::Cx,
                inputs: &crate::layers::Inputs,
            ) -> cornu_graph::Result<Vec<crate::layers::Wire>> {
                crate::layers::Recurrent::recurrence(self).call(cx, inputs)
            }
            fn arguments(&self) -> Vec<crate::layers::Argument> {
                crate::layers::rnn::ARGUMENTS.to_vec()
            }
            fn supports_masking(&self) -> bool {
                true
            }
            fn children(&self) -> Vec<(&'static str, crate::layers::Child)> {
                let $own = self;
                vec![("cell", $cell)]
            }
            fn check_settings(&self) -> cornu_graph::Result<()> {
                let $own = self;
                crate::layers::rnn::check(&$cell, &crate::config::Config::settings(self))
            }
            fn recurrent(&self) -> Option<&dyn crate::layers::Recurrent> {
                Some(self)
            }
            $($more)*
        }

        crate::layers::rnn::recurrence! {
            @flags $name return_sequences return_state go_backwards stateful unroll zero_output_for_mask time_major
        }
    };

    (@flags $name:ident $($flag:ident)*) => {
        impl crate::layers::Recurrent for $name {
            fn recurrence(&self) -> crate::layers::Recurrence {
                crate::layers::Recurrence { $($flag: self.$flag),* }
            }
            fn that_runs(&self, name: &str, how: crate::layers::Recurrence) -> std::sync::Arc<dyn crate::layers::Layer> {
                std::sync::Arc::new($name { $($flag: how.$flag,)* ..self.clone().name(name) })
            }
        }
    };
}
pub(super) use recurrence;

recurrence! {
    /// A cell that steps through sequences: `[batch, time, …]` becomes `[batch, units]`, or `[batch, time, units]`.
    RNN {
        /// The cell.
        cell: LayerRef,
    }
    own => Child::from(&own.cell);
}
