//! The reference evaluator: every op by its own plain definition. Slow, and the judge of all executors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::graph::Graph;
use crate::ops::{Leaf, Op};
use crate::session::{
    Data, Executor, Failure, Feed, Memory, Outcome, Program, Run, Session, Start, VarSpec, check_feeds, missing,
};
use crate::{Array, Error, Origin, Result, Type, Value, VarId};

/// What a graph computes: its outputs, and the new values of its variables in the order of its updates.
///
/// # Panics
/// If an input or a variable is missing or of another type than the graph says, or a check is false: those are errors of
/// [`Session`]s.
pub fn evaluate(graph: &Graph, vars: &[Array], inputs: &[Array]) -> (Vec<Array>, Vec<Array>) {
    let var = |id: VarId| Ok(vars[id.index()].clone());
    evaluated(graph, &var, inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// Outputs, and new values of variables.
type Results = (Vec<Array>, Vec<Array>);

/// [`evaluate`], but for checks that are false and variables that are not there.
pub(crate) fn evaluated(graph: &Graph, var: &dyn Fn(VarId) -> Result<Array>, inputs: &[Array]) -> Result<Results> {
    let live = graph.live();
    let mut values: Vec<Option<Array>> = vec![None; graph.values()];
    for (first, node) in graph.nodes().filter(|(first, _)| live[first.index()]) {
        let args: Vec<&Array> =
            node.args.iter().map(|arg| values[arg.index()].as_ref().expect("arguments come first")).collect();
        let types = graph.results_of(node);
        let results = match &node.op {
            Op::Leaf(Leaf::Input { index, .. }) => vec![inputs[*index].clone()],
            Op::Leaf(Leaf::Var { id, .. }) => vec![var(*id)?],
            op => op.eval(&args, &types)?,
        };
        let same = results.iter().map(Array::ty).eq(types.into_iter().cloned());
        assert!(same, "`{}` gave other types than its rule", node.op);
        values[first.index()..].iter_mut().zip(results).for_each(|(value, result)| *value = Some(result));
    }
    for check in &graph.checks {
        let number = |value: Value| values[value.index()].as_ref().expect("checks are live").number(0);
        if number(check.holds).f64() == 0.0 {
            return Err(check.error(check.numbers.iter().map(|&value| number(value))));
        }
    }
    let get = |value: &Value| values[value.index()].clone().expect("results are live");
    Ok((graph.outputs.iter().map(get).collect(), graph.updates.iter().map(|(_, value)| get(value)).collect()))
}

/// The reference evaluator as an executor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Executor for Reference {
    fn name(&self) -> &str {
        "reference"
    }

    fn open(&self) -> Result<Arc<dyn Session>> {
        Ok(Arc::new(ReferenceSession::default()))
    }
}

#[derive(Default)]
struct ReferenceSession(Arc<Store>);

#[derive(Default)]
struct Store {
    /// By their names; nothing where one was released.
    vars: RwLock<Vec<Option<(VarSpec, Array)>>>,
    programs: AtomicUsize,
    failure: Failure,
}

type Vars = Vec<Option<(VarSpec, Array)>>;

fn get(vars: &Vars, id: VarId) -> Result<&(VarSpec, Array)> {
    vars.get(id.index()).and_then(Option::as_ref).ok_or_else(|| missing(id))
}

impl Store {
    fn vars(&self) -> RwLockReadGuard<'_, Vars> {
        self.vars.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn vars_mut(&self) -> RwLockWriteGuard<'_, Vars> {
        self.vars.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a step; variables change at its end.
    fn step(&self, graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>> {
        self.failure.check()?;
        let run = |vars: &Vars| evaluated(graph, &|id| get(vars, id).map(|(_, value)| value.clone()), inputs);
        if graph.updates.is_empty() {
            return Ok(run(&self.vars())?.0);
        }
        let mut vars = self.vars_mut();
        let (outputs, updates) = run(&vars)?;
        for ((id, _), new) in graph.updates.iter().zip(updates) {
            vars[id.index()].iter_mut().for_each(|(_, value)| value.clone_from(&new));
        }
        Ok(outputs)
    }
}

impl Session for ReferenceSession {
    fn declare(&self, spec: VarSpec) -> Result<VarId> {
        self.0.failure.check()?;
        let value = match &spec.start {
            Start::Zeros => Array::zeros(&spec.ty),
            Start::Value(value) => value.clone(),
        };
        let mut vars = self.0.vars_mut();
        vars.push(Some((VarSpec { start: Start::Zeros, ..spec }, value)));
        Ok(VarId::new(vars.len() - 1))
    }

    fn release(&self, vars: &[VarId]) {
        let mut all = self.0.vars_mut();
        vars.iter().filter_map(|id| all.get_mut(id.index()).map(Option::take)).for_each(drop);
    }

    fn upload(&self, array: Array) -> Result<Data> {
        self.0.failure.check()?;
        Ok(Data::new(array.ty(), array))
    }

    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>> {
        self.0.failure.check()?;
        crate::verify(graph)?;
        check_vars(graph, |id| get(&self.0.vars(), id).ok().map(|(spec, _)| spec.ty.clone()))?;
        self.0.programs.fetch_add(1, Ordering::Relaxed);
        let outputs = graph.outputs.iter().map(|&output| graph.ty(output).clone()).collect();
        Ok(Arc::new(Loaded(Arc::new(Ready { store: Arc::clone(&self.0), graph: graph.clone(), outputs }))))
    }

    fn read(&self, vars: &[VarId]) -> Result<Vec<Array>> {
        self.0.failure.check()?;
        let all = self.0.vars();
        vars.iter().map(|&id| get(&all, id).map(|(_, value)| value.clone())).collect()
    }

    fn write(&self, values: &[(VarId, &Array)]) -> Result<()> {
        self.0.failure.check()?;
        let mut all = self.0.vars_mut();
        values.iter().try_for_each(|(id, value)| get(&all, *id)?.0.check(&value.ty()))?;
        for (id, value) in values {
            all[id.index()].iter_mut().for_each(|(_, own)| own.clone_from(value));
        }
        Ok(())
    }

    fn memory(&self) -> Memory {
        let bytes = |(_, value): &(VarSpec, Array)| value.len() * value.dtype().size();
        let programs = self.0.programs.load(Ordering::Relaxed);
        Memory { variables: self.0.vars().iter().flatten().map(bytes).sum(), scratch: 0, programs }
    }
}

/// Whether a session has the variables of a graph, of their types.
///
/// # Errors
/// It has not.
pub fn check_vars(graph: &Graph, ty: impl Fn(VarId) -> Option<Type>) -> Result<()> {
    graph.vars.iter().chain(&graph.updates).try_for_each(|&(id, value)| {
        let declared = ty(id);
        if declared.as_ref() == Some(graph.ty(value)) {
            return Ok(());
        }
        let declared = declared.map_or("nothing".into(), |ty| ty.to_string());
        Err(Error::graph(format!("{id} was declared as {declared}, got {}", graph.ty(value))))
    })
}

/// A graph of a session.
struct Ready {
    store: Arc<Store>,
    graph: Graph,
    outputs: Vec<Type>,
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.store.programs.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Loaded(Arc<Ready>);

impl Program for Loaded {
    fn room(&self) -> Result<Box<dyn Run>> {
        Ok(Box::new(ReferenceRun { ready: Arc::clone(&self.0), outputs: Vec::new(), outcome: Outcome::default() }))
    }

    fn changes(&self) -> bool {
        !self.0.graph.updates.is_empty()
    }

    fn describe(&self) -> String {
        format!("{:#}", self.0.graph)
    }
}

struct ReferenceRun {
    ready: Arc<Ready>,
    outputs: Vec<Array>,
    outcome: Outcome,
}

/// What is fed, as an array of its own.
fn fed(feed: &Feed) -> Result<Array> {
    Ok(match feed {
        Feed::Host(array) => (*array).clone(),
        Feed::Whole(data) => data.held::<Array>()?.clone(),
        Feed::Rows(data, rows) => data.held::<Array>()?.rows(&rows.iter().map(|&row| row as usize).collect::<Vec<_>>()),
    })
}

impl Run for ReferenceRun {
    fn start(&mut self, feeds: &[Feed]) -> Result<()> {
        let Ready { store, graph, .. } = &*self.ready;
        let step = || {
            check_feeds(feeds, graph.inputs.iter().map(|&input| graph.ty(input)))?;
            store.step(graph, &feeds.iter().map(fed).collect::<Result<Vec<_>>>()?)
        };
        self.outcome.note(step().map(|outputs| self.outputs = outputs))
    }

    fn outputs(&self) -> &[Type] {
        &self.ready.outputs
    }

    fn output_into(&mut self, index: usize, to: &mut Array) -> Result<()> {
        self.outcome.check(index, self.ready.outputs.get(index), to)?;
        to.clone_from(&self.outputs[index]);
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        self.outcome.get()
    }

    /// All of it takes as long as it takes.
    fn profile(&mut self, feeds: &[Feed], clock: &dyn Fn() -> u64) -> Result<Vec<(Origin, u64)>> {
        let begun = clock();
        self.start(feeds)?;
        Ok(vec![(Origin::default(), clock().wrapping_sub(begun))])
    }
}
