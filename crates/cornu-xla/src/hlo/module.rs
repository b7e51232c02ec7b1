//! Modules: one step of a graph as a private function, and around it a public one for each way of giving it data.

use cornu_graph::{Check, DType, Graph, Number, Type, VarId};

use super::{Found, Hlo, Val, Writer, listed, types};

/// What a program is given for an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The input itself.
    Whole,
    /// Data of so many rows, and the numbers of those that are picked.
    Rows(usize),
}

/// One step of a graph as text.
pub(crate) struct Module {
    step: String,
    /// The variables: first those that are updated, in the order of the results, then those that are only read.
    pub(crate) vars: Vec<(VarId, Type)>,
    /// How many of them are updated.
    pub(crate) updated: usize,
    /// The inputs, after the variables.
    pub(crate) inputs: Vec<Type>,
    /// The results behind the updated variables: outputs, then, where there are checks, the number of the first that is
    /// false (or how many there are), and the numbers of all their texts.
    pub(crate) results: Vec<Type>,
    /// How many of these are outputs.
    pub(crate) outputs: usize,
    /// What the step asks for, in the order in which it is looked at.
    pub(crate) checks: Vec<Check>,
}

impl Module {
    pub(crate) fn new(graph: &Graph) -> Module {
        let ty = |value| graph.ty(value).clone();
        let mut vars: Vec<(VarId, Type)> = graph.updates.iter().map(|&(id, value)| (id, ty(value))).collect();
        let updated = vars.len();
        let is_new = |id| !graph.updates.iter().any(|&(updated, _)| updated == id);
        vars.extend(graph.vars.iter().filter(|(id, _)| is_new(*id)).map(|&(id, value)| (id, ty(value))));
        let inputs: Vec<Type> = graph.inputs.iter().map(|&input| ty(input)).collect();

        let mut w = Writer::default();
        let params: Vec<Val> = vars.iter().map(|(_, ty)| ty).chain(&inputs).map(|ty| w.name(ty.clone())).collect();
        let (given_vars, given) = params.split_at(vars.len());
        let var = |id| given_vars[vars.iter().position(|(known, _)| *known == id).expect("it is read")].clone();
        let written = w.graph(graph, given, &var);
        let mut new = written.all(graph.updates.iter().map(|&(_, value)| value));
        let mut results = written.all(graph.outputs.iter().copied());
        let outputs = results.len();
        let found = std::mem::take(&mut w.checks);
        if !found.is_empty() {
            let held = w.all_hold(&found);
            new = new.iter().zip(given_vars).map(|(new, old)| w.select(&held, new, old)).collect();
            results.push(w.first_false(&found));
            results.extend(found.iter().flat_map(|found| found.numbers.clone()));
        }
        let step = w.function("private @step", &params, 0, &[&new[..], &results].concat());
        let results = results.into_iter().map(|result| result.ty).collect();
        let checks = found.into_iter().map(|found| found.check).collect();
        Module { step, vars, updated, inputs, results, outputs, checks }
    }

    /// The step alone, for those who want to read it.
    pub(crate) fn step(&self) -> &str {
        &self.step
    }

    /// A module whose main function is given the variables, then for each input what its source says, and then the
    /// numbers of rows: of each source of rows apart; or, for more than one step, of all batches one behind the other.
    pub(crate) fn text(&self, sources: &[Source], steps: usize) -> String {
        let mut w = Writer::default();
        let vars: Vec<Val> = self.vars.iter().map(|(_, ty)| w.name(ty.clone())).collect();
        let fed = |(ty, source): (&Type, &Source)| match source {
            Source::Whole => ty.clone(),
            Source::Rows(count) => Type::new(ty.dtype, ty.shape.with(0, *count)),
        };
        let data: Vec<Val> = self.inputs.iter().zip(sources).map(fed).map(|ty| w.name(ty)).collect();
        let batches = self.inputs.iter().zip(sources).filter(|(_, source)| matches!(source, Source::Rows(_)));
        let batches: Vec<usize> = batches.map(|(ty, _)| ty.shape[0]).collect();
        let orders: Vec<usize> = match steps {
            1 => batches,
            _ => batches.first().map(|batch| batch * steps).into_iter().collect(),
        };
        let orders: Vec<Val> = orders.into_iter().map(|count| w.name(Type::new(DType::U32, [count]))).collect();
        let results = match steps {
            1 => {
                let inputs = w.picked(&data, sources, &mut orders.iter().cloned());
                w.step(self, &vars, &inputs)
            }
            _ => self.steps(&mut w, &vars, &data, (sources, orders.first()), steps),
        };
        let main = w.function("public @main", &[vars, data, orders].concat(), self.updated, &results);
        format!("module @cornu {{\n{main}{}}}\n", self.step)
    }

