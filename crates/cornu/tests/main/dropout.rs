//! Dropout's masks inside real fits, bit for bit.

use cornu::prelude::*;
use cornu::random::{Flavor, Seeds, set_flavor};
use cornu::{Cx, Tensor};
use cornu_graph::random::uniform01;
use cornu_graph::{Array, DType};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report};
use ndarray::{Array1, Array2};

use crate::seeds::seeded;

/// How many steps a model of these tests takes at most.
const STEPS: usize = 64;
/// The features of a row.
const WIDTH: usize = 5;

cornu::config! {
    /// Notes at each step which elements of its input are not 0, and the largest; gives ones, so that the next layer shows
    /// its own mask.
    "tests" pub layer Tap {}
}

impl Layer for Tap {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let mut state = |name: &str, size: usize| cx.state(name, [size], "zeros");
        let (step, seen, scale) = (state("step", 1), state("seen", STEPS), state("scale", 1));
        if cx.training() {
            // 20 elements as the digits of a number are exact in a single's 24 bits.
            let digits = Array::from_fn(&x.ty(), |i| f64::from(1 << i));
            let code = x.gt(0.0).select(cx.trace().constant(digits), 0.0).sum_all();
            let here = step.cast(DType::I64).one_hot(STEPS).reshape([STEPS]);
            cx.update(&seen, here.select(code, &seen));
            cx.update(&step, &step + 1.0);
            cx.update(&scale, scale.maximum(x.reduce(cornu_graph::ops::Reduction::Max, &[0, 1])));
        }
        x * 0.0 + 1.0
    }
}

fn model(dropouts: [Dropout; 2], input_known: bool) -> cornu::Result<Sequential> {
    let mut model = Sequential::named("model");
    if input_known {
        model.add(Input::new([WIDTH]));
    }
    let [first, second] = dropouts;
    model.add(first).add(Tap::new()).add(second).add(Tap::new()).add(Dense::new(1));
    compile(&mut model)?;
    Ok(model)
}

fn compile(model: &mut Sequential) -> cornu::Result<()> {
    model.compile(Compile::new().loss("mse").optimizer("adam"))
}

fn ones(rows: usize) -> (Array2<f32>, Array1<f32>) {
    (Array2::ones((rows, WIDTH)), Array1::ones(rows))
}

fn fit(model: &mut Sequential, rows: usize, batch: usize, epochs: usize) -> cornu::Result<()> {
    let (x, y) = ones(rows);
    model.fit(&x, &y, Fit::new().batch_size(batch).epochs(epochs).verbose(0)).map(drop)
}

/// The largest element that each tap saw, and its masks as numbers, step by step.
fn seen(model: &Sequential) -> [(f32, Vec<u32>); 2] {
    let weights = model.weights();
    let tap = |at: usize| {
        let (step, seen, scale) = (&weights[at], &weights[at + 1], &weights[at + 2]);
        (scale[[0]], seen.iter().take(step[[0]] as usize).map(|&code| code as u32).collect())
    };
    [tap(0), tap(3)]
}

fn code(mask: impl Iterator<Item = bool>) -> u32 {
    mask.enumerate().map(|(i, kept)| u32::from(kept) << i).sum()
}

