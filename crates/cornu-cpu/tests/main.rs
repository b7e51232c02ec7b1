//! The suites over every op, on every level of vectors and number of threads.

use std::path::Path;

use cornu_cpu::{Cpu, Level};
use cornu_graph::ops::{Reduction, Window};
use cornu_graph::{
    Array, DType, Executor, Feed, Graph, Reference, Role, Run, Tensor, Trace, Type, VarId, VarSpec, gradients,
};
use cornu_testkit::lstm::Lstm;
use cornu_testkit::nets::Mlp;
use cornu_testkit::{bodies, checks, edges, ends, ops, random_graphs, sessions, stacks, text};

#[path = "main/calls.rs"]
mod calls;
#[path = "main/convolutions.rs"]
mod convolutions;
#[path = "main/row_programs.rs"]
mod row_programs;
#[path = "main/tables.rs"]
mod tables;
#[path = "main/updates.rs"]
mod updates;

const TOLERANCE: f64 = 3e-6;

#[test]
fn agrees_with_the_reference() {
    ops::agrees_with_reference(&Cpu::new(), TOLERANCE);
}

#[test]
fn agrees_with_the_reference_without_passes() {
    ops::agrees_with_reference(&Cpu::new().raw(), TOLERANCE);
}

#[test]
fn agrees_with_the_reference_on_every_level() {
    for level in Level::all() {
        ops::agrees_with_reference(&Cpu::new().level(level), TOLERANCE);
    }
}

#[test]
fn random_graphs_agree_with_the_reference() {
    let levels = Level::all().into_iter().map(|level| Cpu::new().threads(1).level(level));
    let others = [Cpu::new().threads(1).raw(), Cpu::new().threads(3), Cpu::new().threads(3).raw()];
    let executors: Vec<Cpu> = levels.chain(others).collect();
    let executors: Vec<&dyn Executor> = executors.iter().map(|cpu| cpu as &dyn Executor).collect();
    random_graphs::agree_with_reference(&executors, 0..200);
}

#[test]
fn random_graphs_keep_every_bit_whatever_the_passes_and_threads() {
    for level in Level::all() {
        let cpu = |threads| Cpu::new().threads(threads).level(level);
        random_graphs::keep_every_bit(&[&cpu(1), &cpu(1).raw(), &cpu(3), &cpu(3).raw()], 0..120);
    }
}

#[test]
fn whole_numbers_are_what_rust_makes_of_them() {
    ops::whole_numbers_agree(&Cpu::new());
    ops::whole_numbers_agree(&Cpu::new().raw());
}

#[test]
fn ends_of_types_are_as_in_numpy() {
    ends::are_as_in_numpy(&Cpu::new());
    ends::are_as_in_numpy(&Cpu::new().raw());
}

#[test]
fn models_side_by_side_have_the_bits_of_each_alone() {
    for level in Level::all() {
        for models in [16, 3] {
            stacks::samples_keep_every_bit(&Cpu::new().level(level), models);
            for mlp in [Mlp::pima(), Mlp { sizes: vec![9, 70], batch: 5 }, Mlp { sizes: vec![300, 230, 3], batch: 4 }] {
                stacks::training_keeps_every_bit(&Cpu::new().level(level), &mlp, models);
                stacks::training_keeps_every_bit(&Cpu::new().level(level).threads(1), &mlp, models);
            }
        }
    }
}

#[test]
fn passes_keep_every_bit_of_samples() {
    for level in Level::all() {
        ops::passes_keep_every_bit(&Cpu::new().raw().level(level));
    }
}

#[test]
fn loops_are_their_steps() {
    bodies::loops_are_their_steps(&Cpu::new(), &bodies::LENGTHS);
    bodies::loops_are_their_steps(&Cpu::new().raw().threads(1), &[0, 7]);
}

#[test]
fn passes_keep_loops() {
    bodies::passes_keep_loops(&Cpu::new().raw());
}

#[test]
fn edges_are_as_in_tensorflow() {
    edges::are_as_in_tensorflow(&Cpu::new());
    edges::are_as_in_tensorflow(&Cpu::new().raw().level(Level::Portable));
}

/// The largest difference between two lists of variables.
fn distance(a: &[Array], b: &[Array]) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|(a, b)| (0..a.len()).map(|i| (a.get(i) - b.get(i)).abs()));
    pairs.fold(0.0, f64::max)
}

