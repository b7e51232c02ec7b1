//! Everything that is decided about a graph: jobs, and where every value lies.

use std::collections::HashMap;

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Body, Graph, Value, VarId};

use crate::blocks::in_blocks;
use crate::ends::with_ends;
use crate::jobs::{Homes, Job, draft, together};
use crate::kernels::operand::{Place, Span};
use crate::memory::{self, Life};
use crate::over::Over;
use crate::row_programs::over_rows;
use crate::schedule::schedule;
use crate::sums::with_products;
use crate::tokens::by_tokens;
use crate::updates::with_updates;
use crate::view::View;

/// Everything decided about a graph before memory is given out.
pub(crate) struct Plan<'g> {
    pub(crate) view: View<'g>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) homes: Homes,
    /// Whether the graph is a body: its inputs stay until its end.
    pub(crate) is_body: bool,
    /// The bodies of its ops, each once.
    pub(crate) bodies: Vec<Plan<'g>>,
    numbers: HashMap<&'g Body, usize>,
    /// What loops stack where rows were that they read.
    pub(crate) over: Over,
    /// Where constants lie, once the session has put them there.
    pub(crate) given: HashMap<Value, Place>,
}

impl<'g> Plan<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Plan<'g> {
        Self::planned(graph, false)
    }

    fn planned(graph: &'g Graph, is_body: bool) -> Plan<'g> {
        let mut view = View::new(graph);
        let units = schedule(&view);
        let jobs = with_ends(&view, with_products(&view, draft(&view, &units)));
        let jobs = by_tokens(&mut view, jobs);
        let jobs = in_blocks(&view, over_rows(&view, jobs));
        let jobs = if is_body { jobs } else { with_updates(&view, jobs) };
        let homes = Homes::new(&view, &jobs);
        // Rows of a body are stretches of one segment.
        let jobs = if is_body { jobs } else { together(&homes, jobs) };
        let bodies: Vec<&'g Body> = jobs.iter().flat_map(|job| job.bodies(graph)).collect();
        let (numbers, given) = (HashMap::new(), HashMap::new());
        let (over, inner) = (Over::default(), Vec::new());
        let mut plan = Plan { view, jobs, homes, is_body, bodies: inner, numbers, over, given };
        bodies.into_iter().for_each(|body| plan.body(body));
        plan.over = Over::new(&plan);
        plan
    }

    fn body(&mut self, body: &'g Body) {
        if !self.numbers.contains_key(body) {
            self.numbers.insert(body, self.bodies.len());
            self.bodies.push(Self::planned(body.graph(), true));
        }
    }

    /// The place of a body among the plans of bodies.
    pub(crate) fn number(&self, body: &Body) -> usize {
        self.numbers[body]
    }

    /// The buffers of its constants and of those of its bodies.
    pub(crate) fn each_constant(&self, see: &mut impl FnMut(u32)) {
        self.given.values().for_each(|place| see(place.span.base));
        self.bodies.iter().for_each(|body| body.each_constant(see));
    }

    /// Whether a value is known before any step; constants lie where the session has put them.
    fn is_constant(&self, value: Value) -> bool {
        matches!(self.view.graph.op(value), Op::Leaf(Leaf::Constant(_)) | Op::Iota(_))
    }

    /// The constants that must lie in memory: those that are more than a number inside a program.
    pub(crate) fn constants(&self) -> Vec<Value> {
        let mut values: Vec<Value> = self.view.graph.results().map(|value| self.view.root(value)).collect();
        for job in &self.jobs {
            job.each_read(&self.view, |value, _| values.push(value));
        }
        values.retain(|&value| self.is_constant(value));
        values.sort_unstable();
        values.dedup();
        values
    }

    /// A place for every value that has one, by [`Value::index`], where variables and some values have these; and how many
    /// bytes of memory that takes, which is buffer 0.
    pub(crate) fn places(
        &self,
        vars: &HashMap<VarId, Place>,
        given: &HashMap<Value, Place>,
    ) -> (Vec<Option<Place>>, usize) {
        let mut lives = self.lifetimes();
        self.over.join(&mut lives);
        let graph = self.view.graph;
        let scratch = |value: Value, at: usize| Place::new(&self.view.stored(value), Span { base: 0, at });
        let mut places: Vec<Option<Place>> = vec![None; graph.values()];
        given.iter().for_each(|(value, place)| places[value.index()] = Some(*place));
        let mut free = Vec::new();
        for value in graph.nodes().flat_map(|(_, node)| node.results()) {
            let (at, place) = (value.index(), &mut places[value.index()]);
            match (self.homes.var(value), lives[at]) {
                (Some(var), Some(_)) => *place = Some(vars[&var]),
                (None, Some(life)) if place.is_none() => free.push((value, life)),
                _ => {}
            }
        }
        let life = |&(value, (born, dies))| Life { size: scratch(value, 0).padded(), born, dies };
        let (offsets, total) = memory::place(&free.iter().map(life).collect::<Vec<_>>());
        for ((value, _), at) in free.into_iter().zip(offsets) {
            places[value.index()] = Some(scratch(value, at));
        }
        self.over.each(|value, below| places[value.index()] = places[below.index()]);
        (places, total)
    }

    /// For each value in memory, the first and the last job that need it. Inputs are there before the first job (0),
    /// and results after the last.
    pub(crate) fn lifetimes(&self) -> Vec<Option<(usize, usize)>> {
        let end = self.jobs.len() + 1;
        let mut lives: Vec<Option<(usize, usize)>> = vec![None; self.view.graph.values()];
        let mut seen = |value: Value, when: usize| {
            let (born, dies) = lives[value.index()].unwrap_or((when, when));
            lives[value.index()] = Some((born.min(when), dies.max(when)));
        };
        for &value in &self.view.graph.inputs {
            seen(value, 0);
            seen(value, if self.is_body { end } else { 0 });
        }
        for (number, job) in self.jobs.iter().enumerate() {
            job.each_read(&self.view, |value, _| seen(value, number + 1));
            job.each_write(&self.view, |value| seen(value, number + 1));
        }
        self.view.graph.results().for_each(|value| seen(self.view.root(value), end));
        lives
    }
}

