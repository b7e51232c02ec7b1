//! Whole searches.

use std::path::Path;

use cornu::prelude::*;
use cornu_testkit::folder::Folder;
use cornu_tuner::oracle::{BayesianOptimizationOracle, Oracle, SamplerOracle, TpeOracle};
use cornu_tuner::prelude::*;
use cornu_tuner::sampler::{Axis, Kind, Outcome, Point, Sampler, Told};
use cornu_tuner::{Finish, Results, TrainingData};

use crate::{build, fit, rows, told};

fn search(workers: usize) -> RandomSearch {
    let (x, y) = rows(64);
    let mut tuner = RandomSearch::new(build).objective("val_accuracy").max_trials(6).seed(42).workers(workers);
    assert_eq!(tuner.search(&x, &y, fit()).unwrap(), Finish::MaxTrials);
    tuner
}

#[test]
fn ten_lines_search_and_give_a_trained_model() {
    let (x, y) = rows(64);
    let folder = Folder::new("tuner-ten-lines");
    let mut tuner = RandomSearch::new(|hp: &mut HyperParameters| {
        let mut model = Sequential::new();
        model.add(Dense::new(hp.int("units", 4..=64).step(4)).activation("relu").input_shape([4]));
        model.add(Dense::new(1).activation("sigmoid"));
        let adam = Adam::new().learning_rate(hp.float("lr", 1e-4..=1e-1).log());
        model.compile(Compile::new().loss("binary_crossentropy").optimizer(adam).metrics(["accuracy"]))?;
        Ok(model)
    })
    .objective("val_accuracy")
    .max_trials(5)
    .seed(42)
    .directory(folder.join("pima"));
    tuner.search(&x, &y, Fit::new().epochs(3).batch_size(10).validation_split(0.25).verbose(0)).unwrap();
    let summary = tuner.results_summary(10);
    assert!(
        summary.contains("Showing 10 best trials\nObjective(name=\"val_accuracy\", direction=\"max\")\n\nTrial "),
        "{summary}"
    );
    let best = tuner.get_best_models(1).unwrap();
    // The weights are those after its best epoch.
    let scores = best[0].evaluate_with(&x[48..], &y[48..], Evaluate::new().verbose(0)).unwrap();
    assert_eq!(Some(scores["accuracy"]), tuner.get_best_trials(1)[0].score);
}

#[test]
fn two_searches_of_one_seed_are_equal_whatever_the_threads() {
    let (one, three) = (search(1), search(3));
    assert_eq!(told(one.trials()), told(three.trials()));
    let weights = |mut tuner: RandomSearch| tuner.get_best_models(1).unwrap()[0].weights();
    assert_eq!(weights(one), weights(three));
}

#[test]
fn a_trial_has_the_bits_of_its_model_alone() {
    use cornu::random::scoped;
    let (x, y) = rows(64);
    let tuner = search(2);
    for trial in tuner.trials() {
        let alone = scoped(tuner.seeds(trial, 0), || {
            let mut model = build(&mut HyperParameters::of(trial.values.clone())).unwrap();
            model.fit(&x, &y, fit()).unwrap()
        });
        let best = alone["val_accuracy"].iter().copied().fold(0.0, f64::max);
        assert_eq!(trial.score, Some(best));
        let epoch = trial.executions[0].best_epoch;
        assert_eq!(trial.executions[0].metrics[0], ("loss".into(), alone["loss"][epoch]));
    }
}

#[test]
fn a_training_of_ones_own_gives_figures_and_keeps_its_model() {
    struct Own;
    impl HyperModel for Own {
        fn build(&self, hp: &mut HyperParameters) -> cornu::Result<Model> {
            build(hp).map(Into::into)
        }

        fn figures(&self) -> Vec<String> {
            vec!["mine".into()]
        }

        fn run(&self, _: &HyperParameters, model: &mut Model, data: &TrainingData, fit: Fit) -> cornu::Result<Results> {
            model.fit(data.x.clone(), data.y.clone(), fit)?;
            let scores = model.evaluate_with(data.x.clone(), data.y.clone(), Evaluate::new().verbose(0))?;
            Ok([("mine", scores["loss"] + 1.0)].into())
        }
    }
    let (x, y) = rows(32);
    let mut tuner = RandomSearch::new(Own).objective("loss").max_trials(2).seed(3);
    let error = tuner.search(&x, &y, fit()).unwrap_err().to_string();
    assert!(error.starts_with("objective `loss` is no figure of the model: there are `mine`"), "{error}");
    let mut tuner = RandomSearch::new(Own).objective(Objective::min("mine")).max_trials(3).seed(3);
    tuner.search(&x, &y, fit()).unwrap();
    let score = tuner.get_best_trials(1)[0].score.unwrap();
    let loss = tuner.get_best_models(1).unwrap()[0].evaluate_with(&x, &y, Evaluate::new().verbose(0)).unwrap()["loss"];
    assert_eq!(score, loss + 1.0);
}

