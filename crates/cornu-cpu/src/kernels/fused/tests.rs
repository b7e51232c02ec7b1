//! Programs on every level against plain loops over single elements.

use super::Binary::*;
use super::Unary::*;
use super::whole::Kind;
use super::*;
use crate::kernels::memory::Buffer;
use crate::kernels::operand::Place;
use crate::kernels::threads::share;
use cornu_graph::DType;

/// How many sizes are tried: Miri is slow.
const FEW: usize = if cfg!(miri) { 2 } else { usize::MAX };

/// What an operation gives for one element, by the graph's own functions, but that all numbers but zero are true.
fn plain(op: Opcode, a: f32, b: f32, c: f32) -> f32 {
    let truth = |truth: bool| f32::from(u8::from(truth));
    match op {
        Opcode::Unary(Not) => truth(a == 0.0),
        Opcode::Binary(And) => truth(a != 0.0 && b != 0.0),
        Opcode::Binary(Or) => truth(a != 0.0 || b != 0.0),
        Opcode::Unary(op) => op.f64(a.into()) as f32,
        Opcode::Binary(op) => op.f64(a.into(), b.into()) as f32,
        Opcode::Compare(op) => truth(op.holds(a, b)),
        Opcode::Select => {
            if a != 0.0 {
                b
            } else {
                c
            }
        }
    }
}

/// Where span `k` of a program's only segment begins among the floats of the arena.
fn begin(program: &Program, k: usize) -> usize {
    program.segments[0].spans[k].at / size_of::<f32>()
}

/// The arena after the program, computed element by element, each on what the arena held before.
fn expected(program: &Program, arena: &[f32]) -> Vec<f32> {
    let mut after = arena.to_vec();
    let segment = &program.segments[0];
    for i in 0..segment.len() {
        let mut registers: Vec<f32> = Vec::new();
        let value = |registers: &[f32], operand| match operand {
            Reg(r) => registers[usize::from(r)],
            Constant(x) => x,
            In(k) => match program.inputs[usize::from(k)] {
                Input::Full(k) => arena[begin(program, k) + i],
                Input::Scalar(k) => arena[begin(program, k)],
                Input::Row(k) => arena[begin(program, k) + i % segment.cols],
                Input::Column(k) => arena[begin(program, k) + i / segment.cols],
            },
        };
        for Instruction { op, a, b, c } in &program.code {
            let [a, b, c] = [*a, *b, *c].map(|operand| value(&registers, operand));
            registers.push(plain(*op, a, b, c));
        }
        for output in &program.outputs {
            after[begin(program, output.at) + i] = value(&registers, output.from);
        }
    }
    after
}

/// The arena after parts of a program, of so many, were run in that order.
fn run(fused: &Fused, level: Level, arena: &[f32], order: &[usize], parts: usize) -> Vec<f32> {
    let bytes = size_of_val(arena);
    let [memory, scratch] = [bytes, fused.scratch()].map(|bytes| Buffer::new("a test", bytes).unwrap());
    let place = Place { dtype: DType::F32, span: Span { base: 0, at: 0 }, len: arena.len() };
    // SAFETY: the arena is this long, the scratch memory as asked for, and nobody else has them.
    unsafe {
        memory.bases().slice_mut(place).copy_from_slice(arena);
        scratch.start().write_bytes(255, scratch.bytes());
        order.iter().for_each(|&part| {
            fused.run(level, memory.bases(), share(fused.units(), part, parts), scratch.start());
        });
        memory.bases().slice(place).to_vec()
    }
}

/// The same bits, or nearly so for a `rounded` function; all NaNs are one.
fn agree(a: f32, b: f32, rounded: bool) -> bool {
    let near = rounded && (a - b).abs() <= 4e-7 * b.abs();
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || near
}

/// Whether an operation is approximated.
fn is_rounded(op: Opcode) -> bool {
    matches!(op, Opcode::Unary(op) if !matches!(op, Neg | Abs | Sign | Sqrt | Relu | Not | StopGradient))
}

