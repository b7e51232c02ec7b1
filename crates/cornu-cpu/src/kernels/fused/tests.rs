//! Programs of every operation and type on every level against the reference evaluator.

use cornu_graph::ops::Op;
use cornu_graph::{Array, Bf16, Buffer as Elements, F16, Number, Type};

use super::super::memory::Buffer;
use super::*;

mod chains;
mod near;
mod parts;

use Operand::{Constant, Input as In, Register as Reg};

/// How many sizes are tried: Miri is slow.
const FEW: usize = if cfg!(miri) { 2 } else { usize::MAX };
/// What memory holds that nobody may write.
const CANARY: u8 = 0x5a;

/// An input: memory and how it is walked over, or a count.
#[derive(Clone, Debug)]
enum Source {
    Memory(Array, usize, Vec<Axis>),
    Count(DType, i64, Vec<Axis>),
}

impl Source {
    fn row(array: Array) -> Source {
        let axes = vec![Axis { size: array.len(), step: 1 }];
        Source::Memory(array, 0, axes)
    }

    fn dtype(&self) -> DType {
        match self {
            Source::Memory(array, ..) => array.dtype(),
            Source::Count(dtype, ..) => *dtype,
        }
    }

    /// Its elements, one after the other.
    fn elements(&self, len: usize) -> Array {
        let (Source::Memory(_, _, axes) | Source::Count(_, _, axes)) = self;
        let place = |i: usize| {
            let mut left = i;
            axes.iter().rev().fold(0, |at, axis| {
                let here = (left % axis.size) as isize * axis.step;
                left /= axis.size;
                at + here
            })
        };
        match self {
            Source::Memory(array, at, _) => array.pick([len], |i| at.checked_add_signed(place(i)).unwrap()),
            Source::Count(dtype, from, _) => {
                Array::from_numbers(&Type::new(*dtype, [len]), |i| Number::Whole((from + place(i) as i64).into()))
            }
        }
    }
}

/// The bytes of an array as they are in memory.
fn bytes(array: &Array) -> Vec<u8> {
    macro_rules! bytes {
        ($($name:ident)*) => {
            match array.buffer() {
                Elements::Bool(data) => data.iter().map(|&x| x.into()).collect(),
                $(Elements::$name(data) => data.iter().flat_map(|x| x.to_ne_bytes()).collect(),)*
                Elements::F16(data) => data.iter().flat_map(|x| x.to_bits().to_ne_bytes()).collect(),
                Elements::Bf16(data) => data.iter().flat_map(|x| x.to_bits().to_ne_bytes()).collect(),
                other => unreachable!("{other:?}"),
            }
        };
    }
    bytes!(U8 U16 U32 U64 I8 I16 I32 I64 F32 F64)
}

fn array(dtype: DType, bytes: &[u8]) -> Array {
    let halves = || bytes.chunks_exact(2).map(|x| u16::from_ne_bytes(x.try_into().unwrap()));
    macro_rules! array {
        ($($name:ident $t:ty),*) => {
            match dtype {
                DType::Bool => Array::vector(bytes.iter().map(|&x| x != 0).collect()),
                DType::F16 => Array::vector(halves().map(F16::from_bits).collect()),
                DType::Bf16 => Array::vector(halves().map(Bf16::from_bits).collect()),
                $(DType::$name => Array::vector(
                    bytes.chunks_exact(size_of::<$t>()).map(|x| <$t>::from_ne_bytes(x.try_into().unwrap())).collect(),
                ),)*
                other => unreachable!("{other:?}"),
            }
        };
    }
    array!(U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64, F32 f32, F64 f64)
}

fn bits(array: &Array) -> u64 {
    let mut eight = [0; 8];
    let bytes = bytes(array);
    eight[..bytes.len()].copy_from_slice(&bytes);
    u64::from_ne_bytes(eight)
}

fn constant(dtype: DType, x: f64) -> Operand {
    Constant(bits(&Array::from_fn(&Type::scalar(dtype), |_| x)))
}

fn op(op: Opcode) -> Op {
    match op {
        Opcode::Unary(op) => op.into(),
        Opcode::Binary(op) => op.into(),
        Opcode::Compare(op) => op.into(),
        Opcode::Select => cornu_graph::ops::Select.into(),
        Opcode::Cast(to) => cornu_graph::ops::Cast(to).into(),
    }
}

