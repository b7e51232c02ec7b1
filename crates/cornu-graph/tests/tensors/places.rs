//! A mistake is shown at the line of whoever made it, for every method of tensors.

use std::path::Path;

use cornu_graph::ops::{Binary, Reduction, Unary, Window};
use cornu_graph::{DType, Tensor, Trace, Type, gradients};

/// Methods of `Tensor` and `Trace` that cannot fail, or that no mistake can be made with.
const NEVER: &[&str] = &[
    "trace",
    "takes",
    "value",
    "is",
    "ty",
    "dtype",
    "shape",
    "rank",
    "dim",
    "op",
    "operands",
    "results",
    "cast",
    "stop_gradient",
    "sum_all",
    "push_all",
    "scan",
    "if_else",
    "call",
    "while_loop",
    "require",
    "require_rows",
    "origin",
    "new",
    "in_context",
    "context",
    "input",
    "var",
    "constant",
    "fail",
    "scope",
    "check",
    "finish",
];

/// A mistake with each of the others.
macro_rules! mistakes {
    (|$x:ident, $flag:ident| $($name:ident: $body:expr;)*) => {
        const MISTAKES: &[(&str, fn(&Tensor, &Tensor) -> Tensor)] =
            &[$((stringify!($name), |$x, $flag| { let _ = ($x, $flag); $body }),)*];
    };
}

mistakes! { |x, flag|
    negative: flag.negative();
    abs: flag.abs();
    sign: flag.sign();
    relu: flag.relu();
    not: x.not();
    maximum: x.maximum(x.reshape([3, 2]));
    minimum: x.minimum(x.reshape([3, 2]));
    pow: x.pow(x.reshape([3, 2]));
    and: flag.and(x);
    or: flag.or(1);
    eq: x.eq(x.reshape([3, 2]));
    ne: x.ne(x.reshape([3, 2]));
    lt: x.lt(x.reshape([3, 2]));
    le: x.le(x.reshape([3, 2]));
    gt: x.gt(x.reshape([3, 2]));
    ge: x.ge(x.reshape([3, 2]));
    add: x + x.reshape([3, 2]);
    sub: x - &x.reshape([3, 2]);
    mul: x.clone() * x.reshape([3, 2]);
    div: x.clone() / &x.reshape([3, 2]);
    neg: -flag;
    neg_owned: -flag.clone();
    number_first: 300 - &x.cast(DType::U8);
    number_second: x.cast(DType::U8) + 300;
    number: x.cast(DType::I64).number(0.5);
    dot: x.dot(x);
    dot_as: x.dot_as(x, true, true);
    conv: x.reshape([1, 3, 2]).conv(&x.reshape([1, 3, 2]), &Window::new(&[1]), 1);
    conv_input: x.reshape([1, 3, 2]).conv_input(&x.reshape([1, 3, 2]), &[2], &Window::new(&[1]), 1);
    conv_weights: x.reshape([1, 3, 2]).conv_weights(&x.reshape([1, 3, 2]), &Window::new(&[2]), 1);
    argmax: x.argmax(2);
    argmin: x.argmin(-3);
    broadcast: x.broadcast([2, 4], &[0, 1]);
    broadcast_to: x.broadcast_to([5]);
    reshape: x.reshape([5]);
    transpose: x.transpose(&[0, 0]);
    select: x.select(x, x);
    slice: x.slice(&[0, 1], &[2, 4], &[1, 1]);
    slice_axis: x.slice_axis(-1, 1..4);
    pad: x.pad(&[1], &[0], &[0], 0.0);
    concatenate: x.concatenate(&[x, &x.reshape([3, 2])], 0);
    reverse: x.reverse([2]);
    gather: x.gather(x);
    scatter_add: x.scatter_add(&x.cast(DType::I64), x);
    are_rows_of: flag.are_rows_of(&x.reshape([5]));
    reduce: x.reduce(Reduction::Sum, &[2]);
    sum: x.sum([5]);
    mean: x.mean([5]);
    softmax: x.softmax(5);
    log_softmax: x.log_softmax(5);
    square: flag.square();
    clip: x.cast(DType::I32).clip(0.5, 1.0);
    div_no_nan: x.div_no_nan(&x.reshape([3, 2]));
    one_hot: x.one_hot(usize::MAX);
    random_uniform: x.random_uniform([2]);
    random_advance: x.random_advance(1);
    random_stateless: x.random_stateless(7);
    axis: x.sum([x.axis(7) as isize]);
    apply: flag.apply(Unary::Exp);
    apply_to: flag.apply_to(Binary::Add, &[x]);
    with: x.with(Binary::Add, x.reshape([3, 2]));
    aligned: x.aligned(&x.reshape([3, 2])).0;
    push: x.trace().push(Unary::Exp, &[flag]);
    max_pool: x.max_pool(&Window::new(&[1])).into_iter().next().expect("two results");
    sum_pool: x.sum_pool(&Window::new(&[1]), None);
    unpool: x.unpool(&Window::new(&[1]), &[1], None);
    iota: x.trace().iota(Type::f32([2]), 1);
    gradients: gradients(x, std::slice::from_ref(x)).remove(0);
    kind_first: x + flag.reshape([3, 2]);
    inside: (x * 2.0 + x.mean([5])).exp();
}