#[test]
fn training_steps_agree_with_the_reference() {
    for mlp in [Mlp::pima(), Mlp { sizes: vec![33, 17, 5], batch: 7 }] {
        let want = mlp.train(&Reference, 20);
        for executor in [Cpu::new(), Cpu::new().raw(), Cpu::new().level(Level::Portable)] {
            let got = mlp.train(&executor, 20);
            assert!(distance(&got, &want) < 2e-6, "{executor:?}: {}", distance(&got, &want));
        }
    }
}

#[test]
fn threads_do_not_show() {
    let mlp = Mlp::mnist();
    let want = mlp.train(&Cpu::new().threads(1), 30);
    for threads in [2, 3] {
        assert_eq!(mlp.train(&Cpu::new().threads(threads), 30), want);
    }
}

/// The bits of what a function makes of an array, on that processor.
fn bits(cpu: Cpu, x: &Array, body: &dyn Fn(&Tensor) -> Tensor) -> Vec<u32> {
    let trace = Trace::new();
    let y = body(&trace.input(x.ty()));
    let graph = trace.finish(&[y], &[]).expect("a sound graph");
    let outputs = cpu.open().and_then(|session| session.once(&graph, std::slice::from_ref(x))).expect("a sound graph");
    outputs[0].to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

type Function<'a> = (&'static str, &'a dyn Fn(&Tensor) -> Tensor);

/// Sums along each choice of axes, longer than a block and not; products; element-wise programs.
#[test]
fn neither_threads_nor_levels_show() {
    let window = Window::new(&[3]).strides(&[2]).padding(&[1], &[1]);
    let largest = |x: &Tensor| x.max_pool(&window)[0].clone();
    let back = |x: &Tensor| gradients(&largest(x).square().sum_all(), std::slice::from_ref(x)).remove(0);
    let functions: [Function; 12] = [
        ("sum of rows", &|x| x.sum([0])),
        ("sum of columns", &|x| x.sum([2])),
        ("sum along both ends", &|x| x.sum([0, 2])),
        ("sum of all", &Tensor::sum_all),
        ("maximum", &|x| x.reduce(Reduction::Max, &[0])),
        ("dot", &|x| x.reshape([130 * 21, 70]).dot_as(&x.reshape([130 * 21, 70]), true, false)),
        ("fused", &|x| (x * x + 1.0).sqrt().exp().log1p() / (x.abs() + 0.5)),
        ("tanh", &|x| x.tanh() * x.exp()),
        ("max_pool", &largest),
        ("max_pool back", &back),
        ("sum_pool", &|x| x.sum_pool(&window, None)),
        ("sum_pool back", &|x| x.unpool(&Window::new(&[3]), &[23], None)),
    ];
    let x =
        Array::from_fn(&Type::f32([130, 21, 70]), |i| ((i + 1) as f64 * 0.618_033_988_749_894_9).fract() * 6.0 - 3.0);
    for (name, function) in functions {
        for level in Level::all() {
            let on = |threads| bits(Cpu::new().level(level).threads(threads), &x, function);
            let want = on(1);
            for threads in [2, 3, 5] {
                assert!(on(threads) == want, "{name}, {}, {threads} threads", level.name());
            }
            // `Portable` has no fused multiply-add, and others round products once.
            if name.contains("sum") || name == "maximum" {
                let plain = bits(Cpu::new().level(Level::Portable).threads(1), &x, function);
                assert!(plain == want, "{name}, {}", level.name());
            }
        }
    }
}

/// Sums over axes that are no neighbours are as exact as others.
#[test]
fn long_sums_along_axes_apart_are_near() {
    let ty = Type::f32([3000, 2, 1000]);
    let x = Array::from_fn(&ty, |i| ((i + 1) as f64 * 0.618_033_988_749_894_9).fract());
    let got = bits(Cpu::new(), &x, &|x| x.sum([0, 2]));
    for (column, got) in got.into_iter().map(f32::from_bits).enumerate() {
        let of_column = (0..x.len()).filter(|i| i / 1000 % 2 == column);
        let want: f64 = of_column.map(|i| x.get(i)).sum();
        assert!((f64::from(got) - want).abs() < want * 1e-6, "{got}, not {want}");
    }
}

/// What belongs to programs goes with them.
#[test]
fn dropped_programs_are_gone() {
    let session = Cpu::new().threads(1).open().expect("a session");
    let step = |rows: usize| {
        let ty = Type::f32([rows, 16]);
        let trace = Trace::new();
        let x = trace.input(ty.clone());
        // A constant and scratch memory that depend on the number of rows.
        let y = (&x + trace.iota(ty.clone(), 0)).transpose(&[1, 0]).sum([1]);
        let graph = trace.finish(&[y], &[]).expect("a sound graph");
        let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
        run.start(&[Feed::Host(&Array::zeros(&ty))]).expect("a step");
        assert_eq!(run.output(0).expect("an output").get(3), (rows * (rows - 1) / 2) as f64);
        run
    };
    let mut kept: Vec<Box<dyn Run>> = (1..=4).map(step).collect();
    let before = session.memory();
    (1..=300).for_each(|rows| drop(step(rows)));
    let after = session.memory();
    assert_eq!(after.programs, 4);
    assert!(after.scratch <= before.scratch.max(200_000), "{before:?}, then {after:?}");
    for (rows, run) in (1..=4).zip(&mut kept) {
        run.start(&[Feed::Host(&Array::zeros(&Type::f32([rows, 16])))]).expect("a step");
        assert_eq!(run.output(0).expect("an output").get(0), (rows * (rows - 1) / 2) as f64);
    }
    drop(kept);
    assert_eq!(session.memory().programs, 0);
}

/// Runs of one program at once: each has its own memory, and the bits of one that runs alone.
#[test]
fn runs_side_by_side_have_the_bits_of_runs_alone() {
    let trace = Trace::new();
    let (x, w) = (trace.input(Type::f32([33, 40])), trace.var(VarId::new(0), Type::f32([40, 70])));
    let y = x.dot(&w).tanh().softmax(-1);
    let graph = trace.finish(&[y.sum([0]), y.dot_as(&y, false, true)], &[]).expect("a sound graph");
    for threads in [1, 3] {
        let session = Cpu::new().threads(threads).open().expect("a session");
        let weight = Array::from_fn(&Type::f32([40, 70]), |i| ((i * 7919) as f64 * 0.7).sin());
        session.declare(VarSpec::value("w", Role::Weight, weight)).expect("memory");
        let program = session.compile(&graph).expect("a sound graph");
        assert!(!program.changes());
        let steps = |caller: usize| {
            let mut run = program.room().expect("memory");
            let step = |step: usize| {
                let x = Array::from_fn(&Type::f32([33, 40]), |i| ((i * 31 + caller * 100 + step) as f64 * 1.3).sin());
                run.start(&[Feed::Host(&x)]).expect("a step");
                [0, 1].map(|index| {
                    run.output(index)
                        .expect("an output")
                        .to_vec::<f32>()
                        .into_iter()
                        .map(f32::to_bits)
                        .collect::<Vec<_>>()
                })
            };
            (0..30).map(step).collect::<Vec<_>>()
        };
        let together: Vec<_> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|caller| scope.spawn(move || steps(caller))).collect();
            callers.into_iter().map(|caller| caller.join().expect("no panic")).collect()
        });
        (0..8).for_each(|caller| assert_eq!(together[caller], steps(caller), "{threads} threads, caller {caller}"));
    }
}

