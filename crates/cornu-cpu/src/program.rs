//! Programs of a session, and their runs: what does not change is decided when a graph is compiled, what belongs to one
//! caller when he asks for room; a step sets the pointers of what it is fed, and goes.

use std::collections::HashSet;
use std::sync::Arc;

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{
    Array, Data, Error, Feed, Graph, Origin, Outcome, Program, Result, Run, Type, Value, VarId, check_batches,
    check_feeds,
};

use crate::kernels::memory::{Buffer, LINE, Table};
use crate::kernels::operand::{Place, Span};
use crate::kernels::transfer;
use crate::lower::{Lowered, Target, lower};
use crate::plan::Plan;
use crate::session::Uploaded;
use crate::step::{Machine, Step, run};
use crate::store::Store;

/// A program that is ready. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Loaded(Arc<Ready>);

/// Microseconds of work that a caller does alone if it changes nothing, as a prediction of a row: there may be many callers,
/// and they get more done if each stays on his thread.
const SMALL: f64 = 10.0;

struct Ready {
    store: Arc<Store>,
    graph: Graph,
    lowered: Lowered,
    outputs: Vec<Type>,
    /// Room for scratch memory and inputs, then variables and constants.
    table: Table,
    /// Bytes of a run: what the plan has places for, and behind it what a single step needs for itself.
    needs: usize,
    /// Whether its callers do it alone.
    is_small: bool,
}

