//! Time from the trace to the first step, and of steps: `cargo bench --package cornu-cpu --bench plan`.

use cornu_cpu::Cpu;
use cornu_graph::{Array, Feed, Graph};
use cornu_testkit::lstm::Lstm;
use divan::Bencher;

fn main() {
    divan::main();
}

fn compile(bencher: Bencher, steps: usize, trace: fn(&Lstm) -> Graph) {
    let lstm = Lstm::of_length(steps);
    let sessions = bencher.with_inputs(|| lstm.session(&Cpu::new()));
    sessions.bench_local_values(|session| {
        session.compile(&trace(&lstm)).expect("a sound graph");
        session
    });
}

/// All of a program that is run once.
fn first_step(bencher: Bencher, steps: usize, trace: fn(&Lstm) -> Graph) {
    let lstm = Lstm::of_length(steps);
    let x = Array::zeros(&lstm.input());
    let sessions = bencher.with_inputs(|| lstm.session(&Cpu::new()));
    sessions.bench_local_values(|session| {
        let mut run = session.compile(&trace(&lstm)).and_then(|program| program.room()).expect("a sound graph");
        run.start(&[Feed::Host(&x)]).expect("a step");
        run
    });
}

fn step(bencher: Bencher, lstm: &Lstm, threads: usize, trace: fn(&Lstm) -> Graph) {
    let x = Array::zeros(&lstm.input());
    let session = lstm.session(&Cpu::new().threads(threads));
    let mut run = session.compile(&trace(lstm)).and_then(|program| program.room()).expect("a sound graph");
    bencher.bench_local(|| run.start(&[Feed::Host(&x)]).expect("a step"));
}

#[divan::bench(args = [400, 1600], sample_count = 5)]
fn unrolled_compiled(bencher: Bencher, steps: usize) {
    compile(bencher, steps, Lstm::unrolled);
}

#[divan::bench(args = [400, 1600, 6400])]
fn looped_compiled(bencher: Bencher, steps: usize) {
    compile(bencher, steps, Lstm::looped);
}

#[divan::bench(args = [400, 1600], sample_count = 5)]
fn unrolled_first_step(bencher: Bencher, steps: usize) {
    first_step(bencher, steps, Lstm::unrolled);
}

#[divan::bench(args = [400, 1600, 6400])]
fn looped_first_step(bencher: Bencher, steps: usize) {
    first_step(bencher, steps, Lstm::looped);
}

#[divan::bench(args = [400, 1600])]
fn unrolled_step(bencher: Bencher, steps: usize) {
    step(bencher, &Lstm::of_length(steps), 2, Lstm::unrolled);
}

#[divan::bench(args = [400, 1600])]
fn looped_step(bencher: Bencher, steps: usize) {
    step(bencher, &Lstm::of_length(steps), 2, Lstm::looped);
}

/// Forwards, backwards, and products with the input; by threads.
#[divan::bench(args = [1, 2])]
fn recurrence(bencher: Bencher, threads: usize) {
    step(bencher, &Lstm { steps: 100, batch: 32, width: 128 }, threads, Lstm::looped);
}