/// Runs a program on every level and compares all that it writes; pads may hold anything, the rest must be untouched.
fn check(name: &str, program: &Program, arena: &[f32]) {
    let fused = Fused::new(program).unwrap();
    let want = expected(program, arena);
    let Segment { rows, cols, .. } = program.segments[0];
    let len = rows * cols;
    let rounded = program.code.iter().any(|i| is_rounded(i.op));
    let pads = program.outputs.iter().map(|output| begin(program, output.at));
    let pads: Vec<_> = pads.map(|at| at + len..at + len.next_multiple_of(LINE)).collect();
    let is_pad = |i: usize| pads.iter().any(|pad| pad.contains(&i));
    for level in Level::all() {
        let got = run(&fused, level, arena, &[0], 1);
        for i in (0..arena.len()).filter(|&i| !is_pad(i)) {
            let place = || format!("{name}, {rows} x {cols}, {}", level.name());
            assert!(agree(got[i], want[i], rounded), "{}: arena[{i}] needed {}, got {}", place(), want[i], got[i]);
        }
    }
}

/// Numbers of all kinds, another order for another `seed`.
fn numbers(len: usize, seed: usize) -> Vec<f32> {
    const KINDS: [f32; 13] =
        [0.5, -1.25, 0.0, 3.0, f32::NAN, -0.0, f32::INFINITY, 1e-3, -2.0, f32::NEG_INFINITY, 17.0, -0.7, 1.0];
    (0..len).map(|i| KINDS[(i * (seed + 1) + seed * 5) % 13] * if i % 3 == 0 { 1.0 } else { 0.75 }).collect()
}

/// An arena of `spans` values of `len` elements, and where each begins.
fn arena(spans: usize, len: usize) -> (Vec<f32>, Vec<usize>) {
    let stride = len.next_multiple_of(LINE);
    ((0..spans).flat_map(|k| numbers(stride, k)).collect(), (0..spans).map(|k| k * stride).collect())
}

/// A program over one segment, whose inputs and outputs are told by the floats of the arena where they begin.
fn program(shape: (usize, usize), inputs: &[Input], code: &[Instruction], outputs: &[(Operand, usize)]) -> Program {
    let mut begins: Vec<usize> = Vec::new();
    let mut number = |at: usize| {
        begins.iter().position(|&begin| begin == at).unwrap_or_else(|| {
            begins.push(at);
            begins.len() - 1
        })
    };
    let numbered = inputs.iter().map(|input| match *input {
        Input::Full(at) => Input::Full(number(at)),
        Input::Scalar(at) => Input::Scalar(number(at)),
        Input::Row(at) => Input::Row(number(at)),
        Input::Column(at) => Input::Column(number(at)),
    });
    let inputs = numbered.collect();
    let outputs = outputs.iter().map(|&(from, at)| Output { from, at: number(at) }).collect();
    let spans = begins.iter().map(|at| Span { base: 0, at: at * size_of::<f32>() }).collect();
    Program { inputs, code: code.to_vec(), outputs, segments: vec![Segment { rows: shape.0, cols: shape.1, spans }] }
}

use Operand::{Constant, Input as In, Register as Reg};

fn one(op: impl Into<Opcode>) -> Instruction {
    Instruction { op: op.into(), a: In(0), b: In(1), c: In(2) }
}

/// Every operation there is.
fn every_operation() -> Vec<Opcode> {
    let (unary, binary) = (Unary::ALL.iter().map(|&op| op.into()), Binary::ALL.iter().map(|&op| op.into()));
    unary.chain(binary).chain(Compare::ALL.iter().map(|&op| op.into())).chain([Opcode::Select]).collect()
}

#[test]
fn every_operation_and_length() {
    for len in [1, 17, 5, 16, 40, 300, 513, 800].into_iter().take(FEW) {
        let (arena, at) = arena(4, len);
        let inputs = [Input::Full(at[0]), Input::Full(at[1]), Input::Full(at[2])];
        for op in every_operation() {
            check(&format!("{op:?}"), &program((1, len), &inputs, &[one(op)], &[(Reg(0), at[3])]), &arena);
            check(&format!("{op:?} in place"), &program((1, len), &inputs, &[one(op)], &[(Reg(0), at[0])]), &arena);
        }
    }
}