/// The outputs, as the reference evaluator has them.
fn expected(inputs: &[Source], code: &[Instruction], outputs: &[u16], len: usize) -> Vec<Array> {
    let inputs: Vec<Array> = inputs.iter().map(|input| input.elements(len)).collect();
    let mut registers: Vec<Array> = Vec::new();
    for instruction in code {
        let operand = |(i, operand): (usize, &Operand)| match *operand {
            Reg(r) => registers[usize::from(r)].clone(),
            In(k) => inputs[usize::from(k)].clone(),
            Constant(bits) => {
                let dtype = instruction.operand_type(i);
                array(dtype, &bits.to_ne_bytes()[..dtype.size()]).pick([len], |_| 0)
            }
        };
        let args: Vec<Array> = instruction.operands().iter().enumerate().map(operand).collect();
        let ty = Type::new(instruction.result(), [len]);
        let result = op(instruction.op).eval(&args.iter().collect::<Vec<_>>(), &[&ty]).unwrap();
        registers.push(result[0].clone());
    }
    outputs.iter().map(|&r| registers[usize::from(r)].clone()).collect()
}

/// Whether an operation is approximated, or rounded more than once.
fn is_rounded(op: Opcode) -> bool {
    use Unary::*;
    match op {
        Opcode::Unary(op) => !matches!(op, Neg | Abs | Sign | Sqrt | Relu | Flush | Not | StopGradient),
        op => op == Opcode::Binary(Binary::Pow),
    }
}

/// The same bits, or nearly so for a `rounded` function; all NaNs are one.
fn agree(got: &Array, want: &Array, i: usize, rounded: bool) -> bool {
    let (a, b) = (got.number(i), want.number(i));
    match (a, b) {
        (Number::Double(a), Number::Double(b)) => {
            let near = if got.dtype() == DType::F32 { 4e-7 } else { 2e-15 };
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || rounded && (a - b).abs() <= near * b.abs()
        }
        _ => a == b,
    }
}

/// Buffers of a run: 64 bytes of canaries, the elements, and more canaries.
struct Memory {
    all: Vec<Vec<[u64; 8]>>,
    pointers: Vec<*mut u8>,
}

impl Memory {
    fn new(contents: &[Vec<u8>]) -> Memory {
        let room = |bytes: &Vec<u8>| vec![[u64::from_ne_bytes([CANARY; 8]); 8]; bytes.len().div_ceil(64) + 3];
        let mut memory = Memory { all: contents.iter().map(room).collect(), pointers: Vec::new() };
        for (room, bytes) in memory.all.iter_mut().zip(contents) {
            let room = room.as_mut_ptr().cast::<u8>();
            let to = room.wrapping_add(64 + room.align_offset(64));
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            memory.pointers.push(to);
        }
        memory
    }

    fn read(&self, base: usize, len: usize) -> Vec<u8> {
        assert!(base < self.all.len());
        unsafe { std::slice::from_raw_parts(self.pointers[base], len) }.to_vec()
    }
}

/// A program of one segment: input `i` is in buffer `i`, output `o` in that of `base_of`.
fn case(
    len: usize,
    inputs: &[Source],
    code: &[Instruction],
    outputs: &[u16],
    base_of: &dyn Fn(usize) -> usize,
) -> Program {
    let input = |(i, source): (usize, &Source)| match source {
        Source::Memory(array, at, axes) => Input::Memory(Strided {
            span: Span { base: i as u32, at: at * array.dtype().size() },
            axes: axes.clone().into(),
        }),
        Source::Count(_, from, axes) => Input::Count(*from, axes.clone().into()),
    };
    let segment = Segment {
        len,
        inputs: inputs.iter().enumerate().map(input).collect(),
        outputs: (0..outputs.len()).map(|o| Strided::whole(Span::of(base_of(o) as u32), len)).collect(),
    };
    Program {
        inputs: inputs.iter().map(Source::dtype).collect(),
        code: code.to_vec(),
        outputs: outputs.to_vec(),
        segments: vec![segment],
    }
}

