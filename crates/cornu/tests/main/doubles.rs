//! Layers of `float64` keep their precision from the first weight to the last prediction.

use cornu::choice::Choice;
use cornu::optimizers::Optimizer;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Result, Sequential};
use cornu_graph::Array;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{Report, close};
use serde_json::json;

use crate::seeds::seeded;

const X: [[f64; 2]; 4] = [[0.1, 0.2], [0.3, -0.7], [1.1, 0.5], [-0.9, 0.4]];
const Y: [f64; 4] = [0.3, 0.9, 0.1, 0.7];

/// What Keras 2.13 and 3.15 draw for the seed 7.
const DRAWN: [(&str, [f64; 9]); 8] = [
    (
        "GlorotUniform",
        [
            0.953_260_524_839_834,
            -0.075_526_201_560_299_1,
            0.124_937_767_789_344_62,
            0.303_146_480_752_839_7,
            0.163_737_560_350_220_25,
            -0.652_995_010_939_923,
            -0.571_114_577_998_233_4,
            -0.655_874_523_909_753_2,
            -0.496_932_816_335_123_65,
        ],
    ),
    (
        "GlorotNormal",
        [
            0.033_551_398_786_285_12,
            -0.138_740_840_367_922_6,
            -1.122_888_207_253_227_6,
            -0.915_904_618_745_138_5,
            0.373_955_304_923_523_97,
            0.539_988_669_906_702_2,
            -0.303_851_173_373_217_43,
            0.162_131_819_016_091_7,
            0.513_365_606_451_57,
        ],
    ),
    (
        "RandomNormal",
        [
            0.002_555_872_311_052_500_4,
            -0.010_568_974_324_059_496,
            -0.043_704_050_755_209_43,
            -0.031_097_480_080_500_94,
            0.046_138_436_860_018_68,
            0.024_058_184_585_594_215,
            0.077_429_792_097_132_24,
            0.041_269_729_646_960_476,
            -0.056_968_527_884_222_63,
        ],
    ),
    (
        "RandomUniform",
        [
            0.047_663_026_241_991_7,
            -0.003_776_310_078_014_953_6,
            0.006_246_888_389_467_228,
            0.015_157_324_037_641_987,
            0.008_186_878_017_511_015,
            -0.032_649_750_546_996_15,
            -0.028_555_728_899_911_672,
            -0.032_793_726_195_487_66,
            -0.024_846_640_816_756_183,
        ],
    ),
    (
        "TruncatedNormal",
        [
            0.002_555_872_311_052_500_4,
            -0.010_568_974_324_059_496,
            -0.085_539_172_170_045_72,
            -0.069_771_614_278_350_31,
            0.028_487_098_720_185_9,
            0.041_135_157_985_150_016,
            -0.023_146_719_028_086_352,
            0.012_350_848_010_938_8,
            0.039_107_071_133_874_495,
        ],
    ),
    (
        "HeNormal",
        [
            0.047_448_843_200_152_62,
            -0.196_209_178_103_356_75,
            -1.588_003_731_726_325_4,
            -1.295_284_733_669_533_7,
            0.528_852_663_944_213_8,
            0.763_659_300_509_866_6,
            -0.429_710_450_327_382_7,
            0.229_289_017_344_776_97,
            0.726_008_603_099_699_2,
        ],
    ),
    (
        "Orthogonal",
        [
            0.030_616_476_988_008_18,
            -0.189_062_724_622_579_14,
            -0.981_487_604_351_236_4,
            -0.372_512_851_738_525_3,
            0.909_047_057_410_016_5,
            -0.186_728_740_968_877_2,
            0.927_521_863_152_817_5,
            0.371_333_722_643_766_13,
            -0.042_596_476_392_401_83,
        ],
    ),
    (
        "LecunUniform",
        [
            0.953_260_524_839_834,
            -0.075_526_201_560_299_1,
            0.124_937_767_789_344_62,
            0.303_146_480_752_839_7,
            0.163_737_560_350_220_25,
            -0.652_995_010_939_923,
            -0.571_114_577_998_233_4,
            -0.655_874_523_909_753_2,
            -0.496_932_816_335_123_65,
        ],
    ),
];

fn model(activation: &str) -> Sequential {
    let start = |value: f64| cornu::initializers::Constant::new().value(value);
    let dense = Dense::new(1).dtype("float64").activation(activation);
    sequential![dense.kernel_initializer(start(0.1)).bias_initializer(start(0.05)).input_shape([2])]
}

#[test]
fn initial_values_are_drawn_in_double_precision() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    assert_eq!(model("linear").weights_as::<f64>()[1][[0]], 0.05);
    let mut report = Report::default();
    for (class, want) in DRAWN {
        let initializer = json!({ "class_name": class, "config": { "seed": 7 } });
        let initializer: Choice<dyn Initializer> = cornu::config::Field::from_json(&initializer)?;
        let layer = Dense::new(3).dtype("float64").kernel_initializer(initializer).input_shape([3]);
        let got = sequential![layer].weights_as::<f64>()[0].iter().copied().collect();
        report.case(class, close(&Array::vector(got), &Array::vector(want.to_vec()), 1e-14, 1e-15));
    }
    report.finish();
    Ok(())
}

