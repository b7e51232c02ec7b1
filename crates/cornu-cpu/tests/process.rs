//! What belongs to a whole process: its memory, its environment, its threads. Each test starts itself once more, alone.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "processes are forked")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cornu_cpu::Cpu;
use cornu_graph::{Array, Executor, Feed, Session, Tensor, Trace, Type};
use cornu_testkit::process;

/// Runs the test of that name in a process of its own, after a line of shell commands, and requires that it passes
/// there. False in that process.
fn elsewhere(name: &str, commands: &str, environment: &[(&str, &str)]) -> bool {
    let here = process::word().is_some();
    if !here {
        let mut again = process::again(name, commands, "");
        process::assert_passed(&again.envs(environment.iter().copied()).output().expect("a process"));
    }
    !here
}

fn open(cpu: Cpu) -> Arc<dyn Session> {
    cpu.open().expect("a session")
}

/// The message with which a graph of one output fails, when it is compiled, run, or its output is read.
fn failure(session: &dyn Session, ty: &Type, body: impl Fn(&Tensor) -> Tensor) -> String {
    let trace = Trace::new();
    let x = trace.input(ty.clone());
    let graph = trace.finish(&[body(&x)], &[]).expect("a sound graph");
    let run = || {
        let mut run = session.compile(&graph)?.room()?;
        run.start(&[Feed::Host(&Array::zeros(ty))])?;
        run.output(0)
    };
    run().expect_err("there is not so much memory").to_string()
}

/// One and a half gigabytes of addresses, and steps that need more.
#[test]
fn memory_that_is_not_there_is_an_error() {
    if elsewhere("memory_that_is_not_there_is_an_error", "ulimit -v 1500000;", &[]) {
        return;
    }
    let session = open(Cpu::new().threads(1));
    let error = failure(&*session, &Type::f32([1 << 14]), |x| x.broadcast([1 << 15, 1 << 14], &[1]));
    assert!(error.contains("needs 2.00 GB of memory, more than there is"), "scratch memory: {error}");
    let error = failure(&*session, &Type::f32([1 << 10]), |x| x.broadcast([220_000, 1 << 10], &[1]));
    assert!(error.contains("needs 859.38 MB of memory"), "an output: {error}");
    let error = failure(&*session, &Type::f32([2]), |x| x.trace().iota(Type::f32([1 << 29]), 0));
    assert!(error.contains("needs 2.00 GB of memory"), "a constant: {error}");
    assert_eq!(sum_of_ones(&*session), 1000.0);
}

fn sum_of_ones(session: &dyn Session) -> f64 {
    let trace = Trace::new();
    let x = trace.input(Type::f32([1000]));
    let graph = trace.finish(&[x.sum_all()], &[]).expect("a sound graph");
    session.once(&graph, &[Array::vector(vec![1.0f32; 1000])]).expect("a step")[0].get(0)
}

/// A session whose threads have started.
fn running(threads: usize) -> Arc<dyn Session> {
    let session = open(Cpu::new().threads(threads));
    assert_eq!(tanh_of_many(&*session), 1.0);
    session
}

/// The hyperbolic tangent of many large numbers, on all threads of a session: one.
fn tanh_of_many(session: &dyn Session) -> f64 {
    let ty = Type::f32([1 << 18]);
    let trace = Trace::new();
    let x = trace.input(ty.clone());
    let graph = trace.finish(&[x.tanh()], &[]).expect("a sound graph");
    session.once(&graph, &[Array::from_fn(&ty, |_| 20.0)]).expect("a step")[0].get((1 << 18) - 1)
}

