//! The suites over every op, and the passes as text.

#[path = "main/checks.rs"]
mod checking;
#[path = "main/convolutions.rs"]
mod convolutions;
#[path = "main/bodies.rs"]
mod loops;
#[path = "main/origins.rs"]
mod origins;
#[path = "main/rules.rs"]
mod rules;
mod tensors;
#[path = "main/traces.rs"]
mod traces;
#[path = "main/whole.rs"]
mod whole;

use std::collections::BTreeSet;
use std::path::Path;

use cornu_graph::ops::Op;
use cornu_graph::{
    Array, DType, ErrorKind, Executor, Feed, Graph, Reference, Shape, Trace, Type, VarId, evaluate, gradients, passes,
    verify,
};
use cornu_testkit::golden::Report;
use cornu_testkit::{bodies, edges, ends, ops, random_graphs, slopes, text};

#[test]
fn the_reference_executor_agrees_with_itself() {
    ops::agrees_with_reference(&Reference, 0.0);
}

#[test]
fn whole_numbers_are_what_rust_makes_of_them() {
    ops::whole_numbers_agree(&Reference);
}

#[test]
fn ends_of_types_are_as_in_numpy() {
    ends::are_as_in_numpy(&Reference);
}

#[test]
fn passes_keep_every_bit_of_samples() {
    ops::passes_keep_every_bit(&Reference);
}

#[test]
fn passes_keep_every_bit_of_random_graphs() {
    random_graphs::keep_every_bit(&[&Reference], 0..150);
}

#[test]
fn gradients_match_differences() {
    slopes::gradients_match_differences();
}

#[test]
fn loops_are_their_steps() {
    bodies::loops_are_their_steps(&Reference, &bodies::LENGTHS);
    bodies::passes_keep_loops(&Reference);
}

#[test]
fn edges_are_as_in_tensorflow() {
    edges::are_as_in_tensorflow(&Reference);
}

/// What a file under `tests/text` asks for.
fn made(words: &[&str], graph: &Graph) -> Result<String, String> {
    match words {
        [pass @ ("simplify" | "fold"), rule] => text::printed(&text::by_rule(pass, rule, graph)?),
        ["passes"] => text::printed(&passes::run(graph, passes::ALL)),
        ["join"] => text::printed(&passes::join(graph)),
        ["trim"] => text::printed(&passes::trim(graph)),
        ["fold"] => text::printed(&passes::fold(graph)),
        ["hoist"] => text::printed(&passes::hoist(graph)),
        ["columns"] => text::printed(&passes::columns(graph)),
        ["parts"] => text::printed(&passes::parts(graph)),
        ["slices"] => text::printed(&passes::slices(graph, 0)),
        ["widen"] => text::printed(&passes::widen(graph.clone())),
        ["gradient", op] if graph.nodes().any(|(_, node)| op_name(&node.op) == *op) => {
            text::printed(&text::gradient(graph)?)
        }
        ["gradient", op] => Err(format!("needs the op `{op}` in the graph")),
        _ => {
            let passes = "`passes`, `join`, `trim`, `fold`, `hoist`, `parts`, `slices`, `widen`";
            Err(format!("needs `simplify RULE`, `fold RULE`, {passes} or `gradient OP`"))
        }
    }
}

/// The first word of what an op prints as.
fn op_name(op: &Op) -> String {
    op.to_string().split(' ').next().unwrap_or_default().into()
}

#[test]
fn graphs_as_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text");
    let seen = text::walk(&folder, made);
    let seen = |words: [&str; 2]| seen.iter().any(|seen| seen[..] == words);
    let mut report = Report::default();
    for (pass, rules) in passes::RULES {
        for rule in rules {
            report.case(rule.name, if seen([pass, rule.name]) { Ok(()) } else { Err("no file".into()) });
        }
    }
    let mut ops_seen = BTreeSet::new();
    for sample in Op::samples().iter().filter(|sample| !sample.args.is_empty() && sample.op.has_gradient()) {
        let op = op_name(&sample.op);
        if ops_seen.insert(op.clone()) {
            let graph = ops::graph_of(sample).expect("a sound graph");
            let path = folder.join(format!("gradient/{op}.txt"));
            let words = ["gradient", &op];
            report.case(&op, if seen(words) { Ok(()) } else { text::create(&path, &words, &graph, made) });
        }
    }
    report.finish();
}

