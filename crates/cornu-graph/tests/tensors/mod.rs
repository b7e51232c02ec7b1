//! Arithmetic of mixed element types as in Keras 3, and the places of mistakes.

mod places;

use cornu_graph::ops::Reduction;
use cornu_graph::{Array, DType, Tensor, Trace, Type, evaluate};

const ALL: [DType; DType::ALL.len()] = DType::ALL;

/// What a closure makes of inputs, as Keras's name of the type and the numbers.
fn of(inputs: &[Array], body: impl Fn(&[Tensor]) -> Tensor) -> Result<(DType, Vec<f64>), String> {
    let trace = Trace::new();
    let tensors: Vec<Tensor> = inputs.iter().map(|input| trace.input(input.ty())).collect();
    let y = body(&tensors);
    let graph = trace.finish(&[y], &[]).map_err(|error| error.to_string())?;
    let y = evaluate(&graph, &[], inputs).0.remove(0);
    Ok((y.dtype(), (0..y.len()).map(|i| y.get(i)).collect()))
}

fn array(dtype: DType, values: [f64; 2]) -> Array {
    Array::from_fn(&Type::new(dtype, [2]), |i| values[i])
}

/// `keras.ops.add(a, b).dtype` of Keras 3.15 on TensorFlow, row by row in the order of [`ALL`]; `-`: an error. Where two
/// unsigned types make `u64` here, they make `uint32` there, which does not hold the numbers.
const JOINED: [&str; 13] = [
    "-    u8   u16  u32  u64  i8   i16  i32  i64  f16  bf16 f32  f64",
    "u8   u8   u16  u32  u64  i16  i16  i32  i64  f16  bf16 f32  f64",
    "u16  u16  u16  u32  u64  i32  i32  i32  i64  f16  bf16 f32  f64",
    "u32  u32  u32  u32  u64  i64  i64  i64  i64  f16  bf16 f32  f64",
    "u64  u64  u64  u64  u64  f32  f32  f32  f32  f16  bf16 f32  f64",
    "i8   i16  i32  i64  f32  i8   i16  i32  i64  f16  bf16 f32  f64",
    "i16  i16  i32  i64  f32  i16  i16  i32  i64  f16  bf16 f32  f64",
    "i32  i32  i32  i64  f32  i32  i32  i32  i64  f16  bf16 f32  f64",
    "i64  i64  i64  i64  f32  i64  i64  i64  i64  f16  bf16 f32  f64",
    "f16  f16  f16  f16  f16  f16  f16  f16  f16  f16  f32  f32  f64",
    "bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 f32  bf16 f32  f64",
    "f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f64",
    "f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64",
];

#[test]
fn types_of_two_tensors_are_joined_as_in_keras() {
    for (a, row) in ALL.into_iter().zip(JOINED) {
        for (b, want) in ALL.into_iter().zip(row.split_whitespace()) {
            let want: Option<DType> = want.parse().ok();
            let inputs = [array(a, [1.0, 0.0]), array(b, [1.0, 1.0])];
            for (name, op) in [
                ("add", (|x: &Tensor, y: &Tensor| x + y) as fn(&Tensor, &Tensor) -> Tensor),
                ("mul", |x, y| x * y),
                ("maximum", |x, y| x.maximum(y)),
                ("select", |x, y| x.eq(x).select(x, y)),
                ("dot", |x, y| x.reshape([1, 2]).dot(&y.reshape([2, 1]))),
            ] {
                let got = of(&inputs, |x| op(&x[0], &x[1])).ok().map(|(dtype, _)| dtype);
                // Of two truth values there is a choice, if no sum.
                let want = if name == "select" { Some(want.unwrap_or(DType::Bool)) } else { want };
                assert_eq!(got, want, "{name} {a} {b}");
            }
            let quotient = of(&inputs, |x| &x[0] / &x[1]).map(|(dtype, _)| dtype);
            let float = want.filter(|dtype| dtype.is_float()).unwrap_or(DType::F32);
            assert_eq!(quotient, Ok(float), "div {a} {b}");
            let equal = of(&inputs, |x| x[0].eq(&x[1])).map(|(dtype, _)| dtype);
            assert_eq!(equal, Ok(DType::Bool), "eq {a} {b}");
        }
    }
}

