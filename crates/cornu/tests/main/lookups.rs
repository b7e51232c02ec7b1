//! Layers that run on the host: Keras's own cases, models that begin or end with such a layer, and mistakes.

use cornu::config::Field;
use cornu::data::Values;
use cornu::layers::Tokens;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::Rows;
use cornu::{AnyArray, Result};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::Case;
use serde_json::json;

use crate::seeds::seeded;

/// What a layer of the host makes of the texts or numbers of a case, alone and as a model.
pub(crate) fn on_host(case: &Case, layer: &LayerRef) -> Result<(), String> {
    let text = |error: cornu::Error| error.to_string();
    if let Some(data) = case.any(&case.json["adapt"]) {
        layer.adapt(data).map_err(text)?;
    }
    let vocabulary = json!(layer.get_vocabulary().map_err(text)?);
    let size = layer.vocabulary_size().map_err(text)?;
    if vocabulary != case.json["vocabulary"] || Some(size) != vocabulary.as_array().map(Vec::len) {
        return Err(format!("vocabulary: got {vocabulary}, want {}", case.json["vocabulary"]));
    }
    let x = case.any(&case.json["call"]["args"][0]).ok_or("no input")?;
    fits(case, &layer.transform(&x).map_err(text)?)?;
    let open = std::iter::once(None).chain(x.shape()[1..].iter().map(|&size| Some(size))).collect::<Vec<_>>();
    let input = Input::batch_shape(open).dtype(x.kind().keras_name()).symbol().map_err(text)?;
    let output = layer.apply(&input).map_err(text)?;
    let shape = json!(output.shape());
    if shape != case.json["output_shape_none_batch"] {
        return Err(format!("shape: got {shape}, want {}", case.json["output_shape_none_batch"]));
    }
    let model = Model::named("model", [&input], [&output]).map_err(text)?;
    let outputs = model.predict_any(&x, Predict::new().verbose(0)).map_err(text)?;
    fits(case, &outputs[0])
}

fn fits(case: &Case, got: &AnyArray) -> Result<(), String> {
    let want = &case.json["outputs"];
    match (case.any(want).ok_or("no output")?, got) {
        (AnyArray::Numbers(wanted), AnyArray::Numbers(got)) if wanted.dtype() == got.dtype() => {
            case.near("outputs", got, want)
        }
        (AnyArray::Texts(wanted), AnyArray::Texts(got)) if wanted == *got => Ok(()),
        (wanted, got) => Err(format!("got {got:?}, want {wanted:?}")),
    }
}

const FILMS: [[&str; 2]; 6] =
    [["good", "film"], ["bad", "film"], ["good", "plot"], ["bad", "plot"], ["good", "cast"], ["bad", "cast"]];
const GOOD: [i64; 6] = [1, 0, 1, 0, 1, 0];

/// A model that learns from texts whether they praise a film.
fn classifier() -> Result<Sequential> {
    let lookup = StringLookup::new().shared();
    lookup.adapt(FILMS)?;
    let mut model = Sequential::new();
    model.add(&lookup).add(Embedding::new(lookup.vocabulary_size()?, 4)).add(GlobalAveragePooling1D::new());
    model.add(Dense::new(1).activation("sigmoid"));
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(Adam::from(0.1)).metrics(["accuracy"]))?;
    Ok(model)
}

fn message<T>(outcome: Result<T>) -> String {
    outcome.err().expect("a mistake").message().to_owned()
}

#[test]
fn a_model_learns_from_texts_and_comes_back_from_its_file() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = classifier()?;
    let history = model.fit(FILMS, GOOD, Fit::new().epochs(30).verbose(0))?;
    assert_eq!(history["accuracy"][29], 1.0, "{history:?}");
    assert_eq!(model.evaluate_with(FILMS, GOOD, Evaluate::new().verbose(0))?["accuracy"], 1.0);
    let folder = Folder::new("texts");
    model.save(folder.join("films.keras"))?;
    let mut again = load_model(folder.join("films.keras"))?;
    let strange = [["good", "music"], ["", "bad"]];
    assert_eq!(again.predict(strange)?, model.predict(strange)?);
    assert_eq!(again.layers()[0].get_vocabulary()?, ["[UNK]", "good", "bad", "plot", "film", "cast"]);
    let more = again.fit(FILMS, GOOD, Fit::new().verbose(0))?;
    assert!(more["loss"][0] < history["loss"][28]);
    model.save_weights(folder.join("films.weights.h5"))?;
    again.load_weights(folder.join("films.weights.h5"))?;
    assert_eq!(again.predict(strange)?, model.predict(strange)?);
    Ok(())
}

