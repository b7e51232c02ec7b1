//! Values, grids, scopes, and their texts.

use cornu_tuner::prelude::*;
use cornu_tuner::{Domain, Parameter, Sampling, Value, Values};
use serde_json::Value as Json;

use crate::golden;

fn sampling(args: &Json) -> Sampling {
    match args["sampling"].as_str() {
        Some("log") => Sampling::Log,
        Some("reverse_log") => Sampling::ReverseLog,
        _ => Sampling::Linear,
    }
}

fn parameter(case: &Json) -> Parameter {
    let args = &case["args"];
    let (min, max) = (&args["min_value"], &args["max_value"]);
    let domain = if case["cls"] == "Int" {
        let [min, max] = [min, max].map(|bound| bound.as_i64().expect("a bound"));
        Domain::Int { min, max, step: args["step"].as_i64(), sampling: sampling(args) }
    } else {
        let [min, max] = [min, max].map(|bound| bound.as_f64().expect("a bound"));
        Domain::Float { min, max, step: args["step"].as_f64(), sampling: sampling(args) }
    };
    let default = args["default"].as_i64().map(Value::Int);
    Parameter { name: "a".into(), domain, default, conditions: Vec::new() }
}

fn numbers(values: impl IntoIterator<Item = Value>) -> Vec<f64> {
    values.into_iter().map(|value| value.number().expect("a number")).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * b.abs().max(1e-3)
}

/// KerasTuner 1.4.8 loses the upper bound of 0 to 1 in steps of 0.2, against its own documentation: `1.0 // 0.2` is 4.
#[test]
fn grids_are_keras_tuners_but_for_bounds_lost_by_rounding() {
    for case in golden()["grids"].as_array().expect("cases") {
        let own = parameter(case);
        let mut grid = numbers(own.grid());
        grid.sort_by(f64::total_cmp);
        let keras: Vec<f64> = case["values"].as_array().expect("values").iter().filter_map(Json::as_f64).collect();
        let lost = grid.len() > keras.len();
        assert!(grid.iter().zip(&keras).all(|(own, keras)| close(*own, *keras)), "{case}: {grid:?}");
        assert!(grid.len() == keras.len() + usize::from(lost), "{case}: {grid:?}");
        assert!(!lost || grid.last() == case["args"]["max_value"].as_f64().as_ref(), "{case}: {grid:?}");
        assert_eq!(own.default().number(), case["default"].as_f64(), "{case}");
        if !lost {
            samples(&own, case);
        }
    }
}

/// The values at parts of the range, and the way back.
fn samples(own: &Parameter, case: &Json) {
    let (probs, at) = (case["probs"].as_array().expect("parts"), case["at"].as_array().expect("values"));
    for (part, keras) in probs.iter().zip(at).map(|(part, at)| (part.as_f64().unwrap(), at.as_f64().unwrap())) {
        let coordinate = match own.kind() {
            Some(cornu_tuner::sampler::Kind::Steps(count)) => (part * count as f64).floor().min(count as f64 - 1.0),
            _ => part,
        };
        let value = own.value_at(coordinate);
        assert!(close(value.number().unwrap(), keras), "{case}: {value} at {part}");
        let back = own.coordinate(&value).expect("its own value");
        let again = own.value_at(back).number().unwrap();
        assert!(close(again, value.number().unwrap()), "{case}: {again} for {value} at {part}");
    }
}

/// Declares as the golden file's build functions did.
fn declare(name: &str, hp: &mut HyperParameters) {
    match name {
        "plain" => {
            hp.choice("opt", ["sgd", "adam"]).get();
            hp.choice("lr", [0.01, 0.1, 0.001]).get();
        }
        "conditional" => {
            hp.choice("model", ["mlp", "cnn", "none"]).default("cnn").get();
            hp.conditional_scope("model", ["mlp"], |hp| hp.int("units", 2..=6).step(2).get());
            hp.conditional_scope("model", ["cnn"], |hp| {
                (hp.int("filters", 8..=16).step(8).get(), hp.boolean("bn").get())
            });
            hp.fixed("f", 3);
        }
        "growing" => {
            for i in 0..hp.int("layers", 1..=3).get() {
                hp.int(format!("units_{i}"), 1..=2).get();
            }
        }
        other => panic!("no build function `{other}`"),
    }
}

fn sorted(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    pairs
}

