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