#[cfg(test)]
mod tests {
    use cornu_graph::{Tensor, Trace, Type};
    use cornu_testkit::lstm::Lstm;
    use cornu_testkit::nets::Mlp;

    use super::*;
    use crate::count;

    /// What the planner looks at until everything has its place.
    fn work(graph: &Graph) -> usize {
        let place = |&(var, value): &(VarId, Value)| {
            let ty = graph.ty(value);
            (var, Place::new(ty, Span::of(1)))
        };
        let vars = graph.vars.iter().chain(&graph.updates).map(place).collect();
        count::steps_of(|| _ = Plan::new(graph).places(&vars, &HashMap::new()))
    }

    #[test]
    fn work_grows_with_the_nodes() {
        let unrolled = |steps| work(&Lstm::of_length(steps).unrolled());
        let deep = |layers| work(&Mlp { sizes: vec![16; layers + 1], batch: 16 }.step());
        let made = |shape: &[usize], make: &dyn Fn(&Tensor) -> Vec<Tensor>| {
            let trace = Trace::new();
            let x = trace.input(Type::f32(shape));
            work(&trace.finish(&make(&x), &[]).expect("a sound graph"))
        };
        let wide = |outputs: usize| made(&[16], &|x| (0..outputs).map(|i| x + i as f64).collect());
        let softmaxes = |count: usize| made(&[16, 10], &|x| (0..count).map(|i| (x + i as f64).softmax(-1)).collect());
        let chained = |count: usize| made(&[16, 10], &|x| vec![(0..count).fold(x.clone(), |x, _| x.softmax(-1))]);
        let grows = |name: &str, size: usize, work: &dyn Fn(usize) -> usize| {
            let (few, many) = (work(size), work(4 * size));
            assert!(few > size && 10 * many <= 44 * few, "{name}: {few} steps, then {many}");
        };
        grows("an unrolled loop", 400, &unrolled);
        grows("layers", 100, &deep);
        grows("outputs", 4_000, &wide);
        grows("softmaxes side by side", 400, &softmaxes);
        grows("softmaxes one after the other", 400, &chained);
    }

    #[test]
    fn a_loop_is_planned_once_whatever_its_length() {
        let [short, long] = [3, 1_000].map(|steps| work(&Lstm::of_length(steps).looped()));
        assert!(short.abs_diff(long) * 20 < short, "{short} steps, then {long}");
    }
}