impl Loaded {
    /// Plans a graph.
    ///
    /// # Errors
    /// There must be memory for its constants, and it may need no more than can be counted.
    pub(crate) fn new(store: &Arc<Store>, graph: Graph) -> Result<Loaded> {
        let mut table = Table::open(1 + graph.inputs.len());
        let mut ids: Vec<VarId> = graph.vars.iter().chain(&graph.updates).map(|&(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let vars = store.vars(ids.iter().copied())?;
        let place = |var: &crate::store::Var| Place::new(&var.spec.ty, Span::of(table.keep(Arc::clone(&var.buffer))));
        let vars = ids.into_iter().zip(vars.iter().map(place).collect::<Vec<_>>()).collect();
        let mut plan = Plan::new(&graph);
        constants(store, &mut plan, &mut table)?;
        let lowered = lower(&plan, Target { level: store.level, threads: store.threads.count() }, &vars)?;
        let scratch = lowered.steps.iter().map(|step| step.scratch(&store.threads)).max().unwrap_or(0);
        let outputs = lowered.outputs.iter().map(|(_, ty)| ty.clone()).collect();
        let planned = lowered.needs.checked_next_multiple_of(LINE).unwrap_or(usize::MAX);
        let needs = planned.saturating_add(scratch);
        let microseconds: f64 = lowered.steps.iter().map(Step::microseconds).sum();
        let is_small = graph.updates.is_empty() && microseconds < SMALL || !lowered.steps.iter().any(Step::divides);
        store.add(needs);
        Ok(Loaded(Arc::new(Ready { store: Arc::clone(store), graph, lowered, outputs, table, needs, is_small })))
    }
}

/// Gives a buffer to each constant of a plan and its bodies.
fn constants(store: &Store, plan: &mut Plan, table: &mut Table) -> Result<()> {
    for value in plan.constants() {
        let constant = match plan.view.graph.op(value) {
            Op::Leaf(Leaf::Constant(constant)) => constant.clone(),
            op => Constant::new(computed(op, plan.view.graph.ty(value))?),
        };
        let span = Span::of(table.keep(store.constant(&constant)?));
        plan.given.insert(value, Place::new(plan.view.graph.ty(value), span));
    }
    plan.bodies.iter_mut().try_for_each(|body| constants(store, body, table))
}

/// What an op without operands makes.
///
/// # Errors
/// There must be memory for it.
fn computed(op: &Op, ty: &Type) -> Result<Array> {
    let bytes = ty.bytes().unwrap_or(usize::MAX);
    // Ops take their memory unasked: this asks for it, and lets it go again.
    let asked = Vec::<u8>::new().try_reserve_exact(bytes);
    asked.map_err(|_| Error::memory(format_args!("a constant of {ty}"), bytes))?;
    Ok(op.eval(&[], &[ty])?.remove(0))
}

impl Drop for Ready {
    fn drop(&mut self) {
        // Constants first, so that the session sees which of them nobody reads.
        self.table = Table::open(0);
        self.store.remove(self.needs);
    }
}

impl Program for Loaded {
    fn room(&self) -> Result<Box<dyn Run>> {
        let Ready { store, table, needs, .. } = &*self.0;
        let ask = |error: Error| error.context("a step").help("a smaller batch needs less");
        let memory = store.lend("scratch memory", *needs).map_err(ask)?;
        let mut table = table.again();
        table.set(0, &memory, 0);
        Ok(Box::new(CpuRun { ready: Arc::clone(&self.0), table, memory, outcome: Outcome::default() }))
    }

    fn changes(&self) -> bool {
        !self.0.graph.updates.is_empty()
    }

    fn describe(&self) -> String {
        described(&self.0.lowered.steps, &self.0.lowered.makes, &self.0.graph, 0)
    }
}

/// Steps on a line each, and behind them, as a comment, where what they make was traced; steps in steps below.
fn described(steps: &[Step], makes: &[Vec<Value>], graph: &Graph, indent: usize) -> String {
    let mut text = String::new();
    for (step, makes) in steps.iter().zip(makes) {
        let mut seen = HashSet::new();
        let origins = makes.iter().map(|&value| graph.origin(value)).filter(|origin| !origin.is_unknown());
        let origins: Vec<String> = origins.filter(|&origin| seen.insert(origin)).map(Origin::to_string).collect();
        let comment = if origins.is_empty() { String::new() } else { format!(" ; {}", origins.join(", ")) };
        text += &format!("{:indent$}{step}{comment}\n", "");
        let Step::Control(control) = step else { continue };
        for frame in &control.frames {
            text += &described(&frame.steps, &frame.makes, &frame.graph, indent + 2);
        }
    }
    text
}

struct CpuRun {
    ready: Arc<Ready>,
    table: Table,
    /// What lies between inputs and results, inputs that are not read in place, and behind them memory for a single step.
    memory: Arc<Buffer>,
    outcome: Outcome,
}

impl CpuRun {
    /// Takes in what is fed, waits for its turn, and runs the steps, or some of them at a time.
    fn go(&mut self, feeds: &[Feed], steps: impl FnOnce(&[Step], Machine) -> Result<()>) -> Result<()> {
        let Ready { store, lowered, graph, .. } = &*self.ready;
        check_feeds(feeds, lowered.inputs.iter().map(|(_, ty)| ty))?;
        for (number, feed) in feeds.iter().enumerate() {
            let (array, rows) = match feed {
                Feed::Whole(data) => {
                    self.table.set(number + 1, data.held::<Uploaded>()?.whole(store)?, 0);
                    continue;
                }
                Feed::Host(array) => (*array, None),
                Feed::Rows(data, rows) => (&data.held::<Uploaded>()?.array, Some(*rows)),
            };
            self.table.set(number + 1, &self.memory, lowered.rooms[number]);
            transfer::write(self.table.bases(), lowered.inputs[number].0, array, rows, &store.threads);
        }
        let machine = self.machine();
        let _turn = store.turn.take(!graph.updates.is_empty());
        store.failure.check()?;
        let _caller = machine.threads.enter();
        store.guarded(|| steps(&lowered.steps, machine))
    }

    fn machine(&self) -> Machine<'_> {
        let Ready { store, lowered, is_small, .. } = &*self.ready;
        let (_, scratch) = self.memory.room().cut(lowered.needs);
        let threads = if *is_small { &store.one_thread } else { &store.threads };
        Machine { level: store.level, threads, bases: self.table.bases(), scratch }
    }

    /// A step for each batch. What is fed is looked at once, and a turn is kept until somebody waits for one.
    fn many(&mut self, data: &[&Data], order: &[u32], batch: usize) -> Result<()> {
        let Ready { store, lowered, graph, .. } = &*self.ready;
        let first: Vec<Feed> = data.iter().map(|data| Feed::Rows(data, &order[..batch])).collect();
        check_feeds(&first, lowered.inputs.iter().map(|(_, ty)| ty))?;
        let mut arrays = Vec::with_capacity(data.len());
        for (number, data) in data.iter().enumerate() {
            Feed::Rows(data, order).check_rows(number)?;
            arrays.push((lowered.inputs[number].0, &data.held::<Uploaded>()?.array));
            self.table.set(number + 1, &self.memory, lowered.rooms[number]);
        }
        let machine = self.machine();
        let mut batches = order.chunks_exact(batch);
        while batches.len() > 0 {
            let _turn = store.turn.take(!graph.updates.is_empty());
            store.failure.check()?;
            let _caller = machine.threads.enter();
            store
                .guarded(|| {
                    batches.by_ref().try_for_each(|rows| {
                        let feed = |&(place, array): &(Place, &Array)| {
                            transfer::write(machine.bases, place, array, Some(rows), &store.threads);
                        };
                        arrays.iter().for_each(feed);
                        run(&lowered.steps, machine).map_err(Some)?;
                        if store.turn.is_wanted() { Err(None) } else { Ok(()) }
                    })
                })
                .or_else(|ended: Option<Error>| ended.map_or(Ok(()), Err))?;
        }
        Ok(())
    }
}

impl Run for CpuRun {
    fn start(&mut self, feeds: &[Feed]) -> Result<()> {
        let result = self.go(feeds, run);
        self.outcome.note(result)
    }

    fn steps(&mut self, data: &[&Data], order: &[u32], batch: usize) -> Result<()> {
        check_batches(order, batch)?;
        if order.is_empty() {
            return Ok(());
        }
        let result = self.many(data, order, batch);
        self.outcome.note(result)
    }

    fn outputs(&self) -> &[Type] {
        &self.ready.outputs
    }