#[test]
fn every_kind_of_input() {
    let kinds = [Input::Full as fn(usize) -> Input, Input::Scalar, Input::Row, Input::Column];
    for shape in [(1, 1), (1, 7), (7, 1), (3, 5), (10, 12), (32, 10), (5, 128), (3, 300), (2, 784), (70, 33), (600, 3)]
    {
        let (arena, at) = arena(4, shape.0 * shape.1);
        for a in kinds {
            for b in kinds {
                let inputs = [a(at[0]), b(at[1]), Input::Full(at[2])];
                let code = [
                    one(Sub),
                    Instruction::select(In(2), Reg(0), In(1)),
                    Instruction::binary(Mul, Reg(1), Constant(3.0)),
                ];
                let name = format!("{:?} - {:?}", inputs[0], inputs[1]);
                check(&name, &program(shape, &inputs, &code, &[(Reg(2), at[3]), (Reg(0), at[2])]), &arena);
            }
        }
    }
}

#[test]
fn outputs_in_place() {
    for len in [12, 1, 100, 700].into_iter().take(FEW) {
        let (arena, at) = arena(4, len);
        let [a, b] = [Input::Full(at[0]), Input::Full(at[1])];
        let shape = (1, len);
        check("swapped", &program(shape, &[a, b], &[], &[(In(0), at[1]), (In(1), at[0])]), &arena);
        check("constant", &program(shape, &[], &[], &[(Constant(2.5), at[1]), (Constant(-1.0), at[2])]), &arena);
        let (double, old) = (Instruction::binary(Add, In(0), In(0)), Instruction::binary(Sub, Reg(0), In(0)));
        check(
            "old value read late",
            &program(shape, &[a], &[double, old], &[(Reg(0), at[0]), (Reg(1), at[1])]),
            &arena,
        );
        check("written twice", &program(shape, &[a], &[double], &[(Reg(0), at[0]), (Reg(0), at[3])]), &arena);
        let uses = [double, Instruction::unary(Neg, Reg(0)), Instruction::binary(Max, Reg(1), Reg(0))];
        check("output used later", &program(shape, &[a], &uses, &[(Reg(0), at[2]), (Reg(2), at[0])]), &arena);
    }
}

#[test]
fn pairs() {
    let (arena, at) = arena(4, 40);
    let inputs = [Input::Full(at[0]), Input::Full(at[1]), Input::Full(at[2])];
    let firsts = [Sub.into(), Sqrt.into(), Add.into(), Mul.into(), Div.into(), Opcode::from(Exp)];
    for first in firsts.into_iter().take(FEW) {
        for (then, joins) in
            [(Add, [true; 2]), (Sub, [true; 2]), (Mul, [true; 2]), (Max, [true, false]), (Min, [false; 2])]
        {
            for (operands, joined) in [(Reg(0), In(2)), (In(2), Reg(0))].into_iter().zip(joins) {
                let code = [one(first), Instruction::binary(then, operands.0, operands.1)];
                let program = program((1, 40), &inputs, &code, &[(Reg(1), at[3])]);
                let name = format!("{first:?} {then:?} {operands:?}");
                check(&name, &program, &arena);
                let steps = Fused::new(&program).unwrap().steps.len();
                assert_eq!(steps, if joined && first != Exp.into() { 1 } else { 2 }, "{name}");
            }
        }
    }
    let square = [one(Sub), Instruction::binary(Mul, Reg(0), Reg(0))];
    check("square", &program((1, 40), &inputs, &square, &[(Reg(1), at[3])]), &arena);
    // The first instruction moves behind the second, which writes over what it reads.
    let moved = [one(Mul), Instruction::binary(Add, In(1), In(2)), Instruction::binary(Sub, Reg(0), Reg(1))];
    check("moved", &program((1, 40), &inputs, &moved, &[(Reg(1), at[0]), (Reg(2), at[3])]), &arena);
    let chain = [one(Mul), Instruction::binary(Add, Reg(0), In(2)), Instruction::binary(Sub, In(0), Reg(1))];
    check("chain", &program((1, 40), &inputs, &chain, &[(Reg(2), at[2])]), &arena);
    check("read in between", &program((1, 40), &inputs, &chain, &[(Reg(2), at[2]), (Reg(0), at[1])]), &arena);
}

