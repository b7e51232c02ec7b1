//! The reference evaluator: every op by its own plain definition. Slow, and the judge of all executors.

use std::collections::HashMap;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ops::{Leaf, Op};
use crate::session::{Executor, Feed, Memory, ProgramId, Session};
use crate::{Array, Error, Result, Type, Value, VarId};

/// What a graph computes: its outputs, and the new values of its variables in the order of its updates.
///
/// # Panics
/// If an input or a variable is missing or of another type than the graph says, or a check is false: those are errors of
/// [`Session`]s.
pub fn evaluate(graph: &Graph, vars: &[Array], inputs: &[Array]) -> (Vec<Array>, Vec<Array>) {
    evaluated(graph, vars, inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// [`evaluate`], but for checks that are false.
pub(crate) fn evaluated(graph: &Graph, vars: &[Array], inputs: &[Array]) -> Result<(Vec<Array>, Vec<Array>)> {
    let live = graph.live();
    let mut values: Vec<Option<Array>> = vec![None; graph.values()];
    for (first, node) in graph.nodes().filter(|(first, _)| live[first.index()]) {
        let args: Vec<&Array> =
            node.args.iter().map(|arg| values[arg.index()].as_ref().expect("arguments come first")).collect();
        let types = graph.results_of(node);
        let results = match &node.op {
            Op::Leaf(Leaf::Input { index, .. }) => vec![inputs[*index].clone()],
            Op::Leaf(Leaf::Var { id, .. }) => vec![vars[id.index()].clone()],
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

    fn open(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(ReferenceSession::default()))
    }
}

#[derive(Default)]
struct ReferenceSession {
    vars: Vec<Array>,
    programs: HashMap<ProgramId, (Arc<Graph>, Vec<Array>)>,
    compiled: usize,
}

impl ReferenceSession {
    fn program(&self, id: ProgramId) -> Result<&(Arc<Graph>, Vec<Array>)> {
        self.programs.get(&id).ok_or_else(|| id.released())
    }
}

impl Session for ReferenceSession {
    fn declare(&mut self, var: Type) -> Result<VarId> {
        self.vars.push(Array::zeros(&var));
        Ok(VarId::new(self.vars.len() - 1))
    }

    fn compile(&mut self, graph: &Graph) -> Result<ProgramId> {
        crate::verify(graph)?;
        let id = ProgramId::new(self.compiled);
        self.compiled += 1;
        self.programs.insert(id, (Arc::new(graph.clone()), Vec::new()));
        Ok(id)
    }

    fn release(&mut self, program: ProgramId) {
        self.programs.remove(&program);
    }

    fn run(&mut self, program: ProgramId, feeds: &[Feed]) -> Result<()> {
        let graph = Arc::clone(&self.program(program)?.0);
        let inputs: Vec<Array> = feeds.iter().map(Feed::to_array).collect();
        for (index, &value) in graph.inputs.iter().enumerate() {
            if inputs.get(index).map(Array::ty).as_ref() != Some(graph.ty(value)) {
                let got = inputs.get(index).map_or("nothing".into(), |array| array.ty().to_string());
                return Err(Error::graph(format!("input {index} needs {}, got {got}", graph.ty(value))));
            }
        }
        let (outputs, updates) = evaluated(&graph, &self.vars, &inputs)?;
        for ((var, _), new) in graph.updates.iter().zip(updates) {
            self.vars[var.index()] = new;
        }
        self.programs.insert(program, (graph, outputs));
        Ok(())
    }

    fn output(&self, program: ProgramId, index: usize) -> Result<Array> {
        let outputs = &self.program(program)?.1;
        outputs.get(index).cloned().ok_or_else(|| Error::graph(format!("no output {index}: the program has not run")))
    }

    fn read(&self, var: VarId) -> Array {
        self.vars[var.index()].clone()
    }

    fn write(&mut self, var: VarId, value: &Array) -> Result<()> {
        let slot = &mut self.vars[var.index()];
        if slot.ty() != value.ty() {
            return Err(Error::graph(format!("variable {var} needs {}, got {}", slot.ty(), value.ty())));
        }
        *slot = value.clone();
        Ok(())
    }

    fn memory(&self) -> Memory {
        let bytes = |array: &Array| array.len() * array.dtype().size();
        Memory { variables: self.vars.iter().map(bytes).sum(), scratch: 0, programs: self.programs.len() }
    }

    fn describe(&self, program: ProgramId) -> String {
        self.program(program).map(|(graph, _)| format!("{graph:#}")).unwrap_or_default()
    }
}
