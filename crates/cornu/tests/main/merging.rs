//! What layers of several inputs do with masks, as both Kerases have it, and with inputs that do not go together.

use cornu::layers::{Layer, LayerRef};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result};
use cornu_graph::Array;

use crate::seeds::seeded;

cornu::config! {
    /// Shows the first so many places.
    "merging.tests" pub layer Shows {
        /// How many.
        places: usize,
    }
}

impl Layer for Shows {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = &inputs.one()?.tensor;
        let place = cx.trace().iota(Type::new(DType::I32, [x.dim(0), x.dim(1)]), 1);
        Ok(vec![Wire::from(x.clone()).masked(place.lt(self.places as i32))])
    }
}

/// What a layer makes of two inputs of three places, of which masks show so many: numbers and mask.
fn of_masked(layer: &LayerRef, flavor: Flavor, shown: [usize; 2]) -> Result<(Vec<f32>, Option<Vec<f32>>)> {
    let _turn = seeded(flavor, 1);
    let symbols = [Input::new([3, 2]).symbol()?, Input::new([3, 2]).symbol()?];
    let mut masked = Vec::new();
    for (symbol, places) in symbols.iter().zip(shown) {
        masked.push(if places == 3 { symbol.clone() } else { Shows::new(places).apply(symbol)? });
    }
    let mut model = Model::new(&symbols, layer.apply_all(&masked)?)?;
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, false)?;
    let values = [[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, -1.0, -2.0, 8.0, 9.0, 10.0]];
    let inputs = values.map(|values| Array::new([1, 3, 2], values.to_vec()).map(|array| cx.trace().constant(array)));
    let inputs = inputs.into_iter().map(|tensor| tensor.map(Wire::from)).collect::<Result<Vec<_>>>()?;
    let wire = net.trace(&mut cx, &inputs)?.remove(0);
    let outputs: Vec<Tensor> = std::iter::once(wire.tensor).chain(wire.mask).collect();
    let results = variables.session()?.once(&cx.finish(&outputs, &[])?, &[])?;
    let mask = results.get(1).map(|mask| (0..mask.len()).map(|at| mask.get(at) as f32).collect());
    Ok((results[0].to_vec(), mask))
}

/// Numbers and mask where masks show one place and two, and where there is one mask alone, that shows two.
type Case = (Flavor, [[f32; 6]; 2], [Option<[f32; 3]>; 2]);