#[test]
fn fractions_beside_whole_numbers_stay_fractions() {
    for dtype in ALL.into_iter().filter(|dtype| !dtype.is_float()) {
        let y = [array(dtype, [0.0, 1.0])];
        let near = |body: fn(&Tensor) -> Tensor, want: [f32; 2]| {
            let want = want.map(f64::from).to_vec();
            assert_eq!(of(&y, |x| body(&x[0])), Ok((DType::F32, want)), "{dtype}");
        };
        near(|y| y * 0.9, [0.0, 0.9]);
        near(|y| 0.5 - y, [0.5, -0.5]);
        near(|y| y - 0.5, [-0.5, 0.5]);
        near(|y| -1.0 + y, [-1.0, 0.0]);
        near(|y| y / 4.0, [0.0, 0.25]);
        near(|y| y.maximum(0.5), [0.5, 1.0]);
        near(|y| y.minimum(0.5), [0.0, 0.5]);
        near(|y| y.eq(1.0).select(y, 0.5), [0.5, 1.0]);
        near(|y| y.eq(1.0).select(0.25, y), [0.0, 0.25]);
        near(|y| y.pow(2.0), [0.0, 1.0]);
        near(|y| (y + 2.0).div_no_nan(&(y + 3.0)), [2.0 / 3.0, 0.75]);
        near(|y| y.exp(), [1.0, std::f32::consts::E]);
        near(|y| y.sqrt(), [0.0, 1.0]);
        near(|y| y.sigmoid() * 2, [1.0, 1.462_117_2]);
        near(|y| y.softmax(0) * 0.0, [0.0, 0.0]);
        near(|y| y.mean([0]).broadcast_to([2]), [0.5, 0.5]);
        let (kind, hits) = of(&y, |x| x[0].gt(0.5)).expect("a comparison");
        assert_eq!((kind, hits), (DType::Bool, vec![0.0, 1.0]), "{dtype}");
        assert_eq!(of(&y, |x| x[0].lt(0.5)).map(|(_, hits)| hits), Ok(vec![1.0, 0.0]), "{dtype}");
    }
}

#[test]
fn whole_numbers_beside_tensors_keep_their_type() {
    let max = (1i64 << 53) + 1;
    let wide = [Array::vector(vec![max, -max])];
    let trace = Trace::new();
    let y = trace.input(wide[0].ty()) + 1 - 1i64;
    let graph = trace.finish(&[y], &[]).expect("a sound graph");
    assert!(graph.nodes().all(|(value, _)| graph.ty(value).dtype == DType::I64));
    for dtype in ALL {
        let y = [array(dtype, [0.0, 1.0])];
        let kept = if dtype == DType::Bool { DType::I32 } else { dtype };
        assert_eq!(of(&y, |x| &x[0] + 2), Ok((kept, vec![2.0, 3.0])), "{dtype}");
        assert_eq!(of(&y, |x| 2 * &x[0]), Ok((kept, vec![0.0, 2.0])), "{dtype}");
        assert_eq!(of(&y, |x| x[0].maximum(1)), Ok((kept, vec![1.0, 1.0])), "{dtype}");
        assert_eq!(of(&y, |x| x[0].ge(1)), Ok((DType::Bool, vec![0.0, 1.0])), "{dtype}");
    }
    assert_eq!(of(&[array(DType::Bool, [0.0, 1.0])], |x| x[0].select(1, 0)), Ok((DType::I32, vec![0.0, 1.0])));
    assert_eq!(of(&[array(DType::Bool, [0.0, 1.0])], |x| x[0].select(1.0, 0)), Ok((DType::F32, vec![0.0, 1.0])));
}

