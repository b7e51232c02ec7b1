//! A layer is one wherever it is used: in two models, twice in one trace, as a setting of another layer.

use cornu::layers::Child;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::{Cx, Model, Result, Tensor};
use cornu_graph::Array;
use cornu_testkit::folder::Folder;

use crate::seeds::seeded;

cornu::config! {
    /// Calls another layer twice, the second time on what the first made.
    "sharing.tests" pub layer Twice {
        /// The layer.
        inner: LayerRef,
    }
}

impl Layer for Twice {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let once = self.inner.call(cx, x);
        self.inner.call(cx, once)
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        vec![("inner", (&self.inner).into())]
    }
}

cornu::config! {
    /// Takes a running mean off its input, as batch normalisation does, and adds a count of its calls.
    "sharing.tests" pub layer Running {}
}

impl Layer for Running {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let (mean, calls) = (cx.state("mean", [], "zeros"), cx.state("calls", [], "zeros"));
        let y = &x - &mean + &calls;
        if cx.training() {
            cx.update(&mean, &mean * 0.5 + x.mean([0, 1]) * 0.5);
            cx.update(&calls, &calls + 1.0);
        }
        y
    }
}

fn quiet() -> Fit {
    Fit::new().shuffle(false).verbose(0)
}

/// The sum of the squares of what a model makes of `x`, and its slope along each weight.
fn slopes(model: &mut Model, x: &Array) -> Result<Vec<Array>> {
    let own: Vec<_> = model.variables().weights().cloned().collect();
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, false)?;
    let input = cx.input(x.ty());
    let total = net.call(&mut cx, &[input])?.remove(0).square().sum_all();
    let weights: Vec<Tensor> = own.iter().map(|weight| cx.trace().var(weight.id(), weight.ty.clone())).collect();
    let slopes = gradients(&total, &weights);
    let graph = cx.finish(&[vec![total], slopes].concat(), &[])?;
    variables.session()?.once(&graph, std::slice::from_ref(x))
}

/// Slopes against differences, in doubles.
pub(crate) fn slopes_are_differences(model: &mut Model, x: &Array) -> Result<()> {
    const STEP: f64 = 1e-5;
    let found = slopes(model, x)?;
    let own: Vec<_> = model.variables().weights().cloned().collect();
    for (weight, slope) in own.iter().zip(&found[1..]) {
        let before = weight.read();
        for at in 0..before.len() {
            let mut moved = |by: f64| -> Result<f64> {
                let mut value = before.clone();
                value.set(at, before.get(at) + by);
                weight.write(&value)?;
                Ok(slopes(model, x)?[0].get(0))
            };
            let difference = (moved(STEP)? - moved(-STEP)?) / (2.0 * STEP);
            weight.write(&before)?;
            let got = slope.get(at);
            assert!(
                (got - difference).abs() <= 1e-6 * difference.abs().max(1.0),
                "{}: {got}, {difference}",
                weight.path
            );
        }
    }
    Ok(())
}

#[test]
fn a_layer_within_another_is_called_twice_saved_and_loaded() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let inner = Dense::new(3).activation("tanh").dtype("float64").name("inner");
    let mut model = sequential![Twice::new(inner).dtype("float64").input_shape([3]).name("twice")];
    assert_eq!(model.count_params(), 12, "one kernel and one bias");
    let paths: Vec<&str> = model.variables().all().iter().map(|variable| &*variable.path).collect();
    assert_eq!(
        paths,
        ["sequential/twice/inner/kernel", "sequential/twice/inner/bias"]
            .map(|path| { path.replacen("sequential", model.name(), 1) })
    );
    let x = Array::new([2, 3], vec![0.5, -1.0, 0.25, 0.75, 0.1, -0.3])?;
    slopes_are_differences(&mut model, &x)?;

    cornu::layers::register::<Twice>();
    let folder = Folder::new("sharing");
    let path = folder.join("m.keras");
    model.save(&path)?;
    let mut again = load_model(&path)?;
    assert_eq!(again.weights_as::<f64>(), model.weights_as::<f64>());
    assert_eq!(slopes(&mut again, &x)?, slopes(&mut model, &x)?);
    Ok(())
}

#[test]
fn a_second_call_sees_what_the_first_left() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let running = Running::new().name("running").shared();
    let mut model = sequential![Twice::new(running.clone()), Dense::new(1).kernel_initializer("ones").trainable(false)];
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    // The mean of the first input is 3, half of that is kept; the second is the first and a count of 0.
    model.fit(&[[2.0], [4.0]], &[0.0, 0.0], quiet())?;
    assert_eq!(running.weights()[1].iter().next(), Some(&2.0), "two calls in one step");
    assert_eq!(running.weights()[0].iter().next(), Some(&(0.5 * 1.5 + 0.5 * 3.0)));
    // Outside training nothing moves.
    model.predict(&[[2.0], [4.0]])?;
    assert_eq!(running.weights()[1].iter().next(), Some(&2.0));
    Ok(())
}

fn encoder() -> LayerRef {
    Dense::new(4).activation("tanh").name("encoder").shared()
}

