//! A step of training allocates nothing. In a program of its own, since it counts every allocation there is.

use cornu_cpu::Cpu;
use cornu_graph::{Executor, Feed};
use cornu_testkit::alloc::Counting;
use cornu_testkit::bodies::CELLS;
use cornu_testkit::nets::Mlp;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    for (mlp, threads) in [(Mlp::pima(), 1), (Mlp::pima(), 2), (Mlp::mnist(), 1), (Mlp::mnist(), 2)] {
        let session = mlp.session(&Cpu::new().threads(threads));
        let mut run = session.compile(&mlp.step()).and_then(|program| program.room()).expect("a sound graph");
        let (x, y) = mlp.data(4 * mlp.batch);
        let [x, y] = [x, y].map(|array| session.upload(array).expect("memory"));
        let order: Vec<u32> = (0..mlp.batch as u32).map(|row| row * 3).collect();
        let step = || run.start(&[Feed::Rows(&x, &order), Feed::Rows(&y, &order)]).expect("a step");
        assert_eq!(allocations(step), 0, "allocations in 50 steps of {:?} on {threads} threads", mlp.sizes);
    }
    // Both are one test: another that runs beside it would be counted.
    for name in ["lstm with a mask", "a loop in a loop of products", "a branch", "a call", "dropout"] {
        let cell = CELLS.iter().find(|cell| cell.name == name).expect("a cell");
        let case = cell.looped(7).expect("a sound graph");
        let session = Cpu::new().threads(2).open().expect("a session");
        let mut run = session.compile(&case.graph).and_then(|program| program.room()).expect("a sound graph");
        let feeds: Vec<Feed> = case.args.iter().map(Feed::Host).collect();
        assert_eq!(allocations(|| run.start(&feeds).expect("a step")), 0, "{name}");
    }
}

/// The allocations in 50 steps.
fn allocations(mut step: impl FnMut()) -> usize {
    let mut round = || {
        let before = Counting::count();
        (0..50).for_each(|_| step());
        Counting::count() - before
    };
    // A thread allocates when it starts, which may be long after the first step on a busy machine. What steps allocate,
    // they allocate in every round.
    (0..20).map(|_| round()).min().expect("a round")
}