#[test]
fn data_stays_for_many_steps() {
    for machine in [&Cpu::new() as &dyn Executor, &Reference] {
        sessions::data_stays_for_many_steps(machine);
        sessions::a_failing_step_is_the_last(machine);
        sessions::callers_have_outputs_of_their_own(machine);
    }
}

#[test]
fn data_of_another_machine_is_refused() {
    let trace = Trace::new();
    let x = trace.input(Type::new(DType::I64, [2, 3]));
    let graph = trace.finish(&[x.sum([0])], &[]).expect("a sound graph");
    let [here, there] = [&Cpu::new() as &dyn Executor, &Reference].map(|machine| machine.open().expect("a session"));
    let data = there.upload(data_of_two()).expect("memory");
    let mut run = here.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let error = run.start(&[Feed::Whole(&data)]).expect_err("data of another machine").to_string();
    assert!(error.starts_with("a step was given data of another machine"), "{error}");
}

fn data_of_two() -> Array {
    Array::from_fn(&Type::new(DType::I64, [2, 3]), |i| i as f64)
}

/// The parts of a step, and where they come from.
#[test]
fn a_profile_names_the_layers() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([4, 3]));
    let y = trace.scope("first", || x.dot_as(&x, false, true));
    let y = trace.scope("second", || y.relu());
    let graph = trace.finish(&[y], &[]).expect("a sound graph");
    let session = Cpu::new().open().expect("a session");
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let ticks = std::cell::Cell::new(0);
    let clock = || ticks.replace(ticks.get() + 1);
    let x = Array::from_fn(&Type::f32([4, 3]), |i| i as f64);
    let parts = run.profile(&[Feed::Host(&x)], &clock).expect("a step");
    let seen: Vec<_> = parts.iter().map(|(origin, time)| (origin.layer.as_deref(), *time)).collect();
    assert_eq!(seen, [(Some("first"), 1), (Some("second"), 1)]);
    assert_eq!(run.output(0).expect("an output").get(0), 5.0);
}

