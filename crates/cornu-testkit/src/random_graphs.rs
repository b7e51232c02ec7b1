//! Random graphs: executors are compared where nobody thought of looking.
//!
//! Against the reference, what a graph passes on are small whole numbers and truth values, which every element type holds
//! exactly, so that executors must agree to the last bit in whatever order they add. Functions that are only approximated
//! end in an output, or in a comparison with a number they never come near. Where executors of one kind are compared with
//! each other, numbers are anything, and bits are compared.

mod random;
mod writer;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cornu_graph::ops::{Binary, Leaf, Op};
use cornu_graph::{Array, DType, Executor, Feed, Graph, Reference, Role, Run, Session, Type, Value, VarId, VarSpec};

use self::random::{Kind, Random};
use self::writer::Writer;
use crate::golden::Report;
use crate::ops::{is_exact, near, same_bits, simplified};

/// How large numbers may grow: with room for sums of them within the 24 bits of a single.
const LARGEST: f64 = 1e5;
/// Variables and inputs hold whole numbers from minus this to this.
const SMALL: f64 = 8.0;
/// No approximated function comes near this number at a whole one.
const THRESHOLD: f64 = 0.366_025_4;

/// Runs the random graphs of `seeds` on every executor and on the reference evaluator, and compares outputs and
/// variables after every step.
///
/// # Panics
/// If they differ: with the smallest graph of that seed that shows it.
pub fn agree_with_reference(executors: &[&dyn Executor], seeds: impl IntoIterator<Item = u64>) {
    each(seeds, |seed, nodes| {
        let case = Case::new(Kind::Small, seed, nodes);
        let want = case.run(&Reference)?;
        compare(&case, executors, |_, got, at| near(got, &want[at].2, 4e-6))
    });
}

/// Runs random graphs of `seeds`, on numbers of all kinds, on every executor, and compares bits: with those of the
/// first executor, and with the reference evaluator's where nothing was rounded otherwise on the way. Passes change
/// no bit of the reference.
///
/// # Panics
/// If they differ: with the smallest graph of that seed that shows it.
pub fn keep_every_bit(executors: &[&dyn Executor], seeds: impl IntoIterator<Item = u64>) {
    each(seeds, |seed, nodes| {
        let case = Case::new(Kind::Any, seed, nodes);
        let want = case.run(&Reference)?;
        compare(&case.simplified(), &[&Reference], |_, got, at| same_bits(got, &want[at].2))?;
        let (first, exact) = (case.run(executors[0])?, case.exact());
        compare(&case, executors, |what, got, at| {
            same_bits(got, &first[at].2)?;
            if exact.contains(what) { same_bits(got, &want[at].2) } else { Ok(()) }
        })
    });
}

/// Tries the graph of each seed; where one fails, smaller ones as well.
fn each(seeds: impl IntoIterator<Item = u64>, check: impl Fn(u64, usize) -> Result<(), String>) {
    let mut report = Report::default();
    for seed in seeds {
        let nodes = 5 + (seed % 56) as usize;
        let outcome = check(seed, nodes).map_err(|first| {
            let smaller = (1..nodes).find_map(|nodes| check(seed, nodes).err());
            smaller.unwrap_or(first)
        });
        report.case(&format!("random graph {seed}"), outcome);
    }
    report.finish();
}

/// The graphs of a seed.
pub fn graphs(seed: u64) -> Vec<Graph> {
    Case::new(Kind::Small, seed, 5 + (seed % 56) as usize).programs
}

/// Checks everything that each executor lets see, by what it is and by its place.
fn compare(
    case: &Case,
    executors: &[&dyn Executor],
    check: impl Fn(&Seen, &Array, usize) -> Result<(), String>,
) -> Result<(), String> {
    for (number, executor) in executors.iter().enumerate() {
        let got = catch_unwind(AssertUnwindSafe(|| case.run(*executor))).unwrap_or_else(|_| Err("a panic".into()));
        let name = format!("executor {number}: ");
        let got = got.map_err(|problem| format!("{name}{problem}\n{}", case.show()))?;
        for (at, (step, seen, array)) in got.iter().enumerate() {
            let outcome = check(seen, array, at);
            outcome.map_err(|problem| format!("{name}step {step}, {seen:?}: {problem}\n{}", case.show()))?;
        }
    }
    Ok(())
}

/// What is looked at after a step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Seen {
    /// An output of a program, by the places of both.
    Output(usize, usize),
    /// A variable.
    Var(VarId),
}

/// Variables, two programs that change them, and what the programs are given.
struct Case {
    vars: Vec<(Type, Array)>,
    programs: Vec<Graph>,
    /// For each input of each program, an array to pick rows of, or the input itself.
    inputs: Vec<Vec<Array>>,
    seed: u64,
}

impl Case {
    fn new(kind: Kind, seed: u64, nodes: usize) -> Case {
        let mut random = Random::new(seed);
        let large = random.below(24) == 0;
        let dims: [usize; 4] = if large { [2, 40, 33, 64] } else { std::array::from_fn(|_| random.dim()) };
        let mut types: Vec<Type> = Vec::new();
        for _ in 0..2 + random.below(6) {
            let ty = match types.last() {
                // Weights and their momenta: neighbours of one type.
                Some(last) if random.below(2) == 0 => last.clone(),
                _ => Type::new(random.dtype(), random.subshape(&dims)),
            };
            types.push(ty);
        }
        if random.below(3) == 0 {
            types.push(Type::new(DType::U32, [6]));
        }
        let programs = (0..2).map(|_| Writer::new(&mut random, kind, dims, &types, large).graph(nodes));
        let programs: Vec<Graph> = programs.collect();
        let vars = types.into_iter().map(|ty| (ty.clone(), random.array(&ty, kind))).collect();
        let given = |random: &mut Random, ty: &Type| match ty.shape.first() {
            Some(&rows) if random.below(2) == 0 => random.array(&Type::new(ty.dtype, ty.shape.with(0, rows + 3)), kind),
            _ => random.array(ty, kind),
        };
        let inputs = programs
            .iter()
            .map(|graph| graph.inputs.iter().map(|&input| given(&mut random, graph.ty(input))).collect());
        let inputs = inputs.collect();
        Case { vars, programs, inputs, seed }
    }