    /// All steps as one loop. Whatever follows a step that fails changes nothing.
    fn steps(
        &self,
        w: &mut Writer,
        vars: &[Val],
        data: &[Val],
        (sources, order): (&[Source], Option<&Val>),
        steps: usize,
    ) -> Vec<Val> {
        let (updated, read) = vars.split_at(self.updated);
        let mut first: Vec<Val> = self.results.iter().map(|ty| w.splat(Number::Whole(0), ty)).collect();
        if !self.checks.is_empty() {
            first[self.outputs] = w.int(self.checks.len() as i64);
        }
        w.repeat(steps, &[updated, &first].concat(), |w, i, carried| {
            let (updated, before) = carried.split_at(self.updated);
            let rows = order.map(|order| {
                let batch = order.ty.size() / steps;
                let size = w.int(batch as i64);
                let start = w.binary("multiply", i, &size);
                w.dynamic_slice(order, &start, batch)
            });
            let inputs = w.picked(data, sources, &mut rows.into_iter().cycle());
            let next = w.step(self, &[updated, read].concat(), &inputs);
            if self.checks.is_empty() {
                return next;
            }
            let none = w.int(self.checks.len() as i64);
            let sound = w.compare("EQ", &before[self.outputs], &none);
            next.iter().zip(carried).map(|(next, before)| w.select(&sound, next, before)).collect()
        })
    }
}

impl Writer {
    /// The number of the first check that is false, or how many there are.
    fn first_false(&mut self, checks: &[Found]) -> Val {
        let none = self.int(checks.len() as i64);
        checks.iter().enumerate().rev().fold(none, |first, (number, found)| {
            let number = self.int(number as i64);
            self.select(&found.holds, &first, &number)
        })
    }

    /// Inputs from what is fed.
    fn picked(&mut self, data: &[Val], sources: &[Source], rows: &mut dyn Iterator<Item = Val>) -> Vec<Val> {
        let mut picked = |(data, source): (&Val, &Source)| match source {
            Source::Whole => data.clone(),
            Source::Rows(_) => {
                let rows = rows.next().expect("rows for each source of them");
                self.rows(data, &rows)
            }
        };
        data.iter().zip(sources).map(&mut picked).collect()
    }

    /// A call of the step.
    fn step(&mut self, module: &Module, vars: &[Val], inputs: &[Val]) -> Vec<Val> {
        let updated = module.vars[..module.updated].iter().map(|(_, ty)| ty);
        let all: Vec<Type> = updated.chain(&module.results).cloned().collect();
        let (args, to) = ([vars, inputs].concat(), listed(all.iter().map(Hlo)));
        self.add_all(all, |results| {
            format!("{results}func.call @step({}) : ({}) -> ({to})", listed(&args), types(&args))
        })
    }

    /// What was written, as a function. So many of the first parameters are donated to the first results.
    fn function(&mut self, name: &str, params: &[Val], donated: usize, results: &[Val]) -> String {
        let param = |(i, param): (usize, &Val)| match i < donated {
            true => format!("{param}: {} {{tf.aliasing_output = {i} : i32}}", Hlo(&param.ty)),
            false => format!("{param}: {}", Hlo(&param.ty)),
        };
        let (given, to) = (listed(params.iter().enumerate().map(param)), types(results));
        let returned = if results.is_empty() { String::new() } else { format!(" {} : {to}", listed(results)) };
        format!("  func.func {name}({given}) -> ({to}) {{\n{}    func.return{returned}\n  }}\n", self.text)
    }
}