/// What each graph costs; the plan of the tutorial's model should only ever shrink.
#[test]
fn plans_as_text() {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text");
    text::input(&plans.join("tutorial.txt"), &Mlp::pima().step());
    text::input(&plans.join("lstm.txt"), &Lstm { steps: 5, batch: 4, width: 16 }.looped());
    text::walk(&plans, |words, graph| match words {
        ["plan"] => {
            let session = Cpu::new().threads(2).open().map_err(|error| error.to_string())?;
            let vars = graph.vars.iter().chain(&graph.updates);
            let mut types: Vec<(VarId, Type)> = vars.map(|&(var, value)| (var, graph.ty(value).clone())).collect();
            types.sort_by_key(|(var, _)| *var);
            types.dedup_by_key(|(var, _)| *var);
            for (place, (var, ty)) in types.into_iter().enumerate() {
                if session.declare(ty.into()).map_err(|error| error.to_string())? != var {
                    return Err(format!("needs variables from v0 on without a gap, got {var} for v{place}"));
                }
            }
            let program = session.compile(graph).map_err(|error| error.to_string())?;
            Ok(program.describe())
        }
        _ => Err("needs `plan`".into()),
    });
}

/// A plan says which layers a step works for.
#[test]
fn steps_name_the_layers_they_come_from() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([4, 3]));
    let y = trace.scope("first", || x.dot_as(&x, false, true));
    let y = trace.scope("second", || trace.scope("inner", || (y + 1.0).relu()));
    let graph = trace.finish(&[y], &[]).expect("a sound graph");
    let session = Cpu::new().open().expect("a session");
    let program = session.compile(&graph).expect("a sound graph");
    let plan = program.describe();
    let comments: Vec<&str> = plan.lines().map(|line| line.split_once(" ; ").expect("an origin").1).collect();
    assert!(comments[0].starts_with("first at crates/cornu-cpu/tests/main.rs:"), "{plan}");
    assert!(comments[1].starts_with("second/inner at "), "{plan}");
    // Read from a text, nothing is known.
    let graph: Graph = graph.to_string().parse().expect("what was printed");
    let program = session.compile(&graph).expect("a sound graph");
    assert!(!program.describe().contains(';'));
}

