//! Programs over rows have the bits of their operations one by one.

use std::collections::HashMap;

use cornu_cpu::Cpu;
use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Array, Builder, DType, Executor, Graph, Tensor, Trace, Type, Value, gradients};
use cornu_testkit::ops::same_bits;

/// The outputs of a graph whose nodes are programs by themselves.
fn one_by_one(graph: &Graph, args: &[Array]) -> Vec<Array> {
    let session = Cpu::new().raw().threads(1).open().expect("a session");
    let mut last: HashMap<Value, Value> = HashMap::new();
    for (value, node) in graph.nodes() {
        node.args.iter().for_each(|&arg| _ = last.insert(arg, value));
    }
    graph.outputs.iter().for_each(|output| _ = last.remove(output));
    let mut arrays: HashMap<Value, Array> = HashMap::new();
    for (value, node) in graph.nodes() {
        let array = match &node.op {
            Op::Leaf(Leaf::Input { index, .. }) => args[*index].clone(),
            Op::Leaf(Leaf::Constant(constant)) => constant.array().clone(),
            op => {
                let mut builder = Builder::default();
                let input = |(index, &arg): (usize, &Value)| Leaf::Input { index, ty: graph.ty(arg).clone() };
                let inputs: Vec<Leaf> = node.args.iter().enumerate().map(input).collect();
                let inputs: Vec<Value> = inputs.into_iter().map(|input| builder.add(input, &[])).collect();
                let result = builder.add(op.clone(), &inputs);
                let mut alone = builder.graph().clone();
                alone.outputs = vec![result];
                let args: Vec<Array> = node.args.iter().map(|arg| arrays[arg].clone()).collect();
                session.once(&alone, &args).expect("a sound graph").remove(0)
            }
        };
        arrays.insert(value, array);
        node.args.iter().filter(|&arg| last.get(arg) == Some(&value)).for_each(|arg| _ = arrays.remove(arg));
    }
    graph.outputs.iter().map(|output| arrays[output].clone()).collect()
}

/// Compares the outputs on some threads with those of single operations; gives how many programs over rows there are.
fn check(name: &str, graph: &Graph, args: &[Array]) -> usize {
    let want = one_by_one(graph, args);
    let programs = [1, 2, 3, 5].map(|threads| {
        let session = Cpu::new().threads(threads).open().expect("a session");
        let got = session.once(graph, args).expect("a sound graph");
        for (number, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(same_bits(got, want), Ok(()), "{name}, output {number}, {threads} threads");
        }
        session.compile(graph).expect("a sound graph").describe().matches(" rows: ").count()
    });
    assert_eq!(programs, [programs[0]; 4]);
    programs[0]
}

fn kept(x: &Tensor, sums: &Tensor) -> Tensor {
    sums.reshape(x.shape().with(x.rank() - 1, 1))
}

/// Keras's layer normalization of the last axis.
fn normalized(x: &Tensor, scale: &Tensor, offset: &Tensor) -> Tensor {
    let mean = kept(x, &x.mean([-1]));
    let variance = kept(x, &(x - &mean).square().mean([-1]));
    (x - mean) / (variance + 1e-3).sqrt() * scale + offset
}

fn log_softmax(x: &Tensor) -> Tensor {
    let x = x - kept(x, &x.reduce(cornu_graph::ops::Reduction::Max, &[x.rank() - 1])).stop_gradient();
    &x - kept(&x, &x.exp().sum([-1]).log())
}

/// Given an input, the numbers of a row twice, and what comes back from the result.
type Function = fn([&Tensor; 4]) -> Vec<Tensor>;

fn backwards(y: &Tensor, back: &Tensor, of: &[&Tensor]) -> Vec<Tensor> {
    gradients(&(y * back).sum_all(), &of.iter().map(|&x| x.clone()).collect::<Vec<_>>())
}

const FUNCTIONS: [(&str, Function); 7] = [
    ("softmax", |[x, ..]| vec![x.softmax(-1)]),
    ("softmax backwards", |[x, _, _, back]| backwards(&x.softmax(-1), back, &[x])),
    ("log-softmax", |[x, ..]| vec![log_softmax(x)]),
    ("log-softmax backwards", |[x, _, _, back]| backwards(&log_softmax(x), back, &[x])),
    ("layer normalization", |[x, scale, offset, _]| vec![normalized(x, scale, offset)]),
    ("layer normalization backwards", |[x, scale, offset, back]| {
        backwards(&normalized(x, scale, offset), back, &[x, scale, offset])
    }),
    ("both ways at once", |[x, scale, offset, back]| {
        let y = normalized(&x.softmax(-1), scale, offset);
        let mut outputs = backwards(&y, back, &[x]);
        outputs.push(y);
        outputs
    }),
];