    fn output_into(&mut self, index: usize, to: &mut Array) -> Result<()> {
        self.outcome.check(index, self.ready.outputs.get(index), to)?;
        transfer::read_into(self.table.bases(), self.ready.lowered.outputs[index].0, to);
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        self.outcome.get()
    }

    fn profile(&mut self, feeds: &[Feed], clock: &dyn Fn() -> u64) -> Result<Vec<(Origin, u64)>> {
        let ready = Arc::clone(&self.ready);
        let mut times = Vec::with_capacity(ready.lowered.steps.len());
        let timed = |steps: &[Step], machine: Machine| {
            for (step, makes) in steps.iter().zip(&ready.lowered.makes) {
                let begun = clock();
                run(std::slice::from_ref(step), machine)?;
                let origin = makes.first().map(|&value| ready.graph.origin(value).clone()).unwrap_or_default();
                times.push((origin, clock().wrapping_sub(begun)));
            }
            Ok(())
        };
        let result = self.go(feeds, timed);
        self.outcome.note(result)?;
        Ok(times)
    }
}

/// Its memory is of use to others.
impl Drop for CpuRun {
    fn drop(&mut self) {
        self.ready.store.give_back(Arc::clone(&self.memory));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::ops::Range;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use cornu_graph::{Executor, Session, Trace, VarSpec};

    use super::*;
    use crate::Cpu;
    use crate::kernels::operand::{Bases, Kernel};
    use crate::kernels::simd::Level;
    use crate::kernels::threads::Threads;
    use crate::session::CpuSession;

    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("broken")
        }
    }

    impl Kernel for Broken {
        fn units(&self) -> usize {
            2
        }

        fn grain(&self) -> usize {
            1
        }

        fn scratch(&self) -> usize {
            0
        }

        #[allow(unsafe_code, reason = "the trait asks for it")]
        unsafe fn run(&self, _: Level, _: Bases, _: Range<usize>, _: *mut u8) {
            panic!("a kernel of no use")
        }
    }

    #[test]
    fn what_callers_do_alone() {
        let store = Arc::new(Store::new(Level::Portable, Threads::new(2), &[]));
        let session = CpuSession(Arc::clone(&store));
        let is_small = |rows: usize, learns: bool, tanh: bool| {
            let weight = session.declare(VarSpec::from(Type::f32([784, 128]))).expect("memory");
            let trace = Trace::new();
            let w = trace.var(weight, Type::f32([784, 128]));
            let y = trace.input(Type::f32([rows, 784])).dot(&w);
            let y = if tanh { trace.input(Type::f32([1 << 18])).tanh() } else { y };
            let updates = if learns { vec![(weight, w + 1.0)] } else { Vec::new() };
            let Ok(loaded) = Loaded::new(&store, trace.finish(&[y], &updates).expect("a sound graph")) else {
                panic!("memory")
            };
            loaded.0.is_small
        };
        assert!(is_small(1, false, false), "a prediction of a row");
        assert!(!is_small(32, false, false) && !is_small(1, true, false) && !is_small(1, false, true));
    }

    #[test]
    fn a_step_that_breaks_off_is_the_answer_to_all_that_follows() {
        for threads in [1, 2] {
            let store = Arc::new(Store::new(Level::Portable, Threads::new(threads), &[]));
            let session: Arc<dyn Session> = Arc::new(CpuSession(Arc::clone(&store)));
            let var = session.declare(VarSpec::from(Type::f32([2]))).expect("memory");
            let trace = Trace::new();
            let new = trace.var(var, Type::f32([2])) + 1.0;
            let graph = trace.finish(&[], &[(var, new)]).expect("a sound graph");
            let sound = session.compile(&graph).expect("a sound graph");
            let Ok(mut loaded) = Loaded::new(&store, graph.clone()) else { panic!("memory") };
            let ready = Arc::get_mut(&mut loaded.0).expect("the only handle");
            ready.lowered.steps.push(Step::new(Broken));
            let [mut run, mut other] = [loaded.room().expect("memory"), sound.room().expect("memory")];
            other.start(&[]).expect("a step");
            let panic = catch_unwind(AssertUnwindSafe(|| run.start(&[]))).expect_err("the kernel panics");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"a kernel of no use"));
            let answers = [
                run.start(&[]),
                run.wait(),
                other.start(&[]),
                other.wait(),
                session.value(var).map(drop),
                session.write(&[(var, &Array::vector(vec![1.0f32, 2.0]))]),
                session.compile(&graph).map(drop),
                session.declare(VarSpec::from(Type::f32([2]))).map(drop),
                session.upload(Array::scalar(1.0f32)).map(drop),
            ];
            for (place, answer) in answers.into_iter().enumerate() {
                let message = answer.expect_err("a failure").message().to_owned();
                assert_eq!(message, "a step was broken off, and its variables are lost: a kernel of no use", "{place}");
            }
            session.release(&[var]);
            drop((run, other, loaded, sound));
            assert_eq!((session.memory().variables, session.memory().programs), (0, 0));
            Cpu::new()
                .open()
                .and_then(|other| other.once(&Trace::new().finish(&[], &[])?, &[]))
                .expect("another session");
        }
    }
}