    /// The same case after the passes.
    fn simplified(&self) -> Case {
        let programs = self.programs.iter().map(simplified).collect();
        Case { programs, vars: self.vars.clone(), inputs: self.inputs.clone(), seed: self.seed }
    }

    /// What depends on nothing that executors may round otherwise than the reference does.
    fn exact(&self) -> HashSet<Seen> {
        let mut vars = vec![true; self.vars.len()];
        loop {
            let values: Vec<Vec<bool>> = self.programs.iter().map(|graph| exact_values(graph, &vars)).collect();
            let mut news = vars.clone();
            for (graph, exact) in self.programs.iter().zip(&values) {
                graph.updates.iter().for_each(|(var, value)| news[var.index()] &= exact[value.index()]);
            }
            if news == vars {
                let seen = |(p, graph): (usize, &Graph)| {
                    let all = graph.outputs.iter().enumerate();
                    let exact = all.filter(|(_, value)| values[p][value.index()]);
                    exact.map(|(i, _)| Seen::Output(p, i)).collect::<Vec<_>>()
                };
                let vars = (0..vars.len()).filter(|&i| vars[i]).map(|i| Seen::Var(VarId::new(i)));
                return self.programs.iter().enumerate().flat_map(seen).chain(vars).collect();
            }
            vars = news;
        }
    }

    /// Everything that can be seen of some steps: each output and variable after each of them.
    fn run(&self, executor: &dyn Executor) -> Result<Vec<(usize, Seen, Array)>, String> {
        let session = executor.open().map_err(|error| error.to_string())?;
        for (ty, value) in &self.vars {
            assert_eq!(value.ty(), *ty);
            let spec = VarSpec::value("v", Role::Weight, value.clone());
            session.declare(spec).map_err(|error| error.to_string())?;
        }
        let mut seen = Vec::new();
        let mut runs: Vec<Box<dyn Run>> = Vec::new();
        for (step, program) in [0, 0, 1, 0, 1, 1].into_iter().enumerate() {
            if runs.len() <= program {
                let ready = session.compile(&self.programs[program]).and_then(|program| program.room());
                runs.push(ready.map_err(|error| error.to_string())?);
            }
            let run = &mut runs[program];
            self.step(&*session, &mut **run, program, step).map_err(|error| error.to_string())?;
            for output in 0..self.programs[program].outputs.len() {
                let array = run.output(output).map_err(|error| error.to_string())?;
                seen.push((step, Seen::Output(program, output), array));
            }
            let vars = (0..self.vars.len()).map(VarId::new);
            for var in vars {
                seen.push((step, Seen::Var(var), session.value(var).map_err(|error| error.to_string())?));
            }
        }
        Ok(seen)
    }

    /// Every second input is given from the host where it can be.
    fn step(&self, session: &dyn Session, run: &mut dyn Run, program: usize, step: usize) -> cornu_graph::Result<()> {
        let graph = &self.programs[program];
        let orders: Vec<Vec<u32>> = graph
            .inputs
            .iter()
            .zip(&self.inputs[program])
            .map(|(&input, given)| {
                let rows = graph.ty(input).shape.first().copied().unwrap_or(0);
                let all = given.shape().first().copied().unwrap_or(1).max(1);
                (0..rows).map(|row| ((row * 7 + step) % all) as u32).collect()
            })
            .collect();
        let given = &self.inputs[program];
        let data = given.iter().map(|array| session.upload(array.clone())).collect::<cornu_graph::Result<Vec<_>>>()?;
        let feed = |(place, &input): (usize, &Value)| match given[place].ty() == *graph.ty(input) {
            true if (place + step).is_multiple_of(2) => Feed::Host(&given[place]),
            true => Feed::Whole(&data[place]),
            false => Feed::Rows(&data[place], &orders[place]),
        };
        run.start(&graph.inputs.iter().enumerate().map(feed).collect::<Vec<_>>())
    }

    fn show(&self) -> String {
        let programs: Vec<String> = self.programs.iter().map(ToString::to_string).collect();
        format!("seed {}\n{}", self.seed, programs.join("\n"))
    }
}

/// For each value, whether executors must agree with the reference on its bits, given the variables for which they do.
fn exact_values(graph: &Graph, vars: &[bool]) -> Vec<bool> {
    let mut exact: Vec<bool> = Vec::with_capacity(graph.values());
    for (value, node) in graph.nodes() {
        let types: Vec<&Type> = node.args.iter().map(|&arg| graph.ty(arg)).collect();
        let own = match &node.op {
            Op::Leaf(Leaf::Var { id, .. }) => vars[id.index()],
            // These may come out so small that an executor takes them for zero.
            Op::Binary(Binary::Mul | Binary::Div) => !graph.ty(value).dtype.is_float(),
            op => is_exact(op, &types),
        };
        let exactly = own && node.args.iter().all(|arg| exact[arg.index()]);
        exact.extend(node.results().map(|_| exactly));
    }
    exact
}