#[test]
fn predictions_and_weights_are_those_of_keras_in_double_precision() -> Result<()> {
    let mut report = Report::default();
    // Keras 2.13 and 3.15, with `set_floatx("float64")`.
    let sgd =
        ([0.08, 0.01, 0.21, 0.0], [-0.046_241_180_082_133_6, -0.028_047_828_538_876_555, 0.373_650_819_688_203_9]);
    let adam = (
        [0.519_989_340_155_581_8, 0.502_499_979_166_874_9, 0.552_307_909_574_325_3, 0.5],
        [0.081_819_672_096_755_81, 0.043_426_830_924_666_274, 0.054_748_162_808_349_11],
    );
    let sgd_losses = [0.324_466_323_625, 0.206_405_295_635_093_8, 0.142_252_518_610_358_56];
    let adam_losses = [0.720_693_133_529_385_8, 0.716_221_092_852_674_8, 0.712_309_913_077_492_1];
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let rate: Choice<dyn Optimizer> = SGD::new().learning_rate(0.1).into();
        run(flavor, &mut report, ("linear", "mse", rate), (sgd.0, sgd.1, sgd_losses))?;
        let rate: Choice<dyn Optimizer> = Adam::new().learning_rate(0.01).into();
        run(flavor, &mut report, ("sigmoid", "binary_crossentropy", rate), (adam.0, adam.1, adam_losses))?;
    }
    report.finish();
    Ok(())
}

type Wanted = ([f64; 4], [f64; 3], [f64; 3]);

fn run(
    flavor: Flavor,
    report: &mut Report,
    (activation, loss, optimizer): (&str, &str, Choice<dyn Optimizer>),
    (before, after, losses): Wanted,
) -> Result<()> {
    let _turn = seeded(flavor, 1);
    let mut model = model(activation);
    cornu::random::set_flavor(Flavor::Keras2);
    model.compile(Compile::new().loss(loss).optimizer(optimizer))?;
    let mut near = |what: &str, got: Vec<f64>, want: &[f64], bar: f64| {
        let id = format!("{flavor:?} {activation}: {what}");
        report.case(&id, close(&Array::vector(got), &Array::vector(want.to_vec()), bar, 1e-16));
    };
    let predictions = model.predict_as::<f64>(&X, Predict::new().verbose(0))?;
    near("predictions", predictions.iter().copied().collect(), &before, 1e-15);
    assert_eq!(model.predict_as::<f64>(&X, Predict::new().batch_size(3).verbose(0))?, predictions);
    let history = model.fit(&X, &Y, Fit::new().epochs(3).batch_size(2).shuffle(false).verbose(0))?;
    let weights = model.weights_as::<f64>();
    // The learning rate is a single.
    near("weights", weights.iter().flatten().copied().collect(), &after, 1e-6);
    near("losses", history["loss"].clone(), &losses, 1e-6);
    model.set_weights_as(&weights)?;
    assert_eq!(model.weights_as::<f64>(), weights);
    Ok(())
}

#[test]
fn layers_of_both_precisions_train_and_save_together() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("doubles");
    let path = folder.join("model.keras");
    let optimizers: [Choice<dyn Optimizer>; 3] = [
        Adam::new().amsgrad(true).global_clipnorm(0.5).into(),
        RMSprop::new().centered(true).momentum(0.5).clipnorm(0.5).into(),
        SGD::new().momentum(0.9).weight_decay(0.01).into(),
    ];
    for optimizer in optimizers {
        let wide = Dense::new(3).dtype("float64").kernel_regularizer("l1_l2").kernel_constraint("max_norm");
        let mut model = sequential![
            Rescaling::new(0.5).dtype("float64").input_shape([2]),
            wide.activity_regularizer("l2").activation("tanh"),
            Dropout::new(0.25).dtype("float64"),
            Dense::new(2).bias_regularizer("l2").activation("relu"),
            Dense::new(1).dtype("float64").activation("sigmoid"),
        ];
        let settings = Compile::new().loss("binary_crossentropy").optimizer(optimizer);
        model.compile(settings.metrics(["accuracy", "mae", "binary_crossentropy"]).weighted_metrics(["mse"]))?;
        let fit = Fit::new().epochs(3).batch_size(3).verbose(0).sample_weight(&[1.0, 0.5, 2.0, 1.0]);
        let history = model.fit(&X, &[0, 1, 1, 0], fit.validation_data(&X, &[0.0, 1.0, 1.0, 0.0]))?;
        assert!(history.iter().all(|(_, figures)| figures.iter().all(|figure| figure.is_finite())), "{history}");
        model.save(&path)?;
        let again = load_model(&path)?;
        assert_eq!(again.weights_as::<f64>(), model.weights_as::<f64>());
        let silent = || Predict::new().verbose(0);
        assert_eq!(again.predict_as::<f64>(&X, silent())?, model.predict_as::<f64>(&X, silent())?);
    }
    Ok(())
}