#[test]
fn grid_search_goes_in_keras_tuners_order() {
    for (name, keras) in
        golden()["grid_order"].as_object().expect("orders").iter().filter(|(name, _)| *name != "defaults")
    {
        let mut tuner = GridSearch::default();
        let finish = tuner.optimize(|hp| {
            declare(name, hp);
            Ok(0.0)
        });
        assert_eq!(finish.unwrap(), cornu_tuner::Finish::UsedUp);
        let own = tuner
            .trials()
            .iter()
            .map(|trial| sorted(trial.values.iter().map(|(name, value)| (name.to_owned(), value.to_string()))));
        let python = |value: &Json| match value {
            Json::Bool(truth) => if *truth { "True" } else { "False" }.into(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let keras = keras.as_array().expect("trials").iter().map(|values| {
            sorted(values.as_object().expect("values").iter().map(|(name, value)| (name.clone(), python(value))))
        });
        assert_eq!(own.collect::<Vec<_>>(), keras.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_grid_begins_with_the_defaults() {
    let mut tuner = GridSearch::default();
    let evaluate = |hp: &mut HyperParameters| {
        Ok((hp.int("a", 1..=5).step(2).default(3).get() * 10 + i32::from(hp.boolean("b").default(true).get())) as f64)
    };
    tuner.optimize(evaluate).unwrap();
    let scores: Vec<f64> = tuner.trials().iter().filter_map(|trial| trial.score).collect();
    assert_eq!(scores, [31.0, 30.0, 11.0, 10.0, 51.0, 50.0]);
}

#[test]
fn scopes_give_names_and_conditions() {
    let mut values = Values::default();
    values.set("model", "cnn");
    let mut hp = HyperParameters::of(values);
    assert_eq!(hp.choice("model", ["mlp", "cnn"]).get(), "cnn");
    assert_eq!(hp.conditional_scope("model", ["mlp"], |hp| hp.int("units", 1..=9).get()), None);
    let filters = hp
        .conditional_scope("model", ["cnn"], |hp| hp.name_scope("first", |hp| hp.int("filters", 8..=16).step(8).get()));
    assert_eq!(filters, Some(8));
    // With a parent: a parameter that does not exist here has its default, and no value.
    assert_eq!(hp.int("depth", 2..=4).parent("model", ["mlp"]).get(), 2);
    assert!(hp.boolean("bn").parent("model", ["cnn"]).default(true).get());
    let names: Vec<String> = hp.values().iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(names, ["model=cnn", "first/filters=8", "bn=True"]);
    assert_eq!((hp.get("bn"), hp.get("depth")), (Some(true.into()), None));
}

#[test]
fn a_scope_that_no_default_enters_is_found_before_the_first_trial() {
    let mut tuner = RandomSearch::new(|hp: &mut HyperParameters| {
        use cornu::prelude::*;
        let mut model = Sequential::new();
        let kind = hp.choice("kind", ["narrow", "wide"]).get();
        let units = hp.conditional_scope("kind", ["wide"], |hp| hp.int("units", 4..=16).step(4).get());
        model.add(Dense::new(units.unwrap_or(1) as usize).input_shape([4]));
        assert_eq!(units.is_some(), kind == "wide");
        model.add(Dropout::new(hp.float("rate", 0.1..=0.5).step(0.1)));
        let adam = Adam::new().learning_rate(hp.float("lr", 1e-4..=1e-1).log());
        hp.fixed("depth", 2);
        model.compile(Compile::new().loss("mse").optimizer(adam))?;
        Ok(model)
    });
    let keras = "Search space summary\nDefault search space size: 5\nkind (Choice)\n{'default': 'narrow', 'conditions': [], \
                 'values': ['narrow', 'wide'], 'ordered': False}\nrate (Float)\n{'default': 0.1, 'conditions': [], \
                 'min_value': 0.1, 'max_value': 0.5, 'step': 0.1, 'sampling': 'linear'}\nlr (Float)\n{'default': 0.0001, \
                 'conditions': [], 'min_value': 0.0001, 'max_value': 0.1, 'step': None, 'sampling': 'log'}\ndepth (Fixed)\n\
                 {'conditions': [], 'value': 2}\nunits (Int)\n{'default': None, 'conditions': [{'class_name': 'Parent', \
                 'config': {'name': 'kind', 'values': ['wide']}}], 'min_value': 4, 'max_value': 16, 'step': 4, 'sampling': \
                 'linear'}\n";
    assert_eq!(tuner.search_space_summary().unwrap(), keras);
}
