//! Loops, branches and calls: what their bodies may use, what is refused, and what becomes of gradients.

use cornu_graph::ops::Op;
use cornu_graph::{Array, DType, Error, Graph, Tensor, Trace, Type, VarId, evaluate, gradients, passes};
use cornu_testkit::bodies::CELLS;

fn f(shape: impl Into<cornu_graph::Shape>) -> Type {
    Type::f32(shape)
}

/// What a trace says of a mistake, which is shown at a line of this file.
fn refused(wrong: impl FnOnce(&Trace, &Tensor) -> Vec<Tensor>) -> Error {
    let trace = Trace::new();
    let x = trace.input(f([5, 2]));
    let results = wrong(&trace, &x);
    let error = trace.finish(&results, &[]).expect_err("a mistake");
    assert!(error.to_string().contains("tests/main/bodies.rs:"), "{error}");
    error
}

#[test]
fn what_a_scan_cannot_be_is_said_with_both_types() {
    let start = |x: &Tensor| [x.sum([0])];
    let scan = |y: fn(&Tensor) -> Tensor, next: fn(&Tensor, &Tensor) -> Vec<Tensor>| {
        refused(|trace, x| {
            let results = trace.scan(5, false, &start(x), &[y(x)], |_, c, x| (next(&c[0], &x[0]), vec![]));
            assert_eq!((results.0.len(), results.1.len()), (1, 0));
            results.0
        })
    };
    let keep = |c: &Tensor, _: &Tensor| vec![c.clone()];
    let cases = [
        (scan(|x| x.reshape([2, 5]), keep), "`scan 5 [0, 1]` needs f32[5,5] for 5 steps, got f32[2,5]"),
        (scan(Tensor::sum_all, keep), "`scan 5 [0, 1]` needs f32[5] for 5 steps, got f32[]"),
        (
            scan(Tensor::clone, |c, _| vec![c.reshape([2, 1])]),
            "`scan 5 [0, 1]` needs carry 0 to stay f32[2], got f32[2,1]",
        ),
        (
            scan(Tensor::clone, |c, _| vec![c.cast(DType::I32)]),
            "`scan 5 [0, 1]` needs carry 0 to stay f32[2], got i32[2]",
        ),
        (scan(Tensor::clone, |_, _| vec![]), "`scan` needs 1 carries of its body, got 0"),
        (
            scan(Tensor::clone, |c, x| vec![c + x.reshape([1, 1, 2])]),
            "`scan 5 [0, 1]` needs carry 0 to stay f32[2], got f32[1,1,2]",
        ),
        (scan(Tensor::clone, |c, x| vec![c.dot(x)]), "`dot` needs [.., m, k] and [.., k, n], got f32[2] and f32[2]"),
    ];
    for (error, message) in cases {
        assert_eq!(error.message(), message, "{error}");
    }
    let error = refused(|trace, x| trace.scan(3, false, &[], std::slice::from_ref(x), |_, _, _| (vec![], vec![])).0);
    assert!(error.message().contains("needs f32[3,2] for 3 steps, got f32[5,2]"), "{error}");
    let error = refused(|trace, x| {
        trace.scan(5, false, &[], std::slice::from_ref(x), |_, _, _| (vec![], vec![]));
        vec![]
    });
    assert!(error.message().contains("needs a carry or an output, got neither"), "{error}");
}

