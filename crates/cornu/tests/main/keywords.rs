//! What a call gives by name: lists of tensors, masks and flags, in code and in files of both Kerases.

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result};
use cornu_testkit::folder::Folder;
use serde_json::json;

use crate::seeds::seeded;

cornu::config! {
    /// `x`, where its mask is true, plus all of `states`; doubled if told to, and tripled in training.
    "keywords.tests" pub layer Gather {}
}

impl Layer for Gather {
    fn arguments(&self) -> Vec<Argument> {
        vec![
            Argument::needed("x"),
            Argument::optional("y"),
            Argument::list("states"),
            Argument::mask("mask"),
            Argument::mask("y_mask"),
            Argument::flag("twice"),
        ]
    }

    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let seen = |wire: &Wire| match &wire.mask {
            Some(mask) => mask.select(&wire.tensor, 0.0),
            None => wire.tensor.clone(),
        };
        let of_x = seen(inputs.needed("x")?);
        let sum = inputs.list("states").into_iter().chain(inputs.get("y")).fold(of_x, |sum, state| sum + seen(state));
        let times = if inputs.flag("twice") { 2.0 } else { 1.0 };
        Ok(vec![(sum * times * if cx.training() { 3.0 } else { 1.0 }).into()])
    }

    fn supports_masking(&self) -> bool {
        true
    }
}

fn input(name: &str) -> Result<Symbol> {
    Input::new([2]).name(name).symbol()
}

fn tensor(symbol: &Symbol) -> Keyword {
    symbol.into()
}

#[test]
fn lists_masks_and_flags_are_given_by_name_and_kept_in_files() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    cornu::layers::register::<Gather>();
    let (x, h, c) = (input("x")?, input("h")?, input("c")?);
    let layer = Gather::new().name("gather").shared();
    let calls = [
        // By position a list takes what is left.
        layer.apply_named([&x, &h, &c, &c], [("twice", true)])?,
        layer.apply_named([&x], [("states", &c), ("states", &h), ("mask", &h)])?,
        layer.apply_named([&x], [("y", tensor(&h)), ("y_mask", tensor(&c)), ("training", true.into())])?,
        layer.apply_named([&x, &h], [("training", false)])?,
    ];
    let mut model = Model::named("m", [&x, &h, &c], calls.iter().flatten())?;
    let check = |model: &mut Model| -> Result<()> {
        let outputs = model.predict_all([("x", [[1.0f32, 2.0]]), ("h", [[0.0, 3.0]]), ("c", [[5.0, 0.0]])])?;
        let got: Vec<Vec<f32>> = outputs.iter().map(|output| output.to_vec()).collect();
        assert_eq!(got, [[22.0, 10.0], [5.0, 5.0], [3.0, 6.0], [1.0, 5.0]]);
        Ok(())
    };
    check(&mut model)?;
    let folder = Folder::new("keywords");
    for version in [2, 3] {
        model.save_with(folder.join("m.keras"), Save::new().keras(version))?;
        let mut again = load_model(folder.join("m.keras"))?;
        check(&mut again)?;
        // The other form says by name what was given by position.
        assert_eq!(again.to_json()? == model.to_json()?, version == 3);
    }
    let json = model.to_json_value()?;
    let kwargs = |call: usize| &json["config"]["layers"][3]["inbound_nodes"][call]["kwargs"];
    assert_eq!((kwargs(0), kwargs(3)), (&json!({ "twice": true }), &json!({ "training": false })));
    assert_eq!(kwargs(1)["states"][1]["config"]["keras_history"], json!(["h", 0, 0]));
    Ok(())
}

#[test]
fn a_model_holds_to_what_it_is_told_of_training() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let x = input("x")?;
    let inner = Model::named("inner", [&x], Gather::new().apply_all([&x])?)?;
    let outer = input("outer")?;
    let layer = inner.layer();
    let as_told = layer.apply_named([&outer], [("training", false)])?;
    let as_is = layer.apply_all([&as_told[0]])?;
    let mut model = Model::named("m", [&outer], [&as_told[0], &as_is[0]])?;
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, true)?;
    let x = cx.trace().constant(Array::new([1, 2], vec![1.0f32, 2.0])?);
    let outputs = net.call(&mut cx, &[x])?;
    let results = variables.session()?.once(&cx.finish(&outputs, &[])?, &[])?;
    assert_eq!((results[0].to_vec::<f32>(), results[1].to_vec::<f32>()), (vec![1.0, 2.0], vec![3.0, 6.0]));
    Ok(())
}

#[test]
fn what_a_call_does_not_take_is_told() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let x = input("x")?;
    let message = |named: &[(&str, Keyword)]| {
        let gather = Gather::new().name("g");
        let named = named.iter().map(|(name, keyword)| (*name, keyword.clone()));
        gather.apply_named([&x], named).expect_err("a mistake").message().to_owned()
    };
    assert_eq!(message(&[("twice", tensor(&x))]), "g: `Gather` takes true or false as `twice`, got a tensor");
    assert_eq!(message(&[("y", true.into())]), "g: `Gather` takes a tensor as `y`, got true");
    assert_eq!(message(&[("y_mask", tensor(&x))]), "g: `Gather` takes `y_mask` for an input that is not given");
    let known = "there are `x`, `y`, `states`, `mask`, `y_mask`, `twice`";
    assert_eq!(message(&[("thrice", true.into())]), format!("g: `Gather` takes no `thrice`; {known}"));
    Ok(())
}
