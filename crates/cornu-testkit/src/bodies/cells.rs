//! What loops are tried on.

use cornu_graph::ops::{Random, Reduction};
use cornu_graph::{DType, Tensor, Trace, Type};

/// Next carries and outputs, of constants, carries and rows.
pub type Step = fn(&Trace, &[Tensor], &[Tensor], &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>);

/// A body, with the types of what it is given.
pub struct Cell {
    /// For reports.
    pub name: &'static str,
    /// What is the same at each step.
    pub consts: fn() -> Vec<Type>,
    /// What a step leaves to the next.
    pub carries: fn() -> Vec<Type>,
    /// A row of each input.
    pub xs: fn() -> Vec<Type>,
    /// From the last row to the first.
    pub reverse: bool,
    /// The step.
    pub step: Step,
}

/// A batch of three rows.
const B: usize = 3;
/// Inputs and units.
const D: usize = 2;
const U: usize = 4;

fn f(shape: impl Into<cornu_graph::Shape>) -> Type {
    Type::f32(shape)
}

/// The gates of a product with four columns for each unit.
fn gate(z: &Tensor, i: usize, count: usize) -> Tensor {
    let (rows, units) = (z.dim(0), z.dim(1) / count);
    let mask: Vec<f32> = (0..count).map(|j| f32::from(u8::from(j == i))).collect();
    let mask = z.trace().constant(cornu_graph::Array::vector(mask)).broadcast([rows, count, units], &[1]);
    (z.reshape([rows, count, units]) * mask).sum([1])
}

fn lstm(w: &[Tensor], h: &Tensor, c: &Tensor, x: &Tensor) -> (Tensor, Tensor) {
    let z = x.dot(&w[0]) + h.dot(&w[1]) + &w[2];
    let [i, f, g, o] = [0, 1, 2, 3].map(|k| gate(&z, k, 4));
    let c = f.sigmoid() * c + i.sigmoid() * g.tanh();
    (o.sigmoid() * c.tanh(), c)
}

fn gru(w: &[Tensor], h: &Tensor, x: &Tensor) -> Tensor {
    let (a, b) = (x.dot(&w[0]), h.dot(&w[1]) + &w[2]);
    let z = (gate(&a, 0, 3) + gate(&b, 0, 3)).sigmoid();
    let r = (gate(&a, 1, 3) + gate(&b, 1, 3)).sigmoid();
    let new = (gate(&a, 2, 3) + r * gate(&b, 2, 3)).tanh();
    &z * h + (1.0 - &z) * new
}

fn weights(gates: usize) -> Vec<Type> {
    vec![f([D, gates * U]), f([U, gates * U]), f([gates * U])]
}

fn one(h: Tensor) -> (Vec<Tensor>, Vec<Tensor>) {
    (vec![h.clone()], vec![h])
}

macro_rules! cells {
    ($($name:literal $reverse:literal $consts:expr, $carries:expr, $xs:expr, $step:expr;)*) => {
        /// All of them.
        pub const CELLS: &[Cell] = &[$(Cell {
            name: $name,
            consts: || $consts,
            carries: || $carries,
            xs: || $xs,
            reverse: $reverse,
            step: $step,
        },)*];
    };
}

