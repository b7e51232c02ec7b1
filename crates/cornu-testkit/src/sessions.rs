//! What sessions keep, and what they say, on any executor.

use cornu_graph::{Array, DType, Executor, Feed, Trace, Type, VarId};

/// Data is fed by rows, whole, or from the host; all steps of a run in one call are the steps one by one.
///
/// # Panics
/// If they are not.
pub fn data_stays_for_many_steps(executor: &dyn Executor) {
    let trace = Trace::new();
    let (x, w) = (trace.input(Type::new(DType::I64, [2, 3])), trace.var(VarId::new(0), Type::new(DType::I64, [3])));
    let new = &w * 2 + x.sum([0]);
    let graph = trace.finish(&[x, new.clone()], &[(VarId::new(0), new)]).expect("a sound graph");
    let session = executor.open().expect("a session");
    session.declare(Type::new(DType::I64, [3]).into()).expect("memory");
    let data = session.upload(Array::from_fn(&Type::new(DType::I64, [5, 3]), |i| i as f64)).expect("memory");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let var = || session.value(VarId::new(0)).expect("a variable").to_vec::<i64>();
    run.steps(&[&data], &[0, 4, 1, 1], 2).expect("two steps");
    assert_eq!((var(), run.output(0).expect("an output").to_vec::<i64>()), (vec![30, 36, 42], vec![3, 4, 5, 3, 4, 5]));
    run.start(&[Feed::Rows(&data, &[3, 3])]).expect("a step");
    assert_eq!(var(), [78, 92, 106]);
    let two = session.upload(data_of_two()).expect("memory");
    for feed in [Feed::Whole(&two), Feed::Host(&data_of_two()), Feed::Whole(&two)] {
        session.write(&[(VarId::new(0), &Array::zeros(&Type::new(DType::I64, [3])))]).expect("its type");
        run.start(&[feed]).expect("a step");
        assert_eq!((var(), run.output(0).expect("an output")), (vec![3, 5, 7], data_of_two()));
    }
    drop(two);
    assert_eq!(run.output(0).expect("an output that is an input"), data_of_two());
    let message = |result: cornu_graph::Result<()>| result.expect_err("a mistake").message().to_owned();
    assert_eq!(message(run.start(&[Feed::Rows(&data, &[1, 5])])), "input 0 needs rows below 5, got 5");
    assert_eq!(message(run.start(&[Feed::Whole(&data)])), "input 0 needs i64[2,3], got i64[5,3]");
    assert_eq!(message(run.start(&[])), "a step needs 1 inputs, got 0");
    assert_eq!(message(run.wait()), "a step needs 1 inputs, got 0");
    assert_eq!(message(run.steps(&[&data], &[0, 1, 2], 2)), "steps need whole batches of 2 rows, got 3 rows");
    assert_eq!(var(), [3, 5, 7]);
    session.release(&[VarId::new(0)]);
    let gone = "variable v0 was released, or is of another session";
    assert_eq!(message(session.value(VarId::new(0)).map(drop)), gone);
    assert_eq!(message(session.compile(&graph).map(drop)), "v0 was declared as nothing, got i64[3]");
}

fn data_of_two() -> Array {
    Array::from_fn(&Type::new(DType::I64, [2, 3]), |i| i as f64)
}

/// Of several steps in one call, the one whose check is false changes nothing, and those after it are not begun.
///
/// # Panics
/// If it is not so.
pub fn a_failing_step_is_the_last(executor: &dyn Executor) {
    let trace = Trace::new();
    let (x, w) = (trace.input(Type::f32([1])), trace.var(VarId::new(0), Type::f32([])));
    let sum = &w + x.sum_all();
    trace.require(&sum.lt(10.0), "a sum of {}", &[&sum]);
    let graph = trace.finish(std::slice::from_ref(&sum), &[(VarId::new(0), sum.clone())]).expect("a sound graph");
    let session = executor.open().expect("a session");
    session.declare(Type::f32([]).into()).expect("memory");
    let data = session.upload(Array::from_fn(&Type::f32([8]), |i| i as f64)).expect("memory");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let mut steps = |order: &[u32]| {
        let outcome = run.steps(&[&data], order, 1).map_err(|error| error.message().to_owned());
        let output = run.output(0).map(|sum| sum.get(0)).map_err(|error| error.message().to_owned());
        (outcome, output, session.value(VarId::new(0)).expect("a variable").get(0))
    };
    let failed = Err("a sum of 11".to_owned());
    assert_eq!(steps(&[1, 2, 0, 1]), (Ok(()), Ok(4.0), 4.0));
    assert_eq!(steps(&[1, 2, 4, 1, 1]), (failed.clone(), failed.clone().map(|()| 0.0), 7.0));
    assert_eq!(steps(&[4]), (failed.clone(), failed.map(|()| 0.0), 7.0));
    assert_eq!(steps(&[1, 1]), (Ok(()), Ok(9.0), 9.0));
}

/// Programs that only read variables may run at once: each caller has the outputs of his own steps, while another program
/// changes the variables from one step to the next.
///
/// # Panics
/// If one has not.
pub fn callers_have_outputs_of_their_own(executor: &dyn Executor) {
    let trace = Trace::new();
    let (x, w) = (trace.input(Type::f32([40])), trace.var(VarId::new(0), Type::f32([40])));
    let graph = trace.finish(&[&x + &w, &w - &w.reverse([0])], &[]).expect("a sound graph");
    let trace = Trace::new();
    let w = trace.var(VarId::new(0), Type::f32([40]));
    let growing = trace.finish(&[], &[(VarId::new(0), w + 1.0)]).expect("a sound graph");
    let session = executor.open().expect("a session");
    session.declare(Type::f32([40]).into()).expect("memory");
    let (program, growing) = (session.compile(&graph), session.compile(&growing));
    let (program, growing) = (program.expect("a sound graph"), growing.expect("a sound graph"));
    assert_eq!((program.changes(), growing.changes()), (false, true));
    std::thread::scope(|scope| {
        for caller in 1..=4 {
            let program = &program;
            scope.spawn(move || {
                let mut run = program.room().expect("memory");
                for step in 0..50 {
                    let own = f64::from(caller * 1000 + step) * 128.0;
                    run.start(&[Feed::Host(&Array::from_fn(&Type::f32([40]), |_| own))]).expect("a step");
                    let [sum, none] = [0, 1].map(|index| run.output(index).expect("an output"));
                    let grown = sum.get(0) - own;
                    assert!((0.0..=50.0).contains(&grown) && (0..40).all(|i| sum.get(i) == own + grown), "{sum:?}");
                    assert_eq!(none, Array::zeros(&Type::f32([40])));
                }
            });
        }
        let mut run = growing.room().expect("memory");
        (0..50).for_each(|_| run.start(&[]).expect("a step"));
    });
    assert_eq!(session.value(VarId::new(0)).expect("a variable").get(7), 50.0);
}
