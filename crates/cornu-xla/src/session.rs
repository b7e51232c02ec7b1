//! Sessions on a plugin's device.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use cornu_graph::{
    AN_ARRAY, Array, Data, Error, Executor, Failure, Graph, Memory, Program, Result, Session, Start, Type, VarId,
    VarSpec, check_vars, missing, passes, room,
};

use crate::plugin::{Client, Count, Held};
use crate::program::Compiled;

/// Names the plugin where nobody else does.
const PLUGIN: &str = "CORNU_PJRT_PLUGIN";

/// A machine for which there is a plugin of XLA's.
#[derive(Clone, Debug)]
pub struct Xla {
    plugin: PathBuf,
}

impl Xla {
    /// The machine of the plugin in that file. It is loaded when a session is opened, once in a process, and stays.
    pub fn new(plugin: impl Into<PathBuf>) -> Xla {
        Xla { plugin: plugin.into() }
    }

    /// The machine of the plugin that `CORNU_PJRT_PLUGIN` names.
    ///
    /// # Errors
    /// It names none.
    pub fn from_environment() -> Result<Xla> {
        let named = std::env::var_os(PLUGIN).filter(|path| !path.is_empty());
        named.map(Xla::new).ok_or_else(|| {
            let help = "set it to the plugin's file, such as `xla_cpu_pjrt.so`; see docs/xla.md";
            Error::usage(format!("`{PLUGIN}` names no plugin")).help(help)
        })
    }

    /// What the plugin says it runs on: `cpu, 1.2`.
    ///
    /// # Errors
    /// Those of [`Executor::open`].
    pub fn platform(&self) -> Result<String> {
        Ok(Client::at(&self.plugin)?.platform.clone())
    }
}

impl Executor for Xla {
    fn name(&self) -> &str {
        "xla"
    }

    fn open(&self) -> Result<Arc<dyn Session>> {
        Ok(Arc::new(XlaSession(Arc::new(Store::new(Client::at(&self.plugin)?)))))
    }
}

pub(crate) struct XlaSession(pub(crate) Arc<Store>);

/// What a session holds.
pub(crate) struct Store {
    pub(crate) client: &'static Client,
    /// Of all that its buffers and programs are.
    pub(crate) count: Arc<Count>,
    /// Programs that read variables have it together, one that changes them alone.
    pub(crate) turn: RwLock<()>,
    pub(crate) failure: Failure,
    pub(crate) programs: AtomicUsize,
    vars: Mutex<Vars>,
}

#[derive(Default)]
struct Vars {
    declared: usize,
    by_id: HashMap<VarId, Arc<Var>>,
}

/// A variable: each step that changes it puts another buffer in the place of the one that it is given.
pub(crate) struct Var {
    spec: VarSpec,
    held: Mutex<Arc<Held>>,
}

impl Var {
    pub(crate) fn held(&self) -> Arc<Held> {
        Arc::clone(&locked(&self.held))
    }

