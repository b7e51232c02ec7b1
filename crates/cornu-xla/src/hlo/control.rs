//! Loops, branches and calls. A check inside of them is carried out of them: of a loop, as its first failing step has it.

use cornu_graph::ops::{If, Scan, While};
use cornu_graph::{Body, DType, Number, Type};

use super::{Found, Hlo, Val, Writer, listed, scalar, types};

impl Writer {
    /// What a body makes of those values; its checks are noted.
    pub(super) fn body(&mut self, body: &Body, inputs: &[Val]) -> Vec<Val> {
        let comment = self.comment.clone();
        let graph = body.graph();
        let written = self.graph(graph, inputs, &|var| unreachable!("a body reads no variable, got {var}"));
        self.comment = comment;
        written.all(graph.outputs.iter().copied())
    }

    /// What a function writes, apart, and the checks in it.
    fn inside<T>(&mut self, write: impl FnOnce(&mut Writer) -> T) -> (String, T, Vec<Found>) {
        let outer = std::mem::take(&mut self.checks);
        let (text, result) = self.apart(write);
        (text, result, std::mem::replace(&mut self.checks, outer))
    }

    /// A check that holds, with zeros for its numbers.
    fn holding(&mut self, found: &Found) -> Found {
        let holds = self.truth(true);
        let numbers = found.numbers.iter().map(|number| self.splat(Number::Whole(0), &number.ty)).collect();
        Found { holds, numbers, check: found.check.clone() }
    }

    /// New names for what a loop carries.
    fn carried(&mut self, values: &[Val]) -> Vec<Val> {
        values.iter().map(|value| self.name(value.ty.clone())).collect()
    }

    /// Whether all checks hold.
    pub(super) fn all_hold(&mut self, checks: &[Found]) -> Val {
        let truth = self.truth(true);
        checks.iter().fold(truth, |all, found| self.and(&all, &found.holds))
    }

    /// A loop: `given` are the values at first, `names` what they are called in it.
    pub(super) fn looped(&mut self, names: &[Val], given: &[Val], [condition, body]: [&str; 2]) -> Vec<Val> {
        let starts = listed(names.iter().zip(given).map(|(name, value)| format!("{name} = {value}")));
        let (all, to) = (given.iter().map(|value| value.ty.clone()).collect(), types(given));
        self.add_all(all, |results| {
            format!("{results}stablehlo.while({starts}) : {to}\n    cond {{\n{condition}    }} do {{\n{body}    }}")
        })
    }

