//! A step of training allocates nothing. In a program of its own, since it counts every allocation there is.

use cornu_cpu::Cpu;
use cornu_graph::Feed;
use cornu_testkit::alloc::Counting;
use cornu_testkit::nets::Mlp;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    for (mlp, threads) in [(Mlp::pima(), 1), (Mlp::pima(), 2), (Mlp::mnist(), 1), (Mlp::mnist(), 2)] {
        let mut session = mlp.session(&Cpu::new().threads(threads));
        let program = session.compile(&mlp.step()).expect("a sound graph");
        let (x, y) = mlp.data(4 * mlp.batch);
        let order: Vec<usize> = (0..mlp.batch).map(|row| row * 3).collect();
        let mut step = || session.run(program, &[Feed::Rows(&x, &order), Feed::Rows(&y, &order)]).expect("a step");
        let mut round = || {
            let before = Counting::count();
            (0..50).for_each(|_| step());
            Counting::count() - before
        };
        // A thread allocates when it starts, which may be long after the first step on a busy machine. What steps
        // allocate, they allocate in every round.
        let made = (0..20).map(|_| round()).min();
        assert_eq!(made, Some(0), "allocations in 50 steps of {:?} on {threads} threads", mlp.sizes);
    }
}
