//! Programs of every operation and type on every level against the reference evaluator.

use cornu_graph::ops::Op;
use cornu_graph::{Array, Bf16, Buffer, F16, Number, Type};

use super::*;

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
                Buffer::Bool(data) => data.iter().map(|&x| x.into()).collect(),
                $(Buffer::$name(data) => data.iter().flat_map(|x| x.to_ne_bytes()).collect(),)*
                Buffer::F16(data) => data.iter().flat_map(|x| x.to_bits().to_ne_bytes()).collect(),
                Buffer::Bf16(data) => data.iter().flat_map(|x| x.to_bits().to_ne_bytes()).collect(),
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

/// Whether an operation is approximated.
fn is_rounded(op: Opcode) -> bool {
    use Unary::*;
    matches!(op, Opcode::Unary(Exp | Log | Log1p | Tanh | Erf | Logistic) | Opcode::Binary(Binary::Pow))
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

/// Runs a program in one piece and in shares that begin anywhere, on every level; `place` names the inputs that outputs
/// are written over.
fn check(name: &str, len: usize, inputs: &[Source], code: &[Instruction], outputs: &[u16], place: &[(usize, usize)]) {
    let want = expected(inputs, code, outputs, len);
    let rounded = code.iter().any(|instruction| is_rounded(instruction.op));
    let mut contents: Vec<Vec<u8>> = (inputs.iter())
        .map(|input| match input {
            Source::Memory(array, ..) => bytes(array),
            Source::Count(..) => Vec::new(),
        })
        .collect();
    contents.extend(want.iter().map(|array| vec![CANARY; bytes(array).len()]));
    let over = |o: usize| place.iter().find(|(output, _)| *output == o).map(|&(_, input)| input);
    let base_of = |o: usize| over(o).unwrap_or(inputs.len() + o);
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
        outputs: (0..outputs.len()).map(|o| Span { base: base_of(o) as u32, at: 0 }).collect(),
    };
    let program = Program {
        inputs: inputs.iter().map(Source::dtype).collect(),
        code: code.to_vec(),
        outputs: outputs.to_vec(),
        segments: vec![segment],
    };
    let fused = Fused::new(&program).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(fused.units(), len);
    let cuts = [vec![0, len], vec![0, len / 3, len / 3 + 1, (len / 3 + 20).min(len).max(len / 3 + 1), len]];
    for level in Level::all() {
        for cuts in cuts.iter().filter(|cuts| cuts.is_sorted()) {
            let memory = Memory::new(&contents);
            let mut scratch = vec![[0u64; 8]; fused.scratch() / 64 + 2];
            let scratch = scratch.as_mut_ptr().cast::<u8>();
            let scratch = scratch.wrapping_add(scratch.align_offset(64));
            let shares: Vec<Range<usize>> = cuts.windows(2).rev().map(|cut| cut[0]..cut[1]).collect();
            for (k, share) in shares.iter().enumerate() {
                let before: Vec<Vec<u8>> =
                    (0..contents.len()).map(|b| memory.read(b, contents[b].len() + 64)).collect();
                unsafe { fused.run(level, Bases::new(&memory.pointers), share.clone(), scratch) };
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
                let wrong = (0..len).find(|&i| !agree(&got, want, i, rounded));
                let place = || format!("{name}, {len} elements, {}, {} shares", level.name(), shares.len());
                if let Some(i) = wrong {
                    panic!("{}: output {o} at {i} needs {:?}, got {:?}", place(), want.number(i), got.number(i));
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

/// Adam with its moments: `w m v g`, and alpha, one number.
fn adam() -> Vec<Instruction> {
    let number = |x: f64| constant(DType::F32, x);
    vec![
        f32s(Binary::Sub, &[In(3), In(1)]),
        f32s(Binary::Mul, &[Reg(0), number(0.1)]),
        f32s(Binary::Add, &[In(1), Reg(1)]),
        f32s(Binary::Mul, &[In(3), In(3)]),
        f32s(Binary::Sub, &[Reg(3), In(2)]),
        f32s(Binary::Mul, &[Reg(4), number(0.001)]),
        f32s(Binary::Add, &[In(2), Reg(5)]),
        f32s(Binary::Mul, &[Reg(2), In(4)]),
        f32s(Unary::Sqrt, &[Reg(6)]),
        f32s(Binary::Add, &[Reg(8), number(1e-7)]),
        f32s(Binary::Div, &[Reg(7), Reg(9)]),
        f32s(Binary::Sub, &[In(0), Reg(10)]),
    ]
}

#[test]
fn chains() {
    for len in [1, 16, 100, 1000].into_iter().take(FEW) {
        let mut inputs = rows(&[DType::F32; 4], len);
        inputs.push(Source::Memory(numbers(DType::F32, 1, 0), 0, vec![Axis { size: len, step: 0 }]));
        check("Adam", len, &inputs, &adam(), &[11, 2, 6], &[(0, 0), (1, 1), (2, 2)]);
    }
    let inputs = rows(&[DType::F32, DType::F32, DType::F32, DType::Bool], 300);
    for a in Binary::ALL.iter().filter(|op| !matches!(op, Binary::And | Binary::Or)) {
        for b in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min] {
            for operands in [[Reg(0), In(2)], [In(2), Reg(0)], [Reg(0), Reg(0)]] {
                let code = [f32s(*a, &[In(0), In(1)]), f32s(b, &operands), f32s(Unary::Sqrt, &[Reg(1)])];
                check(&format!("{a:?} {b:?} {operands:?}"), 300, &inputs, &code, &[2], &[]);
            }
        }
    }
    for op in Compare::ALL {
        for choice in [[In(2), constant(DType::F32, 0.0)], [constant(DType::F32, -0.0), In(2)], [In(0), In(1)]] {
            let decided = [f32s(*op, &[In(0), In(1)]), f32s(Opcode::Select, &[Reg(0), choice[0], choice[1]])];
            check(&format!("where {op:?}"), 300, &inputs, &decided, &[1], &[]);
            check(&format!("where {op:?}, and the truth"), 300, &inputs, &decided, &[1, 0], &[(0, 2)]);
        }
    }
}

/// A random stream that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Programs made by chance of exact operations on singles, doubles, whole numbers and truths.
#[test]
fn random_programs() {
    use Unary::{Abs, Neg, Not, Relu, Sign, Sqrt};
    let operations: Vec<(Opcode, DType)> = every_operation()
        .into_iter()
        .filter(|(code, dtype)| {
            let kept = matches!(dtype, DType::Bool | DType::I32 | DType::F32 | DType::F64);
            let to = |code: &Opcode| !matches!(code, Opcode::Cast(to) if !matches!(to, DType::Bool | DType::F32));
            let exact = match code {
                Opcode::Unary(op) => matches!(op, Abs | Neg | Not | Relu | Sign | Sqrt),
                Opcode::Binary(op) => *op != Binary::Pow,
                _ => true,
            };
            kept && exact && to(code) && !matches!((code, dtype), (Opcode::Binary(Binary::Div), DType::I32))
        })
        .collect();
    let singles: Vec<_> = operations.iter().copied().filter(|(_, dtype)| *dtype == DType::F32).collect();
    for seed in 0..if cfg!(miri) { 5 } else { 600 } {
        let mut dice = Dice(seed);
        let len = [1, 10, 33, 130, 300, 777][dice.roll(6)];
        let dtypes = [DType::F32, DType::F32, DType::Bool, DType::F64, DType::I32, DType::F32];
        let inputs = rows(&dtypes, len);
        let mut code: Vec<Instruction> = Vec::new();
        for k in 0..1 + dice.roll(24) {
            let all = if dice.roll(3) > 0 { &singles } else { &operations };
            let (op, dtype) = all[dice.roll(all.len())];
            let probe = Instruction::new(op, dtype, &[Constant(0)]);
            let mut operand = |needed: DType| {
                let registers = (0..k).rev().filter(|&r| code[r].result() == needed).map(|r| Reg(r as u16));
                let read = (0..dtypes.len()).filter(|&i| dtypes[i] == needed).map(|i| In(i as u16));
                let near: Vec<Operand> = registers.take(3).chain(read).chain([constant(needed, 1.0)]).collect();
                near[dice.roll(near.len())]
            };
            let operands: Vec<Operand> = (0..op.arity()).map(|i| operand(probe.operand_type(i))).collect();
            code.push(Instruction::new(op, dtype, &operands));
        }
        let mut outputs: Vec<u16> = (0..code.len() as u16).filter(|_| dice.roll(4) == 0).collect();
        outputs.push(code.len() as u16 - 1);
        let mut place: Vec<(usize, usize)> = Vec::new();
        for (o, &r) in outputs.iter().enumerate() {
            let i = dice.roll(dtypes.len());
            if dtypes[i] == code[usize::from(r)].result() && place.iter().all(|&(_, taken)| taken != i) {
                place.push((o, i));
            }
        }
        check(&format!("seed {seed}: {code:?} -> {outputs:?} over {place:?}"), len, &inputs, &code, &outputs, &place);
    }
}

#[test]
fn registers_are_used_again() {
    // A chain of forty sums, each of the two before: three registers suffice.
    let before = |k: u16, n: u16| if k >= n { Reg(k - n) } else { In(0) };
    let code: Vec<Instruction> = (0..40).map(|k| f32s(Binary::Add, &[before(k, 2), before(k, 1)])).collect();
    let inputs = [Source::row(Array::from_fn(&Type::f32([700]), |i| i as f64 * 0.01))];
    check("sums", 700, &inputs, &code, &[39], &[]);
    let program = program(&code, &[39], &[700]);
    assert!(Fused::new(&program).unwrap().scratch <= 4 * 256 * 4 + 1024);
}

/// A program of one input and its outputs, each segment in buffers of its own.
fn program(code: &[Instruction], outputs: &[u16], lens: &[usize]) -> Program {
    let each = 1 + outputs.len() as u32;
    let segment = |(k, &len): (usize, &usize)| Segment {
        len,
        inputs: vec![Input::Memory(Strided {
            span: Span { base: k as u32 * each, at: 0 },
            axes: [Axis { size: len, step: 1 }].into(),
        })],
        outputs: (1..each).map(|o| Span { base: k as u32 * each + o, at: 0 }).collect(),
    };
    let segments = lens.iter().enumerate().map(segment).collect();
    Program { inputs: vec![DType::F32], code: code.to_vec(), outputs: outputs.to_vec(), segments }
}

#[test]
fn segments() {
    let code = [f32s(Binary::Add, &[In(0), constant(DType::F32, 1.0)]), f32s(Unary::Exp, &[Reg(0)])];
    let lens = [5, 0, 300, 1, 64];
    let fused = Fused::new(&program(&code, &[0, 1], &lens)).unwrap();
    assert_eq!(fused.len(), 370);
    let arrays: Vec<Array> = lens.iter().map(|&len| numbers(DType::F32, len, len)).collect();
    let want: Vec<Vec<Array>> =
        arrays.iter().map(|array| expected(&[Source::row(array.clone())], &code, &[0, 1], array.len())).collect();
    for level in Level::all() {
        let contents =
            arrays.iter().flat_map(|array| [bytes(array), vec![0; 4 * array.len()], vec![0; 4 * array.len()]]);
        let memory = Memory::new(&contents.collect::<Vec<_>>());
        let mut scratch = vec![[0u64; 8]; fused.scratch() / 64 + 2];
        let scratch = scratch.as_mut_ptr().cast::<u8>();
        let scratch = scratch.wrapping_add(scratch.align_offset(64));
        for share in [290..370, 0..3, 3..290] {
            unsafe { fused.run(level, Bases::new(&memory.pointers), share, scratch) };
        }
        for (k, want) in want.iter().enumerate() {
            for (o, want) in want.iter().enumerate() {
                let got = array(DType::F32, &memory.read(3 * k + 1 + o, 4 * lens[k]));
                assert!((0..lens[k]).all(|i| agree(&got, want, i, o == 1)), "segment {k}, {}", level.name());
            }
        }
    }
}

#[test]
fn mistakes_are_named() {
    let neg = f32s(Unary::Neg, &[In(0)]);
    let good = program(&[neg], &[0], &[20, 20]);
    let said = |change: fn(&mut Program)| {
        let mut program = good.clone();
        change(&mut program);
        Fused::new(&program).unwrap_err().message().to_owned()
    };
    let register = said(|program| program.code[0].operands[0] = Reg(0));
    assert_eq!(register, "operand 0 of instruction 0 needs f32, got one that is not there");
    assert_eq!(said(|program| program.inputs[0] = DType::I8), "operand 0 of instruction 0 needs f32, got i8");
    assert_eq!(said(|program| program.outputs[0] = 1), "an output needs one of 1 registers, got 1");
    assert_eq!(said(|program| program.segments[1].len = 3), "input 0 of segment 1 needs 3 elements, got 20");
    let missing = said(|program| program.segments[1].outputs.clear());
    assert_eq!(missing, "segment 1 needs [1, 1] inputs and outputs, got [1, 0]");
    let over = said(|program| program.segments[0].outputs[0] = Span { base: 0, at: 16 });
    assert_eq!(over, "input 0 of segment 0 needs to lie where an output does, or apart, got an overlap");
    let other = said(|program| program.segments[1].outputs[0] = Span { base: 0, at: 0 });
    assert_eq!(other, "input 0 of segment 0 needs to lie where an output does, or apart, got an overlap");
    let twice = said(|program| program.segments[1].outputs[0] = Span { base: 1, at: 76 });
    assert_eq!(twice, "outputs of segments 0 and 1 need memory apart, got an overlap");
}