/// Runs a program in one piece and in shares that begin anywhere, on every level; `place` names the inputs that outputs
/// are written over.
fn check(name: &str, len: usize, inputs: &[Source], code: &[Instruction], outputs: &[u16], place: &[(usize, usize)]) {
    let want = expected(inputs, code, outputs, len);
    let rounded = code.iter().any(|instruction| is_rounded(instruction.op));
    let contents = inputs.iter().map(|input| match input {
        Source::Memory(array, ..) => bytes(array),
        Source::Count(..) => Vec::new(),
    });
    let contents: Vec<Vec<u8>> = contents.chain(want.iter().map(|array| vec![CANARY; bytes(array).len()])).collect();
    let over = |o: usize| place.iter().find(|(output, _)| *output == o).map(|&(_, input)| input);
    let base_of = |o: usize| over(o).unwrap_or(inputs.len() + o);
    let program = case(len, inputs, code, outputs, &base_of);
    let fused = Fused::new(&program).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(fused.units(), len);
    let cuts = [vec![0, len], vec![0, len / 3, len / 3 + 1, (len / 3 + 20).min(len).max(len / 3 + 1), len]];
    for level in Level::all() {
        for cuts in cuts.iter().filter(|cuts| cuts.is_sorted()) {
            let memory = Memory::new(&contents);
            let scratch = Buffer::new("a test", fused.scratch()).unwrap();
            let shares: Vec<Range<usize>> = cuts.windows(2).rev().map(|cut| cut[0]..cut[1]).collect();
            for (k, share) in shares.iter().enumerate() {
                let before: Vec<Vec<u8>> =
                    (0..contents.len()).map(|b| memory.read(b, contents[b].len() + 64)).collect();
                unsafe { fused.run(level, Bases::new(&memory.pointers), share.clone(), scratch.start()) };
                for (base, before) in before.iter().enumerate() {
                    let after = memory.read(base, before.len());
                    let size = (0..outputs.len()).find(|&o| base_of(o) == base).map_or(0, |o| want[o].dtype().size());
                    let kept = |i: &usize| *i < share.start * size || *i >= share.end * size;
                    let changed = (0..before.len()).filter(kept).find(|&i| before[i] != after[i]);
                    assert_eq!(changed, None, "{name}, {}: share {k} wrote elsewhere in {base}", level.name());
                }
            }
            for (o, want) in want.iter().enumerate() {
                let got = array(want.dtype(), &memory.read(base_of(o), len * want.dtype().size()));
                if let Some(i) = (0..len).find(|&i| !agree(&got, want, i, rounded)) {
                    let place = format!("{name}, {len} elements, {}, {} shares", level.name(), shares.len());
                    panic!("{place}: output {o} at {i} needs {:?}, got {:?}", want.number(i), got.number(i));
                }
            }
        }
    }
}

/// Numbers of all kinds, another order for another `seed`: none of the smallest, which functions may take for zero.
fn numbers(dtype: DType, len: usize, seed: usize) -> Array {
    const KINDS: [f64; 13] =
        [0.5, -1.25, 0.0, 3.0, f64::NAN, -0.0, f64::INFINITY, 1e-3, -2.0, f64::NEG_INFINITY, 17.0, -0.7, 1.0];
    const WHOLE: [i128; 11] = [0, 1, -1, 7, -7, 1 << 31, (1 << 63) - 1, -1 << 63, 127, -128, 5];
    let at = |i: usize, n: usize| (i * (seed + 1) + seed * 5 + i / n) % n;
    let ty = Type::new(dtype, [len]);
    match dtype {
        DType::Bool => Array::from_fn(&ty, |i| f64::from(u8::from(at(i, 3) == 1))),
        dtype if dtype.is_float() => Array::from_fn(&ty, |i| KINDS[at(i, 13)] * if i % 3 == 0 { 1.0 } else { 0.75 }),
        _ => Array::from_numbers(&ty, |i| Number::Whole(WHOLE[at(i, 11)])),
    }
}

/// Inputs of those types, each in a row.
fn rows(dtypes: &[DType], len: usize) -> Vec<Source> {
    dtypes.iter().enumerate().map(|(i, &dtype)| Source::row(numbers(dtype, len, i))).collect()
}