#[test]
fn threads_that_cannot_start_are_done_without() {
    // More than all addresses for the stack of each.
    let stack = (1u64 << 60).to_string();
    if elsewhere("threads_that_cannot_start_are_done_without", "", &[("RUST_MIN_STACK", &stack)]) {
        return;
    }
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    drop(running(4));
}

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn kill(process: i32, signal: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// The exit status of a forked child that runs `body`; kills it after ten seconds.
fn forked(body: impl FnOnce()) -> i32 {
    // SAFETY: the child runs `body` and ends without unwinding into the parent's frames.
    let process = unsafe { fork() };
    assert!(process >= 0, "no process could be forked");
    if process == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: ends this process at once.
        unsafe { _exit(i32::from(ended.is_err())) };
    }
    let (begun, mut status) = (Instant::now(), 0);
    // SAFETY: the status is ours; one means not to wait.
    while unsafe { waitpid(process, &raw mut status, 1) } == 0 {
        if begun.elapsed() > Duration::from_secs(10) {
            // SAFETY: a child of ours that was not waited for yet.
            unsafe { kill(process, 9) };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    status
}

#[test]
fn a_forked_child_drops_a_session_whose_threads_it_does_not_have() {
    if elsewhere("a_forked_child_drops_a_session_whose_threads_it_does_not_have", "", &[]) {
        return;
    }
    // Workers that spin, and workers that sleep.
    for pause in [0, 20] {
        let session = running(3);
        std::thread::sleep(Duration::from_millis(pause));
        let mut session = Some(session);
        assert_eq!(forked(|| drop(session.take())), 0, "after {pause} ms");
        assert_eq!(tanh_of_many(&**session.as_ref().expect("the parent's")), 1.0);
    }
}

#[test]
fn a_forked_child_runs_a_session_whose_threads_it_does_not_have() {
    if elsewhere("a_forked_child_runs_a_session_whose_threads_it_does_not_have", "", &[]) {
        return;
    }
    for pause in [0, 20] {
        let session = running(3);
        std::thread::sleep(Duration::from_millis(pause));
        let run = || (0..20).for_each(|_| assert_eq!(tanh_of_many(&*session), 1.0));
        assert_eq!(forked(run), 0, "after {pause} ms");
    }
}

/// All sessions of a process have one crew of threads, which ends with them.
#[test]
fn sessions_share_their_threads() {
    if elsewhere("sessions_share_their_threads", "", &[]) {
        return;
    }
    let workers = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("the tasks of this process");
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("cornu-")).count()
    };
    let sessions: Vec<_> = std::thread::scope(|scope| {
        let open = |_| scope.spawn(|| (0..50).map(|i| running(2 + i % 2)).collect::<Vec<_>>());
        let threads: Vec<_> = (0..4).map(open).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    // Callers at once leave each other their cores; one alone asks for all that its session may have.
    assert_eq!(tanh_of_many(&*sessions[1]), 1.0);
    assert_eq!((sessions.len(), workers()), (200, 2));
    drop(sessions);
    // The system forgets a thread some time after it has ended.
    let begun = Instant::now();
    while workers() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} threads are left", workers());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What opening a session says to that value of a variable.
macro_rules! refused {
    ($($test:ident: $variable:literal = $value:literal, $message:literal;)*) => {
        $(#[test]
        fn $test() {
            if !elsewhere(stringify!($test), "", &[($variable, $value)]) {
                let error = Cpu::new().open().err().expect("a value that cannot be read");
                assert_eq!(error.message(), $message);
            }
        })*
    };
}

refused! {
    a_level_that_is_none: "CORNU_SIMD" = "avx-2", "`CORNU_SIMD` needs `portable`, `avx2` or `avx512`, got `avx-2`";
    threads_that_are_no_number: "CORNU_THREADS" = "two", "`CORNU_THREADS` needs a whole number from 1, got `two`";
    threads_that_are_none: "CORNU_THREADS" = "0", "`CORNU_THREADS` needs a whole number from 1, got `0`";
    passes_that_are_no_number: "CORNU_PASSES" = "-1", "`CORNU_PASSES` needs a whole number, got `-1`";
}

#[test]
fn values_that_can_be_read_are_taken() {
    let environment = [("CORNU_SIMD", "portable"), ("CORNU_THREADS", " 1 "), ("CORNU_PASSES", "0")];
    if !elsewhere("values_that_can_be_read_are_taken", "", &environment) {
        assert_eq!(sum_of_ones(&*open(Cpu::new())), 1000.0);
    }
}
