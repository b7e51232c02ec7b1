//! Trials of `BatchNormalization`: called twice in one trace, frozen, in doubles, in 16 bits, renormalized, as both Kerases
//! train it; its mistakes, its rounding, and the gradient of its gradient.

use cornu::initializers::Constant;
use cornu::layers::BatchNormalization;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use cornu_graph::Array;

use crate::flavor_differences::{FLAVORS, rows};
use crate::seeds::seeded;

type Layer = fn(BatchNormalization) -> BatchNormalization;

/// A layer, how often it is called, the losses of three steps that Keras 2.13 and 3.15 give, and its weights then.
struct Trial {
    name: &'static str,
    layer: Layer,
    times: usize,
    losses: [f64; 3],
    weights: &'static [[f64; 3]],
    near: f64,
}

/// Three rows, `sgd` with a rate of 0.1, and behind the layer a sum of the features that learns.
#[rustfmt::skip]
const TRIALS: [Trial; 5] = [
    Trial {
        name: "twice", layer: |layer| layer, times: 2, near: 2e-6,
        losses: [1.9629316329956055, 1.0656713247299194, 0.8006268739700317],
        weights: &[
            [0.7968095541000366, 0.932673454284668, 0.6337378621101379],
            [0.14393210411071777, 0.15254828333854675, 0.1370464265346527],
            [0.23658987879753113, 0.2227579653263092, 0.2922174334526062],
            [0.5407092571258545, 0.6652250289916992, 0.402535080909729],
        ],
    },
    Trial {
        name: "frozen", layer: |layer| layer.trainable(false), times: 1, near: 2e-6,
        losses: [1.835973858833313, 1.2312366962432861, 0.8380367755889893],
        weights: &[[1.0; 3], [0.0; 3], [0.0; 3], [1.0; 3]],
    },
    Trial {
        name: "float64", layer: |layer| layer.dtype("float64"), times: 1, near: 2e-7,
        losses: [1.951975703239441, 1.0612175464630127, 0.7981624007225037],
        weights: &[
            [0.7972567169741158, 0.9354284540409035, 0.6354302519555878],
            [0.14384557134069187, 0.15250922067478428, 0.1370401003186396],
            [0.4375, 0.3937500042375177, 0.5906250006519258],
            [0.2518749979138375, 0.17968750146683307, 0.2097656212514269],
        ],
    },
    Trial {
        name: "mixed_bfloat16", layer: |layer| layer.dtype("mixed_bfloat16"), times: 1, near: 1e-5,
        losses: [1.952664852142334, 1.05558180809021, 0.796938419342041],
        weights: &[
            [0.7977266311645508, 0.9353822469711304, 0.6371251940727234],
            [0.14414063096046448, 0.15227051079273224, 0.13717040419578552],
            [0.4375, 0.3940277099609375, 0.590667724609375],
            [0.2517385482788086, 0.17978370189666748, 0.20952104032039642],
        ],
    },
    Trial {
        name: "renorm", times: 1, near: 2e-6,
        layer: |layer| {
            let layer = layer.renorm(true).moving_variance_initializer(Constant::new().value(0.25));
            layer.renorm_clipping([("rmax", 1.5), ("rmin", 0.5), ("dmax", 0.2)])
        },
        losses: [1.0593749284744263, 0.7146446704864502, 0.5624558925628662],
        weights: &[
            [0.8196564316749573, 1.0510808229446411, 0.7574959993362427],
            [-0.02819368615746498, -0.02717450261116028, -0.0284319669008255],
            [0.4375, 0.39375001192092896, 0.5906250476837158],
            [0.1564796268939972, 0.0790850818157196, 0.11205975711345673],
            [0.3968370258808136, 0.2829930782318115, 0.336243599653244],
            [0.014850500039756298, 0.013365451246500015, 0.020048176869750023],
            [0.4964982271194458, 0.49263396859169006, 0.4944414794445038],
        ],
    },
];

fn trained(trial: &Trial) -> Result<(Vec<f64>, Vec<f64>)> {
    let double = trial.name == "float64";
    let layer = (trial.layer)(BatchNormalization::new().momentum(0.5)).shared();
    let input = if double { Input::new([3]).dtype("float64") } else { Input::new([3]) }.symbol()?;
    let mut x = input.clone();
    for _ in 0..trial.times {
        x = layer.apply(&x)?;
    }
    let sum = Dense::new(1).kernel_initializer("ones").use_bias(false);
    let mut model = Model::new([input], [if double { sum.dtype("float64") } else { sum }.apply(&x)?])?;
    model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.1)))?;
    let x = rows().0.slice(ndarray::s![..4, ..]).to_owned();
    let history = model.fit(&x, &[0.0, 0.5, 1.0, 0.25], Fit::new().epochs(3).shuffle(false).verbose(0))?;
    let weights = layer.weights_as::<f64>();
    Ok((history["loss"].clone(), weights.iter().flatten().copied().collect()))
}