/// Two epochs with a partial last batch, one more in a second fit, other uses of the model in between.
fn masks_of_fits(flavor: Flavor, file: &str) -> cornu::Result<()> {
    let _turn = seeded(flavor, 42);
    // What was done with the model is written here, so the masks are those of this repository.
    let golden = golden::read(&golden::own("random").join(file));
    let mut report = Report::default();
    for rates in [[0.5, 0.2], [0.3, 0.75]] {
        set_random_seed(42);
        let name = format!("p1={} p2={}", rates[0], rates[1]);
        let mut model = model(rates.map(Dropout::new), true)?;
        let (x, y) = ones(3);
        model.predict(&x)?;
        fit(&mut model, 10, 4, 2)?;
        model.predict(&x)?;
        model.evaluate_with(&x, &y, Evaluate::new().verbose(0))?;
        fit(&mut model, 10, 4, 1)?;
        for (layer, (scale, masks)) in seen(&model).into_iter().enumerate() {
            let golden = &golden[&name];
            let want: Vec<u32> = golden[format!("dropout{}", layer + 1)]
                .as_array()
                .expect("masks")
                .iter()
                .map(|mask| code(mask.as_str().expect("a mask").bytes().map(|digit| digit == b'1')))
                .collect();
            assert_eq!(want.len(), 9);
            let same = if masks == want { Ok(()) } else { Err(format!("got {masks:?}, want {want:?}")) };
            report.case(&format!("{name}, dropout {}", layer + 1), same);
            let want = golden[format!("kept_scale_{}", layer + 1)].as_f64().expect("a scale") as f32;
            assert_eq!(scale, want, "{name}, dropout {}", layer + 1);
        }
    }
    report.finish();
    set_flavor(Flavor::Keras2);
    Ok(())
}

#[test]
fn masks_are_those_of_keras_2() -> cornu::Result<()> {
    masks_of_fits(Flavor::Keras2, "keras213_dropout.json")
}

#[test]
fn masks_are_those_of_keras_3() -> cornu::Result<()> {
    masks_of_fits(Flavor::Keras3, "keras3_dropout.json")
}

/// What is done with a model. `10/4` are 10 rows in batches of 4.
#[derive(Clone, Copy, Debug)]
enum Do {
    Train(usize, usize),
    TrainOnClasses(usize, usize),
    TrainWeighted(usize, usize),
    TrainOnBatch(usize),
    CompileAgain,
    Build,
    PredictSome,
    EvaluateSome,
    SaveAndLoad,
    NameMetric,
    SetSeed(u32),
}

/// Where the masks of a training come from: the global seed, the seeds of both operations, and how many numbers each
/// had drawn before.
type Source = (u32, [u64; 2], u64);

