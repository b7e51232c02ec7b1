//! Time from the trace to the end of the first step: `cargo bench --package cornu-cpu --bench plan`.

use cornu_cpu::Cpu;
use cornu_graph::{Array, Feed, Graph};
use cornu_testkit::lstm::Lstm;
use divan::Bencher;

fn main() {
    divan::main();
}

fn first_step(bencher: Bencher, steps: usize, trace: fn(&Lstm) -> Graph) {
    let lstm = Lstm::of_length(steps);
    let x = Array::zeros(&lstm.input());
    bencher.bench_local(|| {
        let mut session = lstm.session(&Cpu::new());
        let program = session.compile(&trace(&lstm)).expect("a sound graph");
        session.run(program, &[Feed::Whole(&x)]).expect("a step");
    });
}

#[divan::bench(args = [400, 1600], sample_count = 5)]
fn unrolled(bencher: Bencher, steps: usize) {
    first_step(bencher, steps, Lstm::unrolled);
}

#[divan::bench(args = [400, 1600, 6400])]
fn looped(bencher: Bencher, steps: usize) {
    first_step(bencher, steps, Lstm::looped);
}
