//! Times of element-wise programs: `cargo bench -p cornu-cpu --bench fused`. Best of many runs, on every level.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::time::Instant;

use cornu_cpu::kernels::fused::{Fused, Input, Instruction, Opcode, Operand, Output, Program};
use cornu_cpu::kernels::simd::Level;

use Operand::{Constant, Input as In, Register as Reg};

const PARAMETERS: usize = 100_352;

fn main() {
    for level in Level::all() {
        println!("{}", level.name());
        let names = [Opcode::Add, Opcode::Max, Opcode::Select, Opcode::Div, Opcode::Exp, Opcode::Log, Opcode::Tanh];
        for len in [10, 256, 4096] {
            for op in names {
                let each = per_instruction(level, len, op);
                println!("  {len:>5} elements, {:<8} {each:7.2} ns an instruction", format!("{op:?}"));
            }
            println!("  {len:>5} elements, {:<8} {:7.2} ns a run", "relu", relu(level, len));
        }
        for shape in [(10, 12), (32, 128), (32, 784), (32, 10)] {
            let (row, column) = (bias(level, shape, Input::Row), bias(level, shape, Input::Column));
            println!("  {shape:?} plus a row {row:.1} ns, plus a column {column:.1} ns a run");
        }
        for len in [1, 96, 221, PARAMETERS] {
            println!("  Adam over {len}: {:.1} ns", adam(level, len));
        }
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        println!("Adam by hand over {PARAMETERS}, AVX-512: {:.1} ns", by_hand::time(PARAMETERS));
    }
}

/// Nanoseconds of one call: the best of many batches.
fn best(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    f();
    let calls = (20_000_000 / (start.elapsed().as_nanos() + 1) / 50).clamp(1, 20_000) as u32;
    let batch = |f: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| f());
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    (0..200).map(|_| batch(&mut f)).fold(f64::INFINITY, f64::min)
}

/// Floats at a multiple of 64 bytes.
struct Memory(Vec<f32>, usize);

impl Memory {
    fn new(len: usize) -> Memory {
        let floats: Vec<f32> = (0..len + 16).map(|i| 0.01 + (i % 17) as f32 * 0.05).collect();
        let skip = floats.as_ptr().align_offset(64);
        Memory(floats, skip)
    }

    fn floats(&mut self) -> &mut [f32] {
        &mut self.0[self.1..]
    }
}

/// Nanoseconds of one run of a program.
fn time(level: Level, program: &Program, len: usize) -> f64 {
    let fused = Fused::new(program, len).expect("a right program");
    let (mut arena, mut scratch) = (Memory::new(len), Memory::new(fused.scratch()));
    let (arena, scratch) = (arena.floats(), scratch.floats());
    best(|| black_box(&fused).run(level, arena, scratch))
}

fn program(shape: (usize, usize), inputs: Vec<Input>, code: Vec<Instruction>, outputs: &[(Operand, usize)]) -> Program {
    let outputs = outputs.iter().map(|&(from, at)| Output { from, at }).collect();
    Program { rows: shape.0, cols: shape.1, inputs, code, outputs }
}

/// The cost of one more instruction in a chain: each works on the result before and an input.
fn per_instruction(level: Level, len: usize, op: Opcode) -> f64 {
    let stride = len.next_multiple_of(16);
    let chain = |count: u16| {
        let code =
            (0..count).map(|k| Instruction { op, a: if k > 0 { Reg(k - 1) } else { In(0) }, b: In(1), c: In(0) });
        let inputs = vec![Input::Full(0), Input::Full(stride)];
        time(level, &program((1, len), inputs, code.collect(), &[(Reg(count - 1), 2 * stride)]), 3 * stride)
    };
    (chain(22) - chain(2)) / 20.0
}

fn relu(level: Level, len: usize) -> f64 {
    let stride = len.next_multiple_of(16);
    let code = vec![Instruction::binary(Opcode::Max, In(0), Constant(0.0))];
    time(level, &program((1, len), vec![Input::Full(0)], code, &[(Reg(0), stride)]), 2 * stride)
}

