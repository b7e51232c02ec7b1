//! Times of matrix products: `cargo bench -p cornu-cpu --bench dot`. The best of many runs, in a row with warm caches.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cornu_cpu::kernels::dot::Dot;
use cornu_cpu::kernels::simd::Level;
use cornu_cpu::kernels::threads::Threads;

/// `m`, `k`, `n`, transposed `a`, transposed `b`.
type Case = (usize, usize, usize, bool, bool);

const CASES: [Case; 32] = [
    (12, 128, 32, false, false),
    (10, 8, 12, false, false),
    (10, 12, 8, false, false),
    (10, 8, 1, false, false),
    (8, 10, 12, true, false),
    (12, 10, 8, true, false),
    (8, 10, 1, true, false),
    (10, 1, 8, false, true),
    (10, 1, 8, false, false),
    (10, 8, 12, false, true),
    (4, 2, 8, false, false),
    (32, 784, 128, false, false),
    (784, 32, 128, true, false),
    (32, 128, 784, false, true),
    (32, 128, 10, false, false),
    (128, 32, 10, true, false),
    (32, 10, 128, false, true),
    (32, 128, 784, false, false),
    (2, 128, 784, false, true),
    (1, 784, 128, false, false),
    (1, 128, 784, false, true),
    (1, 128, 10, false, false),
    (32, 128, 1, false, false),
    (128, 512, 512, false, false),
    (784, 128, 32, true, false),
    (512, 512, 512, false, false),
    (512, 512, 512, true, false),
    (512, 512, 512, false, true),
    (1024, 1024, 1024, false, false),
    (1024, 1024, 1024, true, false),
    (1024, 1024, 1024, false, true),
    (1024, 1024, 1024, true, true),
];

fn main() {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let threads = Threads::default();
    print!("{:<22}", "m,k,n");
    for level in Level::all() {
        print!("{:>20}", level.name());
    }
    println!("{:>20}{:>10}", format!("{} threads", threads.count()), "of peak");
    for case in CASES {
        let name = describe(case);
        if !name.contains(&wanted) {
            continue;
        }
        print!("{name:<22}");
        for level in Level::all() {
            print!("{:>20}", time(case, level, None));
        }
        println!("{:>20}{:>10}", time(case, Level::detect(), Some(&threads)), share_of_peak(case));
    }
    for work in [0, 1, 5, 20] {
        let work = Duration::from_micros(work);
        let ns = best(&mut || threads.run(2, &|_| spin(work))) - work.as_nanos() as f64;
        println!("a region of two parts of {work:?} takes {ns:.0} ns more");
    }
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {}
}

fn describe((m, k, n, transpose_a, transpose_b): Case) -> String {
    let mark = |transposed: bool, mark: &str| if transposed { mark.to_string() } else { String::new() };
    format!("{m},{k},{n}{}{}", mark(transpose_a, " A^T"), mark(transpose_b, " B^T"))
}

/// A product and its memory.
struct Run {
    dot: Dot,
    flops: f64,
    memory: [Aligned; 4],
}

impl Run {
    fn new((m, k, n, transpose_a, transpose_b): Case, level: Level) -> Self {
        let dot = Dot::new(level, m, k, n, transpose_a, transpose_b);
        let memory = [m * k, k * n, m * n, dot.scratch()].map(Aligned::new);
        Run { dot, flops: 2.0 * (m * k * n) as f64, memory }
    }

    fn call(&mut self, threads: Option<&Threads>) {
        let [a, b, out, scratch] = &mut self.memory;
        self.dot.run(threads, black_box(a.floats()), black_box(b.floats()), black_box(out.floats()), scratch.floats());
    }
}

fn time(case: Case, level: Level, threads: Option<&Threads>) -> String {
    let mut run = Run::new(case, level);
    let ns = best(&mut || run.call(threads));
    let speed = run.flops / ns;
    if ns < 10_000.0 {
        format!("{ns:.1} ns {speed:5.1} GF/s")
    } else {
        format!("{:.0} us {speed:5.1} GF/s", ns / 1000.0)
    }
}

/// The speed as a share of that of one tile in the first-level cache, which is close to the most the processor can do.
/// The two are timed in turns, because that most changes with temperature and neighbours.
fn share_of_peak(case: Case) -> String {
    let mut runs = [(12, 192, 32, false, false), case].map(|case| Run::new(case, Level::detect()));
    let speed = |run: &mut Run| {
        let calls = (4e6 / run.flops).ceil();
        let begun = Instant::now();
        (0..calls as usize).for_each(|_| run.call(None));
        calls * run.flops / begun.elapsed().as_nanos() as f64
    };
    let mut shares: Vec<f64> = (0..60).map(|_| 1.0 / speed(&mut runs[0]) * speed(&mut runs[1])).collect();
    shares.sort_by(f64::total_cmp);
    format!("{:.0} %", shares[shares.len() / 2] * 100.0)
}

/// Floats that begin on a cache line, as those of a session do.
struct Aligned {
    memory: Vec<f32>,
    offset: usize,
    count: usize,
}

impl Aligned {
    fn new(count: usize) -> Self {
        let memory: Vec<f32> = (0..count + 16).map(|i| (i % 17) as f32 * 0.125 - 1.0).collect();
        let offset = memory.as_ptr().align_offset(64);
        Aligned { memory, offset, count }
    }

    fn floats(&mut self) -> &mut [f32] {
        &mut self.memory[self.offset..][..self.count]
    }
}

/// Nanoseconds per call, the best of many batches of calls.
fn best(call: &mut dyn FnMut()) -> f64 {
    let mut calls = 1;
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    while begun.elapsed().as_millis() < 150 {
        let batch = Instant::now();
        (0..calls).for_each(|_| call());
        let ns = batch.elapsed().as_nanos() as f64;
        best = best.min(ns / f64::from(calls));
        if ns < 20_000.0 {
            calls *= 2;
        }
    }
    best
}