cells! {
    "simple" false weights(1), vec![f([B, U])], vec![f([B, D])],
        |_, w, h, x| one((x[0].dot(&w[0]) + h[0].dot(&w[1]) + &w[2]).tanh());
    "simple backwards" true weights(1), vec![f([B, U])], vec![f([B, D])],
        |_, w, h, x| one((x[0].dot(&w[0]) + h[0].dot(&w[1]) + &w[2]).tanh());
    "simple relu" false weights(1), vec![f([B, U])], vec![f([B, D])],
        |_, w, h, x| one((x[0].dot(&w[0]) + h[0].dot(&w[1]) * 0.1 + &w[2]).relu());
    "lstm" false weights(4), vec![f([B, U]); 2], vec![f([B, D])], |_, w, c, x| {
        let (h, c) = lstm(w, &c[0], &c[1], &x[0]);
        (vec![h.clone(), c], vec![h])
    };
    "lstm backwards" true weights(4), vec![f([B, U]); 2], vec![f([B, D])], |_, w, c, x| {
        let (h, c) = lstm(w, &c[0], &c[1], &x[0]);
        (vec![h.clone(), c], vec![h])
    };
    "lstm without outputs" false weights(4), vec![f([B, U]); 2], vec![f([B, D])], |_, w, c, x| {
        let (h, c) = lstm(w, &c[0], &c[1], &x[0]);
        (vec![h, c], vec![])
    };
    "lstm with a mask" false weights(4), vec![f([B, U]); 2], vec![f([B, D]), Type::new(DType::Bool, [B, 1])],
        |_, w, c, x| {
            let (h, s) = lstm(w, &c[0], &c[1], &x[0]);
            let [h, s] = [x[1].select(&h, &c[0]), x[1].select(&s, &c[1])];
            (vec![h.clone(), s], vec![h])
        };
    "gru" false weights(3), vec![f([B, U])], vec![f([B, D])], |_, w, h, x| one(gru(w, &h[0], &x[0]));
    "gru backwards" true weights(3), vec![f([B, U])], vec![f([B, D])], |_, w, h, x| one(gru(w, &h[0], &x[0]));
    "gru with a mask" true weights(3), vec![f([B, U])], vec![f([B, D]), Type::new(DType::Bool, [B, 1])],
        |_, w, h, x| one(x[1].select(gru(w, &h[0], &x[0]), &h[0]));
    "sum" false vec![], vec![f([B])], vec![f([B])], |_, _, c, x| one(&c[0] + &x[0]);
    "product of scalars" true vec![f([])], vec![f([])], vec![f([])], |_, w, c, x| one(&c[0] * &w[0] + &x[0]);
    "moving mean" false vec![f([])], vec![f([B])], vec![f([B])],
        |_, w, c, x| one(&c[0] * w[0].sigmoid() + &x[0] * (1.0 - w[0].sigmoid()));
    "running maximum" false vec![], vec![f([B])], vec![f([B])], |_, _, c, x| one(c[0].maximum(&x[0]));
    "no carry" false weights(1), vec![], vec![f([B, D])],
        |_, w, _, x| (vec![], vec![(x[0].dot(&w[0]) + &w[2]).tanh().sum([0]), w[1].sum([0])]);
    "no input" false weights(1), vec![f([B, U])], vec![], |_, w, h, _| one((h[0].dot(&w[1]) + &w[2]).tanh());
    "no output" true weights(1), vec![f([B, U])], vec![f([B, D])],
        |_, w, h, x| (vec![(x[0].dot(&w[0]) + h[0].dot(&w[1])).tanh()], vec![]);
    "carries that swap" false vec![], vec![f([B]), f([B])], vec![f([B])],
        |_, _, c, x| (vec![c[1].clone(), &c[0] * 0.9], vec![&c[0] + &x[0]]);
    "a carry that stays" false vec![], vec![f([B]), f([B])], vec![f([B])],
        |_, _, c, x| (vec![c[0].clone(), &c[0] * &x[0] + &c[1] * 0.5], vec![c[1].clone()]);
    "what comes goes" true vec![f([2])], vec![f([B])], vec![f([B])],
        |_, w, c, x| (vec![x[0].clone()], vec![c[0].clone(), x[0].clone(), w[0].clone()]);
    "a counter" false vec![f([B])], vec![Type::new(DType::I32, []), f([B])], vec![f([B])], |_, w, c, x| {
        let weight = 1.0 / (c[0].cast(DType::F32) + 1.0);
        (vec![&c[0] + 1, &c[1] * (1.0 - &weight) + &x[0] * &weight * &w[0]], vec![c[0].clone()])
    };
    "a weight twice" false vec![f([U, U])], vec![f([B, U])], vec![f([B, U])],
        |_, w, h, x| one((x[0].dot(&w[0]) + h[0].dot_as(&w[0], false, true)).tanh());
    "transposed weights" true vec![f([U, D]), f([U, U])], vec![f([U, B])], vec![f([D, B])],
        |_, w, h, x| one((w[0].dot(&x[0]) + w[1].dot_as(&h[0], true, false)).tanh());
    "a norm" false vec![f([U])], vec![f([B, U])], vec![f([B, U])], |_, w, h, x| {
        let z = &h[0] + &x[0];
        let mean = z.mean([1]).reshape([B, 1]);
        let off = &z - mean;
        let scale = (off.square().mean([1]) + 0.1).sqrt().reshape([B, 1]);
        one(off / scale * &w[0])
    };
    "attention" false vec![f([U, U]), f([5, U])], vec![f([B, U])], vec![f([B, U])], |_, w, h, x| {
        let scores = (h[0].dot(&w[0]) + &x[0]).dot_as(&w[1], false, true).softmax(-1);
        one(scores.dot(&w[1]) * 0.5 + &h[0] * 0.5)
    };
    "products of a batch" false vec![f([B, U, U])], vec![f([B, 2, U])], vec![f([B, 2, U])],
        |_, w, h, x| one((h[0].dot(&w[0]) + &x[0]).tanh());
    "a loop in a loop" false vec![f([U])], vec![f([U])], vec![f([5, U])], |t, w, h, x| {
        let (last, ys) = t.scan(5, true, &h[..1], &x[..1], |_, c, x| one((&c[0] * &w[0] + &x[0]).tanh()));
        (last, vec![ys[0].sum([0])])
    };
    "a loop in a loop of products" true vec![f([U, U])], vec![f([B, U])], vec![f([3, B, U])], |t, w, h, x| {
        let outer = h[0].tanh();
        let (last, _) = t.scan(3, false, &h[..1], &x[..1], |_, c, x| {
            (vec![(c[0].dot(&w[0]) + &x[0] * &outer).tanh()], vec![])
        });
        one(last[0].clone())
    };
    "dropout" false weights(1), vec![Type::new(DType::U32, [6]), f([B, U])], vec![f([B, D])], |_, w, c, x| {
        let keep = c[0].apply(Random::Uniform(Type::f32([B, U]))).ge(0.3);
        let h = (x[0].dot(&w[0]) + keep.select(&c[1], 0.0).dot(&w[1]) + &w[2]).tanh();
        (vec![c[0].apply(Random::Advance(B as u64)), h.clone()], vec![h])
    };
    "a branch" false vec![f([U])], vec![f([U])], vec![f([U])], |t, w, h, x| {
        let up = x[0].sum([0]).gt(0.0);
        one(t.if_else(&up, |_| vec![(&h[0] * &w[0]).tanh()], |_| vec![&h[0] + &x[0]]).remove(0))
    };
    "a call" false weights(1), vec![f([B, U])], vec![f([B, D])], |t, w, h, x| {
        let args = [h[0].clone(), x[0].clone()];
        let y = t.call(None, &args, |_, a| vec![(a[1].dot(&w[0]) + a[0].dot(&w[1]) + &w[2]).tanh()]);
        one(y[0].clone())
    };
    "largest and smallest" true vec![f([U])], vec![f([U])], vec![f([B, U])], |_, w, h, x| {
        let most = x[0].reduce(Reduction::Max, &[0]);
        one(most.maximum(&h[0] * &w[0]) - x[0].reduce(Reduction::Min, &[0]))
    };
    "tokens" false vec![f([6, U]), f([U, U])], vec![f([B, U])], vec![Type::new(DType::I64, [B])],
        |_, w, h, x| one((w[0].gather(&x[0]) + h[0].dot(&w[1])).tanh());
    "tokens of a counter, and such that stay" true vec![f([9, U]), Type::new(DType::I64, [B])],
        vec![Type::new(DType::I64, []), f([B, U])], vec![f([B, U])], |_, w, c, x| {
            let near = w[0].gather(&(&c[0].broadcast([B], &[]) + &w[1])) * &x[0];
            (vec![(&c[0] + 1) * c[0].lt(5).cast(DType::I64), (near + w[0].gather(&w[1]) * &c[1]).tanh()], vec![])
        };
    "tokens in a loop in a loop" false vec![f([6, U])], vec![f([U])], vec![Type::new(DType::I64, [5])],
        |t, w, h, x| {
            let (last, _) = t.scan(5, true, &h[..1], &x[..1], |_, c, x| {
                (vec![(w[0].gather(&x[0]) * &c[0] + w[0].gather(&x[0].number(1.0))).tanh()], vec![])
            });
            one(last[0].clone())
        };
    "parts of rows" true vec![f([2 * U, U])], vec![f([B, U])], vec![f([B, D]), f([B, U])], |_, w, h, x| {
        let padded = x[0].pad(&[0, 1], &[0, U - D - 1], &[0, 0], 0.5);
        let both = padded.concatenate(&[&x[1].reverse([1])], 1);
        let z = both.dot(&w[0]) + &h[0];
        let [a, b] = [0, U / 2].map(|at| z.slice(&[0, at], &[B, at + U / 2], &[1, 1]));
        one(a.tanh().concatenate(&[&b.sigmoid()], 1))
    };
    "whole numbers" false vec![Type::new(DType::I64, [2])], vec![Type::new(DType::I64, [2])],
        vec![Type::new(DType::I64, [2])], |_, w, c, x| one(&c[0] * &w[0] + &x[0]);
}
