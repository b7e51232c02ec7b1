//! Steps that fail by themselves, on any executor.

use std::sync::Arc;

use cornu_graph::{Array, DType, Executor, Feed, Graph, Role, Run, Session, Tensor, Trace, Type, VarId, VarSpec};

/// A weight and a momentum that learn, guarded at the end of the step: the weight that comes must be small.
fn guarded(guard: bool) -> Graph {
    let trace = Trace::new();
    let (x, row) = (trace.input(Type::f32([4, 3])), trace.input(Type::new(DType::I64, [])));
    let (w, m) = (trace.var(VarId::new(0), Type::f32([3])), trace.var(VarId::new(1), Type::f32([3])));
    let slope = (x * &w).tanh().sum([0]);
    let new = &m * 0.9 + slope * 0.1;
    let weight = &w - &new * 0.05;
    if guard {
        let largest = weight.abs().reduce(cornu_graph::ops::Reduction::Max, &[0]);
        trace.scope("dense_1", || trace.require(&largest.lt(10.0), "row {}: a weight of {}", &[&row, &largest]));
    }
    trace.finish(&[weight.sum_all()], &[(VarId::new(0), weight), (VarId::new(1), new)]).expect("a sound graph")
}

struct Trained {
    session: Arc<dyn Session>,
    run: Box<dyn Run>,
}

impl Trained {
    fn new(executor: &dyn Executor, guard: bool) -> Trained {
        let session = executor.open().expect("a session");
        for i in 0..2 {
            let start = Array::vector(vec![0.5f32, -0.25, 1.0 + i as f32]);
            session.declare(VarSpec::value("w", Role::Weight, start)).expect("a variable");
        }
        let run = session.compile(&guarded(guard)).and_then(|program| program.room()).expect("a sound graph");
        Trained { session, run }
    }

    fn step(&mut self, scale: f64, row: i64) -> cornu_graph::Result<()> {
        let x = Array::from_fn(&Type::f32([4, 3]), |i| ((i as f64 + row as f64) * 1.7).sin() * scale);
        self.run.start(&[Feed::Host(&x), Feed::Host(&Array::scalar(row))])
    }

    fn variables(&self) -> [Array; 2] {
        [0, 1].map(|var| self.session.value(VarId::new(var)).expect("a variable"))
    }
}

/// A step that fails says where, leaves every variable as it was, and so do that many steps after it.
///
/// # Panics
/// If it does not.
pub fn change_nothing(executor: &dyn Executor, steps: usize) {
    let [mut guarded, mut free] = [true, false].map(|guard| Trained::new(executor, guard));
    for row in 0..10 {
        [&mut guarded, &mut free].into_iter().for_each(|trained| trained.step(1.0, row).expect("a step"));
    }
    assert_eq!(guarded.variables(), free.variables());
    let before = guarded.variables();
    // Too large a weight: a momentum that was written from outside.
    let far = Array::vector(vec![900.0f32; 3]);
    guarded.session.write(&[(VarId::new(1), &far)]).expect("its type");
    let large = guarded.variables();
    for _ in 0..2 {
        let error = guarded.step(1.0, 77).expect_err("a weight too large");
        assert!(error.message().starts_with("dense_1: row 77: a weight of 4"), "{error}");
        assert!(error.to_string().contains("testkit/src/checks.rs:"), "{error}");
        assert_eq!(guarded.variables(), large);
    }
    guarded.session.write(&[(VarId::new(1), &before[1])]).expect("its type");
    for step in 0..steps as i64 {
        [&mut guarded, &mut free].into_iter().for_each(|trained| trained.step(0.5, step).expect("a step"));
    }
    assert_eq!(guarded.variables(), free.variables());
}

/// Checks in loops, branches and calls, and in bodies of them, fail the step where they run, and only there.
///
/// # Panics
/// If one does not.
pub fn reach_out_of_bodies(executor: &dyn Executor) {
    let trace = Trace::new();
    let (x, w) = (trace.input(Type::f32([5])), trace.var(VarId::new(0), Type::f32([])));
    let all = trace.scan(5, true, &[], std::slice::from_ref(&x), |t, _, x| {
        let step = |t: &Trace, x: &Tensor| {
            let positive = x.gt(0.0);
            t.if_else(
                &positive,
                |t| {
                    t.require(&x.lt(2.0), "{} is too large", &[x]);
                    vec![x.exp()]
                },
                |_| vec![x.clone()],
            )
        };
        (vec![], t.call(None, x, |t, x| step(t, &x[0])))
    });
    // Nobody uses what comes out of this one, but for its check.
    trace.call(None, std::slice::from_ref(&w), |t, w| {
        t.require(&w[0].lt(100.0), "a weight of {}", &[&w[0]]);
        vec![w[0].exp()]
    });
    let sum = all.1[0].sum_all();
    let new = w + &sum * 0.0 + 40.0;
    let graph = trace.finish(&[sum], &[(VarId::new(0), new)]).expect("a sound graph");
    let session = executor.open().expect("a session");
    session.declare(Type::f32([]).into()).expect("a variable");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let mut step = |x: [f32; 5]| {
        let message = run.start(&[Feed::Host(&Array::vector(x.into()))]).map_err(|e| e.message().to_owned());
        (message, session.value(VarId::new(0)).expect("a variable").get(0))
    };
    assert_eq!(step([1.0, -9.0, 0.0, 1.5, 0.5]), (Ok(()), 40.0));
    assert_eq!(step([1.0, 3.0, 0.0, 2.5, 0.5]), (Err("2.5 is too large".into()), 40.0));
    assert_eq!(step([1.0, 1.0, 0.0, 1.5, 0.5]), (Ok(()), 80.0));
    assert_eq!(step([1.0, 1.0, 0.0, 1.5, 0.5]), (Ok(()), 120.0));
    assert_eq!(step([1.0, 1.0, 0.0, 1.5, 0.5]), (Err("a weight of 120".into()), 120.0));
}

