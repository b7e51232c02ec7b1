//! A body run once.

use std::sync::Arc;

use super::*;
use crate::backward;

/// `y… = body(x…)`, kept together: planned once however often it is called, and computed anew by its gradient, which
/// keeps no more of it than its operands (Keras's `remat`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// What is computed.
    pub body: Body,
    /// The name of a kernel that computes the same: executors that have one run it instead.
    pub kernel: Option<Arc<str>>,
}

impl OpDef for Call {
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String> {
        let inputs = self.body.inputs();
        if args != inputs {
            return Err(mismatch(&types(&inputs), args));
        }
        let is_name =
            |name: &&Arc<str>| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        if let Some(name) = self.kernel.as_ref().filter(|name| !is_name(name)) {
            return Err(format!("needs a kernel's name of letters, digits and `_`, got `{name}`"));
        }
        Ok(self.body.outputs().into_iter().cloned().collect())
    }

    fn vjp(&self, at: &Site) -> Grads {
        let bodies = std::array::from_ref(&self.body);
        backward::of_bodies(at, None, at, bodies, |[body], args| {
            at.y[0].trace().push_all(Call { body, kernel: None }, &args.iter().collect::<Vec<_>>())
        })
    }

    fn eval(&self, args: &[&Array], _: &[&Type]) -> Result<Vec<Array>> {
        self.body.run(args.iter().copied().cloned())
    }

    fn bodies(&self) -> &[Body] {
        std::slice::from_ref(&self.body)
    }

    fn bodies_mut(&mut self) -> &mut [Body] {
        std::slice::from_mut(&mut self.body)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("call")?;
        self.kernel.iter().try_for_each(|kernel| write!(f, " {kernel}"))
    }

    fn read(text: &mut OpText, _: &[Type]) -> Option<Self> {
        let text = text.named("call")?;
        let kernel = text.next_word().map(Arc::from);
        Some(Call { body: text.body()?, kernel })
    }

    fn samples() -> Vec<Sample> {
        let body = "%0 = input 0 : f32[2,3]
            %1 = input 1 : f32[2,3]
            %2 = tanh %0 : f32[2,3]
            %3 = mul %2 %1 : f32[2,3]
            %4 = reduce sum [0] %2 : f32[3]
            output %3
            output %4";
        let op = Call { body: Body::parsed(body), kernel: None };
        let named = Call { kernel: Some("tanh_times".into()), ..op.clone() };
        [op, named].map(|op| sample(op, [f32s([2, 3], -1.0, 1.0), f32s([2, 3], 0.5, 2.0)])).into()
    }
}

impl Trace {
    /// What a body makes of tensors, kept together: see [`Call`]. It may use all tensors around it.
    #[track_caller]
    pub fn call(
        &self,
        kernel: Option<&str>,
        args: &[Tensor],
        body: impl FnOnce(&Trace, &[Tensor]) -> Vec<Tensor>,
    ) -> Vec<Tensor> {
        let home = self.home(args.iter());
        let types: Vec<Type> = args.iter().map(Tensor::ty).collect();
        let ([body], captured) = home.bodies(&types, [Box::new(body)]);
        let (count, args) = (body.outputs().len(), captured.iter().chain(args));
        home.push_some(count, Call { body, kernel: kernel.map(Arc::from) }, &args.collect::<Vec<_>>())
    }
}