#[test]
fn registers_are_used_again() {
    // A chain of forty sums, each of the two before: three registers suffice.
    let code: Vec<Instruction> = (0..40u16)
        .map(|k| {
            Instruction::binary(
                Add,
                if k > 1 { Reg(k - 2) } else { In(0) },
                if k > 0 { Reg(k - 1) } else { Constant(1.0) },
            )
        })
        .collect();
    let (mut arena, at) = arena(2, 700);
    arena.iter_mut().enumerate().for_each(|(i, x)| *x = i as f32 * 0.01);
    let program = program((1, 700), &[Input::Full(at[0])], &code, &[(Reg(39), at[1])]);
    check("sums", &program, &arena);
    assert!(Fused::new(&program).unwrap().scratch <= 3 * 256);
}

/// Adam as `specs` has it: m, v, w, g full, alpha a scalar.
fn adam(len: usize) -> Program {
    let stride = len.next_multiple_of(LINE);
    let inputs: Vec<Input> = (0..4).map(|k| Input::Full(k * stride)).chain([Input::Scalar(4 * stride)]).collect();
    let binary = Instruction::binary;
    let code = [
        binary(Sub, In(3), In(0)),
        binary(Mul, Reg(0), Constant(1.0 - 0.9)),
        binary(Add, In(0), Reg(1)),
        binary(Mul, In(3), In(3)),
        binary(Sub, Reg(3), In(1)),
        binary(Mul, Reg(4), Constant(1.0 - 0.999)),
        binary(Add, In(1), Reg(5)),
        binary(Mul, Reg(2), In(4)),
        Instruction::unary(Sqrt, Reg(6)),
        binary(Add, Reg(8), Constant(1e-7)),
        binary(Div, Reg(7), Reg(9)),
        binary(Sub, In(2), Reg(10)),
    ];
    program((1, len), &inputs, &code, &[(Reg(2), 0), (Reg(6), stride), (Reg(11), 2 * stride)])
}

#[test]
fn programs_in_one_pass() {
    for kind in Kind::ALL {
        for len in [1, 16, 100, 1000].into_iter().take(FEW) {
            let (arena, at) = arena(5, len);
            let program = kind.program(len, at[1]);
            check(&format!("{kind:?}"), &program, &arena);
            assert!(Fused::new(&program).unwrap().is_whole(), "{kind:?}");
            let mut other = program.clone();
            other.code[0].op = Max.into();
            check(&format!("{kind:?} but for one operation"), &other, &arena);
            assert!(!Fused::new(&other).unwrap().is_whole(), "{kind:?}");
            other = program;
            other.outputs.pop();
            assert!(!Fused::new(&other).unwrap().is_whole(), "{kind:?} without its last output");
        }
    }
}

#[test]
fn parts_give_the_same_bits() {
    let program = adam(1000);
    let fused = Fused::new(&program).unwrap();
    let before: Vec<f32> = (0..5 * 1008).map(|i| (i % 97) as f32 * 0.01 + 0.001).collect();
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let want = bits(&expected(&program, &before));
    for level in Level::all() {
        let (whole, parts) = (run(&fused, level, &before, &[0], 1), run(&fused, level, &before, &[2, 0, 1], 3));
        for k in 0..3 {
            let span = k * 1008..k * 1008 + 1000;
            assert_eq!(bits(&whole[span.clone()]), want[span.clone()], "{} value {k}", level.name());
            assert_eq!(bits(&parts[span.clone()]), want[span], "{} value {k} in parts", level.name());
        }
    }
}

