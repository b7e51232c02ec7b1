//! Every family is open: a class of one's own stands wherever one of Keras's does, also in files.

use std::path::Path;

use cornu::activations::{self, Activation as Function};
use cornu::losses::{self, Loss, Reduction};
use cornu::metrics::{self, Metric, mean_of};
use cornu::optimizers::{self, Common, Optimizer};
use cornu::prelude::*;
use cornu::random::{Flavor, Stream};
use cornu::{Cx, Result, Tensor, constraints, initializers, layers, regularizers};
use cornu_testkit::folder::Folder;
use serde_json::json;

use crate::seeds::seeded;

cornu::config! {
    /// Multiplies each feature by a weight.
    "families" pub layer Scale {
        /// How the weight starts.
        start: Choice<dyn Initializer> = "ones".into(),
        /// What is put after the product.
        activation: Choice<dyn Function> = "linear".into(),
        /// A penalty on the weight.
        penalty: Option<Choice<dyn Regularizer>> = None,
        /// What the weight is held to.
        limit: Option<Choice<dyn Constraint>> = None,
    }
}

impl Layer for Scale {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let scale = cx.weight("scale", [x.dim(-1)], &self.start);
        cx.regularize(&scale, &self.penalty);
        cx.constrain("scale", &self.limit);
        cx.activate(&self.activation, x * scale)
    }
}

cornu::config! {
    /// Counts up from a number.
    "families" pub struct Steps {
        /// The first number.
        first: f64,
    }
}

impl Initializer for Steps {
    fn array(&self, ty: &Type, _: Stream) -> Result<Array> {
        Ok(Array::from_fn(ty, |i| self.first + i as f64))
    }
}

cornu::config! {
    /// The fourth powers.
    "families" pub struct Fourth {
        /// What they are multiplied by.
        part: f64 = 0.5,
    }
}

impl Regularizer for Fourth {
    fn penalty(&self, x: &Tensor) -> Tensor {
        x.square().square().sum_all() * self.part
    }
}

cornu::config! {
    /// At most so much.
    "families" pub struct AtMost {
        /// The limit.
        limit: f64,
    }
}

impl Constraint for AtMost {
    fn apply(&self, w: &Tensor) -> Tensor {
        w.minimum(self.limit)
    }
}

cornu::config! {
    /// A part below zero.
    "families" pub struct Leaky {
        /// The part.
        slope: f64 = 0.25,
    }
}

impl Function for Leaky {
    fn apply(&self, x: Tensor) -> Tensor {
        x.gt(0.0).select(&x, &x * self.slope)
    }
}

cornu::config! {
    /// Squares, those of predictions that are too large more.
    "families" pub struct Wary {
        /// How much more.
        times: f64 = 3.0,
    }
}

impl Loss for Wary {
    fn reduction(&self) -> Reduction {
        Reduction::SumOverBatchSize
    }

    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        let above = y_pred - y_true;
        (above.square() * above.gt(0.0).select(self.times, above.number(1.0))).mean([-1])
    }
}

cornu::config! {
    /// How often a prediction is near enough.
    "families" pub struct Near {
        /// The largest distance that is near enough.
        distance: f64 = 0.5,
    }
}

impl Metric for Near {
    fn key(&self) -> &str {
        "near"
    }

    fn update(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
        mean_of(state, &(y_true - y_pred).abs().le(self.distance).cast(DType::F32), weights)
    }
}

cornu::config! {
    /// Steps along a running mean.
    "families" pub struct Steady {
        /// The size of a step.
        learning_rate: f64 = 0.125,
    }
}

impl Optimizer for Steady {
    fn common(&self) -> Common {
        Common { learning_rate: self.learning_rate.into(), ..Common::default() }
    }

    fn slots(&self) -> Vec<Slot> {
        vec!["mean".into()]
    }

    fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
        w - step.set("mean", step.get("mean") * 0.5 + g * 0.5) * step.rate()
    }
}