/// Every operation on every type that the graph has for it.
fn every_operation() -> Vec<(Opcode, DType)> {
    let (unary, binary) = (Unary::ALL.iter().map(|&op| op.into()), Binary::ALL.iter().map(|&op| op.into()));
    let compare = Compare::ALL.iter().map(|&op| op.into());
    let casts = TYPES.map(Opcode::Cast);
    let all = unary.chain(binary).chain(compare).chain([Opcode::Select]).chain(casts);
    let pairs = all.flat_map(|code: Opcode| TYPES.map(|dtype| (code, dtype)));
    let fits = |&(code, dtype): &(Opcode, DType)| {
        let ty = Type::new(dtype, [1]);
        let truth = Type::new(DType::Bool, [1]);
        let types = if code == Opcode::Select { vec![&truth, &ty, &ty] } else { vec![&ty; code.arity()] };
        // Floats of 16 bits are only moved and cast: the graph widens them for all else.
        let moves = matches!(code, Opcode::Select | Opcode::Cast(_) | Opcode::Unary(Unary::StopGradient));
        op(code).infer(&types).is_ok() && (moves || !dtype.is_half())
    };
    pairs.filter(fits).collect()
}

const TYPES: [DType; 13] = [
    DType::Bool,
    DType::U8,
    DType::U16,
    DType::U32,
    DType::U64,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
    DType::F16,
    DType::Bf16,
    DType::F32,
    DType::F64,
];

fn f32s(op: impl Into<Opcode>, operands: &[Operand]) -> Instruction {
    Instruction::new(op, DType::F32, operands)
}

#[test]
fn every_operation_type_and_length() {
    for len in [1, 17, 40, 300, 513, 0, 128, 800].into_iter().take(FEW) {
        for (code, dtype) in every_operation() {
            let dtypes =
                if code == Opcode::Select { vec![DType::Bool, dtype, dtype] } else { vec![dtype; code.arity()] };
            let operands: Vec<Operand> = (0..dtypes.len()).map(|i| In(i as u16)).collect();
            let code = [Instruction::new(code, dtype, &operands)];
            let name = format!("{:?} of {dtype}", code[0].op);
            let inputs = rows(&dtypes, len);
            check(&name, len, &inputs, &code, &[0], &[]);
            if code[0].result() == dtype {
                check(&format!("{name} in place"), len, &inputs, &code, &[0], &[(0, dtypes.len() - 1)]);
            }
        }
    }
}

#[test]
fn every_walk() {
    let axis = |size: usize, step: isize| Axis { size, step };
    for (rows, cols) in [(1, 1), (1, 7), (7, 1), (3, 5), (10, 12), (32, 10), (5, 128), (3, 300), (70, 33), (600, 3)] {
        let (r, c, len) = (rows as isize, cols as isize, rows * cols);
        let walks = [
            ("row", 0, vec![axis(rows, 0), axis(cols, 1)]),
            ("column", 0, vec![axis(rows, 1), axis(cols, 0)]),
            ("scalar", 0, vec![axis(len, 0)]),
            ("nothing", 3, if len == 1 { vec![] } else { vec![axis(len, 0)] }),
            ("transposed", 0, vec![axis(rows, 1), axis(cols, r)]),
            ("reversed", len - 1, vec![axis(len, -1)]),
            ("reversed rows", (rows - 1) * cols, vec![axis(rows, -c), axis(cols, 1)]),
            ("every other", 1, vec![axis(rows, 2 * c), axis(cols, 2)]),
            ("three axes", 0, vec![axis(rows, 1), axis(1, 5), axis(cols, 0)]),
        ];
        for dtype in [DType::F32, DType::F64, DType::I16, DType::U8].into_iter().take(FEW) {
            for (name, at, axes) in &walks {
                let memory = Source::Memory(numbers(dtype, 2 * len + 4, 1), *at, axes.clone());
                let full = Source::row(numbers(dtype, len, 2));
                let code = [
                    Instruction::new(Binary::Sub, dtype, &[In(0), In(1)]),
                    Instruction::new(Binary::Mul, dtype, &[Reg(0), constant(dtype, 3.0)]),
                    Instruction::new(Binary::Max, dtype, &[Reg(1), In(0)]),
                ];
                check(&format!("{name} of {dtype}"), len, &[memory, full.clone()], &code, &[2, 0], &[(0, 1)]);
                let count = Source::Count(dtype, *at as i64, axes.clone());
                check(&format!("counted {name} of {dtype}"), len, &[count, full], &code, &[2, 0], &[(1, 1)]);
            }
        }
    }
}

