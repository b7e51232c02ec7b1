//! Time of one training step of the lessons' models, feeding included, and of making it: `cargo bench --package cornu-cpu
//! --bench step`.

use cornu_cpu::Cpu;
use cornu_graph::Feed;
use cornu_testkit::nets::Mlp;
use divan::Bencher;

fn main() {
    divan::main();
}

fn step(bencher: Bencher, mlp: &Mlp, rows: usize, threads: usize) {
    let (x, y) = mlp.data(rows);
    let session = mlp.session(&Cpu::new().threads(threads));
    let mut run = session.compile(&mlp.step()).and_then(|program| program.room()).expect("a sound graph");
    let [x, y] = [x, y].map(|array| session.upload(array).expect("memory"));
    let order: Vec<u32> = (0..rows).map(|i| (i * 7919 % rows) as u32).collect();
    let mut batches = order.chunks_exact(mlp.batch).cycle();
    bencher.bench_local(|| {
        let rows = batches.next().expect("batches go on for ever");
        run.start(&[Feed::Rows(&x, rows), Feed::Rows(&y, rows)]).expect("a step");
    });
}

#[divan::bench(sample_size = 100)]
fn pima(bencher: Bencher) {
    step(bencher, &Mlp::pima(), 610, 1);
}

#[divan::bench(args = [1, 2], sample_size = 100)]
fn mnist(bencher: Bencher, threads: usize) {
    step(bencher, &Mlp::mnist(), 16_000, threads);
}

fn compile(bencher: Bencher, mlp: &Mlp) {
    let graph = mlp.step();
    bencher.with_inputs(|| mlp.session(&Cpu::new())).bench_local_values(|session| session.compile(&graph));
}

#[divan::bench]
fn pima_compiled(bencher: Bencher) {
    compile(bencher, &Mlp::pima());
}

#[divan::bench]
fn mnist_compiled(bencher: Bencher) {
    compile(bencher, &Mlp::mnist());
}
