//! Time of one training step of the lessons' models, feeding included, and of making it: `cargo bench --package cornu-cpu
//! --bench step`.

use cornu_cpu::Cpu;
use cornu_graph::{Array, DType, Data, Executor, Feed, Role, Trace, Type, VarId, VarSpec, gradients};
use cornu_testkit::nets::Mlp;
use cornu_testkit::stacks;
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

/// Sixteen models side by side, each with rows of its own.
#[divan::bench(sample_size = 100)]
fn pima_stacked(bencher: Bencher) {
    const MODELS: usize = 16;
    let (mlp, rows) = (Mlp::pima(), 610);
    let (x, y) = mlp.data(rows);
    let graph = stacks::step(&mlp.step(), MODELS, rows);
    let session = Cpu::new().threads(1).open().expect("a session");
    let mut all = graph.vars.clone();
    all.sort_unstable();
    for (var, value) in all {
        let ty = graph.ty(value);
        let start = Array::from_fn(ty, |i| ((i * 7919) % 97) as f64 * 0.01 - 0.4);
        let start = if ty.rank() == 0 { Array::zeros(ty) } else { start };
        assert_eq!(session.declare(VarSpec::value("v", Role::Weight, start)).expect("memory"), var);
    }
    let program = session.compile(&graph).expect("a sound graph");
    let mut run = program.room().expect("memory");
    let order = Array::from_fn(&Type::new(DType::U32, [rows, MODELS]), |i| (i * 7919 % rows) as f64);
    let [x, y, order] = [x, y, order].map(|array| session.upload(array).expect("memory"));
    let rows: Vec<u32> = (0..rows as u32).collect();
    let mut batches = rows.chunks_exact(mlp.batch).cycle();
    bencher.bench_local(|| {
        let rows = batches.next().expect("batches go on for ever");
        run.start(&[Feed::Whole(&x), Feed::Whole(&y), Feed::Rows(&order, rows)]).expect("a step");
    });
}

#[divan::bench(args = [1, 2], sample_size = 100)]
fn mnist(bencher: Bencher, threads: usize) {
    step(bencher, &Mlp::mnist(), 16_000, threads);
}

/// The gradient of a table of 20,000 rows of which 3,200 are read, others in each step, and Adam on all of it.
#[divan::bench(args = [1, 2])]
fn table(bencher: Bencher, threads: usize) {
    const READ: usize = 3_200;
    let table = Type::f32([20_000, 128]);
    let (numbers, slopes) = (Type::new(DType::I32, [READ]), Type::f32([READ, 128]));
    let session = Cpu::new().threads(threads).open().expect("a session");
    (0..3).for_each(|_| _ = session.declare(table.clone().into()).expect("memory"));
    let trace = Trace::new();
    let [w, m, v] = [0, 1, 2].map(|i| trace.var(VarId::new(i), table.clone()));
    let (rows, slope) = (trace.input(numbers.clone()), trace.input(slopes.clone()));
    let g = gradients(&(w.gather(&rows) * slope).sum_all(), std::slice::from_ref(&w)).remove(0);
    let m2 = (&m + (&g - &m) * 0.1).flush();
    let v2 = (&v + (&g * &g - &v) * 0.001).flush();
    let w2 = w - &m2 * 0.001 / (v2.sqrt() + 1e-7);
    let updates = [(VarId::new(0), w2), (VarId::new(1), m2), (VarId::new(2), v2)];
    let graph = trace.finish(&[], &updates).expect("a sound graph");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let upload = |array| session.upload(array).expect("memory");
    let slope = upload(Array::from_fn(&slopes, |i| (i % 97) as f64 * 0.01));
    let picked = |set: usize| Array::from_fn(&numbers, |i| ((i * 7919 + set * 104_729) % 20_000) as f64);
    let sets: Vec<Data> = (0..64).map(|set| upload(picked(set))).collect();
    let mut sets = sets.iter().cycle();
    bencher.bench_local(|| {
        let rows = sets.next().expect("sets go on for ever");
        run.start(&[Feed::Whole(rows), Feed::Whole(&slope)]).expect("a step");
    });
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