fn graph(function: Function, shape: &[usize]) -> (Graph, Vec<Array>) {
    let trace = Trace::new();
    let row = &shape[shape.len() - 1..];
    let types = [shape, row, row, shape].map(Type::f32);
    let [x, scale, offset, back] = types.clone().map(|ty| trace.input(ty));
    let graph = trace.finish(&function([&x, &scale, &offset, &back]), &[]).expect("a sound graph");
    let array = |(seed, ty): (usize, &Type)| {
        Array::from_fn(ty, |i| ((i + 1) as f64 * 0.618_033_988_749_894_9 + seed as f64 * 0.3).fract() * 4.0 - 2.0)
    };
    (graph, types.iter().enumerate().map(array).collect())
}

#[test]
fn programs_over_rows_have_the_bits_of_single_operations() {
    for (name, function) in FUNCTIONS {
        for columns in [1, 7, 128, 1000] {
            for rows in [1, 3, 4096] {
                let (graph, args) = graph(function, &[rows, columns]);
                let programs = check(&format!("{name} of {rows} x {columns}"), &graph, &args);
                // Sums of blocks of a column.
                let in_blocks = columns == 1 && rows == 4096 && name == "layer normalization backwards";
                let want = usize::from(rows > 1 && columns > 1 || in_blocks);
                assert_eq!(programs, want, "{name} of {rows} x {columns}");
            }
        }
        let (graph, args) = graph(function, &[2, 3, 5, 70]);
        assert_eq!(check(name, &graph, &args), 1, "{name} of four axes");
    }
}

/// Rows that are read by others, in another order, or after a sum of all of them, and rows too long.
#[test]
fn only_the_same_rows_go_together() {
    type Body = fn(&Tensor) -> Vec<Tensor>;
    let cases: [(&str, &[usize], usize, Body); 8] = [
        ("the next row", &[6, 6], 0, |x| vec![x - x.sum([1])]),
        ("rows from the end", &[40, 9], 1, |x| vec![(x - kept(x, &x.sum([-1]))).reverse([0]).exp()]),
        ("elements from the end", &[40, 9], 1, |x| vec![(x - kept(x, &x.sum([-1]))).reverse([1]).exp().sum([-1])]),
        ("a total between", &[40, 9], 2, |x| {
            let y = x - kept(x, &x.sum([-1]));
            vec![(&y * y.sum_all()).softmax(-1)]
        }),
        ("a total beside", &[40, 9], 1, |x| {
            let y = x.softmax(-1);
            vec![y.sum_all(), kept(x, &(&y * x).sum([-1])) - y]
        }),
        ("two that meet", &[40, 9], 1, |x| vec![x.softmax(-1) + (x * 2.0).softmax(-1)]),
        ("rows of several axes", &[40, 3, 9], 1, |x| vec![x - x.sum([1, 2]).reshape([40, 1, 1])]),
        ("rows too long", &[3, 9000], 0, |x| vec![x.softmax(-1)]),
    ];
    for (name, shape, want, body) in cases {
        let trace = Trace::new();
        let ty = Type::f32(shape);
        let outputs = body(&trace.input(ty.clone()));
        let graph = trace.finish(&outputs, &[]).expect("a sound graph");
        let x = Array::from_fn(&ty, |i| ((i * 37) as f64 * 1.7).sin());
        assert_eq!(check(name, &graph, &[x]), want, "{name}");
    }
}

#[test]
fn rows_of_other_types_go_together() {
    for dtype in [DType::F64, DType::F16, DType::I32] {
        let trace = Trace::new();
        let ty = Type::new(dtype, [50, 12]);
        let x = trace.input(ty.clone());
        let y = (&x - kept(&x, &x.reduce(cornu_graph::ops::Reduction::Max, &[1]))).abs();
        let z = y.eq(&kept(&y, &y.sum([-1]))).cast(DType::F32) + y.cast(DType::F32).softmax(-1);
        let graph = trace.finish(&[z], &[]).expect("a sound graph");
        let x = Array::from_fn(&ty, |i| (i * 7919 % 23) as f64 - 11.0);
        assert_eq!(check(&format!("{dtype}"), &graph, &[x]), 1, "{dtype}");
    }
}

