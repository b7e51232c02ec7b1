//! Convolutions by another definition, their gradients' gradients, and what does not fit.

use cornu_graph::ops::{Op, Slide, Window};
use cornu_graph::{Array, DType, Error, Graph, Shape, Tensor, Trace, Type, evaluate, gradients};
use cornu_testkit::golden::Report;
use cornu_testkit::ops::near;

/// One product of a part of the images and of the kernel for each tap and group, all of them added.
fn by_products(x: &Tensor, w: &Tensor, window: &Window, groups: usize) -> Tensor {
    let (rank, axes) = (x.rank(), window.0.len());
    let field = |field: fn(&Slide) -> usize| window.0.iter().map(field).collect::<Vec<_>>();
    let framed = |numbers: Vec<usize>| [vec![0], numbers, vec![0]].concat();
    let padded = x.pad(&framed(field(|s| s.low)), &framed(field(|s| s.high)), &vec![0; rank], 0.0);
    let places = window.places(&x.shape()[1..=axes]).expect("a window that fits");
    let ([c, k], n) = ([w.dim(-2), w.dim(-1) / groups], x.dim(0));
    let taps = window.sizes();
    let part = |tap: usize, group: usize| {
        let tap: Vec<usize> = (0..axes).map(|axis| tap / taps.strides()[axis] % taps[axis]).collect();
        let starts: Vec<usize> = tap.iter().zip(&window.0).map(|(tap, slide)| tap * slide.dilation).collect();
        let ends: Vec<usize> = (0..axes).map(|i| starts[i] + (places[i] - 1) * window.0[i].stride + 1).collect();
        let of = |lists: [&[usize]; 3]| lists.concat();
        let strides = of([&[1], &field(|s| s.stride), &[1]]);
        let under = padded.slice(&of([&[0], &starts, &[group * c]]), &of([&[n], &ends, &[group * c + c]]), &strides);
        let after: Vec<usize> = tap.iter().map(|tap| tap + 1).collect();
        let (from, to) = (of([&tap, &[0], &[group * k]]), of([&after, &[c], &[group * k + k]]));
        let matrix = w.slice(&from, &to, &vec![1; axes + 2]).reshape([c, k]);
        under.reshape([n * places.size(), c]).dot(&matrix)
    };
    let sum = |group: usize| (0..taps.size()).map(|tap| part(tap, group)).reduce(|a, b| a + b).expect("a tap");
    let groups: Vec<Tensor> = (0..groups).map(sum).collect();
    let columns = groups[0].concatenate(&groups[1..].iter().collect::<Vec<_>>(), 1);
    columns.reshape([&[n], &places[..], &[k * groups.len()]].concat())
}

/// The samples of `conv` in doubles.
fn samples() -> impl Iterator<Item = (Window, usize, [Array; 2])> {
    Op::samples().into_iter().filter_map(|sample| {
        let Op::Conv(conv) = sample.op else { return None };
        let [x, w] = &sample.args[..] else { return None };
        let wide = |x: &Array| Array::from_fn(&x.ty().with_dtype(DType::F64), |i| x.get(i));
        (x.dtype() == DType::F32 && !sample.edge).then(|| (conv.window, conv.groups, [wide(x), wide(w)]))
    })
}

/// A sum of a tensor's elements, each times another number.
fn weighed(x: &Tensor) -> Tensor {
    let weights = Array::from_fn(&x.ty(), |i| (i as f64 * 0.7).sin());
    (x * &x.trace().constant(weights)).sum_all()
}

/// A graph's numbers with either way to convolve.
fn both(args: &[Array; 2], outputs: impl Fn(&Tensor, &Tensor, bool) -> Vec<Tensor>) -> [Vec<Array>; 2] {
    [true, false].map(|as_op| {
        let trace = Trace::new();
        let [x, w] = args.each_ref().map(|arg| trace.input(arg.ty()));
        let graph = trace.finish(&outputs(&x, &w, as_op), &[]).expect("a sound graph");
        evaluate(&graph, &[], args).0
    })
}

fn convolved(x: &Tensor, w: &Tensor, (window, groups): (&Window, usize), as_op: bool) -> Tensor {
    if as_op { x.conv(w, window, groups) } else { by_products(x, w, window, groups) }
}

#[test]
fn convolutions_are_sums_of_products() {
    let mut report = Report::default();
    for (window, groups, args) in samples() {
        let [got, want] = both(&args, |x, w, as_op| vec![convolved(x, w, (&window, groups), as_op)]);
        report.case(&format!("{window} {groups}"), near(&got[0], &want[0], 1e-13));
    }
    report.finish();
}

#[test]
fn gradients_of_gradients_of_convolutions() {
    let mut report = Report::default();
    for (window, groups, args) in samples() {
        let outputs = |x: &Tensor, w: &Tensor, as_op: bool| {
            let y = convolved(x, w, (&window, groups), as_op);
            let first = gradients(&weighed(&(&y * &y)), &[x.clone(), w.clone()]);
            let second = first.iter().flat_map(|first| gradients(&weighed(&(first * first)), &[x.clone(), w.clone()]));
            second.chain(first.iter().cloned()).collect()
        };
        let [got, want] = both(&args, outputs);
        let distance = |(got, want): (&Array, &Array)| near(got, want, 1e-10);
        report.case(&format!("{window} {groups}"), got.iter().zip(&want).try_for_each(distance));
    }
    report.finish();
}

#[test]
fn a_window_larger_than_its_images_is_refused() {
    let refused = |x: &[usize], w: &[usize], window: Window, groups: usize| {
        let trace = Trace::new();
        let [x, w] = [x, w].map(|shape: &[usize]| trace.input(Type::f32(Shape::from(shape))));
        let error: Error = trace.finish(&[x.conv(&w, &window, groups)], &[]).expect_err("operands that do not fit");
        error.message().split(" needs ").nth(1).unwrap_or_default().to_owned()
    };
    let window = || Window::new(&[3, 5]);
    assert_eq!(
        refused(&[2, 4, 4, 1], &[3, 5, 1, 8], window(), 1),
        "room for 5 taps along axis 2 with 0 and 0 of padding, got f32[2,4,4,1] and f32[3,5,1,8]"
    );
    assert_eq!(
        refused(&[2, 4, 4, 1], &[3, 5, 1, 8], window().dilations(&[2, 1]).padding(&[0, 1], &[0, 0]), 1),
        "room for 3 taps, 2 apart, along axis 1 with 0 and 0 of padding, got f32[2,4,4,1] and f32[3,5,1,8]"
    );
    assert_eq!(
        refused(&[2, 4, 8, 3], &[3, 5, 1, 8], window(), 2),
        "images [n, 2 axes, c] and a kernel [3, 5, c / 2, k], got f32[2,4,8,3] and f32[3,5,1,8]"
    );
    let text = "%0 = input 0 : f32[1,4,1]\n%1 = conv 1 [3] [1] [1] [0] %0 %0 : f32[1]\n";
    let error = text.parse::<Graph>().expect_err("a list too few").to_string();
    assert!(error.contains("`conv` needs a list as `[0, 2]`, got `%0 %0`"), "{error}");
    let error = text.replace("[0] %0", "[0] [0, 1] %0").parse::<Graph>().expect_err("a number too many").to_string();
    assert!(error.contains("`conv` needs five lists of 1 numbers"), "{error}");
}
