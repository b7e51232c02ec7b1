//! Convolutions as steps: what becomes of their ends, and the same bits whatever the threads and the neighbours.

use cornu_cpu::{Cpu, Level};
use cornu_graph::ops::Window;
use cornu_graph::{Array, Executor, Graph, Tensor, Trace, Type, gradients};

/// Convolutions one after the other with a bias and a rectifier, and the gradients of all that they are made of.
fn net(images: usize) -> (Graph, Vec<Array>) {
    let trace = Trace::new();
    let shapes: [&[usize]; 5] = [&[images, 12, 13, 3], &[3, 3, 3, 20], &[20], &[2, 3, 10, 33], &[1, 1, 33, 24]];
    let args: Vec<Tensor> = shapes.iter().map(|&shape| trace.input(Type::f32(shape))).collect();
    let [x, w, bias, grouped, one] = &args[..] else { unreachable!("five inputs") };
    let y = (x.conv(w, &Window::new(&[3, 3]).same(&[12, 13]), 1) + bias).relu();
    let y = y.conv(&grouped.concatenate(&[grouped], 3), &Window::new(&[2, 3]).strides(&[2, 2]), 2).relu();
    let y = y.slice_axis(-1, 0..33).conv(one, &Window::new(&[1, 1]), 1);
    let outputs = [vec![y.clone()], gradients(&(&y * &y).sum_all(), &args)].concat();
    let graph = trace.finish(&outputs, &[]).expect("a sound graph");
    let array = |shape: &&[usize]| Array::from_fn(&Type::f32(*shape), |i| ((i * 37 % 101) as f64 - 50.0) / 80.0);
    (graph, shapes.iter().map(array).collect())
}

fn run(cpu: &Cpu, graph: &Graph, args: &[Array]) -> Vec<Array> {
    cpu.open().and_then(|session| session.once(graph, args)).expect("a sound graph")
}

#[test]
fn threads_and_neighbours_do_not_show_in_convolutions() {
    let ((graph, args), (alone, mut one)) = (net(19), net(1));
    one[0] = args[0].rows(&[0]);
    for level in Level::all() {
        let want = run(&Cpu::new().threads(1).level(level), &graph, &args);
        for threads in [2, 3, 5] {
            assert_eq!(run(&Cpu::new().threads(threads).level(level), &graph, &args), want, "{threads} threads");
        }
        let got = run(&Cpu::new().threads(2).level(level), &alone, &one);
        // The output, and what comes back to the image.
        assert_eq!([&got[0], &got[1]], [&want[0].rows(&[0]), &want[1].rows(&[0])]);
    }
}