#[test]
fn every_mistake_is_shown_where_it_was_made() {
    for &(name, body) in MISTAKES {
        let trace = Trace::new();
        let (x, flag) = (trace.input(Type::f32([2, 3])), trace.input(Type::new(DType::Bool, [2, 3])));
        let y = body(&x, &flag);
        let error = trace.finish(&[y], &[]).expect_err(name).to_string();
        let place = error.lines().find_map(|line| line.trim().strip_prefix("at ")).unwrap_or_default();
        let own = place.rsplit_once(':').filter(|(file, _)| file.ends_with("tests/tensors/places.rs"));
        let shown: u32 = own.and_then(|(_, line)| line.parse().ok()).unwrap_or_default();
        let source = include_str!("places.rs").lines().nth((shown as usize).wrapping_sub(1)).unwrap_or_default();
        assert!(source.trim().starts_with(&format!("{name}:")), "`{name}` is shown at {place}: {error}");
    }
}

/// Whether a method can only fail inside `apply`, which has a mistake of its own: all it does is one call of it, for the
/// caller's line.
fn applies_alone(lines: &[&str], at: usize) -> bool {
    let line = |at: usize| lines.get(at).map_or("", |line| line.trim());
    let call = line(at + 1).starts_with("self.apply") && !line(at + 1).contains('|') && line(at + 2) == "}";
    call && line(at.wrapping_sub(1)) == "#[track_caller]"
}

/// The names of all methods are read from the source, so that a new one needs a mistake too.
#[test]
fn every_method_has_a_mistake() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a source file");
    let folder = std::fs::read_dir(source.join("ops")).expect("the folder of ops");
    let mut texts: Vec<String> = folder.map(|entry| read(&entry.expect("a file").path())).collect();
    texts.extend(["tensor.rs", "trace.rs"].map(|file| read(&source.join(file))));
    let mut missing = Vec::new();
    for text in &texts {
        let mut inside = false;
        let lines: Vec<&str> = text.lines().collect();
        for (at, &line) in lines.iter().enumerate() {
            inside = if line.starts_with("impl ") { line == "impl Tensor {" || line == "impl Trace {" } else { inside };
            let method = line.trim().strip_prefix("pub fn ").filter(|_| inside && !applies_alone(&lines, at));
            // The rows of `unary!` and `compare!`: `Exp = "exp" exp, …`.
            let row = line.trim().split_once(" = \"").and_then(|(_, row)| row.split_once("\" "));
            // Functions of floats cast, so that no operand is wrong.
            let row = row.map(|(_, row)| row).filter(|row| row.contains(", |") && !row.contains(" Float,"));
            let Some(name) =
                method.or(row).and_then(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
            else {
                continue;
            };
            if !name.is_empty() && !NEVER.contains(&name) && !MISTAKES.iter().any(|(known, _)| *known == name) {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "no mistake for {missing:?}");
}