/// Numbers of rows that are not there are said, with their place.
///
/// # Panics
/// If they are not.
pub fn find_rows_that_are_not_there(executor: &dyn Executor) {
    let trace = Trace::new();
    let (table, rows) = (trace.input(Type::f32([5, 2])), trace.input(Type::new(DType::I32, [3, 4])));
    trace.scope("embedding", || trace.require_rows(&rows, &table));
    let graph = trace.finish(&[table.gather(&rows)], &[]).expect("a sound graph");
    let session = executor.open().expect("a session");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let table = Array::zeros(&Type::f32([5, 2]));
    let mut step = |at: usize, number: i32| {
        let mut rows = vec![4; 12];
        rows[at] = number;
        let rows = Array::new([3, 4], rows).expect("twelve numbers");
        let outcome = run.start(&[Feed::Host(&table), Feed::Host(&rows)]);
        outcome.map_err(|error| error.message().to_owned())
    };
    assert_eq!(step(0, 0), Ok(()));
    let said = |number: i32, row: usize| {
        Err(format!("embedding: needs whole numbers from 0 below 5, got {number} in row {row}"))
    };
    assert_eq!(step(6, 5), said(5, 1));
    assert_eq!(step(11, -1), said(-1, 2));
}

/// What a graph of whole numbers gives, or says.
fn outcome(executor: &dyn Executor, graph: &Graph, inputs: &[Array]) -> Result<i64, String> {
    let outputs = executor.open().expect("a session").once(graph, inputs);
    outputs.map(|outputs| outputs[0].get(0) as i64).map_err(|error| error.message().to_owned())
}

/// Of checks in a loop the one says what it has to say that fails in the first step, and there as the first.
///
/// # Panics
/// If another one does.
pub fn say_what_fails_first(executor: &dyn Executor) {
    let whole = |shape: &[usize]| Type::new(DType::I64, shape);
    let trace = Trace::new();
    let (first, x) = (trace.input(whole(&[])), trace.input(whole(&[4])));
    let (last, _) = trace.scan(4, false, &[first], &[x], |trace, carry, x| {
        trace.require(&x[0].lt(5), "{} is not below 5", &[&x[0]]);
        trace.require(&x[0].lt(3), "{} is not below 3", &[&x[0]]);
        (vec![&carry[0] + &x[0]], vec![])
    });
    let graph = trace.finish(&last, &[]).expect("a sound graph");
    let scan = |x: [i64; 4]| outcome(executor, &graph, &[Array::scalar(1i64), Array::vector(x.to_vec())]);
    let said = |text: &str| Err(text.to_owned());
    assert_eq!(scan([1, 2, 0, -4]), Ok(0));
    assert_eq!(scan([1, 4, 7, 0]), said("4 is not below 3"));
    assert_eq!(scan([1, 7, 4, 0]), said("7 is not below 5"));

    let trace = Trace::new();
    let (first, end) = (trace.input(whole(&[])), trace.input(whole(&[])));
    let condition = |trace: &Trace, n: &[Tensor]| {
        trace.require(&n[0].ne(8), "whether to go on at {}", &[&n[0]]);
        n[0].lt(&end)
    };
    let last = trace.while_loop(std::slice::from_ref(&first), condition, |trace, n| {
        trace.require(&n[0].ne(5), "a step at {}", &[&n[0]]);
        trace.require(&n[0].ne(7), "a step before {}", &[&(&n[0] + 1)]);
        vec![&n[0] + 1]
    });
    let graph = trace.finish(&last, &[]).expect("a sound graph");
    let count = |first: i64, end: i64| outcome(executor, &graph, &[first, end].map(Array::scalar));
    assert_eq!((count(0, 4), count(3, 1), count(9, 12)), (Ok(4), Ok(3), Ok(12)));
    assert_eq!((count(0, 9), count(5, 6)), (said("a step at 5"), said("a step at 5")));
    assert_eq!((count(6, 9), count(6, 8)), (said("a step before 8"), said("a step before 8")));
    assert_eq!((count(8, 9), count(8, 0)), (said("whether to go on at 8"), said("whether to go on at 8")));
}
