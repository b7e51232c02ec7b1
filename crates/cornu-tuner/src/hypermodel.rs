//! What a search builds and trains.

use cornu::graph::Arrays;
use cornu::train::{Fit, History, Scores};
use cornu::{Model, Result};

use crate::space::HyperParameters;

/// What makes a model of hyper-parameters: a function, or a type that also tunes how it is trained.
///
/// ```
/// use cornu_tuner::prelude::*;
/// use cornu::prelude::*;
///
/// struct Small;
///
/// impl HyperModel for Small {
///     fn build(&self, hp: &mut HyperParameters) -> cornu::Result<Model> {
///         let mut model = sequential![Dense::new(hp.int("units", 1..=8)).input_shape([2]), Dense::new(1)];
///         model.compile(Compile::new().loss("mse").optimizer("adam"))?;
///         Ok(model.into())
///     }
///
///     fn fit(&self, hp: &mut HyperParameters, fit: Fit) -> cornu::Result<Fit> {
///         Ok(fit.batch_size(hp.choice("batch_size", [8, 16, 32]).get()))
///     }
/// }
/// # let mut tuner = RandomSearch::new(Small).objective("loss").max_trials(2);
/// # tuner.search([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], Fit::new().verbose(0))?;
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait HyperModel: Send + Sync {
    /// A compiled model.
    ///
    /// # Errors
    /// Whatever is wrong: the trial has failed, and the search goes on.
    fn build(&self, hp: &mut HyperParameters) -> Result<Model>;

    /// How it is trained, beginning with what [`search`](crate::Tuner::search) was given.
    ///
    /// # Errors
    /// Whatever is wrong: the trial has failed.
    fn fit(&self, hp: &mut HyperParameters, fit: Fit) -> Result<Fit> {
        _ = hp;
        Ok(fit)
    }

    /// Whether it leaves [`HyperModel::fit`] and [`HyperModel::run`] as they are, so that models that are alike may be trained
    /// side by side ([`fit_together`](cornu::train::fit_together)). Functions do.
    fn trains_as_told(&self) -> bool {
        false
    }

    /// The names of figures that [`HyperModel::run`] gives and a model does not have by itself, so that the objective can be
    /// one of them.
    fn figures(&self) -> Vec<String> {
        Vec::new()
    }

    /// Trains it, and says what came of it: the history, a number, or figures by name. The callbacks of `fit` are the tuner's:
    /// they keep the best weights, and prune.
    ///
    /// # Errors
    /// Whatever is wrong: the trial has failed.
    fn run(&self, hp: &HyperParameters, model: &mut Model, data: &TrainingData, fit: Fit) -> Result<Results> {
        _ = hp;
        model.fit(&data.x, &data.y, fit).map(Into::into)
    }
}

impl<F, M> HyperModel for F
where
    F: Fn(&mut HyperParameters) -> Result<M> + Send + Sync,
    M: Into<Model>,
{
    fn build(&self, hp: &mut HyperParameters) -> Result<Model> {
        self(hp).map(Into::into)
    }

    fn trains_as_told(&self) -> bool {
        true
    }
}

/// The rows that a model is trained on, and what it is validated with where that is not a part of them.
#[derive(Clone, Debug, Default)]
pub struct TrainingData {
    /// The features.
    pub x: Arrays,
    /// The labels.
    pub y: Arrays,
    /// Features and labels of a fold that is left out.
    pub validation: Option<(Arrays, Arrays)>,
}

/// What came of a training.
#[derive(Clone, Debug)]
pub enum Results {
    /// Figures after each epoch: the best one counts.
    History(History),
    /// The objective.
    Number(f64),
    /// Figures by name, the objective among them.
    Figures(Vec<(String, f64)>),
}

impl From<History> for Results {
    fn from(history: History) -> Results {
        Results::History(history)
    }
}

impl From<f64> for Results {
    fn from(number: f64) -> Results {
        Results::Number(number)
    }
}

impl From<Scores> for Results {
    fn from(scores: Scores) -> Results {
        Results::Figures(scores.iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl<const N: usize> From<[(&str, f64); N]> for Results {
    fn from(figures: [(&str, f64); N]) -> Results {
        Results::Figures(figures.map(|(name, value)| (name.to_owned(), value)).into())
    }
}