    /// A loop of so many steps: the counter begins at 0 and ends before a constant, so that its length is known.
    /// `step` is given the number of the step and what is carried, and gives what is carried on.
    pub(super) fn repeat(
        &mut self,
        count: usize,
        carries: &[Val],
        step: impl FnOnce(&mut Writer, &Val, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let (i, names) = (self.name(scalar(DType::I32)), self.carried(carries));
        let (condition, ()) = self.apart(|w| {
            let end = w.int(count as i64);
            let more = w.compare("LT", &i, &end);
            w.returned(&[more]);
        });
        let (body, next, found) = self.inside(|w| step(w, &i, &names));
        let before: Vec<Found> =
            found.iter().map(|found| found.with(&mut self.carried(&found.all()).into_iter())).collect();
        let (end, ()) = self.apart(|w| {
            let states = w.first_failures(&before, &found);
            let one = w.int(1);
            let count = w.binary("add", &i, &one);
            w.returned(&[vec![count], next, states].concat());
        });
        let states: Vec<Val> = found.iter().flat_map(|found| self.holding(found).all()).collect();
        let given = [vec![self.int(0)], carries.to_vec(), states].concat();
        let names = [vec![i], names, before.iter().flat_map(Found::all).collect()].concat();
        let mut results = self.looped(&names, &given, [&condition, &(body + &end)]).into_iter().skip(1);
        let carried = results.by_ref().take(carries.len()).collect();
        self.note(&found, results);
        carried
    }

    /// What checks said before, as long as all of them held, what they say now.
    fn first_failures(&mut self, before: &[Found], now: &[Found]) -> Vec<Val> {
        if now.is_empty() {
            return Vec::new();
        }
        let held = self.all_hold(before);
        let [before, now] = [before, now].map(|all| all.iter().flat_map(Found::all).collect::<Vec<_>>());
        now.iter().zip(&before).map(|(now, before)| self.select(&held, now, before)).collect()
    }

    /// Checks of something inside, as they came out.
    fn note(&mut self, found: &[Found], mut values: impl Iterator<Item = Val>) {
        self.checks.extend(found.iter().map(|found| found.with(&mut values)));
    }

    pub(super) fn scan(&mut self, op: &Scan, args: &[Val], types: &[&Type]) -> Vec<Val> {
        let (consts, rest) = args.split_at(op.consts);
        let (carries, xs) = rest.split_at(op.carries);
        let stacks: Vec<Val> = types[op.carries..].iter().map(|ty| self.splat(Number::Whole(0), ty)).collect();
        if op.length == 0 {
            return [carries.to_vec(), stacks].concat();
        }
        self.repeat(op.length, &[carries, &stacks].concat(), |w, i, carried| {
            let (carries, stacks) = carried.split_at(op.carries);
            let t = if op.reverse { w.counted_back(i, op.length) } else { i.clone() };
            let rows: Vec<Val> = xs.iter().map(|x| w.row(x, &t)).collect();
            let mut next = w.body(&op.body, &[consts, carries, &rows].concat());
            let ys = next.split_off(op.carries);
            for (stack, y) in stacks.iter().zip(ys) {
                let row = w.reshape(&y, &stack.ty.shape.with(0, 1));
                next.push(w.dynamic_update(stack, &row, &t));
            }
            next
        })
    }

    fn counted_back(&mut self, i: &Val, length: usize) -> Val {
        let last = self.int(length as i64 - 1);
        self.binary("subtract", &last, i)
    }

    fn row(&mut self, x: &Val, t: &Val) -> Val {
        let row = self.dynamic_slice(x, t, 1);
        self.reshape(&row, &x.ty.shape[1..])
    }

    /// Whether to go on is carried: the condition's body stands before the loop, and at the end of each step. What fails
    /// ends the loop.
    pub(super) fn while_loop(&mut self, op: &While, args: &[Val], _: &[&Type]) -> Vec<Val> {
        let (consts, carries) = args.split_at(op.consts);
        let [condition, body] = &op.bodies;
        let outer = std::mem::take(&mut self.checks);
        let go = self.body(condition, args).remove(0);
        let first = std::mem::replace(&mut self.checks, outer);
        let go = self.going(go, &first);
        let (names, on) = (self.carried(carries), self.name(scalar(DType::Bool)));
        let (again, ()) = self.apart(|w| w.returned(std::slice::from_ref(&on)));
        // Those of the body come first, since the condition is that of the next step.
        let (text, mut next, found) = self.inside(|w| {
            let next = w.body(body, &[consts, &names].concat());
            let go = w.body(condition, &[consts, &next].concat()).remove(0);
            [vec![go], next].concat()
        });
        let (end, ()) = self.apart(|w| {
            next[0] = w.going(next[0].clone(), &found);
            w.returned(&[next, found.iter().flat_map(Found::all).collect()].concat());
        });
        let of_body = found.len() - first.len();
        let held: Vec<Val> = found[..of_body].iter().flat_map(|found| self.holding(found).all()).collect();
        let given = [vec![go], carries.to_vec(), held, first.iter().flat_map(Found::all).collect()].concat();
        let states: Vec<Val> = found.iter().flat_map(|found| self.carried(&found.all())).collect();
        let names = [vec![on], names, states].concat();
        let mut results = self.looped(&names, &given, [&again, &(text + &end)]).into_iter().skip(1);
        let carried = results.by_ref().take(carries.len()).collect();
        self.note(&found, results);
        carried
    }

    /// Whether a loop goes on: nothing has failed.
    fn going(&mut self, go: Val, checks: &[Found]) -> Val {
        checks.iter().fold(go, |go, found| self.and(&go, &found.holds))
    }

    /// One of two regions, which use the operands as they are. A check of the other one holds.
    pub(super) fn branch(&mut self, op: &If, args: &[Val], types: &[&Type]) -> Vec<Val> {
        let (condition, operands) = args.split_first().expect("a condition");
        let branches = op.branches.each_ref().map(|body| self.inside(|w| w.body(body, operands)));
        let found: Vec<Found> = branches.iter().flat_map(|(.., found)| found.clone()).collect();
        let yes = branches[0].2.len();
        let mut regions = Vec::new();
        for (number, (text, results, own)) in branches.into_iter().enumerate() {
            let (end, ()) = self.apart(|w| {
                let others = if number == 0 { &found[yes..] } else { &found[..yes] };
                let others: Vec<Val> = others.iter().flat_map(|found| w.holding(found).all()).collect();
                let own: Vec<Val> = own.iter().flat_map(Found::all).collect();
                let checks = if number == 0 { [own, others] } else { [others, own] };
                w.returned(&[results, checks.concat()].concat());
            });
            regions.push(text + &end);
        }
        let states = found.iter().flat_map(Found::all).map(|value| value.ty);
        let all: Vec<Type> = types.iter().map(|&ty| ty.clone()).chain(states).collect();
        let to = listed(all.iter().map(Hlo));
        let mut results = self
            .add_all(all, |results| {
                let [yes, no] = [&regions[0], &regions[1]];
                format!(
                    "{results}\"stablehlo.if\"({condition}) ({{\n{yes}    }}, {{\n{no}    }}) : (tensor<i1>) -> ({to})"
                )
            })
            .into_iter();
        let outputs = results.by_ref().take(types.len()).collect();
        self.note(&found, results);
        outputs
    }
}