#[test]
fn files_of_both_kerases_look_texts_up() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/files/texts");
    let near = |got: &[f32], want: [f32; 3]| got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6);
    let words = [["good", "film"], ["bad", "film"], ["good", "plot"]];
    for keras in ["k3", "k213"] {
        let model = load_model(format!("{folder}/{keras}_text.keras"))?;
        let got = model.predict(words)?.into_raw_vec_and_offset().0;
        assert!(near(&got, [-0.000_953_994, -0.020_598_566, 0.021_822_382]), "{keras}: {got:?}");
        assert_eq!(model.get_layer("string_lookup")?.get_vocabulary()?, ["", "[UNK]", "good", "film", "plot", "bad"]);
        let model = load_model(format!("{folder}/{keras}_idf.keras"))?;
        let got = model.predict((words, [1.0, 1.0, 1.0]))?.into_raw_vec_and_offset().0;
        assert!(near(&got, [-0.627_531, -0.852_998, -0.560_654]), "{keras}: {got:?}");
        let place = Folder::new(keras);
        model.save(place.join("again.keras"))?;
        let again = load_model(place.join("again.keras"))?;
        let named =
            again.predict([("age", AnyArray::Numbers(Array::vector(vec![1.0f32; 3]))), ("words", words_of(words))])?;
        assert_eq!(named.into_raw_vec_and_offset().0, got);
    }
    Ok(())
}

fn words_of(words: impl cornu_graph::ToArray) -> AnyArray {
    words.to_any().expect("texts")
}

#[test]
fn texts_and_numbers_go_into_one_model() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (town, age) = (Input::new([1]).dtype("string").name("town").symbol()?, Input::new([1]).name("age").symbol()?);
    let lookup = StringLookup::new().vocabulary(["rome", "oslo"]).output_mode("one_hot");
    let joined = Concatenate::new().apply([&lookup.apply(&town)?, &age])?;
    let mut model = Model::new([&town, &age], [&Dense::new(1).apply(&joined)?])?;
    model.compile(Compile::new().loss("mse"))?;
    let (towns, ages, y) = (["oslo", "rome", "bonn", "oslo"], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]);
    let by_position = model.predict((towns, ages))?;
    let column = |name: &str, values: Values| (name.to_owned(), values);
    let table = Table::new([column("town", towns.to_vec().into()), column("age", ages.to_vec().into())])?;
    let by_name = || [("age", &table["age"]), ("town", &table["town"])];
    assert_eq!(model.predict(by_name())?, by_position);
    let split = Fit::new().validation_split(0.5).verbose(0).shuffle(false).epochs(2);
    let history = model.fit(by_name(), y, split)?;
    let rows = Rows::new((towns, ages), y)?.batch_size(4)?;
    assert!(
        model.fit_source(rows, Fit::new().verbose(0))?["loss"][0].is_finite() && history["val_loss"][1].is_finite()
    );
    assert_eq!(message(model.predict((ages, ages))), "string_lookup: `StringLookup` needs texts, got `float64`");
    assert_eq!(message(model.predict((towns, towns))), "`x[\"age\"]` needs `float32`, got `string`");
    let wide = message(model.predict(([["oslo", "rome"]], [1.0])));
    assert_eq!(wide, "layer `string_lookup` was built for inputs of 1 features, got 2");
    assert_eq!(message(model.evaluate((towns, ages), towns)), "`y`: needs numbers, got texts");
    Ok(())
}

#[test]
fn a_model_may_end_with_texts() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let names = ["cat", "dog"];
    let mut model = sequential![Rescaling::new(1.0).offset(1.0).input_shape([2])];
    model.add(StringLookup::new().vocabulary(names).invert(true));
    let x = [[0, 1], [7, -1]];
    let texts = model.predict_texts(x)?;
    assert_eq!(texts.iter().collect::<Vec<_>>(), ["cat", "dog", "[UNK]", "[UNK]"]);
    assert_eq!(message(model.predict(x)), "`predict` gives numbers, but model `sequential` gives texts");
    // From texts to texts: there is nothing but the graph of places between.
    let there = StringLookup::new().vocabulary(names).mask_token("");
    let back = StringLookup::new().vocabulary(names).mask_token("").invert(true);
    let both = sequential![there, back];
    assert_eq!(both.predict_texts([["dog", "", "cow"]])?.iter().collect::<Vec<_>>(), ["dog", "", "[UNK]"]);
    model.add(Dense::new(1));
    let problem = message(model.check());
    assert!(problem.contains("`string_lookup` runs on the host"), "{problem}");
    Ok(())
}