#[test]
fn what_a_branch_or_a_call_cannot_be_is_said() {
    let error = refused(|trace, x| trace.if_else(x, |_| vec![x.exp()], |_| vec![x.exp()]));
    assert_eq!(error.message(), "`if` needs bool[], f32[5,2], got f32[5,2] and f32[5,2]");
    let truth = |x: &Tensor| x.sum_all().gt(0.0);
    let error = refused(|trace, x| trace.if_else(&truth(x), |_| vec![x.exp()], |_| vec![x.sum([0])]));
    assert_eq!(error.message(), "`if` needs branches of one type, got f32[5,2] and f32[2]");
    let error = refused(|trace, x| trace.if_else(&truth(x), |_| vec![x.exp()], |_| vec![]));
    assert_eq!(error.message(), "`if` needs branches of one type, got f32[5,2] and nothing");
    let error = refused(|trace, x| trace.call(Some("two words"), std::slice::from_ref(x), |_, x| vec![x[0].exp()]));
    assert!(error.message().ends_with("needs a kernel's name of letters, digits and `_`, got `two words`"), "{error}");
    let error = refused(|trace, x| trace.call(None, std::slice::from_ref(x), |_, _| vec![]));
    assert_eq!(error.message(), "`call` needs 1 to 65535 results, got 0");
    let error = refused(|trace, x| trace.call(None, std::slice::from_ref(x), |_, x| vec![x[0].dot(&x[0])]));
    assert!(error.message().starts_with("`dot` needs"), "{error}");
}

#[test]
fn what_a_loop_of_unknown_length_cannot_be_is_said() {
    let carry = |x: &Tensor| [x.sum_all()];
    let error = refused(|trace, x| trace.while_loop(&carry(x), |_, c| c[0].number(1.0).gt(0.0), |_, c| c.into()));
    assert_eq!(error.message(), "`while` needs a condition that can become false, got one that is always true");
    let error = refused(|trace, x| trace.while_loop(&[], |_, _| x.sum_all().gt(0.0), |_, _| vec![]));
    assert_eq!(error.message(), "`while 1` needs a carry, got none");
    let error = refused(|trace, x| trace.while_loop(&carry(x), |_, c| c[0].clone(), |_, c| c.into()));
    assert_eq!(error.message(), "`while 0` needs a condition of bool[], got f32[]");
    let error = refused(|trace, x| trace.while_loop(&carry(x), |_, c| c[0].lt(9.0), |_, c| vec![&c[0] + x]));
    assert_eq!(error.message(), "`while 1` needs carries to stay f32[], got f32[5,2]");
    let error = refused(|trace, x| {
        let y = trace.while_loop(&carry(x), |_, c| c[0].lt(9.0), |_, c| vec![&c[0] * 2.0]);
        gradients(&y[0], std::slice::from_ref(x))
    });
    assert_eq!(error.message(), "`while` has no gradient: how often it runs is not known before");
    // At the line of the loop, not of the gradient.
    assert!(error.to_string().contains(&format!("bodies.rs:{}\n", line!() - 5)), "{error}");
}

#[test]
fn a_body_uses_what_is_around_it_and_nothing_else() {
    let (_, foreign) = {
        let trace = Trace::new();
        let x = trace.input(f([7]));
        (trace, x)
    };
    let one = |t: Tensor| (vec![], vec![t]);
    let error = refused(|trace, x| trace.scan(5, false, &[], std::slice::from_ref(x), |_, _, _| one(&foreign + 1.0)).1);
    assert!(error.message().contains("needs tensors of one trace, got f32[7] of another trace"), "{error}");
    let escaped = |then: fn(&Tensor, &Tensor) -> Tensor| {
        refused(|trace, x| {
            let mut kept = None;
            trace.scan(5, false, &[], std::slice::from_ref(x), |_, _, x| {
                kept = Some(x[0].clone());
                one(x[0].exp())
            });
            vec![then(x, &kept.expect("the body was traced"))]
        })
    };
    let help = "help: what is made in a body leaves it as a result of the body";
    let error = escaped(|x, kept| x * kept);
    assert_eq!(error.message(), "`mul` needs tensors of one trace, got f32[2] of another trace");
    assert!(error.to_string().contains(help), "{error}");
    let error = escaped(|_, kept| kept.exp());
    assert_eq!(error.message(), "`exp` cannot be added to a body that has ended");
    assert!(error.to_string().contains(help), "{error}");
    let error = escaped(|_, kept| kept.clone());
    assert!(error.message().contains("of another trace"), "{error}");
    let error = refused(|trace, x| {
        trace.scan(5, false, &[], std::slice::from_ref(x), |t, _, x| one(&x[0] + t.input(f([2])))).1
    });
    assert_eq!(error.message(), "a body needs its inputs as parameters, got one more of f32[2]");
    let error = refused(|trace, x| {
        trace.scan(5, false, &[], std::slice::from_ref(x), |t, _, x| {
            let ended = t.clone().finish(x, &[]).expect_err("a body");
            t.fail(ended);
            one(x[0].clone())
        });
        vec![]
    });
    assert_eq!(error.message(), "a body ends where its function does, and needs no `finish`");
}