fn bias(level: Level, (rows, cols): (usize, usize), kind: fn(usize) -> Input) -> f64 {
    let stride = (rows * cols).next_multiple_of(16);
    let code = vec![Instruction::binary(Opcode::Add, In(0), In(1))];
    let inputs = vec![Input::Full(0), kind(stride)];
    time(level, &program((rows, cols), inputs, code, &[(Reg(0), 0)]), 2 * stride)
}

/// m += (g - m) c1; v += (g g - v) c2; w -= (m alpha) / (sqrt(v) + eps)
fn adam(level: Level, len: usize) -> f64 {
    let stride = len.next_multiple_of(16);
    let inputs = (0..4).map(|k| Input::Full(k * stride)).chain([Input::Scalar(4 * stride)]).collect();
    let binary = Instruction::binary;
    let code = vec![
        binary(Opcode::Sub, In(3), In(0)),
        binary(Opcode::Mul, Reg(0), Constant(1.0 - 0.9)),
        binary(Opcode::Add, In(0), Reg(1)),
        binary(Opcode::Mul, In(3), In(3)),
        binary(Opcode::Sub, Reg(3), In(1)),
        binary(Opcode::Mul, Reg(4), Constant(1.0 - 0.999)),
        binary(Opcode::Add, In(1), Reg(5)),
        binary(Opcode::Mul, Reg(2), In(4)),
        Instruction::unary(Opcode::Sqrt, Reg(6)),
        binary(Opcode::Add, Reg(8), Constant(1e-7)),
        binary(Opcode::Div, Reg(7), Reg(9)),
        binary(Opcode::Sub, In(2), Reg(10)),
    ];
    let outputs = [(Reg(2), 0), (Reg(6), stride), (Reg(11), 2 * stride)];
    time(level, &program((1, len), inputs, code, &outputs), 4 * stride + 16)
}

#[cfg(target_arch = "x86_64")]
mod by_hand {
    //! What the interpreter is measured against.

    use std::arch::x86_64::*;

    /// # Safety
    /// The machine has AVX-512, and each pointer has `len` floats, a multiple of sixteen.
    #[target_feature(enable = "avx512f")]
    unsafe fn adam(m: *mut f32, v: *mut f32, w: *mut f32, g: *const f32, alpha: f32, len: usize) {
        let (c1, c2) = (_mm512_set1_ps(1.0 - 0.9), _mm512_set1_ps(1.0 - 0.999));
        let (alpha, eps) = (_mm512_set1_ps(alpha), _mm512_set1_ps(1e-7));
        for i in (0..len).step_by(16) {
            // SAFETY: the caller promises the memory.
            unsafe {
                let (x, y, z) = (_mm512_loadu_ps(g.add(i)), _mm512_loadu_ps(m.add(i)), _mm512_loadu_ps(v.add(i)));
                let y = _mm512_add_ps(y, _mm512_mul_ps(_mm512_sub_ps(x, y), c1));
                let z = _mm512_add_ps(z, _mm512_mul_ps(_mm512_sub_ps(_mm512_mul_ps(x, x), z), c2));
                let step = _mm512_div_ps(_mm512_mul_ps(y, alpha), _mm512_add_ps(_mm512_sqrt_ps(z), eps));
                _mm512_storeu_ps(m.add(i), y);
                _mm512_storeu_ps(v.add(i), z);
                _mm512_storeu_ps(w.add(i), _mm512_sub_ps(_mm512_loadu_ps(w.add(i)), step));
            }
        }
    }

    pub(super) fn time(len: usize) -> f64 {
        let mut memory = super::Memory::new(4 * len);
        let p = memory.floats().as_mut_ptr();
        // SAFETY: AVX-512 was looked for, and the memory holds four spans of `len`.
        super::best(|| unsafe { adam(p, p.add(len), p.add(2 * len), p.add(3 * len), 0.001, len) })
    }
}
