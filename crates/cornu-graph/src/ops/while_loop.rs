//! A loop whose length depends on what it computes.

use std::panic::Location;

use super::*;
use crate::passes;
use crate::trace::Function;

/// `while condition(constants, carries) { carries = body(constants, carries) }`. Operands are the constants and the first
/// carries; results the last carries. It has no gradient: how much there is to remember is not known before it runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct While {
    /// Whether to go on, and a step.
    pub bodies: [Body; 2],
    /// How many operands are the same at each step.
    pub consts: usize,
}

impl While {
    /// Whether the condition is true whatever the carries are.
    fn is_endless(&self) -> bool {
        let condition = passes::run(self.bodies[0].graph(), &[passes::simplify, passes::fold]);
        condition.outputs.first().and_then(|&value| condition.splat(value)) == Some(1.0)
    }
}

impl OpDef for While {
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String> {
        let [condition, body] = &self.bodies;
        let inputs = body.inputs();
        if args != inputs || condition.inputs() != inputs {
            return Err(mismatch(&types(&inputs), args));
        }
        if args.len() <= self.consts {
            return Err("needs a carry, got none".into());
        }
        if condition.outputs() != [&Type::scalar(DType::Bool)] {
            return Err(format!("needs a condition of bool[], got {}", types(&condition.outputs())));
        }
        let (carries, next) = (&inputs[self.consts..], body.outputs());
        if carries != next {
            let [needed, got] = [carries, &next].map(types);
            return Err(format!("needs carries to stay {needed}, got {got}"));
        }
        Ok(next.into_iter().cloned().collect())
    }

    fn vjp(&self, at: &Site) -> Grads {
        let error = Error::graph("`while` has no gradient: how often it runs is not known before");
        let error = error.help("`scan` runs a known number of steps; `stop_gradient` takes what comes out as constant");
        let line = at.y[0].origin().line;
        at.y[0].trace().fail(line.into_iter().fold(error, Error::at));
        Grads::new(at, vec![Grad::Flat; at.x.len()])
    }

    fn eval(&self, args: &[&Array], _: &[&Type]) -> Result<Vec<Array>> {
        let [condition, body] = &self.bodies;
        let mut values: Vec<Array> = args.iter().copied().cloned().collect();
        while condition.run(values.iter().cloned())?[0].get(0) != 0.0 {
            let next = body.run(values.iter().cloned())?;
            values.splice(self.consts.., next);
        }
        Ok(values.split_off(self.consts))
    }

    fn bodies(&self) -> &[Body] {
        &self.bodies
    }

    fn bodies_mut(&mut self) -> &mut [Body] {
        &mut self.bodies
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "while {}", self.consts)
    }

    fn read(text: &mut OpText, _: &[Type]) -> Option<Self> {
        let text = text.named("while")?;
        let consts = text.word("a number of constants")?;
        Some(While { bodies: [text.body()?, text.body()?], consts })
    }

    fn samples() -> Vec<Sample> {
        let x = "%0 = input 0 : i32[]
            %1 = input 1 : i32[]
            %2 = input 2 : f32[2]
            ";
        let condition = Body::parsed(&format!("{x}%3 = lt %1 %0 : bool[]\noutput %3"));
        let body = "%3 = constant 1 : i32[]
            %4 = add %1 %3 : i32[]
            %5 = add %2 %2 : f32[2]
            output %4
            output %5";
        let op = While { bodies: [condition, Body::parsed(&format!("{x}{body}"))], consts: 1 };
        let of = |n: i32| edge(op.clone(), [Array::scalar(n), Array::scalar(0i32), Array::vector(vec![0.5f32, -2.0])]);
        vec![of(5), of(1), of(0)]
    }
}

impl Trace {
    /// Runs a body as long as a condition holds of the carries: see [`While`]. Both may use all tensors around them.
    #[track_caller]
    pub fn while_loop(
        &self,
        carries: &[Tensor],
        condition: impl FnOnce(&Trace, &[Tensor]) -> Tensor,
        body: impl FnOnce(&Trace, &[Tensor]) -> Vec<Tensor>,
    ) -> Vec<Tensor> {
        let home = self.home(carries.iter());
        let types: Vec<Type> = carries.iter().map(Tensor::ty).collect();
        let condition: Function = Box::new(|trace, given| vec![condition(trace, given)]);
        let (bodies, consts) = home.bodies(&types, [condition, Box::new(body)]);
        let op = While { bodies, consts: consts.len() };
        if op.is_endless() {
            let error = Error::graph("`while` needs a condition that can become false, got one that is always true");
            home.fail(error.at(Location::caller()));
        }
        home.push_some(carries.len(), op, &consts.iter().chain(carries).collect::<Vec<_>>())
    }
}