/// Tensors of the outer trace, of the one around that, variables and constants, read in a loop in a loop.
#[test]
fn captured_tensors_become_operands() {
    let trace = Trace::new();
    let (x, w) = (trace.input(f([2])), trace.var(VarId::new(0), f([2])));
    let half = x.number(0.5);
    let twice = |t: &Trace, c: &Tensor| {
        let inner = t.scan(3, false, std::slice::from_ref(c), &[], |t, d, _| {
            let v = t.var(VarId::new(1), f([2]));
            // What uses tensors from outside alone is traced there, once.
            (vec![&d[0] * &half + &w + v + (&w * &w) * c], vec![])
        });
        inner.0
    };
    let (last, _) = trace.scan(2, false, &[x], &[], |t, c, _| (twice(t, &c[0]), vec![]));
    let graph = trace.finish(&last, &[]).expect("a sound graph");
    assert_eq!(graph.vars.len(), 2);
    let (_, node) = graph.nodes().last().expect("a scan");
    // The weights, and the square of one, which is computed before the loop.
    assert!(matches!(&node.op, Op::Scan(scan) if scan.consts == 3 && scan.carries == 1), "{graph}");
    let vars = [Array::vector(vec![0.5f32, -1.0]), Array::vector(vec![2.0f32, 0.25])];
    let (got, _) = evaluate(&graph, &vars, &[Array::vector(vec![1.0f32, -2.0])]);
    let want = |x: f32, w: f32, v: f32| (0..2).fold(x, |c, _| (0..3).fold(c, |d, _| d * 0.5 + w + v + (w * w) * c));
    assert_eq!(got[0].to_vec::<f32>(), [want(1.0, 0.5, 2.0), want(-2.0, -1.0, 0.25)]);
}

/// A step of a loop may learn: a gradient in a body, also for what is around it.
#[test]
fn gradients_are_taken_in_bodies() {
    let trace = Trace::new();
    let (w, x) = (trace.input(f([])), trace.input(f([4])));
    let (last, ys) = trace.scan(4, false, std::slice::from_ref(&w), &[x], |_, w_t, x| {
        let loss = (&w_t[0] * &x[0] * &w).square();
        let slopes = gradients(&loss, &[w_t[0].clone(), w.clone()]);
        (vec![&w_t[0] - &slopes[0] * 0.1], vec![slopes[1].clone()])
    });
    let graph = trace.finish(&[last[0].clone(), ys[0].clone()], &[]).expect("a sound graph");
    let xs = [0.5f32, -1.0, 0.25, 2.0];
    let (got, _) = evaluate(&graph, &[], &[Array::scalar(0.75f32), Array::vector(xs.into())]);
    let (mut v, mut want) = (0.75f64, Vec::new());
    for x in xs.map(f64::from) {
        let y = v * x * 0.75;
        want.push(2.0 * y * v * x);
        v -= 0.1 * 2.0 * y * x * 0.75;
    }
    assert!((got[0].get(0) - v).abs() < 1e-6);
    want.iter().enumerate().for_each(|(t, want)| assert!((got[1].get(t) - want).abs() < 1e-6, "{t}"));
}

