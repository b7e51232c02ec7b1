//! Long short-term memory: a state that gates write to, forget and read.

use cornu_graph::{Error, Result, Shape, Tensor};

use super::gates::{by_gate, gated, noise};
use super::{Base, Cell, Layer, Steps};
use crate::activations::Activation;
use crate::choice::Choice;
use crate::config::Field;
use crate::constraints::Constraint;
use crate::initializers::{ForgetBias, Initializer};
use crate::regularizers::Regularizer;
use crate::trace::Cx;

gated! {
    /// Long short-term memory: `[batch, time, features]` becomes `[batch, units]`, or `[batch, time, units]`.
    layer LSTM
    /// One step of an [`LSTM`]: of an input and two states, the output and the next states, of which it is the first.
    cell LSTMCell named "lstm_cell"
    early {
        /// Whether the bias of the gate that forgets starts at 1.
        unit_forget_bias: bool = true,
    }
    late {}
}

impl Cell for LSTMCell {
    fn state_size(&self) -> Vec<usize> {
        vec![self.units; 2]
    }

    fn steps(&self, cx: &mut Cx, x: &Tensor) -> Steps<'_> {
        let units = self.units;
        let (kernel, recurrent, bias) = self.weights(cx, x, 4, [4 * units].into(), &self.first_bias());
        let [of_input, of_state] = self.noise(cx, x, 4, true);
        let plus = |z: Tensor, bias: Option<&Tensor>| bias.map_or(z.clone(), |bias| z + bias);
        let z = plus(by_gate(x, &kernel, &of_input), bias.as_ref().filter(|_| self.by_gate()));
        Steps::new([z], move |cx, z, states| {
            let z = &z[0] + by_gate(&states[0], &recurrent, &of_state);
            let z = plus(z, bias.as_ref().filter(|_| !self.by_gate()));
            let mut gate = |i: usize, activation| cx.activate(activation, z.slice_axis(1, i * units..(i + 1) * units));
            let (i, f) = (gate(0, &self.recurrent_activation), gate(1, &self.recurrent_activation));
            let c = f * &states[1] + i * gate(2, &self.activation);
            let h = gate(3, &self.recurrent_activation) * cx.activate(&self.activation, c.clone());
            vec![h.clone(), h, c]
        })
    }
}

impl LSTMCell {
    fn first_bias(&self) -> Choice<dyn Initializer> {
        match self.bias_initializer.resolve() {
            Ok(others) if self.unit_forget_bias => ForgetBias(others).into(),
            _ => self.bias_initializer.clone(),
        }
    }
}