#[test]
fn steps_are_those_of_keras() -> Result<()> {
    for (flavor, _) in FLAVORS {
        let _turn = seeded(flavor, 1);
        for trial in &TRIALS {
            let (losses, weights) = trained(trial)?;
            let near = |got: &[f64], want: &[f64]| {
                assert_eq!(got.len(), want.len(), "{}", trial.name);
                let far = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far <= trial.near, "{} in {flavor:?} is {far:e} off: {got:?}, {want:?}", trial.name);
            };
            near(&losses, &trial.losses);
            near(&weights, trial.weights.as_flattened());
        }
    }
    Ok(())
}

/// Output and slopes of a layer while it trains, of ones times what it gives, squared.
fn traced(layer: BatchNormalization, x: &Array, of: fn(&Tensor, Tensor) -> Tensor) -> Result<Vec<Array>> {
    let mut model = sequential![layer.input_shape(&x.shape()[1..])];
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, true)?;
    let input = cx.input(x.ty());
    let y = net.call(&mut cx, std::slice::from_ref(&input))?.remove(0);
    let slope = of(&input, y.clone());
    let graph = cx.finish(&[y, slope], &[])?;
    variables.session()?.once(&graph, std::slice::from_ref(x))
}

/// The largest error of what is normalized far from zero, where a mean of squares less the square of the mean has none of
/// its digits right.
#[test]
fn moments_are_exact_far_from_zero() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let x = |dtype| Array::from_fn(&Type::new(dtype, [64, 8, 8, 3]), |i| 4096.0 + ((i * 7919) % 1024) as f64 / 512.0);
    let single = traced(BatchNormalization::new(), &x(DType::F32), |_, y| y)?;
    let double = traced(BatchNormalization::new().dtype("float64"), &x(DType::F64), |_, y| y)?;
    let far = (0..single[0].len()).map(|i| (single[0].get(i) - double[0].get(i)).abs()).fold(0.0, f64::max);
    assert!(far < 2e-3, "{far:e}");
    Ok(())
}

/// The slope along the input of the sum of the squares of the first slope, against differences.
#[test]
fn the_gradient_of_the_gradient_is_that_of_differences() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let first = |x: &Tensor, y: Tensor| {
        let slope = gradients(&(&y * &y * &y).sum_all(), std::slice::from_ref(x)).remove(0);
        slope.square().sum_all()
    };
    let layer = || BatchNormalization::new().dtype("float64");
    let x = Array::new([4, 2], vec![0.5, -1.0, 0.25, 0.75, 0.1, -0.3, 1.5, 0.2])?;
    let slopes = traced(layer(), &x, |x, y| {
        let slope = gradients(&(&y * &y * &y).sum_all(), std::slice::from_ref(x)).remove(0);
        gradients(&slope.square().sum_all(), std::slice::from_ref(x)).remove(0)
    })?;
    for at in 0..x.len() {
        let moved = |by: f64| -> Result<f64> {
            let mut x = x.clone();
            x.set(at, x.get(at) + by);
            Ok(traced(layer(), &x, first)?[1].get(0))
        };
        let (got, difference) = (slopes[1].get(at), (moved(1e-5)? - moved(-1e-5)?) / 2e-5);
        assert!((got - difference).abs() <= 1e-5 * difference.abs().max(1.0), "{at}: {got}, {difference}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_normalized_is_said() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mistake = |layer: BatchNormalization| {
        let error = Sequential::named("m").add(layer.input_shape([4, 3])).build([4, 3]).map(drop);
        error.expect_err("a mistake").to_string()
    };
    let has = |text: String, part: &str| assert!(text.contains(part), "{text}");
    has(mistake(BatchNormalization::new().axis(3)), "needs one axis behind the first of");
    has(mistake(BatchNormalization::new().axis(0)), "got [0]");
    has(mistake(BatchNormalization::new().axis([1, 2])), "got [1, 2]");
    let clipped = |name, value| mistake(BatchNormalization::new().renorm(true).renorm_clipping([(name, value)]));
    has(clipped("dmax", -1.0), "`dmax` of 0 or more");
    has(clipped("max", 1.0), "nothing else, got {\"max\":1.0}");
}
