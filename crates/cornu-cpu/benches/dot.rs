//! Times of matrix products: `cargo bench --package cornu-cpu --bench dot`. Items are operations: two for each product
//! that is added.
#![allow(unsafe_code)]

use cornu_cpu::kernels::dot::Product;
use cornu_cpu::kernels::memory::Buffer;
use cornu_cpu::kernels::operand::{Bases, Span};
use cornu_cpu::kernels::simd::Level;
use cornu_cpu::kernels::threads::{Threads, share};
use cornu_graph::DType;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// `m`, `k`, `n`, transposed `a`, transposed `b`.
type Sizes = (usize, usize, usize, bool, bool);

const PRODUCTS: [Sizes; 25] = [
    // The most that a core can do: one tile, in the nearest cache.
    (12, 192, 32, false, false),
    // The lessons' models, forward and back.
    (10, 8, 12, false, false),
    (10, 12, 8, false, false),
    (10, 8, 1, false, false),
    (8, 10, 12, true, false),
    (12, 10, 8, true, false),
    (8, 10, 1, true, false),
    (10, 8, 12, false, true),
    (32, 784, 128, false, false),
    (784, 32, 128, true, false),
    (32, 128, 784, false, true),
    (32, 128, 10, false, false),
    (128, 32, 10, true, false),
    (32, 10, 128, false, true),
    // One row, one column.
    (1, 784, 128, false, false),
    (1, 128, 784, false, true),
    (32, 128, 1, false, false),
    // Large ones.
    (128, 512, 512, false, false),
    (512, 512, 512, false, false),
    (512, 512, 512, true, false),
    (512, 512, 512, false, true),
    (1024, 1024, 1024, false, false),
    (1024, 1024, 1024, true, false),
    (1024, 1024, 1024, false, true),
    // The gradient of a weight, over many rows.
    (128, 3200, 512, true, false),
];

/// A product on one level and number of threads.
struct Case {
    sizes: Sizes,
    level: Level,
    threads: usize,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (m, k, n, transpose_a, transpose_b) = self.sizes;
        let mark = |transposed, mark| if transposed { mark } else { "" };
        let (a, b) = (mark(transpose_a, " Aᵀ"), mark(transpose_b, " Bᵀ"));
        write!(f, "{m},{k},{n}{a}{b} {} {}", self.level.name(), self.threads)
    }
}

fn cases() -> Vec<Case> {
    let best = Level::detect();
    let of = |sizes| {
        let alone = Level::all().into_iter().rev().map(move |level| Case { sizes, level, threads: 1 });
        alone.chain([Case { sizes, level: best, threads: 2 }])
    };
    PRODUCTS.into_iter().flat_map(of).collect()
}

/// Some products of elements of that type.
fn time(bencher: Bencher, dtype: DType, batch: usize, case: &Case, sums: bool) {
    time_in_turn(bencher, dtype, batch, case, sums, 1);
}

/// The same with each of `sets` sets of operands in turn: the caches do not hold many.
fn time_in_turn(bencher: Bencher, dtype: DType, batch: usize, case: &Case, sums: bool, sets: usize) {
    let (m, k, n, transpose_a, transpose_b) = case.sizes;
    let [a, b, out, at] = [0, 1, 2, 3].map(|base| Span { base, at: 0 });
    let mut product = Product::new([a, b, out], batch, [m, k, n], [transpose_a, transpose_b]);
    product.sums = sums.then_some(at);
    let (kernel, threads) = (product.kernel(dtype, case.level), Threads::new(case.threads));
    let own = kernel.scratch().next_multiple_of(128);
    let bytes = [batch * m * k, batch * k * n, batch * m * n, n].map(|elements| elements * dtype.size());
    let set = || bytes.map(|bytes| Buffer::new("a bench", bytes).expect("memory"));
    let buffers: Vec<[Buffer; 4]> = (0..sets).map(|_| set()).collect();
    let starts: Vec<[*mut u8; 4]> = buffers.iter().map(|set| set.each_ref().map(Buffer::start)).collect();
    let scratch = Buffer::new("a bench", own * case.threads).expect("memory");
    // SAFETY: the buffers are as large as the product needs.
    let mut bases = starts.iter().map(|starts| unsafe { Bases::new(starts) }).cycle();
    let parts = case.threads.min(kernel.units() / kernel.grain()).max(1);
    bencher.counter(ItemsCount::new(2 * batch * m * k * n)).bench_local(|| {
        let bases = bases.next().expect("sets go on for ever");
        // SAFETY: each part has other units, and its own scratch memory.
        threads.run(parts, &|part, parts| unsafe {
            let units = share(kernel.units(), part, parts);
            kernel.run(case.level, bases, units, scratch.start().wrapping_add(own * part));
        });
    });
}

#[divan::bench(args = cases())]
fn product(bencher: Bencher, case: &Case) {
    time(bencher, DType::F32, 1, case, false);
}

/// The gradient of a weight with that of its bias.
#[divan::bench(args = [1, 2])]
fn with_sums(bencher: Bencher, threads: usize) {
    let case = Case { sizes: (128, 3200, 512, true, false), level: Level::detect(), threads };
    time(bencher, DType::F32, 1, &case, true);
}

/// The same with operands that no cache holds: eight megabytes each time.
#[divan::bench(args = [1, 2])]
fn with_sums_from_memory(bencher: Bencher, threads: usize) {
    let case = Case { sizes: (128, 3200, 512, true, false), level: Level::detect(), threads };
    time_in_turn(bencher, DType::F32, 1, &case, true, 16);
}

/// Many small products.
#[divan::bench(args = [1, 2])]
fn batched(bencher: Bencher, threads: usize) {
    let case = Case { sizes: (32, 64, 32, false, false), level: Level::detect(), threads };
    time(bencher, DType::F32, 256, &case, false);
}

#[divan::bench(args = ["f32", "f64", "i8", "i16", "i32", "i64"])]
fn element_types(bencher: Bencher, dtype: &str) {
    let case = Case { sizes: (256, 256, 256, false, false), level: Level::detect(), threads: 1 };
    time(bencher, dtype.parse().expect("a type"), 1, &case, false);
}

/// What it costs to hand half of nothing to another thread, and to wait for it.
#[divan::bench]
fn region(bencher: Bencher) {
    let threads = Threads::new(2);
    bencher.bench_local(|| threads.run(2, &|part, _| _ = black_box(part)));
}
