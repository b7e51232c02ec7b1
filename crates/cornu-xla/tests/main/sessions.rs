//! Sessions, plugins that are of no use, and steps one by one against many at once.

use std::path::PathBuf;
use std::process::Command;

use cornu_graph::{Array, DType, Executor, Feed, Reference, Run, Session, Trace, Type, VarId};
use cornu_testkit::nets::Mlp;
use cornu_testkit::{checks, ops, sessions};
use cornu_xla::Xla;

use crate::machine;

#[test]
fn a_false_check_changes_nothing() {
    let Some(xla) = machine() else { return };
    checks::change_nothing(&xla, 1_000);
    checks::reach_out_of_bodies(&xla);
    checks::find_rows_that_are_not_there(&xla);
    checks::say_what_fails_first(&xla);
    sessions::a_failing_step_is_the_last(&xla);
}

#[test]
fn data_stays_for_many_steps() {
    let Some(xla) = machine() else { return };
    sessions::data_stays_for_many_steps(&xla);
}

#[test]
fn callers_have_outputs_of_their_own() {
    let Some(xla) = machine() else { return };
    sessions::callers_have_outputs_of_their_own(&xla);
}

/// The variables after 50 steps, so many of them in a run.
fn trained(mlp: &Mlp, machine: &dyn Executor, at_once: usize) -> Vec<Array> {
    let session = mlp.session(machine);
    let mut run = session.compile(&mlp.step()).and_then(|program| program.room()).expect("a sound graph");
    let (x, y) = mlp.data(mlp.batch * 4);
    let [x, y] = [x, y].map(|array| session.upload(array).expect("memory"));
    let order: Vec<u32> = (0..mlp.batch * 50).map(|i| (i * 7 % (mlp.batch * 4)) as u32).collect();
    for rows in order.chunks(mlp.batch * at_once) {
        run.steps(&[&x, &y], rows, mlp.batch).expect("steps");
    }
    session.read(&(0..mlp.vars().len()).map(VarId::new).collect::<Vec<_>>()).expect("variables")
}

/// The largest difference between two lists of variables.
fn distance(a: &[Array], b: &[Array]) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|(a, b)| (0..a.len()).map(|i| (a.get(i) - b.get(i)).abs()));
    pairs.fold(0.0, f64::max)
}

#[test]
fn steps_one_by_one_and_at_once_have_the_same_bits() {
    let Some(xla) = machine() else { return };
    for mlp in [Mlp::pima(), Mlp::mnist()] {
        let one = trained(&mlp, &xla, 1);
        // Once more one by one: the same bits twice.
        for at_once in [1, 25, 50] {
            let many = trained(&mlp, &xla, at_once);
            for (one, many) in one.iter().zip(&many) {
                assert_eq!(ops::same_bits(many, one), Ok(()), "{at_once} steps at once");
            }
        }
    }
}

#[test]
fn training_steps_agree_with_the_reference() {
    let Some(xla) = machine() else { return };
    for mlp in [Mlp::pima(), Mlp { sizes: vec![33, 17, 5], batch: 7 }] {
        let (got, want) = (mlp.train(&xla, 20), mlp.train(&Reference, 20));
        assert!(distance(&got, &want) < 2e-6, "{}", distance(&got, &want));
    }
}

/// What belongs to programs and runs goes with them.
#[test]
fn dropped_programs_are_gone() {
    let Some(xla) = machine() else { return };
    let session = xla.open().expect("a session");
    let step = |rows: usize| {
        let ty = Type::f32([rows, 16]);
        let trace = Trace::new();
        let y = trace.input(ty.clone()) + 1.0;
        let graph = trace.finish(&[y], &[]).expect("a sound graph");
        let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
        run.start(&[Feed::Host(&Array::zeros(&ty))]).expect("a step");
        run
    };
    let kept: Vec<Box<dyn Run>> = (1..=4).map(step).collect();
    assert_eq!((session.memory().programs, session.memory().scratch), (4, (1 + 2 + 3 + 4) * 64));
    drop(kept);
    assert_eq!((session.memory().programs, session.memory().scratch), (0, 0));
}

#[test]
fn a_program_says_what_it_is_and_where_it_comes_from() {
    let Some(xla) = machine() else { return };
    let trace = Trace::new();
    let x = trace.input(Type::f32([4, 3]));
    let y = trace.scope("first", || x.tanh());
    let y = trace.scope("of two\nlines", || y.exp());
    let session = xla.open().expect("a session");
    let program = session.compile(&trace.finish(&[y], &[]).expect("a sound graph")).expect("a sound graph");
    let text = program.describe();
    let mut run = program.room().expect("memory");
    run.start(&[Feed::Host(&Array::zeros(&Type::f32([4, 3])))]).expect("what the plugin can read");
    let line = "    %2 = stablehlo.tanh %1 : tensor<4x3xf32> // first at crates/cornu-xla/tests/main/sessions.rs:";
    assert!(text.contains(line), "{text}");
}

