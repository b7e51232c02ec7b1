//! Gated recurrent units: a state that one gate renews and another lets through.

use std::ops::Range;

use cornu_graph::{Error, Result, Shape, Tensor};

use super::gates::{by_gate, gated, noise};
use super::{Base, Cell, Layer, Steps};
use crate::activations::Activation;
use crate::choice::Choice;
use crate::config::Field;
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

gated! {
    /// Gated recurrent units: `[batch, time, features]` becomes `[batch, units]`, or `[batch, time, units]`.
    layer GRU
    /// One step of a [`GRU`]: of an input and a state, the output, which is the next state as well.
    cell GRUCell named "gru_cell"
    early {}
    late {
        /// Whether the state is multiplied before the gate lets it through, with a bias of its own, or after it.
        reset_after: bool = true,
    }
}

impl Cell for GRUCell {
    fn state_size(&self) -> Vec<usize> {
        vec![self.units]
    }

    fn steps(&self, cx: &mut Cx, x: &Tensor) -> Steps<'_> {
        let (units, biases) = (self.units, if self.reset_after { 2 } else { 1 });
        let shape: Shape = if self.reset_after { [2, 3 * units].into() } else { [3 * units].into() };
        let (kernel, recurrent, bias) = self.weights(cx, x, 3, shape, &self.bias_initializer);
        let [of_input, of_state] = self.noise(cx, x, 3, self.reset_after);
        let bias: Vec<Tensor> = bias.map_or_else(Vec::new, |bias| {
            (0..biases)
                .map(|i| bias.reshape([biases, 3 * units]).slice_axis(0, i..i + 1).reshape([3 * units]))
                .collect()
        });
        let plus = |x: Tensor, bias: Option<&Tensor>| bias.map_or(x.clone(), |bias| x + bias);
        let x = plus(by_gate(x, &kernel, &of_input), bias.first());
        Steps::new([x], move |cx, x, states| {
            let (x, h) = (&x[0], &states[0]);
            let part = |x: &Tensor, gates: Range<usize>| x.slice_axis(1, gates.start * units..gates.end * units);
            let through = |h: &Tensor, gates: Range<usize>| {
                by_gate(h, &part(&recurrent, gates.clone()), of_state.get(gates).unwrap_or_default())
            };
            let inner = plus(through(h, 0..biases + 1), bias.get(1));
            let mut gate =
                |i: usize| cx.activate(&self.recurrent_activation, part(x, i..i + 1) + part(&inner, i..i + 1));
            let (z, r) = (gate(0), gate(1));
            let new = if self.reset_after { r * part(&inner, 2..3) } else { through(&(r * h), 2..3) };
            let new = cx.activate(&self.activation, part(x, 2..3) + new);
            let h = &z * h + (1.0 - &z) * new;
            vec![h.clone(), h]
        })
    }
}
