//! Times of matrix products: `cargo bench --package cornu-cpu --bench dot`. Items are operations: two for each product
//! that is added.

use cornu_cpu::kernels::dot::Slices as Dot;
use cornu_cpu::kernels::simd::Level;
use cornu_cpu::kernels::threads::Threads;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

#[path = "common/memory.rs"]
mod memory;
use memory::Memory;

fn main() {
    divan::main();
}

/// `m`, `k`, `n`, transposed `a`, transposed `b`.
type Product = (usize, usize, usize, bool, bool);

const PRODUCTS: [Product; 24] = [
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
];

/// A product on one level and number of threads.
struct Case {
    product: Product,
    level: Level,
    threads: usize,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (m, k, n, transpose_a, transpose_b) = self.product;
        let mark = |transposed, mark| if transposed { mark } else { "" };
        let (a, b) = (mark(transpose_a, " Aᵀ"), mark(transpose_b, " Bᵀ"));
        write!(f, "{m},{k},{n}{a}{b} {} {}", self.level.name(), self.threads)
    }
}

fn cases() -> Vec<Case> {
    let best = Level::detect();
    let of = |product| {
        let alone = Level::all().into_iter().rev().map(move |level| Case { product, level, threads: 1 });
        alone.chain([Case { product, level: best, threads: 2 }])
    };
    PRODUCTS.into_iter().flat_map(of).collect()
}

#[divan::bench(args = cases())]
fn product(bencher: Bencher, case: &Case) {
    let (m, k, n, transpose_a, transpose_b) = case.product;
    let dot = Dot::new(case.level, m, k, n, transpose_a, transpose_b);
    let threads = Threads::new(case.threads);
    let [mut a, mut b, mut out, mut scratch] = [m * k, k * n, m * n, dot.scratch()].map(Memory::new);
    let [a, b, out, scratch] = [&mut a, &mut b, &mut out, &mut scratch].map(Memory::floats);
    let bencher = bencher.counter(ItemsCount::new(2 * m * k * n));
    bencher.bench_local(|| dot.run(Some(&threads), black_box(a), black_box(b), out, scratch));
}

/// What it costs to hand half of nothing to another thread, and to wait for it.
#[divan::bench]
fn region(bencher: Bencher) {
    let threads = Threads::new(2);
    bencher.bench_local(|| threads.run(2, &|part| _ = black_box(part)));
}
