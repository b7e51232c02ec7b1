//! Sizes that are left open: what layers make of them is found without a sample.

use cornu::layers::Layer;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use cornu_testkit::golden::Report;

use crate::seeds::seeded;

/// Declares a layer without settings or weights.
macro_rules! shaper {
    ($($(#[$doc:meta])* $name:ident, $call:expr;)*) => {$(
        cornu::config! {
            $(#[$doc])*
            "shapes.tests" pub layer $name {}
        }

        impl Layer for $name {
            fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
                let call: fn(&mut Cx, Tensor) -> Tensor = $call;
                call(cx, x)
            }
        }
    )*};
}

/// `x` with another number of rows along its second axis.
fn resized(x: &Tensor, size: usize) -> Tensor {
    let shape = x.shape();
    x.sum([1]).reshape(shape.with(1, 1)).broadcast_to(shape.with(1, size))
}

shaper! {
    /// As a window of 3 that moves by 8.
    Strides, |_, x| resized(&x, (x.dim(1) - 3) / 8 + 1);
    /// As a window of 101 that moves by 50, with its ends filled up.
    Wide, |_, x| resized(&x, x.dim(1).div_ceil(50).max(x.dim(1) - 100) - x.dim(1).min(100));
    /// Keras's `Reshape((-1, 2))`.
    Pairs, |_, x| x.reshape([x.dim(0), x.shape().iter().skip(1).product::<usize>() / 2, 2]);
    /// The second and the third axis as one.
    Merge, |_, x| x.reshape([x.dim(0), x.dim(1) * x.dim(2), x.dim(3)]);
    /// Adds two axes to each other.
    Add, |_, x| {
        let turned = x.transpose(&[0, 2, 1, 3]);
        x + turned
    };
    /// Halves two axes, as pooling does.
    Halves, |_, x| {
        let (h, w, c) = (x.dim(1), x.dim(2), x.dim(3));
        x.reshape(&[x.dim(0), h / 2, 2, w / 2, 2, c][..]).sum([2, 4])
    };
    /// Half of all, seven times, and back.
    Deep, |_, x| {
        let sizes = (0..5).fold(x.dim(1), |size, _| size / 2);
        resized(&x, sizes * 32)
    };
    /// One axis more for many than for few.
    Ranks, |_, x| if (x.dim(1) / 960).is_multiple_of(11) { x } else { x.reshape([x.dim(0), x.dim(1), 1]) };
}

#[test]
fn open_sizes_stay_open_and_others_known() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    let mut case = |name: &str, model: Sequential, want: &[Option<usize>]| {
        let (problem, got) = (model.check().err().map(|error| error.to_string()), model.output_shape());
        let fits = problem.is_none() && got.as_deref() == Some(want);
        report.case(name, if fits { Ok(()) } else { Err(format!("got {got:?}, {problem:?}, want {want:?}")) });
    };
    let one = Input::new([None, Some(4)]);
    let two = Input::new([None, None, Some(8)]);
    case("strides of 8", sequential![one.clone(), Strides::new()], &[None, None, Some(4)]);
    case("strides of a known size", sequential![Input::new([83, 4]), Strides::new()], &[None, Some(11), Some(4)]);
    case("a kernel of 101", sequential![one.clone(), Wide::new()], &[None, None, Some(4)]);
    case("pairs", sequential![one.clone(), Pairs::new()], &[None, None, Some(2)]);
    case("pairs of two open axes", sequential![two.clone(), Pairs::new()], &[None, None, Some(2)]);
    case("two axes as one", sequential![two.clone(), Merge::new()], &[None, None, Some(8)]);
    case("axes added to each other", sequential![two.clone(), Add::new()], &[None, None, None, Some(8)]);
    case("halves", sequential![two.clone(), Halves::new(), Halves::new()], &[None, None, None, Some(8)]);
    case("down and up again", sequential![one, Deep::new()], &[None, None, Some(4)]);
    case("weights behind open axes", sequential![two.clone(), Dense::new(3)], &[None, None, None, Some(3)]);
    case("weights and axes added", sequential![two.clone(), Add::new(), Dense::new(3)], &[None, None, None, Some(3)]);
    case("all flat", sequential![two, Flatten::new()], &[None, None]);
    report.finish();
}

#[test]
fn what_depends_on_an_open_size_is_refused_without_memory_for_it() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let text = |model: Sequential| model.check().err().map(|error| error.to_string()).unwrap_or_default();
    let open = Input::new([None, None, Some(3)]);
    // As many weights as a picture of any size has points: no machine has room for them.
    let flat = sequential![open, Flatten::new(), Dense::new(1 << 20).name("wide")];
    let sizes = "\n  help: say every size of the input but that of the batch";
    assert_eq!(
        text(flat),
        format!("wide: the size of `kernel` depends on a size of the input that is left open{sizes}")
    );
    let ranks = sequential![Input::new([None]), Ranks::new().name("ranks")];
    assert_eq!(
        text(ranks),
        format!("ranks: the number of axes of the output depends on a size of the input that is left open{sizes}")
    );
    // A build that failed leaves nothing: another shape may fit.
    let mut model = sequential![Flatten::new(), Dense::new(2)];
    assert!(model.build_batch(&vec![None, None, Some(3)]).is_err());
    model.build([2, 3])?;
    assert_eq!(model.count_params(), 6 * 2 + 2);
    Ok(())
}
