//! Times of element-wise programs: `cargo bench --package cornu-cpu --bench fused`. Items are elements.
#![allow(unsafe_code)]

use cornu_cpu::kernels::fused::{Fused, Input, Instruction, Opcode, Operand, Program, Segment};
use cornu_cpu::kernels::memory::Buffer;
use cornu_cpu::kernels::operand::{Axis, Bases, Kernel, Span, Strided};
use cornu_cpu::kernels::simd::Level;
use cornu_graph::DType;
use cornu_graph::ops::{Binary, Unary};
use divan::Bencher;
use divan::counter::ItemsCount;

use Operand::{Constant, Input as In, Register as Reg};

fn main() {
    divan::main();
}

/// The levels of this machine, by name.
fn levels() -> Vec<&'static str> {
    Level::all().into_iter().rev().map(Level::name).collect()
}

/// Inputs by their types and axes, each in a buffer of its own; outputs in buffers of their own, or over an input.
struct Case {
    len: usize,
    inputs: Vec<(DType, Vec<Axis>)>,
    code: Vec<Instruction>,
    outputs: Vec<(u16, Option<usize>)>,
}

/// Memory of that many elements: numbers from 0.01 to 0.81, whole ones from 1 to 17, or truths.
fn memory(dtype: DType, len: usize) -> Buffer {
    let buffer = Buffer::new("a bench", len * dtype.size()).expect("memory");
    for i in 0..len {
        let at = buffer.start().wrapping_add(i * dtype.size());
        // SAFETY: the element lies in the buffer.
        unsafe {
            match dtype {
                DType::F32 => at.cast::<f32>().write(0.01 + (i % 17) as f32 * 0.05),
                DType::F64 => at.cast::<f64>().write(0.01 + (i % 17) as f64 * 0.05),
                DType::Bool => at.write((i % 3 == 0).into()),
                _ => at.write((i % 17) as u8 + 1),
            }
        }
    }
    buffer
}

impl Case {
    /// One operation on values in a row.
    fn one(op: impl Into<Opcode>, dtype: DType, len: usize) -> Case {
        let op = op.into();
        let dtypes = if op == Opcode::Select { vec![DType::Bool, dtype, dtype] } else { vec![dtype; op.arity()] };
        let operands: Vec<Operand> = (0..dtypes.len()).map(|i| In(i as u16)).collect();
        let inputs = dtypes.into_iter().map(|dtype| (dtype, vec![Axis { size: len, step: 1 }])).collect();
        Case { len, inputs, code: vec![Instruction::new(op, dtype, &operands)], outputs: vec![(0, None)] }
    }

    fn time(&self, bencher: Bencher, level: &str) {
        let level = Level::all().into_iter().find(|known| known.name() == level).expect("a level of this machine");
        let made = self.outputs.iter().map(|&(r, _)| self.code[usize::from(r)].result());
        let dtypes: Vec<DType> = self.inputs.iter().map(|input| input.0).chain(made).collect();
        let buffers: Vec<Buffer> = dtypes.iter().map(|&dtype| memory(dtype, self.len)).collect();
        let span = |base: usize| Span { base: base as u32, at: 0 };
        let count = self.inputs.len();
        let place =
            |(o, &(_, over)): (usize, &(u16, Option<usize>))| Strided::whole(span(over.unwrap_or(count + o)), self.len);
        let input = |(i, (_, axes)): (usize, &(DType, Vec<Axis>))| {
            Input::Memory(Strided { span: span(i), axes: axes.clone().into() })
        };
        let segment = Segment {
            len: self.len,
            inputs: self.inputs.iter().enumerate().map(input).collect(),
            outputs: self.outputs.iter().enumerate().map(place).collect(),
        };
        let fused = Fused::new(&Program {
            inputs: dtypes[..count].to_vec(),
            code: self.code.clone(),
            outputs: self.outputs.iter().map(|output| output.0).collect(),
            segments: vec![segment],
        });
        let fused = fused.expect("a right program");
        let scratch = Buffer::new("a bench", fused.scratch()).expect("memory");
        let starts: Vec<*mut u8> = buffers.iter().map(Buffer::start).collect();
        // SAFETY: the buffers and the scratch memory are as large as the program needs, and its alone.
        let run = || unsafe { fused.run(level, Bases::new(&starts), 0..fused.units(), scratch.start()) };
        bencher.counter(ItemsCount::new(fused.len())).bench_local(run);
    }
}

/// A chain of twenty instructions, each on the result before and an input.
fn chain(bencher: Bencher, level: &str, op: Opcode) {
    let mut case = Case::one(Binary::Add, DType::F32, 4096);
    let first = |k: u16| if k > 0 { Reg(k - 1) } else { In(0) };
    case.code = (0..20).map(|k| Instruction::new(op, DType::F32, &[first(k), In(1), In(0)])).collect();
    case.outputs = vec![(19, None)];
    case.time(bencher, level);
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
    chain_of_quotients Binary::Div;
    chain_of_roots Unary::Sqrt;
    chain_of_exponentials Unary::Exp;
    chain_of_logarithms Unary::Log;
    chain_of_tangents Unary::Tanh;
}

