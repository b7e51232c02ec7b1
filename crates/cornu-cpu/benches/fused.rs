#![allow(unsafe_code, missing_docs)]
use Operand::{Constant, Input as In, Register as Reg};
use cornu_cpu::kernels::fused::{Fused, Input, Instruction, Opcode, Operand, Program, Segment};
use cornu_cpu::kernels::operand::{Axis, Bases, Kernel, Span, Strided};
use cornu_cpu::kernels::simd::Level;
use cornu_graph::DType;
use cornu_graph::ops::{Binary, Unary};
use divan::Bencher;

fn main() {
    divan::main();
}

fn time(
    bencher: Bencher,
    dtypes: &[DType],
    len: usize,
    scalars: usize,
    code: Vec<Instruction>,
    outputs: &[u16],
    over: &[Option<usize>],
) {
    let level = Level::detect();
    let mut memory: Vec<Vec<[u64; 8]>> = Vec::new();
    let mut ptr = Vec::new();
    let sizes = dtypes.iter().map(|d| d.size()).chain(outputs.iter().map(|&r| code[r as usize].result().size()));
    for (k, size) in sizes.enumerate() {
        let mut v = vec![[0u64; 8]; len * size / 64 + 40];
        let p = v.as_mut_ptr().cast::<u8>();
        let p = p.wrapping_add(p.align_offset(64) + k * 64 * 5);
        if k < dtypes.len() {
            for i in 0..len {
                unsafe {
                    match dtypes[k] {
                        DType::F32 => *p.cast::<f32>().add(i) = 0.01 + ((i + k) % 17) as f32 * 0.05,
                        DType::F64 => *p.cast::<f64>().add(i) = 0.01 + ((i + k) % 17) as f64 * 0.05,
                        DType::Bool => *p.add(i) = (i * 7 + k) as u8 % 3 / 2,
                        DType::I64 => *p.cast::<i64>().add(i) = (i % 100) as i64,
                        _ => *p.cast::<i32>().add(i) = (i % 100) as i32,
                    }
                }
            }
        }
        memory.push(v);
        ptr.push(p);
    }
    let n = dtypes.len();
    let inputs = (0..n)
        .map(|i| {
            Input::Memory(Strided {
                span: Span { base: i as u32, at: 0 },
                axes: [Axis { size: len, step: isize::from(i < n - scalars) }].into(),
            })
        })
        .collect();
    let outs = (0..outputs.len())
        .map(|o| Span { base: over.get(o).copied().flatten().unwrap_or(n + o) as u32, at: 0 })
        .collect();
    let p = Program {
        inputs: dtypes.to_vec(),
        code,
        outputs: outputs.to_vec(),
        segments: vec![Segment { len, inputs, outputs: outs }],
    };
    let fused = Fused::new(&p).unwrap();
    let mut scratch = vec![[0u64; 8]; fused.scratch() / 64 + 2];
    let s = scratch.as_mut_ptr().cast::<u8>();
    let s = s.wrapping_add(s.align_offset(64));
    bencher.bench_local(|| unsafe { fused.run(level, Bases::new(&ptr), 0..len, s) });
}
fn c(x: f32) -> Operand {
    Constant(u64::from(x.to_bits()))
}
fn adam_code(extra: bool) -> Vec<Instruction> {
    let f = |op: Opcode, a: &[Operand]| Instruction::new(op, DType::F32, a);
    let b = |op: Binary, x, y| f(op.into(), &[x, y]);
    let mut code = vec![
        b(Binary::Sub, In(3), In(1)),
        b(Binary::Mul, Reg(0), c(0.1)),
        b(Binary::Add, In(1), Reg(1)),
        b(Binary::Mul, In(3), In(3)),
        b(Binary::Sub, Reg(3), In(2)),
        b(Binary::Mul, Reg(4), c(0.001)),
        b(Binary::Add, In(2), Reg(5)),
        b(Binary::Mul, Reg(2), In(4)),
        f(Unary::Sqrt.into(), &[Reg(6)]),
        b(Binary::Add, Reg(8), c(1e-7)),
        b(Binary::Div, Reg(7), Reg(9)),
        b(Binary::Sub, In(0), Reg(10)),
    ];
    if extra {
        // clipnorm's factor and weight decay
        code = vec![
            b(Binary::Mul, In(3), In(5)),
            b(Binary::Mul, In(0), c(1e-5)),
            b(Binary::Sub, In(0), Reg(1)),
            b(Binary::Sub, Reg(0), In(1)),
            b(Binary::Mul, Reg(3), c(0.1)),
            b(Binary::Add, In(1), Reg(4)),
            b(Binary::Mul, Reg(0), Reg(0)),
            b(Binary::Sub, Reg(6), In(2)),
            b(Binary::Mul, Reg(7), c(0.001)),
            b(Binary::Add, In(2), Reg(8)),
            b(Binary::Mul, Reg(5), In(4)),
            f(Unary::Sqrt.into(), &[Reg(9)]),
            b(Binary::Add, Reg(11), c(1e-7)),
            b(Binary::Div, Reg(10), Reg(12)),
            b(Binary::Sub, Reg(2), Reg(13)),
        ];
    }
    code
}
const WEIGHTS: [usize; 4] = [10, 120, 221, 101_770];
#[divan::bench(consts = WEIGHTS, sample_size = 20)]
fn adam<const LEN: usize>(b: Bencher) {
    time(b, &[DType::F32; 5], LEN, 1, adam_code(false), &[11, 2, 6], &[Some(0), Some(1), Some(2)]);
}
#[divan::bench(consts = WEIGHTS, sample_size = 20)]
fn adam_clip<const LEN: usize>(b: Bencher) {
    time(b, &[DType::F32; 6], LEN, 2, adam_code(true), &[14, 5, 9], &[Some(0), Some(1), Some(2)]);
}

macro_rules! million { ($($name:ident $dtype:ident $op:expr, $n:literal;)*) => { $(
    #[divan::bench]
    fn $name(b: Bencher) {
        let op: Opcode = $op.into();
        let d = DType::$dtype;
        let dtypes = if op == Opcode::Select { vec![DType::Bool, d, d] } else { vec![d; $n] };
        let ops: Vec<Operand> = (0..dtypes.len()).map(|i| In(i as u16)).collect();
        time(b, &dtypes, 1 << 20, 0, vec![Instruction::new(op, d, &ops)], &[0], &[]);
    }
)* } }
million! {
    m_add_f32 F32 Binary::Add, 2; m_add_f64 F64 Binary::Add, 2; m_add_i64 I64 Binary::Add, 2; m_add_i32 I32 Binary::Add, 2;
    m_mul_f32 F32 Binary::Mul, 2; m_mul_f64 F64 Binary::Mul, 2; m_mul_i64 I64 Binary::Mul, 2; m_mul_i32 I32 Binary::Mul, 2;
    m_select_f32 F32 Opcode::Select, 3; m_select_f64 F64 Opcode::Select, 3; m_select_i64 I64 Opcode::Select, 3;
    m_and_bool Bool Binary::And, 2; m_select_bool Bool Opcode::Select, 3;
    m_exp_f32 F32 Unary::Exp, 1; m_exp_f64 F64 Unary::Exp, 1; m_log_f32 F32 Unary::Log, 1; m_log_f64 F64 Unary::Log, 1;
    m_tanh_f32 F32 Unary::Tanh, 1; m_tanh_f64 F64 Unary::Tanh, 1; m_erf_f64 F64 Unary::Erf, 1; m_logistic_f64 F64 Unary::Logistic, 1;
}
