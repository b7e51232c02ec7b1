#![allow(unsafe_code)]
//! Times of reductions and copies: `cargo bench --package cornu-cpu --bench moves`. The argument is the number of threads.

use cornu_cpu::kernels::fold::Reduce;
use cornu_cpu::kernels::moves::{Along, Move};
use cornu_cpu::kernels::operand::{Bases, Kernel, Span};
use cornu_cpu::kernels::simd::Level;
use cornu_cpu::kernels::threads::{Threads, share};
use cornu_graph::Type;
use cornu_graph::ops::Reduction;
use divan::Bencher;
use divan::counter::BytesCount;

#[path = "common/memory.rs"]
mod memory;
use memory::Memory;

const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

fn spans() -> [Span; 2] {
    [0, 1].map(|base| Span { base, at: 0 })
}

/// Runs kernels one after the other, over an operand of that many bytes, on that many threads.
fn time(bencher: Bencher, threads: usize, bytes: usize, kernels: &[&(dyn Kernel + Sync)]) {
    let (level, threads) = (Level::detect(), Threads::new(threads));
    let (mut from, mut to, mut parts) = (Memory::new(bytes / 4), Memory::new(bytes / 4), Memory::new(bytes / 4));
    from.floats().iter_mut().enumerate().for_each(|(i, x)| *x = (i % 977) as f32);
    let pointers = [&mut from, &mut to, &mut parts].map(|memory| memory.floats().as_mut_ptr().cast());
    // SAFETY: the memory lives as long as the benchmark.
    let bases = unsafe { Bases::new(&pointers) };
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        for kernel in kernels {
            let count = threads.count().min(kernel.units() / kernel.grain()).max(1);
            threads.run(count, &|part| {
                // SAFETY: operand, result and parts have as many bytes as the largest of them.
                unsafe { kernel.run(level, bases, share(kernel.units(), part, count), std::ptr::null_mut()) };
            });
        }
    });
}

fn reduce(bencher: Bencher, threads: usize, kind: Reduction, shape: &[usize], axes: &[usize]) {
    let ty = Type::f32(shape.to_vec());
    let reduce = Reduce::new(kind, &ty, axes, spans());
    if reduce.parts() == 0 {
        return time(bencher, threads, ty.size() * 4, &[&reduce]);
    }
    let [first, second] = reduce.in_parts(Span { base: 2, at: 0 });
    time(bencher, threads, ty.size() * 4, &[&first, &second]);
}

macro_rules! reductions {
    ($($name:ident $kind:ident $shape:expr, $axes:expr;)*) => {
        $(#[divan::bench(args = THREADS)]
        fn $name(bencher: Bencher, threads: usize) {
            reduce(bencher, threads, Reduction::$kind, &$shape, &$axes);
        })*
    };
}

reductions! {
    sum_of_channels_last Sum [32, 56, 56, 64], [0, 1, 2];
    sum_of_channels_first Sum [32, 64, 56, 56], [0, 2, 3];
    sum_of_rows Sum [4096, 1000], [1];
    maximum_of_rows Max [4096, 1000], [1];
    sum_of_short_rows Sum [4096, 128], [1];
    sum_of_columns Sum [4096, 128], [0];
    sum_of_few_columns Sum [10, 12], [0];
    sum_of_classes Sum [32, 10], [1];
}

/// An array of that shape with elements of that many bytes, turned.
fn transpose(bencher: Bencher, threads: usize, width: usize, shape: &[usize], order: &[usize]) {
    let step = |sizes: &[usize]| sizes.iter().product::<usize>() as isize;
    let sizes: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let axis = |(i, &axis): (usize, &usize)| Along { size: shape[axis], from: step(&shape[axis + 1..]), to: step(&sizes[i + 1..]) };
    let turn = Move::new(width, spans(), order.iter().enumerate().map(axis));
    time(bencher, threads, step(shape) as usize * width, &[&turn]);
}

macro_rules! transposes {
    ($($name:ident $width:literal $shape:expr, $order:expr;)*) => {
        $(#[divan::bench(args = THREADS)]
        fn $name(bencher: Bencher, threads: usize) {
            transpose(bencher, threads, $width, &$shape, &$order);
        })*
    };
}

transposes! {
    copy_of_8_mb 4 [32, 128, 8, 64], [0, 1, 2, 3];
    heads_to_the_front 4 [32, 128, 8, 64], [0, 2, 1, 3];
    copy_of_16_mb 4 [2048, 2048], [0, 1];
    matrix_turned 4 [2048, 2048], [1, 0];
    copy_of_4_mb 1 [2048, 2048], [0, 1];
    bytes_turned 1 [2048, 2048], [1, 0];
    few_rows_turned 4 [10, 8], [1, 0];
}

/// Ten rows of eight from the middle of wider ones.
#[divan::bench]
fn few_columns(bencher: Bencher) {
    let cut = [Along { size: 10, from: 12, to: 8 }, Along { size: 8, from: 1, to: 1 }];
    time(bencher, 1, 4 * 120, &[&Move::new(4, spans(), cut)]);
}
