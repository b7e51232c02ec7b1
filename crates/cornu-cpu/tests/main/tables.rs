//! Optimizers over tables: the gradient of a gather has the bits of one that lies in memory, and does not lie there.

use cornu_cpu::{Cpu, Level};
use cornu_graph::{Array, DType, Executor, Feed, Graph, Role, Shape, Tensor, Trace, Type, VarId, VarSpec, gradients};
use cornu_testkit::ops::same_bits;

/// What an optimizer makes of a gradient, a weight, and two slots.
type Rule = fn(&Tensor, [&Tensor; 3]) -> [Tensor; 3];

const RULES: [(&str, Rule); 5] = [
    ("Adam", adam),
    ("Adam with decay", |g, [w, m, v]| adam(g, [&(w - w * 1e-3), m, v])),
    ("Adam, clipped by norm", |g, [w, m, v]| {
        let norm = g.square().sum_all().sqrt();
        adam(&((g * 0.3) / norm.maximum(0.3)), [w, m, v])
    }),
    ("momentum", |g, [w, m, v]| {
        let m = m * 0.9 - g * 0.01;
        [w + &m, m, v * 0.5]
    }),
    ("Adagrad, and the largest", |g, [w, m, v]| {
        let m = m + g.square();
        [w - g * 0.1 / (m.sqrt() + 1e-7), m, v.maximum(g.abs())]
    }),
];

fn adam(g: &Tensor, [w, m, v]: [&Tensor; 3]) -> [Tensor; 3] {
    let m = (m + (g - m) * 0.1).flush();
    let v = (v + (g * g - v) * 0.001).flush();
    [w - (&m * 0.01) / (v.sqrt() + 1e-7), m, v]
}

/// A step over tables of such shapes, each with as many tokens; the gradients are outputs if they are to lie in memory.
fn step(rule: Rule, dtype: DType, tables: &[(&[usize], usize)], dense: bool) -> Graph {
    let trace = Trace::new();
    let (mut updates, mut outputs) = (Vec::new(), Vec::new());
    for (i, (shape, count)) in tables.iter().enumerate() {
        let vars = [0, 1, 2].map(|k| trace.var(VarId::new(3 * i + k), Type::new(dtype, *shape)));
        let tokens = trace.input(Type::new(DType::I32, [*count]));
        let rows = trace.input(Type::new(dtype, [&[*count], &shape[1..]].concat().into_iter().collect::<Shape>()));
        let loss = (vars[0].gather(&tokens) * rows).sum_all();
        let g = gradients(&loss, &vars[..1]).remove(0);
        outputs.extend(Some(g.clone()).filter(|_| dense));
        let new = rule(&g, [&vars[0], &vars[1], &vars[2]]);
        updates.extend(new.into_iter().enumerate().map(|(k, new)| (VarId::new(3 * i + k), new)));
    }
    trace.finish(&outputs, &updates).expect("a sound graph")
}

fn numbers(ty: &Type, seed: usize) -> Array {
    Array::from_fn(ty, |i| ((i * 37 + seed) as f64 * 1.7).sin())
}

/// Its variables after two steps, the bytes that one takes, and the steps' descriptions.
fn trained(cpu: Cpu, graph: &Graph, tokens: &[Vec<i32>]) -> (Vec<Array>, usize, String) {
    let session = cpu.open().expect("a session");
    let mut vars: Vec<(VarId, Type)> = graph.vars.iter().map(|&(id, var)| (id, graph.ty(var).clone())).collect();
    vars.sort_by_key(|&(id, _)| id);
    for (i, (_, ty)) in vars.iter().enumerate() {
        let start = numbers(ty, i);
        // Means of squares are not below zero.
        let start = if i % 3 == 0 { start } else { Array::from_fn(ty, |j| start.get(j).abs()) };
        session.declare(VarSpec::value("v", Role::Weight, start)).expect("memory");
    }
    let tokens = tokens.iter().map(|tokens| Array::vector(tokens.clone()));
    let rows = graph.inputs.iter().skip(1).step_by(2).enumerate().map(|(i, &input)| numbers(graph.ty(input), i + 9));
    let inputs: Vec<Array> = tokens.zip(rows).flat_map(|(tokens, rows)| [tokens, rows]).collect();
    let feeds: Vec<Feed> = inputs.iter().map(Feed::Host).collect();
    let program = session.compile(graph).expect("a sound graph");
    let mut run = program.room().expect("memory");
    (0..2).for_each(|_| run.start(&feeds).expect("a step"));
    let ids: Vec<VarId> = vars.iter().map(|&(id, _)| id).collect();
    (session.read(&ids).expect("variables"), session.memory().scratch, program.describe())
}