fn head(encoder: &LayerRef, seed: u32, rate: f64) -> Result<Sequential> {
    let mut model = Sequential::seeded(Flavor::Keras2, Seeds::new(seed));
    model.add(Input::new([3])).add(encoder).add(Dense::new(1));
    model.compile(Compile::new().loss("mse").optimizer(Adam::from(rate)))?;
    Ok(model)
}

const X: [[f64; 3]; 4] = [[0.5, -1.0, 0.25], [0.75, 0.1, -0.3], [1.0, 0.0, 0.5], [-0.5, 0.25, 0.0]];
const Y: [f64; 4] = [1.0, 0.0, -1.0, 0.5];

#[test]
fn two_models_train_one_encoder_in_turn() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let train = |idle: bool| -> Result<Vec<ndarray::ArrayD<f32>>> {
        set_random_seed(4);
        let encoder = encoder();
        let mut first = head(&encoder, 1, 0.125)?;
        first.fit(&X, &Y, quiet().epochs(3))?;
        if idle {
            let mut second = head(&encoder, 2, 0.0)?;
            let before = encoder.weights();
            second.fit(&X, &Y, quiet().epochs(2))?;
            assert_eq!(encoder.weights(), before);
        }
        first.fit(&X, &Y, quiet().epochs(3))?;
        Ok(first.weights())
    };
    assert_eq!(train(true)?, train(false)?, "the optimizer of the first goes on where it was");

    let encoder = encoder();
    let (mut first, mut second) = (head(&encoder, 1, 0.125)?, head(&encoder, 2, 0.125)?);
    let start = second.predict(&X)?;
    first.fit(&X, &Y, quiet())?;
    assert_ne!(second.predict(&X)?, start, "what the first learns the second knows");
    assert_eq!(first.weights()[0], second.weights()[0]);
    second.run_on(cornu::Cpu::new().threads(1))?;
    first.fit(&X, &Y, quiet())?;
    assert_eq!(first.weights()[0], second.weights()[0], "they moved together");
    // As in a GAN: the shared part learns in one model and stays as it is in the other.
    encoder.set_trainable(false);
    second.compile(Compile::new().loss("mse").optimizer("adam"))?;
    let before = encoder.weights();
    second.fit(&X, &Y, quiet())?;
    assert_eq!(encoder.weights(), before);
    first.fit(&X, &Y, quiet())?;
    assert_ne!(encoder.weights(), before, "the first was compiled when it learned");
    Ok(())
}

/// Stores of one machine are joined; nothing moves to another machine by itself.
#[test]
fn a_model_over_layers_of_two_machines_is_refused() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let one = Dense::new(3).name("one").shared();
    let own = |name: &str| Dense::new(3).name(name).shared();
    let (near, far) = (own("near"), own("far"));
    let mut here = sequential![Input::new([3]), &one, &near];
    let mut beside = sequential![Input::new([3]), &own("beside")];
    let mut there = sequential![Input::new([3]), &far];
    there.run_on(cornu_graph::Reference)?;
    for model in [&mut here, &mut beside, &mut there] {
        model.predict(&X)?;
    }
    // Two stores of this processor become one.
    let (a, b) = (here.predict(&X)?, beside.weights());
    let joined = sequential![Input::new([3]), &one, &near, &beside.layers()[0].shared()];
    joined.predict(&X)?;
    assert_eq!((here.predict(&X)?, beside.weights()), (a, b));
    let mut both = Sequential::named("both");
    both.add(Input::new([3])).add(&one).add(&far);
    let weights = both.weights();
    let error = both.predict(&X).expect_err("two machines");
    assert_eq!(
        error.message(),
        "a model runs on one machine, but `both/one/kernel` is on `cpu` and `both/far/kernel` on `reference`"
    );
    assert_eq!(both.weights(), weights);
    // Whoever moves the layers of one model takes them from others that have them.
    both.run_on(cornu_graph::Reference)?;
    both.predict(&X)?;
    let error = here.predict(&X).expect_err("the first layer is elsewhere");
    assert!(error.message().contains("/one/kernel` is on `reference` and "), "{error}");
    here.run_on(cornu::Cpu::new())?;
    here.predict(&X)?;
    Ok(())
}

#[test]
fn compiling_moves_no_weights_and_takes_no_more_memory() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(3).input_shape([3])];
    let memory = |model: &mut Model| -> Result<usize> {
        model.compile(Compile::new().loss("mse").optimizer("adam"))?;
        model.fit(&X, &[[0.0; 3]; 4], quiet())?;
        Ok(model.parts().1.session()?.memory().variables)
    };
    let first = memory(&mut model)?;
    for _ in 0..3 {
        assert_eq!(memory(&mut model)?, first);
    }
    Ok(())
}

#[test]
fn a_shared_layer_takes_inputs_of_one_size() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let encoder = encoder();
    sequential![Input::new([3]), &encoder].check()?;
    let error = sequential![Input::new([5]), &encoder].check().expect_err("another size");
    assert_eq!(error.message(), "encoder: `kernel` is f32[3,4], but this input needs f32[5,4]");
    let error =
        sequential![Input::new([3]), &encoder, Dense::new(4).name("encoder")].check().expect_err("two of a name");
    assert!(error.message().contains("has two layers named `encoder`"), "{error}");
    Ok(())
}