const X: [[f64; 2]; 3] = [[1.0, -2.0], [0.5, 1.0], [-1.0, 0.25]];
const Y: [[f64; 2]; 3] = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];

fn model() -> Result<Sequential> {
    let scale = Scale::new().start(Steps::new(0.5)).activation(Leaky::new()).penalty(Fourth::new());
    let mut model = sequential![scale.limit(AtMost::new(1.25)).input_shape([2])];
    model.compile(Compile::new().loss(Wary::new()).optimizer(Steady::new()).metrics([Near::new().distance(1.0)]))?;
    Ok(model)
}

/// Registers the classes of layers, each once the file has been refused for it.
fn register_what_is_asked_for(path: &Path) {
    let steps: [(&str, &str, fn()); 5] = [
        ("layers", "Scale", layers::register::<Scale>),
        ("initializers", "Steps", initializers::register::<Steps>),
        ("activations", "Leaky", activations::register::<Leaky>),
        ("regularizers", "Fourth", regularizers::register::<Fourth>),
        ("constraints", "AtMost", constraints::register::<AtMost>),
    ];
    for (family, class, register) in steps {
        let text = load_model(path).expect_err("a class that is not registered").to_string();
        assert!(text.contains(&format!("`{class}` of the package `families`")), "{text}");
        assert!(text.contains(&format!("`cornu::{family}::register::<{class}>()`")), "{text}");
        register();
    }
}

#[test]
fn classes_of_ones_own_are_used_saved_and_loaded() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("families");
    let path = folder.join("m.keras");
    let mut first = model()?;
    assert_eq!(first.weights()[0].as_slice(), Some(&[0.5, 1.5][..]));
    // Half the sum of the fourth powers is in the loss; after a step the limit holds.
    let penalty = 0.5 * (0.5f64.powi(4) + 1.5f64.powi(4));
    let loss = first.evaluate_with(&[[0.0, 0.0]], &[[0.0, 0.0]], Evaluate::new().verbose(0))?["loss"];
    assert!((loss - penalty).abs() < 1e-6, "{loss}");
    assert_eq!(first.predict(&[[-2.0, 1.0]])?.as_slice(), Some(&[-0.25, 1.5][..]));
    first.fit(&X, &Y, Fit::new().shuffle(false).verbose(0))?;
    assert!(first.weights()[0][[1]] <= 1.25, "{}", first.weights()[0]);

    first.save_with(&path, Save::new())?;
    register_what_is_asked_for(&path);
    losses::register::<Wary>();
    metrics::register::<Near>();
    optimizers::register::<Steady>();

    assert_eq!(first.save_with(&path, Save::new())?, []);
    let mut second = load_model(&path)?;
    assert_eq!((second.weights(), second.to_json()?), (first.weights(), first.to_json()?));
    let fit = || Fit::new().epochs(2).shuffle(false).verbose(0);
    assert_eq!(second.fit(&X, &Y, fit())?.history, first.fit(&X, &Y, fit())?.history);
    assert_eq!(second.weights(), first.weights());
    let written = first.layers()[0].config();
    assert_eq!(written["start"]["registered_name"], "families>Steps");
    assert_eq!(written["activation"]["config"], json!({ "slope": 0.25 }));
    Ok(())
}

cornu::config! {
    /// Another one.
    "families" pub struct Halved {}
}

impl Function for Halved {
    fn apply(&self, x: Tensor) -> Tensor {
        x * 0.5
    }
}

/// A registered class also goes by `package>name`.
#[test]
fn registered_classes_have_names() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    activations::register::<Halved>();
    let dense = Dense::new(1).kernel_initializer("ones").activation("families>Halved");
    assert_eq!(sequential![dense.input_shape([1])].predict(&[[-2.0]])?[[0, 0]], -1.0);
    let error = sequential![Dense::new(1).activation("families>Third")].check().expect_err("no such class");
    assert!(error.message().contains("unknown activation `families>Third`"), "{error}");
    Ok(())
}
