//! Times of element-wise programs: `cargo bench --package cornu-cpu --bench fused`. Items are elements.
#![allow(unsafe_code)]

use cornu_cpu::kernels::fused::{Fused, Input, Instruction, Opcode, Operand, Output, Program, Segment};
use cornu_cpu::kernels::memory::Buffer;
use cornu_cpu::kernels::operand::{Bases, Kernel, Span};
use cornu_cpu::kernels::simd::Level;
use cornu_graph::ops::{Binary, Unary};
use divan::Bencher;
use divan::counter::ItemsCount;

use Operand::{Constant, Input as In, Register as Reg};

#[path = "common/memory.rs"]
mod memory;
use memory::Memory;

fn main() {
    divan::main();
}

/// The levels of this machine, by name.
fn levels() -> Vec<&'static str> {
    Level::all().into_iter().rev().map(Level::name).collect()
}

/// Runs a program that needs `len` floats of memory.
fn time(bencher: Bencher, level: &str, program: &Program, len: usize) {
    let level = Level::all().into_iter().find(|known| known.name() == level).expect("a level of this machine");
    let fused = Fused::new(program).expect("a right program");
    let (mut arena, scratch) = (Memory::new(len), Buffer::new("a bench", fused.scratch()).expect("memory"));
    let start = [arena.floats().as_mut_ptr().cast()];
    // SAFETY: the arena and the scratch memory are as large as the program needs, and its alone.
    let run = || unsafe { fused.run(level, Bases::new(&start), 0..fused.units(), scratch.start()) };
    bencher.counter(ItemsCount::new(fused.len())).bench_local(run);
}

/// A program whose inputs and outputs are told by the floats where they begin.
fn program(shape: (usize, usize), inputs: Vec<Input>, code: Vec<Instruction>, outputs: &[(Operand, usize)]) -> Program {
    let begins = inputs.iter().map(|&(Input::Full(at) | Input::Scalar(at) | Input::Row(at) | Input::Column(at))| at);
    let mut begins: Vec<usize> = begins.chain(outputs.iter().map(|output| output.1)).collect();
    begins.sort_unstable();
    begins.dedup();
    let number = |at: usize| begins.binary_search(&at).expect("a span");
    let numbered = |input: Input| match input {
        Input::Full(at) => Input::Full(number(at)),
        Input::Scalar(at) => Input::Scalar(number(at)),
        Input::Row(at) => Input::Row(number(at)),
        Input::Column(at) => Input::Column(number(at)),
    };
    let inputs = inputs.into_iter().map(numbered).collect();
    let outputs = outputs.iter().map(|&(from, at)| Output { from, at: number(at) }).collect();
    let spans = begins.iter().map(|at| Span { base: 0, at: at * size_of::<f32>() }).collect();
    Program { inputs, code, outputs, segments: vec![Segment { rows: shape.0, cols: shape.1, spans }] }
}

/// A chain of twenty instructions, each on the result before and an input.
fn chain(bencher: Bencher, level: &str, op: Opcode) {
    let code = (0..20).map(|k| Instruction { op, a: if k > 0 { Reg(k - 1) } else { In(0) }, b: In(1), c: In(0) });
    let inputs = vec![Input::Full(0), Input::Full(4096)];
    time(bencher, level, &program((1, 4096), inputs, code.collect(), &[(Reg(19), 8192)]), 12_288);
}

macro_rules! chains {
    ($($name:ident $op:expr;)*) => {
        $(#[divan::bench(args = levels())]
        fn $name(bencher: Bencher, level: &str) {
            chain(bencher, level, Opcode::from($op));
        })*
    };
}

chains! {
    chain_of_sums Binary::Add;
    chain_of_maxima Binary::Max;
    chain_of_choices Opcode::Select;
    chain_of_quotients Binary::Div;
    chain_of_roots Unary::Sqrt;
    chain_of_exponentials Unary::Exp;
    chain_of_logarithms Unary::Log;
    chain_of_tangents Unary::Tanh;
}

/// 32 rows of 128 and what is added to each: a number for each column, or one for each row.
fn plus(bencher: Bencher, level: &str, kind: fn(usize) -> Input) {
    let code = vec![Instruction::binary(Binary::Add, In(0), In(1))];
    time(bencher, level, &program((32, 128), vec![Input::Full(0), kind(4096)], code, &[(Reg(0), 0)]), 8192);
}

#[divan::bench(args = levels())]
fn plus_a_row(bencher: Bencher, level: &str) {
    plus(bencher, level, Input::Row);
}

#[divan::bench(args = levels())]
fn plus_a_column(bencher: Bencher, level: &str) {
    plus(bencher, level, Input::Column);
}

/// `m += (g - m) c1; v += (g g - v) c2; w -= (m alpha) / (sqrt(v) + epsilon)`; with `interpreted`, one more output keeps
/// it from running in one pass.
fn adam(bencher: Bencher, level: &str, len: usize, interpreted: bool) {
    let stride = len.next_multiple_of(16);
    let inputs = (0..4).map(|k| Input::Full(k * stride)).chain([Input::Scalar(4 * stride)]).collect();
    let binary = Instruction::binary;
    let code = vec![
        binary(Binary::Sub, In(3), In(0)),
        binary(Binary::Mul, Reg(0), Constant(1.0 - 0.9)),
        binary(Binary::Add, In(0), Reg(1)),
        binary(Binary::Mul, In(3), In(3)),
        binary(Binary::Sub, Reg(3), In(1)),
        binary(Binary::Mul, Reg(4), Constant(1.0 - 0.999)),
        binary(Binary::Add, In(1), Reg(5)),
        binary(Binary::Mul, Reg(2), In(4)),
        Instruction::unary(Unary::Sqrt, Reg(6)),
        binary(Binary::Add, Reg(8), Constant(1e-7)),
        binary(Binary::Div, Reg(7), Reg(9)),
        binary(Binary::Sub, In(2), Reg(10)),
    ];
    let mut outputs = vec![(Reg(2), 0), (Reg(6), stride), (Reg(11), 2 * stride)];
    outputs.extend(interpreted.then_some((Reg(8), 4 * stride + 16)));
    time(bencher, level, &program((1, len), inputs, code, &outputs), 5 * stride + 16);
}

/// The weights of the lessons' models.
const WEIGHTS: [usize; 2] = [221, 101_770];

#[divan::bench(args = levels(), consts = WEIGHTS)]
fn adam_in_one_pass<const LEN: usize>(bencher: Bencher, level: &str) {
    adam(bencher, level, LEN, false);
}

#[divan::bench(args = levels(), consts = WEIGHTS)]
fn adam_interpreted<const LEN: usize>(bencher: Bencher, level: &str) {
    adam(bencher, level, LEN, true);
}