/// The nodes of a graph and its bodies.
fn count(graph: &Graph, which: &dyn Fn(&Op) -> bool) -> usize {
    let inside = |op: &Op| op.bodies().iter().map(|body| count(body.graph(), which)).sum::<usize>();
    graph.nodes().map(|(_, node)| usize::from(which(&node.op)) + inside(&node.op)).sum()
}

#[test]
fn an_lstm_runs_forwards_once_and_its_weights_have_products_behind_the_loop() {
    let lstm = CELLS.iter().find(|cell| cell.name == "lstm").expect("a cell");
    let graph = |length: usize| {
        let case = lstm.looped(length).expect("a sound graph");
        passes::run(&case.graph, passes::ALL)
    };
    let graph7 = graph(7);
    let scans = |reverse: bool| count(&graph7, &|op| matches!(op, Op::Scan(scan) if scan.reverse == reverse));
    assert_eq!((scans(false), scans(true)), (1, 1), "{graph7}");
    // Of each step, the product with the state and its way back: those with the inputs have left the loops.
    for name in ["lstm", "gru", "simple"] {
        let cell = CELLS.iter().find(|cell| cell.name == name).expect("a cell");
        let graph = passes::run(&cell.looped(7).expect("a sound graph").graph, passes::ALL);
        let all = count(&graph, &|op| matches!(op, Op::Dot(_)));
        let outside = graph.nodes().filter(|(_, node)| matches!(node.op, Op::Dot(_))).count();
        assert_eq!((all - outside, outside), (2, 4), "{name}\n{graph}");
    }
    let dots = |op: &Op| matches!(op, Op::Dot(dot) if dot.transpose_a);
    let outside = graph7.nodes().filter(|(_, node)| dots(&node.op)).count();
    assert_eq!((count(&graph7, &dots), outside), (2, 2), "{graph7}");
    assert_eq!(count(&graph(100), &|_| true), count(&graph7, &|_| true));
}

#[test]
fn what_is_added_to_rows_of_a_table_is_added_behind_the_loops() {
    let cells = CELLS.iter().filter(|cell| cell.name.starts_with("tokens"));
    for cell in cells {
        let graph = passes::run(&cell.looped(7).expect("a sound graph").graph, passes::ALL);
        let outside = graph.nodes().filter(|(_, node)| matches!(node.op, Op::ScatterAdd(_))).count();
        assert!(outside > 0, "{}", cell.name);
        assert_eq!(count(&graph, &|op| matches!(op, Op::ScatterAdd(_))), outside, "{}\n{graph}", cell.name);
    }
}

#[test]
fn bodies_that_cannot_be_read_are_said_with_their_line() {
    let body = "%0 = input 0 : f32[2]\noutput %0";
    let deep = "%0 = call : f32[2] {\n".repeat(99);
    for (text, message) in [
        ("}".into(), "line 1: needs a body before `}`"),
        ("%0 = if : f32[2] {\n".into(), "line 1: needs `}` or `} {` at the end of its body, got `nothing`"),
        (format!("%0 = input 0 : f32[2]\n%1 = neg %0 : f32[2] {{\n{body}\n}}"), "line 2: `neg` has fewer bodies"),
        (format!("%0 = if : f32[2] {{\n{body}\n}}"), "line 1: `if` needs one more body"),
        (format!("%0 = call : f32[2] {{\n{body}\n}}"), "line 1: `call` needs f32[2], got nothing"),
        (
            "%0 = call : f32[] {\n%0 = var v0 : f32[]\noutput %0\n}".into(),
            "line 1: needs a body without variables, got one with v0",
        ),
        ("%0 = call : f32[] {\n%0 = neg %1 : f32[]\n}".into(), "line 2: needs a value before it as `%0`, got `%1`"),
        ("%0 = call : f32[] {\n}".into(), "line 1: `call` needs 1 to 65535 results, got 0"),
        (deep, "line 33: needs bodies in at most 32 bodies"),
    ] {
        let error = text.parse::<Graph>().expect_err(&text);
        assert_eq!(error.message(), message, "{text}");
    }
}
