//! A loop of known length: a body run once for each row of its inputs, each time with what the time before left.

use std::panic::Location;

use super::*;
use crate::backward;

/// `carry, y[t] = body(constants, carry, x[t])` for each `t`, from the first carry on.
///
/// Operands are the constants, the first carries, and the inputs `x`, whose first axis is the time; results the last
/// carries, and the outputs `y` stacked along the time. Those of a scan over no steps are the first carries, and nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// From (constants, carries, rows of the inputs) to (carries, rows of the outputs).
    pub body: Body,
    /// The number of steps.
    pub length: usize,
    /// Whether time runs from the last row to the first.
    pub reverse: bool,
    /// How many operands are the same at each step.
    pub consts: usize,
    /// How many are what the step before leaves.
    pub carries: usize,
}

impl Scan {
    const NAMES: [(&str, bool); 2] = [("scan", false), ("scan_reverse", true)];

    /// The first operand that is an input.
    pub fn inputs(&self) -> usize {
        self.consts.saturating_add(self.carries)
    }

    /// The rows in the order of the steps.
    pub fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (length, reverse) = (self.length, self.reverse);
        (0..length).map(move |t| if reverse { length - 1 - t } else { t })
    }

    /// A row's type for each step.
    pub(crate) fn stacked(&self, row: &Type) -> Type {
        Type::new(row.dtype, std::iter::once(self.length).chain(row.shape.iter().copied()).collect::<Shape>())
    }
}

impl OpDef for Scan {
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String> {
        let (inputs, outputs) = (self.body.inputs(), self.body.outputs());
        if args.len() != inputs.len() || args.len() < self.inputs() || outputs.len() < self.carries {
            return Err(mismatch(&format!("operands for a body of {} inputs", inputs.len()), args));
        }
        let (same, rows) = args.split_at(self.inputs());
        if let Some((needed, got)) = inputs.iter().zip(same).find(|(needed, got)| needed != got) {
            return Err(format!("needs {needed} for its body, got {got}"));
        }
        let wrong = |(row, got): &(&&Type, &&Type)| self.stacked(row) != ***got;
        if let Some((row, got)) = inputs[self.inputs()..].iter().zip(rows).find(wrong) {
            return Err(format!("needs {} for {} steps, got {got}", self.stacked(row), self.length));
        }
        let (carries, ys) = outputs.split_at(self.carries);
        let kept = inputs[self.consts..].iter().zip(carries).position(|(old, new)| old != new);
        if let Some(i) = kept {
            return Err(format!("needs carry {i} to stay {}, got {}", inputs[self.consts + i], carries[i]));
        }
        let results: Vec<Type> =
            carries.iter().map(|&ty| ty.clone()).chain(ys.iter().map(|row| self.stacked(row))).collect();
        if results.is_empty() { Err("needs a carry or an output, got neither".into()) } else { Ok(results) }
    }

    fn vjp(&self, at: &Site) -> Grads {
        backward::of_scan(self, at)
    }

    fn eval(&self, args: &[&Array], types: &[&Type]) -> Result<Vec<Array>> {
        let (consts, rest) = args.split_at(self.consts);
        let (carries, xs) = rest.split_at(self.carries);
        let mut carries: Vec<Array> = carries.iter().map(|&carry| carry.clone()).collect();
        let mut ys: Vec<Array> = types[self.carries..].iter().map(|ty| Array::zeros(ty)).collect();
        for t in self.order() {
            let row = |x: &&Array| x.rows(&[t]).reshape(&x.shape()[1..]).expect("one row");
            let inputs = consts.iter().map(|&c| c.clone()).chain(carries).chain(xs.iter().map(row));
            let mut outputs = self.body.run(inputs)?;
            for (y, row) in ys.iter_mut().zip(outputs.split_off(self.carries)) {
                (0..row.len()).for_each(|i| y.buffer_mut().set_number(t * row.len() + i, row.number(i)));
            }
            carries = outputs;
        }
        Ok(carries.into_iter().chain(ys).collect())
    }

    fn bodies(&self) -> &[Body] {
        std::slice::from_ref(&self.body)
    }

    fn bodies_mut(&mut self) -> &mut [Body] {
        std::slice::from_mut(&mut self.body)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES[usize::from(self.reverse)].0;
        write!(f, "{name} {} [{}, {}]", self.length, self.consts, self.carries)
    }

    fn read(text: &mut OpText, _: &[Type]) -> Option<Self> {
        let (reverse, text) = text.one_of(&Self::NAMES)?;
        let length = text.word("a number of steps")?;
        let counts = text.list()?;
        let [consts, carries] = counts[..] else {
            return text.fail(format!("needs two numbers, of constants and carries, got {counts:?}"));
        };
        Some(Scan { body: text.body()?, length, reverse, consts, carries })
    }

    fn samples() -> Vec<Sample> {
        let body = Body::parsed(
            "%0 = input 0 : f32[3]
            %1 = input 1 : f32[3]
            %2 = input 2 : f32[3]
            %3 = mul %0 %1 : f32[3]
            %4 = add %3 %2 : f32[3]
            %5 = tanh %4 : f32[3]
            %6 = mul %5 %2 : f32[3]
            output %5
            output %6",
        );
        let of = |length: usize, reverse: bool| {
            let op = Scan { body: body.clone(), length, reverse, consts: 1, carries: 1 };
            sample(op, [f32s([3], -1.0, 1.0), f32s([3], -1.0, 1.0), f32s([length, 3], -1.0, 1.0)])
        };
        vec![of(4, false), of(4, true), of(1, false), Sample { edge: true, ..of(0, false) }]
    }
}

impl Trace {
    /// Runs a body once for each row of `xs` along their first axis, of which there are `length`; see [`Scan`]. `step` is
    /// given the carries and the rows, and gives the next carries and rows of outputs; it may use all tensors around it.
    /// Gives the last carries, and the outputs stacked along a new first axis.
    #[track_caller]
    pub fn scan(
        &self,
        length: usize,
        reverse: bool,
        carries: &[Tensor],
        xs: &[Tensor],
        step: impl FnOnce(&Trace, &[Tensor], &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>),
    ) -> (Vec<Tensor>, Vec<Tensor>) {
        let home = self.home(carries.iter().chain(xs));
        let rows = xs.iter().map(|x| Type::new(x.dtype(), x.shape().without(0)));
        let types: Vec<Type> = carries.iter().map(Tensor::ty).chain(rows).collect();
        let (mut next, mut outputs) = (0, 0);
        let function = |trace: &Trace, given: &[Tensor]| {
            let (carries, xs) = given.split_at(carries.len());
            let (carries, ys) = step(trace, carries, xs);
            (next, outputs) = (carries.len(), ys.len());
            [carries, ys].concat()
        };
        let ([body], consts) = home.bodies(&types, [Box::new(function)]);
        if next != carries.len() {
            let message = format!("`scan` needs {} carries of its body, got {next}", carries.len());
            home.fail(Error::graph(message).at(Location::caller()));
        }
        let op = Scan { body, length, reverse, consts: consts.len(), carries: carries.len() };
        let args: Vec<&Tensor> = consts.iter().chain(carries).chain(xs).collect();
        let mut results = home.push_some(carries.len() + outputs, op, &args);
        let ys = results.split_off(carries.len());
        (results, ys)
    }
}