#[test]
fn too_much_memory_is_an_error() {
    let Some(xla) = machine() else { return };
    let session = xla.open().expect("a session");
    let error = session.declare(Type::f32([1 << 30, 1 << 20]).into()).expect_err("4 PB").to_string();
    assert!(error.contains("needs 4.00 PB of memory, more than there is"), "{error}");
    session.declare(Type::f32([3]).into()).expect("a session that goes on");
}

/// What is said of a plugin.
fn said(path: PathBuf) -> String {
    Xla::new(path).open().map(drop).expect_err("a plugin of no use").to_string()
}

#[test]
fn plugins_of_no_use_are_errors() {
    let folder = std::env::temp_dir().join(format!("cornu-xla-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let missing = said(folder.join("none.so"));
    assert!(missing.starts_with("there is no PJRT plugin at `"), "{missing}");
    assert!(missing.contains("\n  help: a plugin is one file, such as `xla_cpu_pjrt.so`"), "{missing}");
    assert!(said(folder.clone()).starts_with("there is no PJRT plugin at `"));
    let broken = folder.join("broken.so");
    std::fs::write(&broken, "no library").expect("a file");
    let error = said(broken);
    assert!(error.contains("broken.so` cannot be loaded as a PJRT plugin: "), "{error}");
    // A library, but no plugin.
    let is_library = |path: &PathBuf| path.is_file();
    let libraries = ["/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib64/libm.so.6", "/usr/lib/aarch64-linux-gnu/libm.so.6"];
    if let Some(library) = libraries.into_iter().map(PathBuf::from).find(is_library) {
        let error = said(library);
        assert!(error.contains(" is no PJRT plugin: it has no `GetPjrtApi`"), "{error}");
    }
    // Tables of other versions, in libraries that a C compiler makes, where there is one.
    for (name, size, major, want) in [
        ("new", 2000, 1, "needs a plugin of PJRT 0, got PJRT 1.7, which is too new\n  help: install an older"),
        ("old", 300, 0, "needs a table of 608 bytes, got PJRT 0.7 with 300, too old\n  help: install a newer"),
        ("poor", 608, 0, "the plugin has no `plugin_initialize`\n  help: install another"),
    ] {
        let (source, library) = (folder.join(name).with_extension("c"), folder.join(name).with_extension("so"));
        let table = format!("static size_t table[256] = {{{size}, 0, 24, 0, {major}ull | 7ull << 32}};");
        std::fs::write(&source, format!("#include <stddef.h>\n{table}\nvoid *GetPjrtApi(void) {{ return table; }}\n"))
            .expect("a file");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
        if made.is_ok_and(|status| status.success()) {
            let error = said(library);
            assert!(error.contains(&format!(".so`: {want}")), "{error}");
        }
    }
    std::fs::remove_dir_all(folder).expect("its own folder");
}

#[test]
fn data_of_another_machine_is_refused() {
    let Some(xla) = machine() else { return };
    let trace = Trace::new();
    let x = trace.input(Type::new(DType::I64, [2, 3]));
    let graph = trace.finish(&[x.sum([0])], &[]).expect("a sound graph");
    let [here, there] = [&xla as &dyn Executor, &Reference].map(|machine| machine.open().expect("a session"));
    let data = there.upload(Array::zeros(&Type::new(DType::I64, [2, 3]))).expect("memory");
    let mut run = here.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let error = run.start(&[Feed::Whole(&data)]).expect_err("data of another machine").to_string();
    assert!(error.starts_with("a step was given data of another machine"), "{error}");
}

/// Values of floats of 16 bits from wide numbers on both sides of the middle between two of them.
#[test]
fn wide_numbers_are_rounded_once() {
    let Some(xla) = machine() else { return };
    let session: std::sync::Arc<dyn Session> = xla.open().expect("a session");
    let middles = [257i64, 2049, 4098 * 16, (1 << 25) + (1 << 17), (1 << 55) + (1 << 47), (1 << 62) + (1 << 54)];
    let near = middles.iter().flat_map(|&x| [x - 1, x, x + 1, -x - 1, -x, 1 - x]).collect::<Vec<i64>>();
    let wide = Array::vector(near.iter().map(|&x| x as f64 * 1.000_000_000_1).collect::<Vec<f64>>());
    let tiny = Array::vector(vec![1e-37, 5e-324, f64::MAX, 65_519.999_999, 65_520.0, 1.0 + 1.0 / 2048.0 + 1e-12]);
    let unsigned = Array::vector(near.iter().map(|&x| x as u64).collect::<Vec<u64>>());
    for (x, dtype) in [Array::vector(near), unsigned, wide, tiny]
        .iter()
        .flat_map(|x| [DType::F16, DType::Bf16].map(|dtype| (x, dtype)))
    {
        let trace = Trace::new();
        let y = trace.input(x.ty()).cast(dtype);
        let graph = trace.finish(&[y], &[]).expect("a sound graph");
        let run = |session: &dyn Session| session.once(&graph, std::slice::from_ref(x)).expect("a step").remove(0);
        let (got, want) = (run(&*session), run(&*Reference.open().expect("a session")));
        assert_eq!(ops::same_bits(&got, &want), Ok(()), "{x:?} as {dtype}");
    }
}