#[test]
fn every_op_and_every_random_graph_reads_back() {
    let samples = ops::graphs();
    let graphs = samples.into_iter().map(|(_, graph)| graph).chain((0..200).flat_map(random_graphs::graphs));
    for graph in graphs {
        text::printed(&graph).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    let x = "; a comment\n%0 = input 0 : f32[2,3] ; another\n";
    for (line, message) in [
        ("%2 = neg %0 : f32[2,3]", "needs `%1` for the next value, got `%2`"),
        ("%1 = neg %1 : f32[2,3]", "needs a value before it as `%0`, got `%1`"),
        ("%1 = neg %-1 : f32[2,3]", "needs a value before it as `%0`, got `%-1`"),
        ("%1 = neg 0 : f32[2,3]", "needs a value before it as `%0`, got `0`"),
        ("%1 = neg %0 : f32[3,2]", "%1 is f32[2,3], got f32[3,2]"),
        ("%1 = neg %0 %0 : f32[2,3]", "`neg` needs one operand of signed numbers, got f32[2,3] and f32[2,3]"),
        ("%1 = negate %0 : f32[2,3]", "needs an op, got `negate`"),
        ("%1 = : f32[2,3]", "needs an op, got ``"),
        ("%1 = neg %0 : f33[2,3]", "needs an element type as `f32`, got `f33`"),
        ("%1 = neg %0 : f32", "needs a type as `f32[4,8]`, got `f32`"),
        ("%1 = neg %0", "needs `%1 = op %0 : type`, `update v0 = %1` or `output %1`, got `%1 = neg %0`"),
        ("%1 = cast %0 : f32[2,3]", "`cast` needs an element type, got `nothing`"),
        ("%1 = reduce prod [0] %0 : f32[3]", "`reduce` needs `sum`, `max` or `min`, got `prod`"),
        ("%1 = reduce sum 0 %0 : f32[3]", "`reduce` needs a list as `[0, 2]`, got `0 %0`"),
        ("%1 = transpose [1, -1] %0 : f32[3]", "`transpose` needs a list as `[0, 2]`, got `[1, -1] %0`"),
        ("%1 = input 0 : f32[2,3]", "%1 is equal to %0"),
        ("%1 = constant 1.0,2.0 : f32[3]", "`constant` needs as many numbers as f32[3] has, or one, got 2"),
        ("%1 = constant 1,x : i64[2]", "`constant` needs numbers of i64[2], got `1,x`"),
        ("%1 = constant 300 : u8[]", "`constant` needs numbers of u8[], got `300`"),
        ("%1 = constant 1.0 : f32[9999999999,9999999999]", "`constant` needs as many numbers as"),
        ("%1 = constant 1.0 : f32[99999999,99999999]", "`constant` needs numbers of f32[99999999,99999999]"),
        ("%1, %1.1 = neg %0 : f32[2,3], f32[2,3]", "needs `%1` for its results, got `%1, %1.1`"),
        ("%1 = neg %0.1 : f32[2,3]", "needs a value before it as `%0`, got `%0.1`"),
        ("update w = %0", "needs a variable as `v0`, got `w`"),
        ("output 7", "needs a value before it as `%0`, got `7`"),
    ] {
        let error = format!("{x}\n{line}\n").parse::<Graph>().expect_err(line);
        assert!(error.message().starts_with(&format!("line 4: {message}")), "{line}: {error}");
    }
    for (text, message) in [
        ("%0 = input 1 : f32[]", "%0 is listed as input 0"),
        ("%0 = var v0 : f32[]\n%1 = var v0 : f32[2]", "%1 reads v0, as %0 does"),
        ("%0 = var v0 : f32[]\nupdate v0 = %0\nupdate v0 = %0", "%0 is the second update of v0"),
    ] {
        let error = text.parse::<Graph>().expect_err(text);
        assert!(error.message().starts_with(message), "{text}: {error}");
    }
}

#[test]
fn operands_that_do_not_fit_are_shown_with_their_types() {
    for (op, needed) in [
        ("slice [1, 0] [0, 3] [1, 1]", "a tensor that has such a part, got f32[2,3]"),
        ("slice [0] [2] [1]", "a tensor that has such a part, got f32[2,3]"),
        ("slice [0, 0] [2, 4] [1, 1]", "a tensor that has such a part, got f32[2,3]"),
        ("slice [0, 0] [2, 3] [1, 0]", "a tensor that has such a part, got f32[2,3]"),
        ("pad [0, 0] [1, 0] [0, 0]", "a tensor of as many axes and a scalar of its type, got f32[2,3]"),
        ("concatenate 2", "tensors of one type but for axis 2, got f32[2,3]"),
        ("reverse [1, 0]", "the axes [1, 0], got f32[2,3]"),
        ("conv 1 [3, 5] [1, 1] [1, 1] [0, 0] [0, 0]", "images [n, 2 axes, c] and a kernel [3, 5, c, k], got f32[2,3]"),
        (
            "conv_input 2 [3] [1] [1] [0] [0] [8]",
            "images [n, 1 axis, k] of [6] places and a kernel [3, c / 2, k], got f32[2,3]",
        ),
        (
            "conv_weights 2 [3] [1] [1] [0] [0]",
            "images [n, 1 axis, c] in 2 groups and [n, 1 axis, k], with as many places as the window has on them, got f32[2,3]",
        ),
        ("gather", "a tensor with rows and whole numbers of rows, got f32[2,3]"),
        ("scatter_add", "a tensor of numbers with rows, whole numbers of rows, and as many rows, got f32[2,3]"),
    ] {
        let error = format!("%0 = input 0 : f32[2,3]\n%1 = {op} %0 : f32[2,3]\n").parse::<Graph>().expect_err(op);
        assert_eq!(error.message(), format!("line 2: `{op}` needs {needed}"));
    }
}

/// Whatever is done to a text, it is read or refused.
#[test]
fn damaged_texts_are_read_or_refused() {
    let mut state = 1u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % bound
    };
    for seed in 0..400 {
        let text = match seed % 4 {
            0 => bodies::CELLS[seed as usize / 4 % bodies::CELLS.len()]
                .looped(3)
                .expect("a sound graph")
                .graph
                .to_string(),
            _ => random_graphs::graphs(seed % 100)[0].to_string(),
        };
        let text = text.into_bytes();
        let mut damaged = text.clone();
        for _ in 0..1 + below(3) {
            let (at, from) = (below(damaged.len()), below(text.len()));
            match below(4) {
                0 => damaged[at] = b" %[]:=,.{};0-9x\n"[below(16)],
                1 => drop(damaged.splice(at..at, text[from..(from + 9).min(text.len())].iter().copied())),
                2 => drop(damaged.drain(at..(at + 1 + below(6)).min(damaged.len()))),
                _ => damaged.swap(at, from % at.max(1)),
            }
            if damaged.is_empty() {
                break;
            }
        }
        if let Ok(graph) = String::from_utf8_lossy(&damaged).parse::<Graph>() {
            text::printed(&graph).unwrap_or_else(|problem| panic!("{problem}"));
        }
    }
}