/// 32 rows of 128 and what is added to each: a number for each column, or one for each row.
fn plus(bencher: Bencher, level: &str, steps: [isize; 2]) {
    let mut case = Case::one(Binary::Add, DType::F32, 32 * 128);
    case.inputs[1].1 = vec![Axis { size: 32, step: steps[0] }, Axis { size: 128, step: steps[1] }];
    case.outputs[0].1 = Some(0);
    case.time(bencher, level);
}

#[divan::bench(args = levels())]
fn plus_a_row(bencher: Bencher, level: &str) {
    plus(bencher, level, [0, 1]);
}

#[divan::bench(args = levels())]
fn plus_a_column(bencher: Bencher, level: &str) {
    plus(bencher, level, [1, 0]);
}

/// `m += (g - m) c1; v += (g g - v) c2; w -= (m alpha) / (sqrt(v) + epsilon)`; `clipped`, with weight decay and a gradient
/// that is scaled before.
fn adam(bencher: Bencher, level: &str, len: usize, clipped: bool) {
    let (full, number) = (vec![Axis { size: len, step: 1 }], vec![Axis { size: len, step: 0 }]);
    let inputs =
        [full.clone(), full.clone(), full.clone(), full, number.clone(), number].map(|axes| (DType::F32, axes));
    let mut code = Vec::new();
    let mut op = |op: Opcode, operands: &[Operand]| {
        code.push(Instruction::new(op, DType::F32, operands));
        Reg(code.len() as u16 - 1)
    };
    let number = |x: f32| Constant(x.to_bits().into());
    let (mut w, m, v, mut g) = (In(0), In(1), In(2), In(3));
    if clipped {
        g = op(Binary::Mul.into(), &[g, In(5)]);
        let decay = op(Binary::Mul.into(), &[w, number(1e-5)]);
        w = op(Binary::Sub.into(), &[w, decay]);
    }
    let follow = |op: &mut dyn FnMut(Opcode, &[Operand]) -> Operand, mean: Operand, x: Operand, part: f32| {
        let apart = op(Binary::Sub.into(), &[x, mean]);
        let step = op(Binary::Mul.into(), &[apart, number(part)]);
        let mean = op(Binary::Add.into(), &[mean, step]);
        op(Unary::Flush.into(), &[mean])
    };
    let m = follow(&mut op, m, g, 0.1);
    let square = op(Binary::Mul.into(), &[g, g]);
    let v = follow(&mut op, v, square, 0.001);
    let step = op(Binary::Mul.into(), &[m, In(4)]);
    let root = op(Unary::Sqrt.into(), &[v]);
    let root = op(Binary::Add.into(), &[root, number(1e-7)]);
    let step = op(Binary::Div.into(), &[step, root]);
    let w = op(Binary::Sub.into(), &[w, step]);
    let register = |operand: Operand| if let Reg(r) = operand { r } else { unreachable!("results are registers") };
    let outputs = [w, m, v].iter().enumerate().map(|(i, &operand)| (register(operand), Some(i))).collect();
    Case { len, inputs: inputs.into(), code, outputs }.time(bencher, level);
}

/// The weights of the lessons' models.
const WEIGHTS: [usize; 2] = [221, 101_770];

#[divan::bench(args = levels(), consts = WEIGHTS)]
fn adam_plain<const LEN: usize>(bencher: Bencher, level: &str) {
    adam(bencher, level, LEN, false);
}

#[divan::bench(args = levels(), consts = WEIGHTS)]
fn adam_clipped<const LEN: usize>(bencher: Bencher, level: &str) {
    adam(bencher, level, LEN, true);
}

/// A million elements of each type, in a row.
macro_rules! millions {
    ($($name:ident $dtype:ident $op:expr;)*) => {
        $(#[divan::bench]
        fn $name(bencher: Bencher) {
            Case::one($op, DType::$dtype, 1 << 20).time(bencher, Level::detect().name());
        })*
    };
}

millions! {
    million_sums_of_f32 F32 Binary::Add;
    million_sums_of_f64 F64 Binary::Add;
    million_sums_of_i32 I32 Binary::Add;
    million_sums_of_i64 I64 Binary::Add;
    million_products_of_f32 F32 Binary::Mul;
    million_products_of_f64 F64 Binary::Mul;
    million_products_of_i32 I32 Binary::Mul;
    million_products_of_i64 I64 Binary::Mul;
    million_choices_of_f32 F32 Opcode::Select;
    million_choices_of_f64 F64 Opcode::Select;
    million_choices_of_i32 I32 Opcode::Select;
    million_choices_of_i64 I64 Opcode::Select;
    million_choices_of_bool Bool Opcode::Select;
    million_truths Bool Binary::And;
    million_exponentials_of_f32 F32 Unary::Exp;
    million_exponentials_of_f64 F64 Unary::Exp;
    million_logarithms_of_f32 F32 Unary::Log;
    million_logarithms_of_f64 F64 Unary::Log;
    million_tangents_of_f32 F32 Unary::Tanh;
    million_tangents_of_f64 F64 Unary::Tanh;
}