/// A sampler that stays near the best point, or draws near the middle.
struct Near(u64);

impl Sampler for Near {
    fn ask(&mut self, axes: &[Axis], told: &[Told], first: u64, count: usize) -> Vec<Point> {
        assert!(told.len() as u64 == first && axes[0].kind == Kind::Real && axes[1].kind == Kind::Steps(9));
        let scored = told.iter().filter_map(|told| match told.outcome {
            Outcome::Score(score) => Some((score, &told.point)),
            _ => None,
        });
        let best = scored.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, point)| point.clone());
        let best = best.unwrap_or_else(|| vec![Some(0.5), Some(4.0)]);
        let step = ((first * 7 + self.0) % 11) as f64 / 11.0 - 0.5;
        vec![
            vec![
                best[0].map(|x| (x + 0.3 * step).clamp(0.0, 1.0)),
                best[1].map(|n| (n - step.signum()).clamp(0.0, 8.0))
            ];
            count
        ]
    }
}

/// A sampler is told what has ended, by places and costs, and its points become values.
#[test]
fn samplers_choose_the_trials() {
    let search = |workers| {
        let mut tuner = Tuner::with(SamplerOracle::new("Near", Near)).max_trials(60).seed(1).workers(workers);
        let evaluate = |hp: &mut HyperParameters| {
            Ok((hp.float("x", 1e-4..=1e-1).log().get().log10() + 1.5).abs() + f64::from(hp.int("n", 0..=8).get()))
        };
        tuner.optimize(evaluate).unwrap();
        tuner
    };
    assert_eq!(told(search(1).trials()), told(search(1).trials()));
    // Of several threads the clock decides what is told.
    for (workers, bar) in [(1, 0.2), (3, 2.0)] {
        let best = search(workers).get_best_trials(1)[0].score.unwrap();
        assert!(best < bar, "{best}");
    }
}

#[test]
fn executions_and_folds_are_averaged_and_all_kept() {
    let (x, y) = rows(48);
    let tuner = || RandomSearch::new(build).objective("val_loss").max_trials(2).seed(1);
    let mut thrice = tuner().executions_per_trial(3);
    thrice.search(&x, &y, fit()).unwrap();
    let mut folds = tuner().folds(KFold::new(4));
    folds.search(&x, &y, Fit::new().epochs(2).verbose(0)).unwrap();
    for (tuner, count) in [(&thrice, 3), (&folds, 4)] {
        for trial in tuner.trials() {
            let scores: Vec<f64> = trial.executions.iter().map(|execution| execution.score).collect();
            assert_eq!(scores.len(), count);
            assert_eq!(trial.score, Some(scores.iter().sum::<f64>() / count as f64));
            assert!(scores.windows(2).any(|pair| pair[0] != pair[1]), "{scores:?}");
        }
    }
}

#[test]
fn fit_settings_are_tuned_as_well() {
    struct Batches;
    impl HyperModel for Batches {
        fn build(&self, hp: &mut HyperParameters) -> cornu::Result<Model> {
            build(hp).map(Into::into)
        }

        fn fit(&self, hp: &mut HyperParameters, fit: Fit) -> cornu::Result<Fit> {
            Ok(fit.batch_size(hp.choice("batch_size", [8, 16]).get()).shuffle(hp.boolean("shuffle").get()))
        }
    }
    let (x, y) = rows(32);
    let mut tuner = RandomSearch::new(Batches).objective("loss").max_trials(6).seed(3);
    tuner.search(&x, &y, Fit::new().verbose(0)).unwrap();
    let sizes: Vec<String> =
        tuner.trials().iter().map(|trial| trial.values.get("batch_size").unwrap().to_string()).collect();
    assert!(sizes.contains(&"8".into()) && sizes.contains(&"16".into()), "{sizes:?}");
}

#[test]
fn early_stopping_begins_anew_for_each_trial() {
    let (x, y) = rows(32);
    let mut tuner = RandomSearch::new(build).objective("loss").max_trials(4).seed(3).workers(1);
    let stop = EarlyStopping::new().monitor("loss").min_delta(10.0).patience(2);
    tuner.search(&x, &y, Fit::new().epochs(50).verbose(0).callback(stop)).unwrap();
    // Nothing gets better by 10: the third epoch is the last.
    assert!(tuner.trials().iter().all(|trial| trial.executions[0].best_epoch <= 2));
}