/// A number that a tensor's type does not have is a mistake where no other type may be taken.
#[test]
fn numbers_that_do_not_fit_are_refused() {
    let refused = |dtype, body: fn(&Tensor) -> Tensor, message: &str| {
        let error = of(&[array(dtype, [0.0, 1.0])], |x| body(&x[0])).expect_err(message);
        assert!(error.starts_with(message), "{error}");
        assert!(error.contains("tests/tensors/mod.rs:"), "{error}");
    };
    refused(DType::I64, |y| y.number(0.5), "needs a number of i64, got 0.5");
    refused(DType::U8, |y| y.number(-1.0), "needs a number of u8, got -1");
    refused(DType::I32, |y| y.number(f64::NAN), "needs a number of i32, got NaN");
    refused(DType::U8, |y| y + 300, "needs a number of u8, got 300");
    refused(DType::I64, |y| y.clip(0.1, 0.9), "needs a number of i64, got 0.1");
    assert_eq!(of(&[array(DType::U8, [0.0, 9.0])], |x| x[0].clip(-8.0, 8.0)), Ok((DType::U8, vec![0.0, 8.0])));
    assert_eq!(of(&[array(DType::F32, [0.0, 1.0])], |x| x[0].number(0.5)), Ok((DType::F32, vec![0.5])));
}

#[test]
fn sums_of_small_types_are_taken_in_wider_ones() {
    for dtype in ALL {
        let (top, sum) = match dtype {
            DType::Bool => (1.0, DType::I32),
            DType::I8 | DType::I16 => (120.0, DType::I32),
            DType::U8 | DType::U16 => (200.0, DType::U32),
            wide => (200.0, wide),
        };
        let y = [array(dtype, [top, top])];
        assert_eq!(of(&y, |x| x[0].sum([0])), Ok((sum, vec![2.0 * top])), "{dtype}");
        assert_eq!(of(&y, |x| x[0].sum_all()), Ok((sum, vec![2.0 * top])), "{dtype}");
        let mean = if dtype.is_float() { dtype } else { DType::F32 };
        assert_eq!(of(&y, |x| x[0].mean([-1])), Ok((mean, vec![top])), "{dtype}");
    }
}

/// What cannot be is an error and never a panic, whatever the rank.
#[test]
fn axes_that_are_not_there_are_mistakes() {
    let shapes: [&[usize]; 4] = [&[], &[3], &[2, 1, 3], &[1, 1, 1, 1, 1]];
    for shape in shapes {
        for axis in [-7, -1, 0, 1, 5, isize::MAX, isize::MIN] {
            let x = [Array::zeros(&Type::f32(shape))];
            let fits = (-(shape.len() as isize)..shape.len() as isize).contains(&axis);
            for body in [
                (|x, axis| x.mean([axis])) as fn(&Tensor, isize) -> Tensor,
                |x, axis| x.sum([axis]),
                |x, axis| x.softmax(axis),
                |x, axis| x.argmax(axis).cast(DType::F32),
                |x, axis| x.argmin(axis).cast(DType::F32),
                |x, axis| x.mean([axis, 0, -1, axis]),
            ] {
                assert_eq!(of(&x, |x| body(&x[0], axis)).is_ok(), fits, "{shape:?} {axis}");
            }
            let place = axis.unsigned_abs();
            for body in [
                (|x, place| x.transpose(&[place, place])) as fn(&Tensor, usize) -> Tensor,
                |x, place| x.broadcast([2, 4], &[place]),
                |x, place| x.broadcast_to([3]).broadcast_to([place % 7, 4, 2]),
                |x, place| x.reshape([place, 17]),
                |x, place| x.reduce(Reduction::Max, &[place, place]),
                |x, place| x.trace().iota(Type::f32([]), place),
            ] {
                assert!(of(&x, |x| body(&x[0], place)).is_err(), "{shape:?} {place}");
            }
        }
    }
}

#[test]
fn tensors_too_large_for_any_memory_are_refused() {
    let x = [Array::zeros(&Type::f32([3]))];
    let error = of(&x, |x| x[0].one_hot(usize::MAX / 2)).expect_err("too large");
    assert!(error.contains("needs a result that memory has addresses for"), "{error}");
}