#[test]
fn equal_nodes_are_one_node_but_signed_zeros_are_two() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([2]));
    assert_eq!((&x + 1.0).value(), (&x + 1.0).value());
    assert_ne!(x.number(0.0).value(), x.number(-0.0).value());
}

#[test]
fn a_mistake_is_kept_with_its_place() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([4, 8]));
    let w = trace.var(VarId::new(0), Type::f32([9, 1]));
    let y = trace.scope("dense_1", || x.dot(&w).relu().sum([-1]));
    assert_eq!(y.dim(5), 1);
    let error = trace.finish(&[y], &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Graph);
    assert_eq!(error.message(), "dense_1: `dot` needs [.., m, k] and [.., k, n], got f32[4,8] and f32[9,1]");
    assert!(error.to_string().contains("tests/main.rs:"), "{error}");
}

#[test]
fn a_gradient_of_a_gradient() {
    let trace = Trace::new();
    let x = trace.input(Type::new(DType::F64, []));
    let cube = &x * &x * &x;
    let first = gradients(&cube, std::slice::from_ref(&x)).remove(0);
    let second = gradients(&first, std::slice::from_ref(&x)).remove(0);
    let graph = trace.finish(&[second], &[]).expect("a sound graph");
    assert_eq!(evaluate(&graph, &[], &[Array::scalar(5.0)]).0[0].get(0), 30.0);
}

