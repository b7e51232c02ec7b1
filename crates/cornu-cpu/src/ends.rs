//! Programs that are done to the elements of a product as soon as they are there: a bias, a rectifier and its slope.

use cornu_graph::ops::{Binary, Compare, Op, Unary};
use cornu_graph::{DType, Value};

use crate::fuse::{Draft, Read};
use crate::jobs::{Job, Product};
use crate::kernels::dot::Ending;
use crate::kernels::fused::{Instruction, Opcode, Operand};
use crate::view::View;
use crate::walk::Walk;

/// What is done to a product, and the value that it makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) makes: Value,
    pub(crate) kind: Ending<Value>,
}

/// Makes such programs part of the products that they alone read, where all else that they read is there before these.
pub(crate) fn with_ends(view: &View, jobs: Vec<Job>) -> Vec<Job> {
    let mut readers = vec![0u32; view.graph.values()];
    let mut written = vec![0; view.graph.values()];
    view.graph.results().for_each(|value| readers[view.root(value).index()] += 1);
    for (number, job) in jobs.iter().enumerate() {
        job.each_read(view, |value, _| readers[value.index()] += 1);
        job.each_write(view, |value| written[value.index()] = number);
    }
    let mut ends: Vec<Option<End>> = vec![None; jobs.len()];
    let mut kept = vec![true; jobs.len()];
    for (number, job) in jobs.iter().enumerate() {
        let Some((product, end)) = ending(view, job) else { continue };
        let home = written[product.index()];
        let other = written[end.kind.operand().index()];
        let fits = matches!(&jobs[home], Job::Product(found) if found.value == product && found.end.is_none());
        if fits && home < number && readers[product.index()] == 1 && (other < home || view.is_given(end.kind.operand()))
        {
            (ends[home], kept[number]) = (Some(end), false);
        }
    }
    let job = |(number, job): (usize, Job)| match (job, ends[number]) {
        (Job::Product(product), end @ Some(_)) => Job::Product(Product { end, ..product }),
        (job, _) => job,
    };
    jobs.into_iter().enumerate().filter(|(number, _)| kept[*number]).map(job).collect()
}

/// The product whose elements a job works on, if it does no more than an [`End`].
fn ending(view: &View, job: &Job) -> Option<(Value, End)> {
    let Job::Fused(drafts) = job else { return None };
    let [Draft { code, inputs, outputs, .. }] = &drafts[..] else { return None };
    let [(register, (makes, None))] = outputs[..] else { return None };
    if usize::from(register) + 1 != code.len() || code.iter().any(|instruction| instruction.dtype != DType::F32) {
        return None;
    }
    let input = |operand: Operand| if let Operand::Input(i) = operand { inputs.get(usize::from(i)) } else { None };
    let product = |operand: Operand| {
        let (value, walk) = input(operand)?;
        let ty = view.graph.ty(*value);
        (walk.is_none() && is_product(view, *value) && ty.size() == view.graph.ty(makes).size()).then_some(*value)
    };
    match &code[..] {
        [add, rest @ ..] if add.op == Opcode::Binary(Binary::Add) => {
            let relu = match rest {
                [] => false,
                [relu] if relu.op == Opcode::Unary(Unary::Relu) => true,
                _ => return None,
            };
            let product = product(add.operands[0])?;
            let bias = columns(view, input(add.operands[1])?, product)?;
            Some((product, End { makes, kind: Ending::Bias(bias, relu) }))
        }
        [above, select] if above.op == Opcode::Compare(Compare::Gt) && select.op == Opcode::Select => {
            let zeros = [above.operands[1], select.operands[2]];
            let (slope, walk) = input(above.operands[0])?;
            let fits = zeros == [Operand::Constant(0); 2] && select.operands[0] == Operand::Register(0);
            let product = product(select.operands[1])?;
            let whole = walk.is_none() && view.graph.ty(*slope).size() == view.graph.ty(product).size();
            (fits && whole && *slope != product).then_some((product, End { makes, kind: Ending::Slope(*slope) }))
        }
        _ => None,
    }
}

/// The sum of two halves of a product, and then what is done to it, of which the matrix or row is the third input.
pub(crate) fn program(end: Option<Ending<Value>>, dtype: DType) -> Vec<Instruction> {
    let (sum, other, zero) = (Operand::Register(0), Operand::Input(2), Operand::Constant(0));
    let of = |op: Opcode, operands: &[Operand]| Instruction::new(op, dtype, operands);
    let mut code = vec![of(Binary::Add.into(), &[Operand::Input(0), Operand::Input(1)])];
    match end {
        Some(Ending::Bias(_, relu)) => {
            code.push(of(Binary::Add.into(), &[sum, other]));
            code.extend(relu.then(|| of(Unary::Relu.into(), &[Operand::Register(1)])));
        }
        Some(Ending::Slope(_)) => {
            code.push(of(Compare::Gt.into(), &[other, zero]));
            code.push(of(Opcode::Select, &[Operand::Register(1), sum, zero]));
        }
        None => {}
    }
    code
}

/// Whether a value is a product that can have an end: of one matrix by another of several columns, but for a row by a
/// transposed one; of several side by side; or a convolution.
fn is_product(view: &View, value: Value) -> bool {
    let ty = view.graph.ty(value);
    match view.graph.op(value) {
        Op::Dot(dot) if dot.side_by_side && ty.rank() > 2 => true,
        Op::Dot(dot) => ty.rank() == 2 && ty.shape[1] > 1 && !(ty.shape[0] == 1 && dot.transpose_b),
        Op::Conv(_) | Op::ConvInput(_) => true,
        _ => false,
    }
}

/// The value of which an element is read for each column of a product.
fn columns(view: &View, (value, walk): &Read, product: Value) -> Option<Value> {
    let ty = view.graph.ty(product);
    let columns = match view.graph.op(product) {
        // One for each column of each product.
        Op::Dot(dot) if dot.side_by_side => ty.shape[1..].iter().product(),
        _ => ty.shape[ty.rank() - 1],
    };
    let (rows, size) = (ty.size() / columns.max(1), view.graph.ty(*value).size());
    let walk = walk.clone().unwrap_or_else(|| Walk::whole(size));
    (size == columns && walk == Walk::repeated(rows, columns)).then_some(*value)
}