#[test]
fn mistakes_with_texts_say_what_was_needed() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let words = Input::new([2]).dtype("string").symbol()?;
    assert_eq!(format!("{words:?}"), "<Symbol shape=(None, 2), dtype=string>");
    let embedding = Embedding::new(3, 2).name("rows").apply(&words);
    assert_eq!(message(embedding), "rows: `Embedding` needs numbers as `inputs`, got `string`");
    let model = sequential![Embedding::new(3, 2).input_shape([2])];
    assert!(message(model.predict([["a", "b"]])).ends_with("needs `float32`, got `string`"));
    let alone = |lookup: StringLookup| lookup.name("l").shared();
    let built = |lookup: StringLookup| message(lookup.name("l").apply(&words));
    let new = StringLookup::new;
    assert_eq!(message(alone(new()).transform([["a"]])), "l: there is no vocabulary yet");
    assert_eq!(message(alone(new().vocabulary(["a"])).transform([[1]])), "l: `StringLookup` needs texts, got `int32`");
    assert_eq!(
        message(alone(new().vocabulary(["a"])).adapt([["a"]])),
        "l: `adapt`: a layer that was given its `vocabulary` learns none"
    );
    assert_eq!(message(alone(new()).adapt([""; 0])), "l: `adapt`: needs texts to learn tokens from, got none");
    assert_eq!(built(new().vocabulary(["a", "b", "a"])), "l: a vocabulary needs each token once, got \"a\" twice");
    assert_eq!(built(new().vocabulary([""; 0])), "l: a vocabulary needs at least one token, got none");
    assert_eq!(built(new().vocabulary(["a"]).max_tokens(1)), "layer `l`: `max_tokens` needs at least 2, got 1");
    assert_eq!(built(new().vocabulary(["a", "b"]).max_tokens(2)), "l: `max_tokens` is 2, got 3 with the special ones");
    assert_eq!(
        built(new().vocabulary(["b", "m"]).mask_token("m")),
        "l: the special token \"m\" is among the tokens of the vocabulary"
    );
    assert_eq!(built(new().output_mode("multi_hot")), "l: there is no vocabulary yet");
    assert!(built(new().output_mode("tf-idf")).contains("unknown output_mode `tf-idf`"));
    assert!(built(new().sparse(true).output_mode("count")).contains("only dense outputs"));
    assert!(built(new().encoding("latin-1")).contains("`encoding` is `utf-8` here"));
    assert!(built(new().vocabulary("/nowhere/words.txt")).starts_with("l: the vocabulary `/nowhere/words.txt`"));
    Ok(())
}

#[test]
fn texts_and_places_that_fit_nowhere_are_named() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (new, alone) = (StringLookup::new, |lookup: StringLookup| lookup.name("l").shared());
    let strict = alone(new().vocabulary(["a"]).num_oov_indices(0));
    assert_eq!(
        message(strict.transform(["a", "z", "y"])),
        "l: needs texts of the vocabulary where `num_oov_indices` is 0, got `z`, `y`"
    );
    let invert = new().vocabulary(["[UNK]", "a", "[UNK]"]).invert(true).name("l").shared();
    assert!(message(invert.transform([[1]])).contains("the special token \"[UNK]\" is among the tokens"));
    let flat = Input::new(()).dtype("string").symbol()?;
    let summed = message(new().vocabulary(["a"]).output_mode("multi_hot").name("l").apply(&flat));
    assert_eq!(summed, "l: an `output_mode` that sums samples needs [batch, .., tokens], got [batch]");
    assert_eq!(message(Dense::new(1).name("d").shared().adapt([["a"]])), "d: `Dense` has no `adapt`");
    let path = Tokens::from_json(&json!("/etc/passwd"));
    assert_eq!(message(path), "a file of a model may not open another, `/etc/passwd`");
    Ok(())
}

#[test]
fn a_vocabulary_comes_from_a_file_or_is_set() -> Result<()> {
    let folder = Folder::new("vocabulary");
    let path = folder.join("words.txt");
    std::fs::write(&path, "b\na\n").expect("a file");
    let lookup = StringLookup::new().vocabulary(&*path.display().to_string()).shared();
    assert_eq!(lookup.get_vocabulary()?, ["[UNK]", "b", "a"]);
    lookup.set_vocabulary(["[UNK]", "x"], None)?;
    let places = lookup.transform(["x", "b"])?;
    assert_eq!(places.numbers().map(Array::to_vec::<i64>), Some(vec![1, 0]));
    let salted = StringLookup::new().vocabulary(["a"]).num_oov_indices(1000).salt([133, 137]).shared();
    let place = salted.transform(["cornu"])?.numbers().map(|places| places.get(0));
    assert_eq!(place, Some(SALTED));
    let weighed = StringLookup::new().output_mode("tf_idf").max_tokens(6).pad_to_max_tokens(true).shared();
    weighed.set_vocabulary(["a", "b"], Some(&[1.0, 3.0]))?;
    let row = weighed.transform([["b", "z", "b"]])?;
    assert_eq!(row.numbers().map(Array::to_vec::<f32>), Some(vec![2.0, 0.0, 6.0, 0.0, 0.0, 0.0]));
    Ok(())
}

/// TensorFlow's `to_hash_bucket_strong(["cornu"], 1000, [133, 137])`.
const SALTED: f64 = 207.0;