/// Segments of all sizes, each with spans of its own but for a number that all read; as one program and in parts.
#[test]
fn segments_are_programs_of_their_own() {
    for whole in [true, false] {
        let lens = [40, 1, 0, 600, 16, 1000];
        let mut begin = LINE;
        let alone: Vec<Program> = (lens.iter())
            .map(|&len| {
                let (mut one, stride) = (adam(len), len.next_multiple_of(LINE));
                let at = |k: usize| if k == 4 { 0 } else { begin + k * stride };
                let spans = (0..5).map(|k| Span { base: 0, at: at(k) * size_of::<f32>() }).collect();
                one.segments[0].spans = spans;
                one.code[8].op = if whole { Sqrt.into() } else { Abs.into() };
                begin += 4 * stride;
                one
            })
            .collect();
        let before: Vec<f32> = (0..begin).map(|i| (i % 97) as f32 * 0.01 + 0.001).collect();
        let want = alone.iter().fold(before.clone(), |arena, one| expected(one, &arena));
        let together = Program { segments: alone.iter().flat_map(|one| one.segments.clone()).collect(), ..adam(1) };
        let together = Program { code: alone[0].code.clone(), ..together };
        let fused = Fused::new(&together).unwrap();
        assert_eq!((fused.is_whole(), fused.len()), (whole, lens.iter().sum()));
        for level in Level::all() {
            for (order, parts) in [(&[0][..], 1), (&[1, 0], 2), (&[4, 2, 0, 1, 3], 5), (&[6, 5, 4, 3, 2, 1, 0], 7)] {
                let got = run(&fused, level, &before, order, parts);
                for segment in &fused.segments {
                    for span in &segment.spans[..3] {
                        let span = span.at / size_of::<f32>()..span.at / size_of::<f32>() + segment.len();
                        assert_eq!(got[span.clone()], want[span], "{} in {parts} parts", level.name());
                    }
                }
            }
        }
    }
}

#[test]
fn mistakes_are_named() {
    let full = Input::Full;
    let neg = Instruction::unary(Neg, In(0));
    let mut short = program((1, 20), &[full(0)], &[neg], &[(Reg(0), 32)]);
    short.segments[0].spans = [Span { base: 0, at: 0 }].into();
    let cases = [
        (short, "a segment needs more than its 1 spans"),
        (
            program((1, 20), &[full(8)], &[neg], &[(Reg(0), 0)]),
            "input 0 needs a span at a multiple of 64 bytes, got 32",
        ),
        (
            program((1, 20), &[full(0)], &[neg], &[(Reg(0), 33)]),
            "output 0 needs a span at a multiple of 64 bytes, got 132",
        ),
        (
            program((1, 20), &[full(0)], &[Instruction::unary(Neg, Reg(0))], &[]),
            "instruction 0 needs a register below 0, got 0",
        ),
        (program((1, 20), &[], &[neg], &[]), "instruction 0 needs an input below 0, got 0"),
        (program((1, 20), &[full(0)], &[neg], &[(Reg(1), 32)]), "output 0 needs a register below 1, got 1"),
        (
            program((1, 20), &[full(0)], &[neg], &[(Reg(0), 32), (Reg(0), 48)]),
            "output 1 needs a span of its own, got one that overlaps output 0",
        ),
        (
            program((1, 20), &[full(0)], &[neg], &[(Reg(0), 16)]),
            "output 0 needs the very span of a full input or one apart, got one that overlaps input 0",
        ),
        (
            program((2, 10), &[Input::Row(0)], &[neg], &[(Reg(0), 0)]),
            "output 0 needs the very span of a full input or one apart, got one that overlaps input 0",
        ),
    ];
    for (program, message) in cases {
        assert_eq!(Fused::new(&program).unwrap_err().message(), message);
    }
    let mut elsewhere = program((1, 20), &[full(0)], &[neg], &[(Reg(0), 16)]);
    elsewhere.segments[0].spans[1].base = 1;
    assert!(Fused::new(&elsewhere).is_ok(), "spans of other buffers are apart");
}

/// Zeros of both signs, infinities, not-a-number, the least, largest and subnormal numbers: each against each.
#[test]
fn edges() {
    const TINY: [f32; 4] = [1e-45, -1e-45, 1e-40, -1.175_494e-38];
    const OTHERS: [f32; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    let edges = [&OTHERS[..], &TINY].concat();
    for op in every_operation() {
        // The functions of `math` are stated for numbers that are not subnormal.
        let kinds = if is_rounded(op) { &edges[..OTHERS.len()] } else { &edges };
        let len = kinds.len() * kinds.len();
        let stride = len.next_multiple_of(LINE);
        let mut arena = vec![0.0; 4 * stride];
        for i in 0..len {
            arena[i] = kinds[i / kinds.len()];
            arena[stride + i] = kinds[i % kinds.len()];
            arena[2 * stride + i] = kinds[(i * 7 + 3) % kinds.len()];
        }
        let inputs = [0, 1, 2].map(|k| Input::Full(k * stride));
        check(&format!("{op:?}"), &program((1, len), &inputs, &[one(op)], &[(Reg(0), 3 * stride)]), &arena);
    }
}
