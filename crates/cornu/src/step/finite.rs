//! Where the first number is that is none.

use cornu_graph::{Array, Context, Result, Tensor};

use super::feed::Fed;
use super::stage::Steps;
use crate::layers::Wire;
use crate::trace::Cx;

impl Steps<'_> {
    /// The first layer with a weight that is not finite, or with such an output for those rows.
    ///
    /// # Errors
    /// Those of a session.
    pub(crate) fn not_finite(&self, data: &Fed, rows: &[u32]) -> Result<Option<String>> {
        let types = data.types(rows.len());
        let mut cx = Cx::new(self.variables, false)?;
        let inputs: Vec<Tensor> = types.iter().map(|ty| cx.input(ty.clone())).collect();
        let wires: Vec<Wire> = inputs[..data.inputs].iter().cloned().map(Wire::from).collect();
        let made = self.net.trace_calls(&mut cx, &wires)?;
        let tensors: Vec<Tensor> = made.iter().flatten().map(|wire| wire.tensor.clone()).collect();
        let session = self.opened.store.session();
        let mut run = session.compile(&cx.finish(&tensors, &[])?)?.room()?;
        data.start(&mut *run, rows)?;
        let mut outputs = 0..tensors.len();
        for (call, made) in self.net.calls.iter().zip(&made) {
            let layer = &self.net.layers[call.layer];
            for variable in layer.variables().iter() {
                if !finite(&variable.value().context(&variable.name)?) {
                    return Ok(Some(format!("the weight `{}/{}`", layer.name(), variable.name)));
                }
            }
            for index in outputs.by_ref().take(made.len()) {
                if !finite(&run.output(index)?) {
                    return Ok(Some(format!("the output of `{}`", layer.name())));
                }
            }
        }
        Ok(None)
    }
}

fn finite(array: &Array) -> bool {
    !array.dtype().is_float() || (0..array.len()).all(|at| array.get(at).is_finite())
}
