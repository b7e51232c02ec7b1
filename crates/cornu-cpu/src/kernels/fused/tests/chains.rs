//! What goes on in registers, what is put off, and what is done to several values.

use super::*;

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
        for row in [1, 2, 5, 8, 16, 32, len] {
            let rate = numbers(DType::F32, row, 0);
            inputs[4] = match row == len {
                true => Source::row(rate),
                false => Source::Memory(rate, 0, vec![Axis { size: len, step: 0 }, Axis { size: row, step: 1 }]),
            };
            let (what, len) = (format!("Adam at rates {row}"), if row == len { len } else { len * row });
            inputs.splice(..4, rows(&[DType::F32; 4], len));
            check(&what, len, &inputs, &adam(), &[11, 2, 6], &[(0, 0), (1, 1), (2, 2)]);
        }
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

/// Operations that are rounded in one way, on singles, doubles, whole numbers and truths.
fn exact_operations() -> Vec<(Opcode, DType)> {
    let exact = |&(code, dtype): &(Opcode, DType)| {
        let kept = matches!(dtype, DType::Bool | DType::I32 | DType::F32 | DType::F64);
        let to = !matches!(code, Opcode::Cast(to) if !matches!(to, DType::Bool | DType::F32));
        kept && to && !is_rounded(code)
    };
    every_operation().into_iter().filter(exact).collect()
}

/// Programs made by chance of exact operations on singles, doubles, whole numbers and truths.
#[test]
fn random_programs() {
    let operations = exact_operations();
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
        inputs: vec![Input::Memory(Strided::whole(Span::of(k as u32 * each), len))],
        outputs: (1..each).map(|o| Strided::whole(Span::of(k as u32 * each + o), len)).collect(),
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
        let scratch = Buffer::new("a test", fused.scratch()).unwrap();
        for share in [290..370, 0..3, 3..290] {
            unsafe { fused.run(level, Bases::new(&memory.pointers), share, scratch.start()) };
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
    let over = said(|program| program.segments[0].outputs[0].span = Span { base: 0, at: 16 });
    assert_eq!(over, "input 0 of segment 0 needs to lie where an output does, or apart, got an overlap");
    let other = said(|program| program.segments[1].outputs[0].span = Span::of(0));
    assert_eq!(other, "input 0 of segment 0 needs to lie where an output does, or apart, got an overlap");
    let twice = said(|program| program.segments[1].outputs[0].span = Span { base: 1, at: 76 });
    assert_eq!(twice, "outputs of segments 0 and 1 need memory apart, got an overlap");
}

/// Zeros of both signs, infinities, not-a-number, the least, largest and subnormal numbers: each against each.
#[test]
fn edges() {
    const TINY: [f64; 6] = [1e-45, -1e-45, 1e-40, -1.175_494e-38, 5e-324, -1e-310];
    let least = f64::from(f32::MIN_POSITIVE);
    let others = [0.0, -0.0, 1.0, -1.0, 0.5, least, -least, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY];
    let others = [&others[..], &[f32::MAX.into(), f32::MIN.into(), f64::NAN]].concat();
    let all = [&others[..], &TINY].concat();
    for (code, dtype) in every_operation().into_iter().filter(|(_, dtype)| *dtype >= DType::F32) {
        // The functions of `math` are stated for numbers that are not subnormal.
        let kinds = if is_rounded(code) { &others } else { &all };
        let (n, len) = (kinds.len(), kinds.len() * kinds.len());
        let values = |place: &dyn Fn(usize) -> usize| {
            Source::row(Array::from_fn(&Type::new(dtype, [len]), |i| kinds[place(i) % n]))
        };
        let mut inputs = vec![values(&|i| i / n), values(&|i| i), values(&|i| i * 7 + 3)];
        if code == Opcode::Select {
            inputs[0] = Source::row(numbers(DType::Bool, len, 1));
        }
        inputs.truncate(code.arity());
        let operands: Vec<Operand> = (0..inputs.len()).map(|i| In(i as u16)).collect();
        check(&format!("{code:?} of {dtype}"), len, &inputs, &[Instruction::new(code, dtype, &operands)], &[0], &[]);
    }
}