#[test]
fn outputs_in_place() {
    for len in [12, 1, 100, 700].into_iter().take(FEW) {
        for dtype in [DType::F32, DType::F64, DType::I8] {
            let inputs = rows(&[dtype, dtype, dtype], len);
            let of = |op: Binary, a, b| Instruction::new(op, dtype, &[a, b]);
            let copy = |a| Instruction::new(Unary::StopGradient, dtype, &[a]);
            check("swapped", len, &inputs, &[copy(In(0)), copy(In(1))], &[0, 1], &[(0, 1), (1, 0)]);
            check("constant", len, &inputs, &[copy(constant(dtype, 2.0))], &[0], &[(0, 1)]);
            let late = [of(Binary::Add, In(0), In(0)), of(Binary::Sub, Reg(0), In(0))];
            check("old value read late", len, &inputs, &late, &[0, 1], &[(0, 0), (1, 1)]);
            check("written twice", len, &inputs, &late, &[0, 0, 1], &[(0, 0)]);
            let uses = [late[0], of(Binary::Sub, In(1), Reg(0)), of(Binary::Max, Reg(1), Reg(0))];
            check("output used later", len, &inputs, &uses, &[0, 2], &[(1, 0)]);
            let moved = [of(Binary::Mul, In(0), In(1)), of(Binary::Add, In(1), In(2)), of(Binary::Sub, Reg(0), Reg(1))];
            check("moved behind what writes over its operand", len, &inputs, &moved, &[1, 2], &[(0, 0)]);
        }
    }
}

/// Adam's step, and what is almost that: read elsewhere, of another shape, of parts that are no numbers.
#[test]
fn adam_is_what_its_operations_are() {
    let of = |op: Binary, a, b| f32s(op, &[a, b]);
    let number = |x: f64| constant(DType::F32, x);
    let flush = |a| f32s(Unary::Flush, &[a]);
    for (name, flushes, part) in [("flushed", true, number(0.1)), ("plain", false, In(4)), ("by parts", false, In(1))] {
        let follow = |code: &mut Vec<Instruction>, x: Operand, mean: Operand, part: Operand| {
            let at = code.len() as u16;
            code.extend([of(Binary::Sub, x, mean), of(Binary::Mul, Reg(at), part), of(Binary::Add, mean, Reg(at + 1))]);
            code.extend(flushes.then_some(flush(Reg(at + 2))));
            code.len() as u16 - 1
        };
        let mut code = vec![of(Binary::Mul, In(0), number(0.5))];
        let m = follow(&mut code, Reg(0), In(1), part);
        code.push(of(Binary::Mul, Reg(0), Reg(0)));
        let v = follow(&mut code, Reg(m + 1), In(2), number(0.25));
        code.extend([of(Binary::Mul, Reg(m), In(4)), f32s(Unary::Sqrt, &[Reg(v)])]);
        code.extend([of(Binary::Add, Reg(v + 2), number(1e-7)), of(Binary::Div, Reg(v + 1), Reg(v + 3))]);
        code.push(of(Binary::Sub, In(3), Reg(v + 4)));
        let w = v + 5;
        for len in [1, 15, 16, 33, 100, 700].into_iter().take(FEW) {
            let small = Array::from_fn(&Type::f32([len]), |i| f64::from(f32::MIN_POSITIVE) * (i as f64 - 7.0) / 5.0);
            let mut inputs = vec![numbers(DType::F32, len, 1), small.clone(), small, numbers(DType::F32, len, 3)];
            inputs.push(Array::scalar(0.01f32));
            let mut inputs: Vec<Source> = inputs.into_iter().map(Source::row).collect();
            inputs[4] = Source::Memory(Array::vector(vec![0.01f32]), 0, vec![Axis { size: len, step: 0 }]);
            let places = [vec![], vec![(0, 1), (1, 2), (2, 3)], vec![(0, 3), (1, 1), (2, 0)]];
            for place in &places {
                check(name, len, &inputs, &code, &[m, v, w], place);
            }
            check(&format!("{name}, the step too"), len, &inputs, &code, &[m, v, w, v + 4], &places[1]);
            let mut more = code.clone();
            more.push(of(Binary::Max, Reg(m), Reg(w)));
            check(&format!("{name}, a mean read again"), len, &inputs, &more, &[m, w + 1, w], &places[1]);
        }
    }
}
