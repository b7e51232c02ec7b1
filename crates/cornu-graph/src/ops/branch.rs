//! One of two bodies.

use super::*;
use crate::backward;

/// `y… = if condition { yes(x…) } else { no(x…) }`; the operands are the condition and `x…`. Only one of them runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct If {
    /// What is computed where the condition is true, and where it is not.
    pub branches: [Body; 2],
}

impl OpDef for If {
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String> {
        let [yes, no] = &self.branches;
        let condition = Type::scalar(DType::Bool);
        let needed: Vec<&Type> = std::iter::once(&condition).chain(yes.inputs()).collect();
        if args != needed || yes.inputs() != no.inputs() {
            return Err(mismatch(&types(&needed), args));
        }
        let (results, others) = (yes.outputs(), no.outputs());
        if results != others {
            let [results, others] = [&results, &others].map(|all| types(all));
            return Err(format!("needs branches of one type, got {results} and {others}"));
        }
        Ok(results.into_iter().cloned().collect())
    }

    fn vjp(&self, at: &Site) -> Grads {
        // The condition is no number.
        let operands = Site { x: &at.x[1..], wanted: &at.wanted[1..], ..*at };
        backward::of_bodies(at, Grad::Flat, &operands, &self.branches, |branches, args| {
            let args: Vec<&Tensor> = std::iter::once(&at.x[0]).chain(args).collect();
            at.y[0].trace().push_all(If { branches }, &args)
        })
    }

    fn eval(&self, args: &[&Array], _: &[&Type]) -> Result<Vec<Array>> {
        let branch = usize::from(args[0].get(0) == 0.0);
        self.branches[branch].run(args[1..].iter().copied().cloned())
    }

    fn bodies(&self) -> &[Body] {
        &self.branches
    }

    fn bodies_mut(&mut self) -> &mut [Body] {
        &mut self.branches
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("if")
    }

    fn read(text: &mut OpText, _: &[Type]) -> Option<Self> {
        let text = text.named("if")?;
        Some(If { branches: [text.body()?, text.body()?] })
    }

    fn samples() -> Vec<Sample> {
        let x = "%0 = input 0 : f32[3]
            %1 = input 1 : f32[]
            ";
        let yes = Body::parsed(&format!("{x}%2 = exp %0 : f32[3]\noutput %2\noutput %1"));
        let no = "%2 = broadcast [] %1 : f32[3]
            %3 = mul %0 %2 : f32[3]
            %4 = reduce sum [0] %3 : f32[]
            output %3
            output %4";
        let op = If { branches: [yes, Body::parsed(&format!("{x}{no}"))] };
        let of = |truth: bool| sample(op.clone(), [Array::scalar(truth), f32s([3], -1.0, 1.0), f32s([], 0.5, 2.0)]);
        vec![of(true), of(false)]
    }
}

impl Trace {
    /// What one of two bodies makes, by a boolean: see [`If`]. They may use all tensors around them, and give as many of
    /// the same types.
    #[track_caller]
    pub fn if_else(
        &self,
        condition: &Tensor,
        yes: impl FnOnce(&Trace) -> Vec<Tensor>,
        no: impl FnOnce(&Trace) -> Vec<Tensor>,
    ) -> Vec<Tensor> {
        let home = self.home(std::iter::once(condition));
        let (branches, captured) = home.bodies(&[], [Box::new(|trace, _| yes(trace)), Box::new(|trace, _| no(trace))]);
        let (count, args) = (branches[0].outputs().len(), std::iter::once(condition).chain(&captured));
        home.push_some(count, If { branches }, &args.collect::<Vec<_>>())
    }
}
