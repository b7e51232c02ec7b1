//! What counts in a step and in an epoch: figures of Keras 2.13 and Keras 3.15, where they differ.

use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu::regularizers::L2;
use cornu::train::Code;
use cornu_graph::Array;
use cornu_testkit::golden::{Report, close};
use ndarray::{Array1, arr1, arr2};

use crate::seeds::seeded;

/// `epochs`, `initial_epoch`, `batch_size`, `steps_per_epoch`, and the losses of Keras 2 and of Keras 3 over seven rows.
type Asked = ([usize; 4], &'static [f64], &'static [f64]);

const ASKED: &[Asked] = &[
    ([3, 0, 2, 3], &[15.162_917, 16.981_8, 27.354_801], &[15.162_917, 64.956_497, 15.135_417]),
    ([4, 0, 3, 2], &[15.165_334, 17.740_583, 37.442_585, 15.119_445], &[15.165_334, 64.971_001, 15.142_39, 64.907_333]),
    ([2, 0, 5, 3], &[16.909_967, 54.449_448], &[22.282_773, 22.262_728]),
    ([3, 1, 5, 3], &[16.909_967, 54.449_448], &[22.282_773, 22.262_728]),
    ([2, 0, 7, 1], &[22.285_715, 22.277_714], &[22.285_715, 22.277_714]),
    // Keras 2 puts a second loss of 0 here.
    ([2, 0, 7, 2], &[22.281_713], &[22.285_715, 22.277_714]),
    ([2, 0, 4, 5], &[22.274_502], &[22.282_928, 22.266_069]),
];

#[test]
fn epochs_of_so_many_steps_are_those_of_keras() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let x: Array1<f64> = (0..7).map(f64::from).collect();
    let y = x.mapv(|x| 2.0 * x * x - 1.0);
    let mut report = Report::default();
    for (asked @ [epochs, initial, size, steps], keras2, keras3) in ASKED {
        for (flavor, want) in [(Flavor::Keras2, keras2), (Flavor::Keras3, keras3)] {
            set_flavor(flavor);
            let mut model = sequential![Dense::new(1).input_shape([1])];
            model.compile(Compile::new().loss("mae").optimizer(SGD::new().learning_rate(0.001)))?;
            model.set_weights(&[arr2(&[[1.0]]).into_dyn(), arr1(&[0.0]).into_dyn()])?;
            let fit = Fit::new().epochs(*epochs).initial_epoch(*initial).batch_size(*size).steps_per_epoch(*steps);
            let history = model.fit(&x, &y, fit.shuffle(false).verbose(0))?;
            let [got, want] = [&history["loss"][..], want].map(|losses| Array::vector(losses.to_vec()));
            report.case(&format!("{flavor:?} {asked:?}"), close(&got, &want, 1e-6, 0.0));
            let batches = 7usize.div_ceil(*size);
            let short = *steps > batches || flavor == Flavor::Keras3 && !batches.is_multiple_of(*steps);
            let warned = history.warnings.iter().any(|warning| warning.code == Code::TooFewRows);
            let told = if warned == short { Ok(()) } else { Err(format!("{:?}", history.warnings)) };
            report.case(&format!("{flavor:?} {asked:?} warns"), told);
        }
    }
    set_flavor(Flavor::Keras2);
    report.finish();
    Ok(())
}

#[test]
fn penalties_of_weights_that_do_not_learn_count_in_keras_2_only() -> cornu::Result<()> {
    for (flavor, want) in [(Flavor::Keras2, 5.055_312_156_677_246), (Flavor::Keras3, 4.430_312_156_677_246)] {
        let _turn = seeded(flavor, 1);
        let penalty = L2::new().l2(0.5);
        let mut model = sequential![Dense::new(1).input_shape([2]).kernel_regularizer(penalty).trainable(false)];
        model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
        model.set_weights(&[arr2(&[[1.0], [-0.5]]).into_dyn(), arr1(&[0.1]).into_dyn()])?;
        let loss = model.test_on_batch(&[[0.5, -1.0], [2.0, 0.25]], &[1.0, -1.0])?["loss"];
        assert!((loss - want).abs() < 1e-6, "{flavor:?}: {loss}, Keras {want}");
    }
    Ok(())
}

/// Keras 3 blanks out the outputs of ignored samples, and no longer knows which activation they came from.
#[test]
fn ignored_classes_hide_the_activation_in_keras_3_only() -> cornu::Result<()> {
    for (flavor, from_logits, want) in [
        (Flavor::Keras2, false, 1.495_342_850_685_119_6),
        (Flavor::Keras2, true, 1.495_342_850_685_119_6),
        (Flavor::Keras3, false, 1.378_916_144_371_032_7),
        (Flavor::Keras3, true, 1.113_902_091_979_980_5),
    ] {
        let _turn = seeded(flavor, 1);
        let mut model = sequential![Dense::new(3).input_shape([2]).activation("sigmoid")];
        let loss = SparseCategoricalCrossentropy::new().from_logits(from_logits).ignore_class(2);
        model.compile(Compile::new().loss(loss).optimizer("sgd"))?;
        let kernel = arr2(&[[1.0, -0.5, 0.25], [0.5, 1.5, -1.0]]);
        model.set_weights(&[kernel.into_dyn(), arr1(&[0.1, 0.2, -0.3]).into_dyn()])?;
        let loss = model.test_on_batch(&[[0.5, -1.0], [2.0, 0.25]], &[1, 0])?["loss"];
        assert!((loss - want).abs() < 1e-6, "{flavor:?}, from_logits {from_logits}: {loss}, Keras {want}");
    }
    Ok(())
}

/// Keras refuses this, except in batches of one row, for which these are its figures.
#[test]
fn the_weight_of_a_row_counts_for_all_its_numbers() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let x = [[[0.5, -1.0], [2.0, 0.25]], [[1.0, 1.0], [-0.5, 0.75]]];
    let y = [[[1.0], [0.0]], [[0.5], [2.0]]];
    let mut model = sequential![Dense::new(1).input_shape([2, 2])];
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    model.set_weights(&[arr2(&[[1.0], [-0.5]]).into_dyn(), arr1(&[0.1]).into_dyn()])?;
    for rows in [1, 2] {
        let settings = Evaluate::new().batch_size(rows).sample_weight(&[0.5, 3.0]).verbose(0);
        let loss = model.evaluate_with(&x, &y, settings)?["loss"];
        assert!((loss - 6.271_797_180_175_781).abs() < 1e-5, "batches of {rows}: {loss}");
    }
    Ok(())
}
