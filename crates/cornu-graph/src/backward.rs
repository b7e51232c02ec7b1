//! Gradients of ops with bodies: a body and its reverse in one graph, which is then cut.

mod scan;
mod sources;

pub(crate) use scan::of_scan;

use crate::grad::pull_back;
use crate::ops::{Grad, Grads, Site};
use crate::trace::Function;
use crate::{Body, Tensor, Trace, Type};

/// The gradient of an op that runs one of some bodies on its operands once: that op over their reverses, each of which
/// computes anew what it needs of its body. `operands` is the site without the operand that `first` answers for; `make`
/// makes the op of bodies whose inputs are the operands, and the gradients that come.
pub(crate) fn of_bodies<const N: usize>(
    at: &Site,
    first: impl Into<Option<Grad>>,
    operands: &Site,
    bodies: &[Body; N],
    make: impl FnOnce([Body; N], &[Tensor]) -> Vec<Tensor>,
) -> Grads {
    let given = [operands.x, &operands.ct.iter().flatten().cloned().collect::<Vec<_>>()].concat();
    let types: Vec<Type> = given.iter().map(Tensor::ty).collect();
    let asked = |i: &usize| operands.wanted[*i] && operands.x[*i].dtype().is_float();
    let asked: Vec<usize> = (0..operands.x.len()).filter(asked).collect();
    let mut grads = vec![Grad::Flat; operands.x.len()];
    if !asked.is_empty() {
        let asked = &asked;
        let function = |body| -> Function {
            Box::new(move |trace, given| {
                let (x, mut cts) = (&given[..operands.x.len()], given[operands.x.len()..].iter());
                let ct = |ct: &Option<Tensor>| ct.as_ref().and_then(|_| cts.next());
                let cts: Vec<Option<&Tensor>> = operands.ct.iter().map(ct).collect();
                let wrt: Vec<Tensor> = asked.iter().map(|&i| x[i].clone()).collect();
                reverse(trace, body, x, &cts, &wrt)
            })
        };
        let (reverses, captured) = at.y[0].trace().bodies(&types, bodies.each_ref().map(function));
        let results = make(reverses, &[captured, given].concat());
        asked.iter().zip(results).for_each(|(&i, grad)| grads[i] = Grad::By(grad));
    }
    Grads::new(at, first.into().into_iter().chain(grads).collect())
}

fn reverse(trace: &Trace, body: &Body, x: &[Tensor], cts: &[Option<&Tensor>], wrt: &[Tensor]) -> Vec<Tensor> {
    let y = trace.inline(body, x);
    let seeds = y.into_iter().zip(cts).filter_map(|(y, ct)| Some((y, (*ct)?.clone())));
    let found = pull_back(&seeds.collect::<Vec<_>>(), wrt);
    wrt.iter().zip(found).map(|(w, grad)| grad.unwrap_or_else(|| zeros(w))).collect()
}

fn zeros(like: &Tensor) -> Tensor {
    like.number(0.0).broadcast_to(like.shape())
}
