//! Times of reductions, copies and what works row by row: `cargo bench --package cornu-cpu --bench rows`. The argument is
//! the number of threads; bytes are those of the operand.

use cornu_cpu::Cpu;
use cornu_graph::ops::Reduction;
use cornu_graph::{Array, DType, Executor, Tensor, Trace, Type};
use divan::Bencher;
use divan::counter::BytesCount;

const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

/// Runs what a function makes of an operand, and the gradient of what it makes of it, if that is asked for.
fn time(bencher: Bencher, threads: usize, ty: &Type, gradient: bool, body: impl Fn(&Tensor) -> Tensor) {
    let session = Cpu::new().threads(threads).open().expect("a session");
    let var = session.declare(ty.clone().into()).expect("memory");
    session.write(&[(var, &Array::from_fn(ty, |i| (i % 97) as f64 * 0.01))]).expect("of that type");
    let trace = Trace::new();
    let x = trace.var(var, ty.clone());
    let y = body(&x);
    let outputs = if gradient {
        let square = (&y * &y).sum_all();
        vec![cornu_graph::gradients(&square, &[x]).remove(0)]
    } else {
        vec![y]
    };
    let graph = trace.finish(&outputs, &[]).expect("a sound graph");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    bencher.counter(BytesCount::new(ty.bytes().unwrap_or(0))).bench_local(|| run.start(&[]).expect("a step"));
}

macro_rules! times {
    ($($name:ident $gradient:literal $dtype:ident $shape:expr, $body:expr;)*) => {
        $(#[divan::bench(args = THREADS)]
        fn $name(bencher: Bencher, threads: usize) {
            time(bencher, threads, &Type::new(DType::$dtype, $shape), $gradient, $body);
        })*
    };
}

times! {
    sum_of_channels_last false F32 [32, 56, 56, 64], |x| x.sum([0, 1, 2]);
    sum_of_channels_first false F32 [32, 64, 56, 56], |x| x.sum([0, 2, 3]);
    sum_of_rows false F32 [4096, 1000], |x| x.sum([1]);
    sum_of_columns false F32 [4096, 1000], |x| x.sum([0]);
    sum_of_few_columns false F32 [65536, 8], |x| x.sum([0]);
    sum_of_few_rows false F32 [2, 262144], |x| x.sum([1]);
    sum_of_all false F32 [4096, 1000], |x| x.sum_all();
    sum_of_all_in_cache false F32 [131072], |x| x.sum_all();
    sum_of_the_middle false F32 [64, 256, 250], |x| x.sum([1]);
    sum_of_rows_of_f64 false F64 [1024, 1000], |x| x.sum([1]);
    sum_of_rows_of_i32 false I32 [1024, 1000], |x| x.sum([1]);
    sum_of_rows_of_i64 false I64 [1024, 1000], |x| x.sum([1]);
    sum_of_rows_of_bf16 false Bf16 [1024, 1000], |x| x.sum([1]);
    maximum_of_rows false F32 [4096, 1000], |x| x.reduce(Reduction::Max, &[1]);
    maximum_of_columns false F32 [4096, 1000], |x| x.reduce(Reduction::Max, &[0]);
    maximum_of_all false F32 [4096, 1000], |x| x.reduce(Reduction::Max, &[0, 1]);
    maximum_of_the_middle false F32 [64, 256, 250], |x| x.reduce(Reduction::Max, &[1]);
    softmax false F32 [4096, 1000], |x| x.softmax(-1);
    softmax_short false F32 [4096, 128], |x| x.softmax(-1);
    softmax_back true F32 [4096, 128], |x| x.softmax(-1);
    layer_norm false F32 [4096, 128], normalized;
    layer_norm_back true F32 [4096, 128], normalized;
    heads_to_the_front false F32 [32, 128, 8, 64], |x| x.transpose(&[0, 2, 1, 3]);
    matrix_turned false F32 [2048, 2048], |x| x.transpose(&[1, 0]);
    matrix_copied false F32 [2048, 2048], |x| x.slice(&[0, 0], &[2047, 2048], &[1, 1]);
    bytes_turned false U8 [2048, 2048], |x| x.transpose(&[1, 0]);
    bytes_copied false U8 [2048, 2048], |x| x.slice(&[0, 0], &[2047, 2048], &[1, 1]);
}

fn normalized(x: &Tensor) -> Tensor {
    let mean = x.mean([-1]).reshape([4096, 1]);
    let variance = (x - &mean).square().mean([-1]).reshape([4096, 1]);
    (x - mean) / (variance + 1e-3).sqrt()
}
