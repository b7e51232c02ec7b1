//! A search to look at: its history, what each parameter matters, and which values went together, as SVG or as one HTML
//! page that needs no network.

mod axis;
mod bars;
mod canvas;
mod forest;
mod history;
mod importance;
mod parallel;
mod report;

use canvas::Canvas;
pub use importance::importance;
pub use report::html;

/// What became of a search.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Search {
    /// The heading, which may be empty.
    pub title: String,
    /// The name of the score.
    pub objective: String,
    /// Whether more is better.
    pub maximize: bool,
    /// What was searched for.
    pub parameters: Vec<Parameter>,
    /// In the order of their numbers.
    pub trials: Vec<Trial>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether equal factors, not equal differences, are equally far apart.
    pub log: bool,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Trial {
    /// Its number.
    pub number: u64,
    /// A value for each parameter, `None` where it does not exist for the trial.
    pub values: Vec<Option<Value>>,
    /// Its score, if it has one.
    pub score: Option<f64>,
    /// How it ended.
    pub state: State,
}

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A choice, by its name.
    Text(String),
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// To its end.
    #[default]
    Completed,
    /// Early, as others were better.
    Stopped,
    /// With an error, or a score that is not a number.
    Failed,
    /// It is under way.
    Running,
}

impl Search {
    /// The trials with a finite score.
    fn scored(&self) -> impl Iterator<Item = (&Trial, f64)> + Clone {
        let score = |trial: &Trial| trial.score.filter(|score| score.is_finite() && trial.state != State::Failed);
        self.trials.iter().filter_map(move |trial| score(trial).map(|score| (trial, score)))
    }

    /// Whether the first score is better than the second.
    fn better(&self, a: f64, b: f64) -> bool {
        if self.maximize { a > b } else { a < b }
    }

    /// The trial with the best score, the first of equals.
    fn best(&self) -> Option<(&Trial, f64)> {
        self.scored().reduce(|best, next| if self.better(next.1, best.1) { next } else { best })
    }

    /// The name of the score, as an axis has it.
    fn score_name(&self) -> &str {
        if self.objective.is_empty() { "score" } else { &self.objective }
    }
}

/// History, importance and parallel coordinates, one below the other.
///
/// ```
/// use cornu_tuner::plot::{Parameter, Search, Trial, Value, svg};
///
/// let trial = |number: u64| {
///     let rate = 0.1_f64.powi(number as i32 % 5);
///     Trial { number, values: vec![Some(Value::Number(rate))], score: Some(rate.ln().abs()), ..Trial::default() }
/// };
/// let parameters = vec![Parameter { name: "rate".into(), log: true }];
/// let search = Search { parameters, trials: (0..20).map(trial).collect(), ..Search::default() };
/// assert!(svg(&search).starts_with("<svg"));
/// ```
pub fn svg(search: &Search) -> String {
    let mut canvas = Canvas::new();
    canvas.heading(&search.title);
    for draw in [history::draw, bars::draw, parallel::draw] {
        draw(search, &mut canvas);
    }
    canvas.finish()
}