    pub(crate) fn set(&self, held: Held) {
        *locked(&self.held) = Arc::new(held);
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An array of zeros, if there is memory for it.
pub(crate) fn zeros(ty: &Type) -> Result<Array> {
    room::room::<u8>(AN_ARRAY, &[ty.shape.size(), ty.dtype.size()])?;
    Ok(Array::zeros(ty))
}

/// The failure that a session has from then on.
pub(crate) fn lost(error: &Error) -> Error {
    let error = error.clone().context("a step failed, and its variables are lost");
    error.help("make or load the model anew")
}

impl Store {
    fn new(client: &'static Client) -> Store {
        let (count, turn, failure) = (Arc::default(), RwLock::default(), Failure::default());
        Store { client, count, turn, failure, programs: AtomicUsize::new(0), vars: Mutex::default() }
    }

    /// Variables, which stay alive as long as somebody has them.
    ///
    /// # Errors
    /// One that is not there.
    pub(crate) fn vars(&self, ids: impl IntoIterator<Item = VarId>) -> Result<Vec<Arc<Var>>> {
        let vars = locked(&self.vars);
        ids.into_iter().map(|id| vars.by_id.get(&id).cloned().ok_or_else(|| missing(id))).collect()
    }

    /// What may show the failure of an earlier step, which is that of the session from then on.
    pub(crate) fn noting<T>(&self, result: Result<T>) -> Result<T> {
        result.or_else(|error| {
            self.failure.note(lost(&error));
            self.failure.check()?;
            Err(error)
        })
    }
}

impl Session for XlaSession {
    fn declare(&self, mut spec: VarSpec) -> Result<VarId> {
        self.0.failure.check()?;
        let held = match std::mem::replace(&mut spec.start, Start::Zeros) {
            Start::Zeros => self.0.client.upload(&zeros(&spec.ty)?, &self.0.count)?,
            Start::Value(value) => self.0.client.upload(&value, &self.0.count)?,
        };
        let mut vars = locked(&self.0.vars);
        let id = VarId::new(vars.declared);
        vars.declared += 1;
        vars.by_id.insert(id, Arc::new(Var { spec, held: Mutex::new(Arc::new(held)) }));
        Ok(id)
    }

    fn release(&self, ids: &[VarId]) {
        let mut vars = locked(&self.0.vars);
        ids.iter().for_each(|id| _ = vars.by_id.remove(id));
    }

    fn upload(&self, array: Array) -> Result<Data> {
        self.0.failure.check()?;
        let held = Arc::new(self.0.client.upload(&array, &self.0.count)?);
        Ok(Data::new(array.ty(), held))
    }

    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>> {
        self.0.failure.check()?;
        check_vars(graph, |id| self.0.vars([id]).ok().map(|vars| vars[0].spec.ty.clone()))?;
        let wide = passes::widen(passes::run(graph, passes::ALL));
        Ok(Arc::new(Compiled::new(&self.0, &wide)?))
    }

    fn read(&self, ids: &[VarId]) -> Result<Vec<Array>> {
        let vars = self.0.vars(ids.iter().copied())?;
        let _turn = self.0.turn.read().unwrap_or_else(PoisonError::into_inner);
        self.0.failure.check()?;
        let read = |var: &Arc<Var>| {
            let mut array = zeros(&var.spec.ty)?;
            self.0.noting(var.held().read_into(&mut array))?;
            Ok(array)
        };
        vars.iter().map(read).collect()
    }

    fn write(&self, values: &[(VarId, &Array)]) -> Result<()> {
        let vars = self.0.vars(values.iter().map(|&(id, _)| id))?;
        vars.iter().zip(values).try_for_each(|(var, (_, value))| var.spec.check(&value.ty()))?;
        let _turn = self.0.turn.write().unwrap_or_else(PoisonError::into_inner);
        self.0.failure.check()?;
        let held: Vec<Held> =
            values.iter().map(|(_, value)| self.0.client.upload(value, &self.0.count)).collect::<Result<_>>()?;
        vars.iter().zip(held).for_each(|(var, held)| var.set(held));
        Ok(())
    }

    fn memory(&self) -> Memory {
        let vars = locked(&self.0.vars);
        let variables = vars.by_id.values().map(|var| var.spec.ty.size() * var.spec.ty.dtype.size()).sum();
        let all = self.0.count.bytes.load(Ordering::Relaxed);
        let programs = self.0.programs.load(Ordering::Relaxed);
        Memory { variables, scratch: all.saturating_sub(variables), programs }
    }
}

#[cfg(test)]
mod tests {
    use cornu_graph::{Feed, Trace};

    use super::*;
    use crate::hlo::{Module, Source};

    fn machine() -> Option<Xla> {
        let machine = Xla::from_environment().ok();
        if machine.is_none() {
            println!("skipped: {PLUGIN} names no plugin");
        }
        machine
    }

    /// A session, and the store that it has.
    fn opened(xla: &Xla) -> (Box<dyn Session>, Arc<Store>) {
        let store = Arc::new(Store::new(Client::at(&xla.plugin).expect("a plugin")));
        (Box::new(XlaSession(Arc::clone(&store))), store)
    }

    /// `w + x`, that becomes the variable and is the output.
    fn growing(var: VarId) -> Graph {
        let trace = Trace::new();
        let sum = trace.var(var, Type::f32([2])) + trace.input(Type::f32([2]));
        trace.finish(std::slice::from_ref(&sum), &[(var, sum.clone())]).expect("a sound graph")
    }

    #[test]
    fn a_step_that_fails_is_the_answer_to_all_that_follows() {
        let Some(xla) = machine() else { return };
        let (session, store) = opened(&xla);
        let var = session.declare(VarSpec::from(Type::f32([2]))).expect("memory");
        let graph = growing(var);
        let x = Array::vector(vec![1.0f32, 2.0]);
        let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
        run.start(&[Feed::Host(&x)]).expect("a step");
        let kept = session.upload(x.clone()).expect("memory");
        // Somebody gives the variable away, so that the next step has nothing to begin with.
        let held = store.vars([var]).expect("a variable")[0].held();
        let module = Module::new(&graph);
        let thief =
            store.client.compile(&module.text(&[Source::Whole], 1), &[8, 8], &store.count).expect("a sound graph");
        let arguments = [held, Arc::clone(kept.held().expect("its own"))];
        drop(thief.run(&arguments).expect("a step"));
        let message = run.start(&[Feed::Host(&x)]).expect_err("a variable that is gone").message().to_owned();
        assert!(message.starts_with("a step failed, and its variables are lost: the plugin says `"), "{message}");
        let answers = [
            run.start(&[Feed::Host(&x)]),
            run.wait(),
            run.output(0).map(drop),
            session.value(var).map(drop),
            session.write(&[(var, &x)]),
            session.compile(&graph).map(drop),
            session.declare(VarSpec::from(Type::f32([2]))).map(drop),
            session.upload(x.clone()).map(drop),
        ];
        for (place, answer) in answers.into_iter().enumerate() {
            let error = answer.expect_err("a failure");
            assert_eq!((error.message(), place), (&*message, place));
            assert!(error.to_string().ends_with("help: make or load the model anew"), "{error}");
        }
        session.release(&[var]);
        drop((run, kept, arguments, thief));
        assert_eq!((session.memory().programs, store.count.things.load(Ordering::Relaxed)), (0, 0));
        opened(&xla).0.declare(VarSpec::from(Type::f32([2]))).expect("another session");
    }

    #[test]
    fn data_of_another_plugin_is_refused() {
        let Some(xla) = machine() else { return };
        let (here, store) = opened(&xla);
        let there = XlaSession(Arc::new(Store::new(store.client.of_another_plugin().expect("a plugin"))));
        let var = here.declare(VarSpec::from(Type::f32([2]))).expect("memory");
        let data = there.upload(Array::vector(vec![1.0f32, 2.0])).expect("memory");
        let mut run = here.compile(&growing(var)).and_then(|program| program.room()).expect("a sound graph");
        let error = run.start(&[Feed::Whole(&data)]).expect_err("data of another plugin").to_string();
        assert_eq!(error, "a step was given data of another plugin\n  help: upload it to this session");
    }

    #[test]
    fn a_thousand_sessions_leave_nothing() {
        let Some(xla) = machine() else { return };
        let counts = (0..1000).map(|number| {
            let (session, store) = opened(&xla);
            let value = Array::vector(vec![number as f32, 1.0]);
            let var = session.declare(VarSpec::value("w", cornu_graph::Role::Weight, value)).expect("memory");
            let data = session.upload(Array::from_fn(&Type::f32([3]), |i| i as f64)).expect("memory");
            let trace = Trace::new();
            let sum = trace.var(var, Type::f32([2])) + trace.input(Type::f32([1])).broadcast_to([2]);
            let graph = trace.finish(std::slice::from_ref(&sum), &[(var, sum.clone())]);
            // Each tenth compiles and runs, which takes a hundred times as long as the rest.
            if number % 10 == 0 {
                let graph = graph.expect("a sound graph");
                let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
                run.steps(&[&data], &[0, 1, 2], 1).expect("three steps");
                assert_eq!(run.output(0).expect("an output").get(0), f64::from(number + 3));
                run.start(&[]).expect_err("too few inputs");
                session.write(&[(var, &Array::vector(vec![0.5f32; 2]))]).expect("its type");
            }
            assert!(store.count.things.load(Ordering::Relaxed) > 1);
            Arc::clone(&store.count)
        });
        let alive = |count: Arc<Count>| count.things.load(Ordering::Relaxed) + count.bytes.load(Ordering::Relaxed);
        assert_eq!(counts.map(alive).sum::<usize>(), 0);
    }
}