type OfTwo = fn(&Tensor, &Tensor) -> Vec<Tensor>;

/// What is brought together as a whole is made block by block; the last block may be short.
#[test]
fn reductions_of_all_take_their_programs_in() {
    let functions: [(&str, usize, OfTwo); 5] = [
        ("a product", 1, |x, y| vec![(x * y).sum_all()]),
        ("the largest square", 1, |x, _| vec![x.square().reduce(cornu_graph::ops::Reduction::Max, &[0, 1])]),
        ("with a row for all", 1, |x, y| vec![(x + &y.slice_axis(0, 0..1)).square().sum_all()]),
        ("one that is read", 1, |x, y| vec![(x * y).sum_all(), x * y]),
        ("a short one", 0, |x, _| vec![x.slice_axis(0, 0..1).slice_axis(1, 0..1).square().sum_all()]),
    ];
    for shape in [[33, 1001], [64, 64], [1, 1537], [100, 128]] {
        for dtype in [DType::F32, DType::F64, DType::I32] {
            for (name, count, function) in &functions[usize::from(shape[0] == 1) * 3..] {
                let trace = Trace::new();
                let [x, y] = [0, 1].map(|_| trace.input(Type::new(dtype, shape)));
                let graph = trace.finish(&function(&x, &y), &[]).expect("a sound graph");
                let args = graph.inputs.iter().map(|&input| {
                    Array::from_fn(graph.ty(input), |i| ((i * 37 + input.index()) as f64 * 1.7).sin() * 3.0)
                });
                assert_eq!(check(name, &graph, &args.collect::<Vec<_>>()), *count, "{name} {dtype} {shape:?}");
            }
        }
    }
}

/// So is what is brought together by columns, if there are not too many; several sums may read one program.
#[test]
fn sums_of_columns_take_their_programs_in() {
    let leading = |x: &Tensor| (0..x.rank() - 1).collect::<Vec<_>>();
    let columns = move |x: &Tensor| x.reduce(cornu_graph::ops::Reduction::Sum, &leading(x));
    let centered = move |x: &Tensor| x - columns(x) / 1000.0;
    type Function<'f> = &'f dyn Fn(&Tensor, &Tensor) -> Vec<Tensor>;
    let functions: [(&str, usize, Function); 6] = [
        ("a product", 1, &|x, y| vec![columns(&(x * y))]),
        ("one that is read", 1, &|x, y| vec![columns(&(x * y)), x * y]),
        ("two of one program", 1, &|x, y| vec![columns(&(x * y)), columns(&(x + y)), x.maximum(y)]),
        ("of all and of columns", 1, &|x, y| vec![columns(&(x * y)), (x - y).sum_all()]),
        ("a variance", 1, &|x, _| vec![columns(&centered(x).square())]),
        ("a variance backwards", 3, &|x, y| {
            let z = centered(x) / (columns(&centered(x).square()) + 1.0).sqrt();
            let mut all = backwards(&z, y, &[x]);
            all.push(z);
            all
        }),
    ];
    for shape in [&[3000, 16][..], &[2048, 64], &[2047, 3], &[40, 9, 7, 5]] {
        for dtype in [DType::F32, DType::F64] {
            for (name, count, function) in functions {
                let trace = Trace::new();
                let [x, y] = [0, 1].map(|_| trace.input(Type::new(dtype, shape)));
                let graph = trace.finish(&function(&x, &y), &[]).expect("a sound graph");
                let args = graph.inputs.iter().map(|&input| {
                    Array::from_fn(graph.ty(input), |i| ((i * 37 + input.index()) as f64 * 1.7).sin() * 3.0)
                });
                assert_eq!(check(name, &graph, &args.collect::<Vec<_>>()), count, "{name} {dtype} {shape:?}");
            }
        }
    }
    let trace = Trace::new();
    let x = trace.input(Type::f32([3000, 65]));
    let graph = trace.finish(&[x.square().sum([0])], &[]).expect("a sound graph");
    let args = [Array::from_fn(&Type::f32([3000, 65]), |i| (i as f64).sin())];
    assert_eq!(check("many columns", &graph, &args), 0);
}
