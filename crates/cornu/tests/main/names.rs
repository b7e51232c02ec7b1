//! Names that are not known: what only Keras has is told apart from what nobody has, and what there is is listed.

use cornu::activations::Activation;
use cornu::metrics::Metric;
use cornu::optimizers::Optimizer;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::registry::Family;
use cornu::{Error, ErrorKind};
use cornu_testkit::golden::Report;
use serde_json::json;

use crate::seeds::seeded;

fn compiled(compile: Compile) -> Error {
    sequential![Dense::new(1)].compile(compile).expect_err("a name that is not known")
}

fn layered(layer: Dense) -> Error {
    sequential![layer.name("a")].check().expect_err("a name that is not known")
}

/// Names as messages list them: the first twenty.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let more = names.split_off(names.len().min(20)).len();
    names.extend((more > 0).then(|| format!("and {more} more")));
    names.join(", ")
}

/// The short names of a family, as messages list them.
pub(crate) fn short(names: Vec<&'static str>) -> String {
    listed(names.into_iter().filter(|name| !name.contains(char::is_uppercase)))
}

#[test]
fn what_only_keras_has_is_told_apart() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mse = || Compile::new().loss("mse");
    let (losses, optimizers) = (short(<dyn Loss>::names()), short(<dyn Optimizer>::names()));
    let of = |name: &str, rest: &str| {
        format!("{name}: Keras has {}, this version of cornu does not yet; there are {rest}", {
            name.rsplit(' ').next().unwrap_or(name)
        })
    };
    let cases = [
        (compiled(Compile::new().loss("huber")), of("compile: unknown loss `huber`", &losses)),
        (compiled(Compile::new().loss("KLDivergence")), of("compile: unknown loss `KLDivergence`", &losses)),
        (compiled(Compile::new().loss("cosine_similarity")), of("compile: unknown loss `cosine_similarity`", &losses)),
        (compiled(mse().optimizer("Lamb")), of("compile: unknown optimizer `Lamb`", &optimizers)),
        (
            layered(Dense::new(1).kernel_initializer("stft")),
            of("layer `a`: Dense.kernel_initializer: unknown initializer `stft`", &short(<dyn Initializer>::names())),
        ),
    ];
    for (error, want) in cases {
        assert_eq!((error.to_string(), error.kind()), (want, ErrorKind::Unsupported));
    }
    for name in [
        "PrecisionAtRecall",
        "hinge",
        "poisson",
        "TruePositives",
        "f1_score",
        "R2Score",
        "mape",
        "top_k_categorical_accuracy",
    ] {
        let message = compiled(mse().metrics([name])).to_string();
        let start =
            format!("compile: unknown metric `{name}`: Keras has `{name}`, this version of cornu does not yet; ");
        assert!(message.starts_with(&start) && message.contains("`accuracy`, "), "{message}");
        assert!(!message.contains("did you mean"), "{message}");
    }
}

#[test]
fn what_nobody_has_is_listed_and_only_what_is_near_is_proposed() {
    let _turn = seeded(Flavor::Keras2, 1);
    let (losses, optimizers) = (short(<dyn Loss>::names()), short(<dyn Optimizer>::names()));
    let nobody = compiled(Compile::new().loss("quartic"));
    assert_eq!(nobody.to_string(), format!("compile: unknown loss `quartic`; there are {losses}"));
    assert_eq!(nobody.kind(), ErrorKind::Usage);
    let near = compiled(Compile::new().loss("mse").optimizer("ADAM"));
    assert_eq!(
        near.to_string(),
        format!("compile: unknown optimizer `ADAM`; there are {optimizers}\n  help: did you mean `adam`?")
    );
    let far = compiled(Compile::new().loss("mse").optimizer("quartic")).to_string();
    assert_eq!(far, format!("compile: unknown optimizer `quartic`; there are {optimizers}"));
}

/// A file's class is read as Keras's before it is taken for the user's.
#[test]
fn layers_that_only_keras_has_are_told_apart() {
    let _turn = seeded(Flavor::Keras2, 1);
    let read = |class: &str| {
        let layer = json!({ "module": "keras.layers", "class_name": class, "config": { "name": "a" } });
        let model = json!({ "class_name": "Sequential", "config": { "name": "m", "layers": [layer] } });
        Sequential::from_json_value(&model).expect_err("a class that is not known")
    };
    let layers = listed(<dyn Layer>::classes());
    let own =
        "a layer of your own can take its place, if it is registered first: `cornu::layers::register::<YourLayer>()`";
    for class in ["SimpleRNN", "Lambda", "MaxPooling3D", "ELU"] {
        let text = "Keras has `CLASS`, this version of cornu does not yet; there are ".replace("CLASS", class);
        let want = format!("model `m`: layer `a`: unknown layer class `{class}`: {text}{layers}\n  help: {own}");
        assert_eq!(read(class).to_string(), want);
    }
    let want = format!("model `m`: layer `a`: unknown layer class `Attend`; there are {layers}\n  help: {own}");
    assert_eq!((read("Attend").to_string(), read("Attend").kind()), (want, ErrorKind::Unsupported));
}

/// Every name of ours, in whatever case it is written, is known or proposed, never called Keras's alone.
#[test]
fn no_name_of_ours_is_taken_for_what_is_missing() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    let mut check = |name: &str, outcome: cornu::Result<()>| {
        let outcome = outcome.err().map(|error| error.to_string()).filter(|text| text.contains("does not yet"));
        report.case(name, outcome.map_or(Ok(()), Err));
    };
    for name in <dyn Loss>::names() {
        for name in [name.to_uppercase(), name.to_lowercase()] {
            check(&name, sequential![Dense::new(1)].compile(Compile::new().loss(name.as_str())));
        }
    }
    for name in <dyn Metric>::names().iter().chain(&["accuracy", "acc", "crossentropy", "ce"]) {
        for name in [name.to_uppercase(), name.to_lowercase()] {
            check(&name, sequential![Dense::new(1)].compile(Compile::new().loss("mse").metrics([name.as_str()])));
        }
    }
    for name in <dyn Optimizer>::names() {
        for name in [name.to_uppercase(), name.to_lowercase()] {
            check(&name, sequential![Dense::new(1)].compile(Compile::new().loss("mse").optimizer(name.as_str())));
        }
    }
    for name in <dyn Activation>::names() {
        check(name, sequential![Dense::new(1).activation(&*name.to_uppercase())].check());
    }
    for (name, alias) in <dyn Initializer>::classes().iter().zip(["zeros", "ones"]) {
        check(name, sequential![Dense::new(1).kernel_initializer(&*name.to_uppercase())].check());
        check(alias, sequential![Dense::new(1).kernel_initializer(alias)].check());
    }
    report.finish();
}