/// Repeated, none, all the same, out of range on both sides; more than there are rows.
fn cases(rows: i32) -> Vec<Vec<i32>> {
    let some = (0..rows / 3).map(|i| i * i % rows).collect();
    vec![vec![2, 0, 2, 3, 2], vec![], vec![rows - 1; 40], vec![rows, -1, 3, i32::MIN, i32::MAX, rows - 1], some]
}

fn check(name: &str, rule: Rule, dtype: DType, shapes: &[&[usize]]) {
    for tokens in (0..5).map(|case| shapes.iter().map(|shape| cases(shape[0] as i32).remove(case)).collect::<Vec<_>>())
    {
        let tables: Vec<_> = shapes.iter().copied().zip(tokens.iter().map(Vec::len)).collect();
        let [dense, graph] = [true, false].map(|dense| step(rule, dtype, &tables, dense));
        for level in Level::all() {
            let (want, _, plan) = trained(Cpu::new().level(level).threads(1), &dense, &tokens);
            assert!(!plan.contains("order"), "{name}: {plan}");
            for threads in [1, 2, 3, 5] {
                let (got, _, plan) = trained(Cpu::new().level(level).threads(threads), &graph, &tokens);
                assert_eq!(plan.matches("order").count(), tables.len(), "{name}: {plan}");
                for (got, want) in got.iter().zip(&want) {
                    assert_eq!(
                        same_bits(got, want),
                        Ok(()),
                        "{name} {dtype} {shapes:?}, {tokens:?}, {threads} threads"
                    );
                }
            }
        }
    }
}

#[test]
fn gradients_of_tables_have_the_bits_of_those_in_memory() {
    for (name, rule) in RULES {
        check(name, rule, DType::F32, &[&[40, 128]]);
    }
    // Blocks cut rows, and hold many; rows of several axes; two tables in one step.
    for shapes in [&[&[9_000, 1][..]][..], &[&[90, 100]], &[&[60, 300]], &[&[60, 2, 350]], &[&[400, 7], &[90, 70]]] {
        check("Adam", adam, DType::F32, shapes);
        check("Adagrad", RULES[4].1, DType::F64, shapes);
    }
}

#[test]
fn gradients_of_tables_are_not_in_memory() {
    let (shape, count) = ([5_000, 64], 500);
    let tokens = vec![(0..count as i32).map(|i| i * 7919 % 5_000).collect()];
    let bytes = shape[0] * shape[1] * size_of::<f32>();
    for (name, rule) in RULES {
        let graph = step(rule, DType::F32, &[(&shape, count)], false);
        let (_, scratch, plan) = trained(Cpu::new().threads(2), &graph, &tokens);
        assert!(scratch < bytes / 2, "{name}: {scratch} bytes of {bytes}\n{plan}");
    }
    // Where the order of the tokens would take more than the sums themselves, these lie there.
    let graph = step(adam, DType::F32, &[(&[20, 4], 300)], false);
    let (_, _, plan) = trained(Cpu::new(), &graph, &[vec![3; 300]]);
    assert!(plan.contains("scatter_add") && !plan.contains("order"), "{plan}");
}