#[test]
fn masks_are_merged_as_either_keras_does_it() -> Result<()> {
    use Flavor::{Keras2, Keras3};
    let (least, most) = ([1.0, -1.0, -2.0, 4.0, 5.0, 6.0], [7.0, 2.0, 3.0, 8.0, 9.0, 10.0]);
    let (of_2, of_3) = ([Some([1.0, 0.0, 0.0]), Some([1.0, 1.0, 0.0])], [Some([1.0, 1.0, 0.0]), None]);
    let sums = [8.0, 1.0, 1.0, 12.0, 14.0, 16.0];
    let times = [7.0, -2.0, -6.0, 32.0, 45.0, 60.0];
    let cases: [(LayerRef, [Case; 2]); 4] = [
        (Add::new().shared(), [(Keras2, [sums; 2], of_2), (Keras3, [sums; 2], of_3)]),
        (
            Minimum::new().shared(),
            [(Keras2, [least; 2], of_2), (Keras3, [[1.0, -1.0, -2.0, 8.0, 5.0, 6.0], least], of_3)],
        ),
        (
            Maximum::new().shared(),
            [
                (Keras2, [most; 2], of_2),
                (Keras3, [[7.0, 2.0, -2.0, 8.0, 5.0, 6.0], [7.0, 2.0, 3.0, 8.0, 5.0, 6.0]], of_3),
            ],
        ),
        (
            Multiply::new().shared(),
            [
                (Keras2, [times; 2], of_2),
                (Keras3, [[7.0, -2.0, -2.0, 8.0, 0.0, 0.0], [7.0, -2.0, -6.0, 32.0, 5.0, 6.0]], of_3),
            ],
        ),
    ];
    for (layer, cases) in &cases {
        for (flavor, numbers, masks) in cases {
            for (at, shown) in [[1, 2], [3, 2]].into_iter().enumerate() {
                let (got, mask) = of_masked(layer, *flavor, shown)?;
                assert_eq!(got, numbers[at], "{layer:?} {flavor:?} {shown:?}");
                assert_eq!(mask, masks[at].map(|mask| mask.to_vec()), "{layer:?} {flavor:?} {shown:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn masks_are_joined_as_either_keras_does_it() -> Result<()> {
    use Flavor::{Keras2, Keras3};
    for (flavor, one_alone) in [(Keras2, [1.0, 1.0, 0.0]), (Keras3, [1.0, 1.0, 1.0])] {
        let of_both = if flavor == Keras2 { [1.0, 0.0, 0.0] } else { [1.0, 1.0, 0.0] };
        let layer = Concatenate::new().shared();
        assert_eq!(of_masked(&layer, flavor, [1, 2])?.1, Some(of_both.to_vec()));
        assert_eq!(of_masked(&layer, flavor, [3, 2])?.1, Some(one_alone.to_vec()));
    }
    let along = of_masked(&Concatenate::new().axis(1).shared(), Keras3, [1, 2])?;
    assert_eq!(along.1, Some(vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0]));
    Ok(())
}

#[test]
fn inputs_that_do_not_go_together_are_told() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let (a, b) = (Input::new([3, 2]).symbol()?, Input::new([4, 5]).symbol()?);
    let told = |outcome: Result<Vec<Symbol>>, parts: &[&str]| {
        let error = outcome.expect_err("a mistake").to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    told(Add::new().name("sum").apply_all([&a, &b]), &["sum: ", "needs shapes that broadcast", "3,2]", "4,5]"]);
    told(Concatenate::new().name("c").apply_all([&a, &b]), &["c: ", "but for axis 2"]);
    told(Concatenate::new().name("c").axis(7).apply_all([&a, &a]), &["c: ", "needs an axis", "got 7"]);
    told(Subtract::new().name("s").apply_all([&a, &a, &a]), &["s: `Subtract` takes two inputs, got 3"]);
    told(Add::new().name("n").apply_all::<Symbol>([]), &["`Add` needs at least one input, got none"]);
    let normal = LayerNormalization::new().name("l").axis([3]);
    told(normal.apply_all([&a]), &["l: `axis` of `LayerNormalization` needs axes of", "got [3]"]);
    let attend = || MultiHeadAttention::new(2usize, 3usize).name("m");
    told(attend().apply_all([&a]), &["m: `MultiHeadAttention` needs the input `value`"]);
    let flat = Input::new([2]).symbol()?;
    told(attend().apply_all([&a, &flat]), &["m: `MultiHeadAttention` needs a `value`"]);
    told(attend().attention_axes([2]).apply_all([&a, &a]), &["`attention_axes`", "got [2]"]);
    let mask = Input::new([7]).dtype("bool").symbol()?;
    told(attend().apply_named([&a, &b], [("value_mask", &mask)]), &["m: the masks of `MultiHeadAttention`", "7]"]);
    told(MultiHeadAttention::new(0usize, 3usize).apply_all([&a, &a]), &["num_heads", "1 or more", "got 0"]);
    Ok(())
}

/// A number that is of no row: the step fails, names the layer, the row and the number, and leaves the table as it was.
#[test]
fn a_number_beyond_the_table_changes_nothing() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = sequential![
        Input::new([2]).dtype("int32"),
        Embedding::new(5usize, 3usize).name("words"),
        Flatten::new(),
        Dense::new(1)
    ];
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    let before = model.weights();
    let error = model.train_on_batch(&[[0, 1], [4, 5]], &[0.0, 1.0]).expect_err("there is no row 5").to_string();
    assert!(error.contains("words") && error.contains("got 5 in row 1"), "{error}");
    assert_eq!(model.weights(), before);
    model.train_on_batch(&[[0, 1], [4, 3]], &[0.0, 1.0])?;
    assert_ne!(model.weights(), before);
    Ok(())
}