#[test]
fn pipelines_are_tuned_by_cross_validation() {
    let (x, y) = rows(60);
    let mut tuner = RandomSearch::default().max_trials(3).seed(5);
    let build = |hp: &mut HyperParameters| Ok((build(hp)?, Fit::new().epochs(2).verbose(0)));
    tuner.cross_validate(build, &x.to_vec(), &y, 3, "accuracy").unwrap();
    let best = tuner.get_best_trials(1)[0];
    assert!(best.score.is_some_and(|score| (0.0..=1.0).contains(&score)));
    assert!(tuner.trials().iter().all(|trial| trial.score <= best.score));
}

#[test]
fn several_figures_are_one_objective() {
    let mut tuner = GridSearch::default().objective(Objective::sum([Objective::min("size"), Objective::max("gain")]));
    let figures = |hp: &mut HyperParameters| {
        let n = f64::from(hp.int("n", 1..=4).get());
        Ok([("size", n * n), ("gain", 5.0 * n)])
    };
    tuner.optimize(figures).unwrap();
    assert_eq!(tuner.get_best_trials(1)[0].score, Some(4.0 - 10.0));
}

#[test]
fn hopeless_trials_are_given_up() {
    let (x, y) = rows(64);
    let median = || {
        let tuner = RandomSearch::new(build).objective("val_loss").max_trials(16).seed(2).workers(1);
        tuner.pruner(MedianPruner::new().startup_trials(3).warmup_epochs(1))
    };
    let halving = || {
        let tuner = RandomSearch::new(build).objective("val_loss").max_trials(16).seed(2).workers(1);
        tuner.pruner(SuccessiveHalvingPruner::new().factor(2))
    };
    for mut tuner in [median(), halving()] {
        tuner.search(&x, &y, fit().epochs(8)).unwrap();
        let pruned = tuner.trials().iter().filter(|trial| trial.status == Status::Pruned).count();
        assert!((1..16).contains(&pruned), "{pruned}");
        assert!(tuner.get_best_trials(16).iter().all(|trial| trial.status == Status::Completed));
    }
}

/// Samplers that learn find the bottom of a bowl, and go on from a journal as if they had not stopped.
#[test]
fn searches_that_learn_go_on_where_they_stopped() {
    fn bowl(hp: &mut HyperParameters) -> cornu::Result<f64> {
        let x = hp.float("x", -1.0..=1.0).get();
        let y = f64::from(hp.int("y", 0..=20).get());
        Ok((x - 0.3).powi(2) + ((y - 7.0) / 10.0).powi(2))
    }
    fn search<O: Oracle + Default>(trials: u64, folder: Option<&Path>) -> Vec<(Vec<String>, Option<f64>)> {
        let mut tuner = Tuner::<O>::default().max_trials(trials).seed(5).workers(1);
        if let Some(folder) = folder {
            tuner = tuner.directory(folder);
        }
        tuner.optimize(bowl).unwrap();
        assert!(trials < 30 || tuner.get_best_trials(1)[0].score < Some(0.01));
        told(tuner.trials())
    }
    fn compare<O: Oracle + Default>(name: &str) {
        let folder = Folder::new(name);
        search::<O>(13, Some(&folder));
        assert_eq!(search::<O>(30, Some(&folder)), search::<O>(30, None));
    }
    compare::<BayesianOptimizationOracle>("tuner-bayesian");
    compare::<TpeOracle>("tuner-tpe");
}

#[test]
fn a_search_is_drawn_and_says_what_matters() {
    let folder = Folder::new("tuner-plot");
    let mut tuner = RandomSearch::default().max_trials(60).seed(2);
    let evaluate = |hp: &mut HyperParameters| {
        Ok(hp.float("much", 1e-3..=1.0).log().get().ln() + 0.01 * f64::from(hp.int("little", 0..=9).get()))
    };
    tuner.optimize(evaluate).unwrap();
    let importance = tuner.importance();
    assert!(importance[0].0 == "much" && importance[0].1 > 0.9, "{importance:?}");
    for (name, begin) in [("search.svg", "<svg"), ("search.html", "<!")] {
        tuner.plot(folder.join(name)).unwrap();
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.starts_with(begin) && text.contains("little"), "{name}");
    }
    let error = tuner.plot(folder.join("search.png")).unwrap_err().to_string();
    assert!(error.starts_with("`plot` writes `.svg` and `.html`, got `"), "{error}");
}