/// Both layers' seeds, whether the shape of the input is known at first, what is done, and where its masks come from.
type Story = ([Option<i64>; 2], bool, &'static [(Do, Option<Source>)]);

const fn at(seeds: [u64; 2], before: u64) -> Option<Source> {
    Some((42, seeds, before))
}

use Do::*;

/// All measured on Keras 2.13: its masks were looked for among those of all seeds and places.
const STORIES: &[Story] = &[
    // The first trace is for any batch, as 4 does not divide 10: it serves all others.
    (
        [None, None],
        true,
        &[
            (Train(10, 4), at([0, 1], 0)),
            (Train(8, 4), at([0, 1], 50)),
            (Train(10, 4), at([0, 1], 90)),
            (Train(8, 2), at([0, 1], 140)),
        ],
    ),
    // The second size is traced for any, the first keeps its own trace.
    (
        [None, None],
        true,
        &[
            (Train(8, 4), at([0, 1], 0)),
            (Train(8, 2), at([0, 1], 0)),
            (Train(8, 1), at([0, 1], 40)),
            (Train(8, 4), at([0, 1], 40)),
            (Train(8, 2), at([0, 1], 80)),
            (Train(10, 4), at([0, 1], 120)),
            (Train(12, 3), at([0, 1], 170)),
            (Train(8, 4), at([0, 1], 80)),
        ],
    ),
    (
        [None, None],
        true,
        &[
            (TrainOnBatch(4), at([0, 1], 0)),
            (TrainOnBatch(4), at([0, 1], 20)),
            (Train(8, 4), at([0, 1], 40)),
            (TrainOnBatch(2), at([0, 1], 0)),
            (TrainOnBatch(3), at([0, 1], 10)),
            (TrainOnBatch(4), at([0, 1], 80)),
            (Train(10, 4), at([0, 1], 25)),
        ],
    ),
    // Fewer rows than a batch has room for.
    ([None, None], true, &[(Train(3, 4), at([0, 1], 0)), (Train(4, 4), at([0, 1], 15)), (Train(3, 3), at([0, 1], 35))]),
    (
        [None, None],
        true,
        &[
            (Train(10, 4), at([0, 1], 0)),
            (TrainOnClasses(10, 4), at([0, 1], 0)),
            (TrainWeighted(10, 4), at([0, 1], 0)),
            (Train(10, 4), at([0, 1], 50)),
        ],
    ),
    // A trace keeps the seed it was made under, and starts anew when another is set.
    (
        [None, None],
        true,
        &[
            (Train(10, 4), at([0, 1], 0)),
            (SetSeed(42), None),
            (Train(10, 4), at([0, 1], 0)),
            (SetSeed(7), None),
            (Train(10, 4), at([0, 1], 0)),
            (CompileAgain, None),
            (Train(10, 4), Some((7, [0, 1], 0))),
        ],
    ),
    // Seeds of their own rise with each trace, and the first trace after `compile` is made twice.
    (
        [Some(9), Some(20)],
        true,
        &[
            (EvaluateSome, None),
            (Train(10, 4), at([10, 21], 0)),
            (PredictSome, None),
            (Train(10, 4), at([10, 21], 50)),
            (CompileAgain, None),
            (Train(10, 4), at([12, 23], 0)),
            (CompileAgain, None),
            (Train(10, 4), at([14, 25], 0)),
            (Train(8, 4), at([14, 25], 50)),
            (CompileAgain, None),
            (CompileAgain, None),
            (Train(10, 4), at([16, 27], 0)),
        ],
    ),
    (
        [Some(9), None],
        true,
        &[
            (Train(8, 4), at([10, 0], 0)),
            (Train(10, 4), at([11, 0], 0)),
            (Train(8, 4), at([10, 0], 40)),
            (Train(8, 2), at([11, 0], 50)),
            (CompileAgain, None),
            (Train(8, 4), at([13, 0], 0)),
            (Train(8, 2), at([14, 0], 0)),
            (CompileAgain, None),
            (Train(8, 4), at([16, 0], 0)),
        ],
    ),
    // A fit that has to build the model makes one trace more; whatever else builds it does not.
    (
        [Some(9), Some(20)],
        false,
        &[
            (Train(10, 4), at([11, 22], 0)),
            (Train(8, 4), at([11, 22], 50)),
            (CompileAgain, None),
            (Train(10, 4), at([13, 24], 0)),
        ],
    ),
    ([Some(9), None], false, &[(PredictSome, None), (Train(8, 4), at([10, 0], 0)), (Train(8, 2), at([11, 0], 0))]),
    ([Some(9), None], false, &[(EvaluateSome, None), (Train(8, 4), at([10, 0], 0))]),
    ([Some(9), None], false, &[(Build, None), (Train(8, 4), at([10, 0], 0))]),
    // One that was not told the shape of its input is drawn up again, once, when batches of another size come.
    (
        [Some(9), Some(20)],
        false,
        &[
            (Train(8, 4), at([11, 22], 0)),
            (Train(8, 2), at([13, 24], 0)),
            (Train(8, 4), at([11, 22], 40)),
            (CompileAgain, None),
            (Train(8, 2), at([15, 26], 0)),
            (Train(8, 4), at([16, 27], 0)),
        ],
    ),
    (
        [Some(9), None],
        false,
        &[
            (Train(8, 4), at([11, 0], 0)),
            (CompileAgain, None),
            (Train(8, 4), at([13, 0], 0)),
            (PredictSome, None),
            (Train(8, 2), at([14, 0], 0)),
        ],
    ),
    ([Some(9), None], false, &[(TrainOnBatch(4), at([11, 0], 0)), (EvaluateSome, None), (Train(8, 2), at([12, 0], 0))]),
    // The optimizer of a model that was loaded has its variables already: the first trace is the one that trains.
    (
        [Some(9), Some(20)],
        true,
        &[(SaveAndLoad, None), (Train(10, 4), at([9, 20], 0)), (SaveAndLoad, None), (Train(10, 4), at([9, 20], 0))],
    ),
    ([Some(9), None], false, &[(Train(10, 4), at([11, 0], 0)), (SaveAndLoad, None), (Train(10, 4), at([9, 0], 0))]),
    // Unless it makes metrics that were given by name.
    ([Some(9), None], true, &[(NameMetric, None), (SaveAndLoad, None), (Train(10, 4), at([10, 0], 0))]),
    (
        [Some(9), None],
        true,
        &[(NameMetric, None), (SaveAndLoad, None), (EvaluateSome, None), (Train(10, 4), at([9, 0], 0))],
    ),
    ([Some(9), None], true, &[(SaveAndLoad, None), (CompileAgain, None), (Train(10, 4), at([10, 0], 0))]),
];

impl Do {
    fn run(self, model: &mut Sequential) -> cornu::Result<()> {
        let quiet = |batch| Fit::new().batch_size(batch).verbose(0);
        match self {
            Train(rows, batch) => fit(model, rows, batch, 1)?,
            TrainOnClasses(rows, batch) => drop(model.fit(&ones(rows).0, &vec![1i64; rows], quiet(batch))?),
            TrainWeighted(rows, batch) => {
                let (x, y) = ones(rows);
                model.fit(&x, &y, quiet(batch).sample_weight(&y))?;
            }
            TrainOnBatch(rows) => {
                let (x, y) = ones(rows);
                model.train_on_batch(&x, &y)?;
            }
            CompileAgain => compile(model)?,
            Build => model.build([WIDTH])?,
            PredictSome => drop(model.predict(&ones(3).0)?),
            EvaluateSome => {
                let (x, y) = ones(3);
                model.evaluate_with(&x, &y, Evaluate::new().verbose(0))?;
            }
            SaveAndLoad => {
                let folder = Folder::new("dropout");
                let path = folder.join("model.keras");
                cornu::layers::register::<Tap>();
                model.save(&path)?;
                *model = Sequential::load(&path)?;
            }
            NameMetric => {
                model.compile(Compile::new().loss("mse").optimizer("adam").metrics(["mae"]))?;
            }
            SetSeed(seed) => set_random_seed(seed),
        }
        Ok(())
    }

    /// The rows of each step.
    fn steps(self) -> Vec<usize> {
        match self {
            Train(rows, batch) | TrainOnClasses(rows, batch) | TrainWeighted(rows, batch) => {
                (0..rows).step_by(batch).map(|first| batch.min(rows - first)).collect()
            }
            TrainOnBatch(rows) => vec![rows],
            _ => Vec::new(),
        }
    }
}

/// The masks of a dropout of one half for such steps, from that place of a stream on.
fn expected(global: u32, seed: u64, before: u64, steps: &[usize]) -> Vec<u32> {
    let mut stream = Seeds::new(global).stateful(seed);
    stream.advance(256 * u128::from(before));
    let mask = |rows: &usize| {
        let mut numbers = vec![0.0; rows * WIDTH];
        uniform01(stream, 0, &mut numbers);
        stream.advance(256 * numbers.len() as u128);
        code(numbers.iter().map(|&number| number >= 0.5))
    };
    steps.iter().map(mask).collect()
}

#[test]
fn streams_go_on_and_start_anew_as_in_keras_2() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 42);
    let mut report = Report::default();
    for (story, (seeds, input_known, done)) in STORIES.iter().enumerate() {
        set_random_seed(42);
        let dropout = |seed: &Option<i64>| match seed {
            Some(seed) => Dropout::new(0.5).seed(*seed),
            None => Dropout::new(0.5),
        };
        let mut model = model([dropout(&seeds[0]), dropout(&seeds[1])], *input_known)?;
        let mut used = 0;
        for (place, (what, from)) in done.iter().enumerate() {
            what.run(&mut model)?;
            let Some((global, seeds, before)) = from else { continue };
            let steps = what.steps();
            for (layer, (_, masks)) in seen(&model).iter().enumerate() {
                let want = expected(*global, seeds[layer], *before, &steps);
                let got = &masks[used..];
                let same = if got == want { Ok(()) } else { Err(format!("got {got:?}, want {want:?}")) };
                report.case(&format!("story {story}, {place}: {what:?}, dropout {}", layer + 1), same);
            }
            used += steps.len();
        }
    }
    report.finish();
    Ok(())
}
