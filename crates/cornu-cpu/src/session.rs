//! Sessions on this processor.

use std::sync::{Arc, OnceLock};

use cornu_graph::{Array, Data, Executor, Graph, Memory, Program, Result, Session, VarId, VarSpec, check_vars, passes};

use crate::environment::Environment;
use crate::kernels::memory::Buffer;
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;
use crate::kernels::transfer;
use crate::program::Loaded;
use crate::store::Store;

/// A value of so many bytes does not stay in the cache of a core.
const LARGE: usize = 1 << 20;

/// This processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    threads: Option<usize>,
    level: Option<Level>,
    raw: bool,
}

impl Cpu {
    /// All cores, and the widest vectors there are. `CORNU_THREADS` and `CORNU_SIMD` ask for less, and `CORNU_PASSES=2`
    /// for the first two passes only, to find a guilty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// That many threads, the caller's included. Results do not depend on it.
    #[must_use]
    pub fn threads(self, count: usize) -> Self {
        Cpu { threads: Some(count), ..self }
    }

    /// Vectors of that level at most.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Cpu { level: Some(level), ..self }
    }

    /// Runs graphs as they are given, without passes: to find out whether a pass is to blame.
    #[must_use]
    pub fn raw(self) -> Self {
        Cpu { raw: true, ..self }
    }
}

impl Executor for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn open(&self) -> Result<Arc<dyn Session>> {
        let environment = Environment::read()?;
        let threads = Threads::new(self.threads.unwrap_or(environment.threads));
        let level = self.level.filter(|level| Level::all().contains(level)).unwrap_or(environment.level);
        let count = if self.raw { 0 } else { environment.passes.min(passes::ALL.len()) };
        Ok(Arc::new(CpuSession(Arc::new(Store::new(level, threads, &passes::ALL[..count])))))
    }
}

pub(crate) struct CpuSession(pub(crate) Arc<Store>);

/// An array that stays: rows are picked from it as it is; whole it is read in place, from where a line begins.
pub(crate) struct Uploaded {
    pub(crate) array: Array,
    whole: OnceLock<Buffer>,
}

impl Uploaded {
    /// All of it, as kernels read it: made when it is first needed.
    ///
    /// # Errors
    /// There must be memory for it.
    pub(crate) fn whole(&self, store: &Store) -> Result<&Buffer> {
        match self.whole.get() {
            Some(whole) => Ok(whole),
            None => {
                let filled = store.filled(&self.array)?;
                Ok(self.whole.get_or_init(|| filled))
            }
        }
    }
}

impl Session for CpuSession {
    fn declare(&self, spec: VarSpec) -> Result<VarId> {
        self.0.failure.check()?;
        self.0.declare(spec)
    }

    fn release(&self, vars: &[VarId]) {
        self.0.release(vars);
    }

    fn upload(&self, array: Array) -> Result<Data> {
        self.0.failure.check()?;
        Ok(Data::new(array.ty(), Uploaded { array, whole: OnceLock::new() }))
    }

    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>> {
        self.0.failure.check()?;
        check_vars(graph, |id| self.0.vars([id]).ok().map(|vars| vars[0].spec.ty.clone()))?;
        let graph = passes::run(graph, self.0.passes);
        let is_raw = self.0.passes.len() < passes::ALL.len();
        let wide = passes::widen(if is_raw { graph } else { passes::slices(&graph, LARGE) });
        Ok(Arc::new(Loaded::new(&self.0, wide).inspect_err(|_| self.0.forget())?))
    }

    fn lanes(&self) -> usize {
        self.0.level.lanes()
    }

    fn read(&self, vars: &[VarId]) -> Result<Vec<Array>> {
        let vars = self.0.vars(vars.iter().copied())?;
        let _turn = self.0.turn.take(false);
        self.0.failure.check()?;
        vars.iter().map(|var| transfer::read(var.buffer.bases(), var.place(), &var.spec.ty)).collect()
    }

    fn write(&self, values: &[(VarId, &Array)]) -> Result<()> {
        let vars = self.0.vars(values.iter().map(|&(id, _)| id))?;
        vars.iter().zip(values).try_for_each(|(var, (_, value))| var.spec.check(&value.ty()))?;
        let _turn = self.0.turn.take(true);
        self.0.failure.check()?;
        for (var, (_, value)) in vars.iter().zip(values) {
            transfer::write(var.buffer.bases(), var.place(), value, None, &self.0.threads);
        }
        Ok(())
    }

    fn memory(&self) -> Memory {
        self.0.memory()
    }
}