#[test]
fn two_updates_of_one_variable_are_refused() {
    let trace = Trace::new();
    let v = trace.var(VarId::new(3), Type::f32([2]));
    let error = trace.finish(&[], &[(VarId::new(3), &v + 1.0), (VarId::new(3), &v + 2.0)]).unwrap_err();
    assert!(error.message().contains("is the second update of v3"), "{error}");
    assert!(verify(&Graph::default()).is_ok());
}

#[test]
fn types_that_no_memory_can_hold_are_mistakes() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([1]));
    let wide = x.broadcast([1 << 40, 1 << 40, 1], &[2]);
    let error = trace.finish(&[wide], &[]).expect_err("2^82 bytes").to_string();
    let needed = "`broadcast [2]` needs a result that memory has addresses for";
    assert!(error.starts_with(&format!("{needed}, got f32[1099511627776,1099511627776,1]\n  at ")), "{error}");
    // As many bytes as memory can have, and one element more.
    let trace = Trace::new();
    trace.input(Type::f32([(1 << 61) - 1]));
    assert!(trace.check().is_ok());
    trace.input(Type::f32([1 << 61]));
    assert!(trace.check().is_err());
}

#[test]
fn shapes_of_no_elements_have_a_size_however_long_their_axes_are() {
    for dims in [[0, 1 << 40, 1 << 40], [1 << 40, 1 << 40, 0], [1 << 40, 0, 1 << 40]] {
        let shape = Shape::from(dims);
        assert_eq!((shape.size(), shape.checked_size(), Type::f32(dims).bytes()), (0, Some(0), Some(0)));
        assert_eq!(shape.strides()[2], 1);
        let trace = Trace::new();
        let x = trace.input(Type::f32(dims));
        let graph = trace.finish(&[x.sum_all(), x.mean([0, 1, 2])], &[]).expect("numbers");
        let (outputs, _) = evaluate(&graph, &[], &[Array::zeros(&Type::f32(dims))]);
        assert_eq!(outputs.iter().map(|output| output.get(0)).collect::<Vec<_>>(), [0.0, 0.0]);
    }
}

/// What executors run is what the ops mean, to the bit.
#[test]
fn floats_of_16_bits_are_widened_without_a_difference() {
    let mut report = Report::default();
    for sample in Op::samples().into_iter().filter(|sample| sample.args.iter().any(|arg| arg.dtype().is_half())) {
        let graph = ops::graph_of(&sample).expect("a sound graph");
        let wide = passes::widen(graph.clone());
        assert!(verify(&wide).is_ok());
        let (want, got) = (evaluate(&graph, &[], &sample.args).0, evaluate(&wide, &[], &sample.args).0);
        report.case(&graph.to_string(), ops::same_bits(&got[0], &want[0]));
        let sums = |op: &Op| matches!(op, Op::Reduce(_) | Op::ScatterAdd(_) | Op::SumPool(_) | Op::Unpool(_));
        let computed = |op: &Op| matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Dot(_)) || sums(op);
        let left = wide.nodes().find(|(value, node)| computed(&node.op) && wide.ty(*value).dtype.is_half());
        assert!(left.is_none(), "{wide}");
    }
    report.finish();
}

#[test]
fn a_program_is_there_as_long_as_its_handles() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([1]));
    let graph = trace.finish(&[&x + 1.0], &[]).expect("a sound graph");
    let session = Reference.open().expect("a session");
    let [first, second] = [0, 1].map(|_| session.compile(&graph).expect("a sound graph"));
    let mut run = first.room().expect("room");
    assert_eq!(run.wait().expect_err("nothing ran").message(), "no step of this run was begun");
    drop(first);
    run.start(&[Feed::Host(&Array::vector(vec![1.0f32]))]).expect("a step");
    assert_eq!((run.output(0).expect("an output").get(0), session.memory().programs), (2.0, 2));
    let error = run.start(&[Feed::Host(&Array::vector(vec![1i64]))]).expect_err("whole numbers").to_string();
    assert_eq!(error, "input 0 needs f32[1], got i64[1]");
    assert_eq!(run.output(0).expect_err("the last step failed").to_string(), error);
    drop(run);
    assert_eq!(session.memory().programs, 1);
    drop(second);
    assert_eq!(session.memory().programs, 0);
}