/// A product over all steps has the bits of the products of the steps, also where a kernel sums a large weight in halves,
/// for whole tiles of rows and for one; so have sums longer than a block.
#[test]
fn what_leaves_a_loop_keeps_every_bit() {
    for (batch, inputs, units) in [(1, 256, 256), (4, 256, 300), (13, 33, 65), (600, 3, 5), (32, 1, 128)] {
        let row = |seed: usize, ty: &Type| Array::from_fn(ty, |i| ((i * 37 + seed) as f64 * 1.7).sin());
        let trace = Trace::new();
        let types = [[inputs, units], [units, units], [batch, units]].map(Type::f32);
        let [w, u, h] = types.clone().map(|ty| trace.input(ty));
        let x = trace.input(Type::f32([3, batch, inputs]));
        let (last, ys) = trace.scan(3, false, &[h], &[x], |_, h, x| {
            let z = x[0].dot(&w) + x[0].sum([0, 1]) + x[0].sum([0]).mean([0]) + x[0].sum([1]).reshape([batch, 1]);
            let h = (z.softmax(-1) + h[0].dot(&u) * 0.1).tanh();
            (vec![h.clone()], vec![h.dot(&u).sum([0]), h])
        });
        let graph = trace.finish(&[last, ys].concat(), &[]).expect("a sound graph");
        let hoisted = cornu_graph::passes::hoist(&graph);
        assert!(hoisted.len() > graph.len() + 9, "{hoisted}");
        let args: Vec<Array> = graph.inputs.iter().enumerate().map(|(i, &input)| row(i, graph.ty(input))).collect();
        for cpu in [Cpu::new().raw(), Cpu::new().raw().threads(3), Cpu::new().raw().level(Level::Portable)] {
            let outputs =
                |graph: &Graph| cpu.open().and_then(|session| session.once(graph, &args)).expect("a sound graph");
            let (got, want) = (outputs(&hoisted), outputs(&graph));
            got.iter().zip(&want).for_each(|(got, want)| assert_eq!(ops::same_bits(got, want), Ok(()), "{batch} rows"));
        }
    }
}

/// Loops that go by rows, and those that do not, have the same bits on any number of threads, forwards and backwards.
#[test]
fn loops_by_rows_keep_every_bit() {
    let lstm = Lstm { steps: 30, batch: 13, width: 48 };
    let input = Array::from_fn(&lstm.input(), |i| ((i + 1) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0);
    let trained = |threads: usize| {
        let session = lstm.session(&Cpu::new().threads(threads));
        let vars: Vec<VarId> = (0..lstm.vars().len()).map(VarId::new).collect();
        for (i, ty) in lstm.vars().iter().enumerate() {
            let weights = Array::from_fn(ty, |j| ((i * 31 + j) as f64 * 1.7).sin() * 0.2);
            session.write(&[(vars[i], &weights)]).expect("the type it was declared with");
        }
        let program = session.compile(&lstm.looped()).expect("a sound graph");
        let mut run = program.room().expect("memory");
        (0..3).for_each(|_| run.start(&[Feed::Host(&input)]).expect("a step"));
        let by_rows = program.describe().matches("by rows").count();
        (by_rows, session.read(&vars).expect("variables"))
    };
    let (by_rows, want) = trained(1);
    assert_eq!(by_rows, 0);
    for (threads, loops) in [(2, 2), (3, 2), (5, 2), (14, 0)] {
        let (by_rows, got) = trained(threads);
        assert_eq!(by_rows, loops, "{threads} threads");
        assert!(got == want, "{threads} threads");
    }
}

/// Programs that do the same to two carries are cut into the rows of each.
#[test]
fn loops_cut_every_carry_into_rows() {
    let row = |seed: usize, ty: &Type| Array::from_fn(ty, |i| ((i * 37 + seed) as f64 * 1.7).sin() * 0.1);
    let trace = Trace::new();
    let [w, a, b] = [[96, 96], [64, 96], [64, 96]].map(|shape| trace.input(Type::f32(shape)));
    let (last, _) = trace
        .scan(50, false, &[a, b], &[], |_, h, _| (vec![h[0].dot(&w).tanh() * 1.5, h[1].dot(&w).tanh() * 1.5], vec![]));
    let graph = trace.finish(&last, &[]).expect("a sound graph");
    let args: Vec<Array> = graph.inputs.iter().enumerate().map(|(i, &input)| row(i, graph.ty(input))).collect();
    let outputs = |threads: usize| {
        Cpu::new().threads(threads).open().and_then(|session| session.once(&graph, &args)).expect("a sound graph")
    };
    let want = outputs(1);
    for threads in [2, 3, 5] {
        let got = outputs(threads);
        got.iter()
            .zip(&want)
            .for_each(|(got, want)| assert_eq!(ops::same_bits(got, want), Ok(()), "{threads} threads"));
    }
}

#[test]
fn a_false_check_changes_nothing() {
    for cpu in [Cpu::new(), Cpu::new().raw(), Cpu::new().level(Level::Portable).threads(1)] {
        checks::change_nothing(&cpu, 10_000);
        checks::reach_out_of_bodies(&cpu);
        checks::find_rows_that_are_not_there(&cpu);
        checks::say_what_fails_first(&cpu);
    }
}
