//! Scores by trial, and the best so far.

use super::axis::{Scale, text};
use super::canvas::{Canvas, Hold, WIDTH, cut};
use super::report::describe;
use super::{Search, State, Trial};

const HEIGHT: f64 = 300.0;
/// What is around the field: left, right, above, below.
const AROUND: [f64; 4] = [70.0, 20.0, 52.0, 46.0];
/// How many trials are drawn at most.
const MOST: usize = 3000;

/// The field, with its scales.
struct Field {
    top: f64,
    trials: Scale,
    scores: Scale,
}

impl Field {
    fn place(&self, number: u64, score: f64) -> (f64, f64) {
        let x = AROUND[0] + (WIDTH - AROUND[0] - AROUND[1]) * self.trials.at(number as f64);
        let y = self.bottom() - (HEIGHT - AROUND[2] - AROUND[3]) * self.scores.at(score).clamp(0.0, 1.0);
        (x, y)
    }

    fn bottom(&self) -> f64 {
        self.top + HEIGHT - AROUND[3]
    }
}

pub(super) fn draw(search: &Search, canvas: &mut Canvas) {
    let top = canvas.take(HEIGHT, WIDTH);
    let numbers = search.trials.iter().map(|trial| trial.number as f64);
    let field = Field { top, trials: Scale::over(numbers, false).wider(0.015), scores: scores(search) };
    canvas.text(20.0, top + 16.0, "t", Hold::Start, "History");
    axes(search, &field, canvas);
    let count = search.scored().count();
    if count == 0 {
        canvas.text(WIDTH / 2.0, top + HEIGHT / 2.0, "m", Hold::Middle, "no trial has a score");
    }
    for (trial, score) in search.scored().step_by(count.div_ceil(MOST).max(1)) {
        let beyond = !(0.0..=1.0).contains(&field.scores.at(score));
        let class = if beyond || trial.state != State::Completed { "o" } else { "d" };
        canvas.dot(class, field.place(trial.number, score), 3.2, &describe(search, trial));
    }
    let without = |trial: &&Trial| trial.state == State::Failed;
    for trial in search.trials.iter().filter(without).take(MOST) {
        let (x, y) = (field.place(trial.number, 0.0).0, field.bottom());
        canvas.path("x", &[(x - 3.0, y - 9.0), (x + 3.0, y - 3.0)], "", &describe(search, trial));
        canvas.path("x", &[(x - 3.0, y - 3.0), (x + 3.0, y - 9.0)], "", &describe(search, trial));
    }
    best_so_far(search, &field, canvas);
    legend(search, &field, canvas);
}

/// Over the scores, without those that are far worse than nearly all: they lie on the edge.
fn scores(search: &Search) -> Scale {
    let mut all: Vec<f64> = search.scored().map(|(_, score)| score).collect();
    all.sort_by(|a, b| if search.maximize { b.total_cmp(a) } else { a.total_cmp(b) });
    let (Some(&best), Some(&worst)) = (all.first(), all.last()) else { return Scale::over([].into_iter(), false) };
    let most = all[(all.len() - 1) * 9 / 10];
    // Scores over many decades are read on a logarithmic scale, on which none is far.
    if best.min(worst) > 0.0 && best.max(worst) / best.min(worst) > 200.0 {
        return Scale::over(all.into_iter(), true).wider(0.05);
    }
    let limit = most + (most - best);
    let edge = if search.better(limit, worst) && limit.is_finite() && most != best { limit } else { worst };
    Scale::over([best, edge].into_iter(), false).wider(0.05)
}

fn axes(search: &Search, field: &Field, canvas: &mut Canvas) {
    let (left, right) = (AROUND[0], WIDTH - AROUND[1]);
    for (number, label) in field.scores.ticks(6) {
        let y = field.place(0, number).1;
        canvas.line("g", [left, y, right, y]);
        canvas.text(left - 8.0, y + 4.0, "m", Hold::End, &label);
    }
    for (number, _) in field.trials.ticks(9).into_iter().filter(|(number, _)| *number >= 0.0 && number.fract() == 0.0) {
        let x = field.place(number as u64, 0.0).0;
        canvas.text(x, field.bottom() + 18.0, "m", Hold::Middle, &format!("{number}"));
    }
    canvas.line("a", [left, field.bottom(), right, field.bottom()]);
    canvas.text(right, field.bottom() + 36.0, "m", Hold::End, "trial");
    canvas.text(20.0, field.top + 40.0, "m", Hold::Start, &cut(search.score_name(), 300.0));
}

/// Steps, each at the trial that was better.
fn best_so_far(search: &Search, field: &Field, canvas: &mut Canvas) {
    let mut way: Vec<(f64, f64)> = Vec::new();
    let mut best: Option<f64> = None;
    for (trial, score) in search.scored() {
        if best.is_none_or(|best| search.better(score, best)) {
            best = Some(score);
            let (x, y) = field.place(trial.number, score);
            way.extend(way.last().map(|last| (x, last.1)));
            way.push((x, y));
        }
    }
    let (Some(&(_, y)), Some(trial)) = (way.last(), search.trials.last()) else { return };
    way.push((field.place(trial.number, 0.0).0, y));
    canvas.path("b", &way, "", "");
    if let Some((trial, score)) = search.best() {
        canvas.dot("s", field.place(trial.number, score), 4.5, &describe(search, trial));
    }
}

fn legend(search: &Search, field: &Field, canvas: &mut Canvas) {
    let y = field.top + 36.0;
    let Some((best, score)) = search.best() else { return };
    let label = format!("best so far: {} (trial {})", text(score), best.number);
    let mut x = WIDTH - AROUND[1];
    canvas.text(x, y + 4.0, "", Hold::End, &label);
    x -= super::canvas::width(&label) + 8.0;
    canvas.line("b", [x - 18.0, y, x, y]);
    let failed = search.trials.iter().filter(|trial| trial.state == State::Failed).count();
    if failed > 0 {
        let label = format!("{failed} failed");
        x -= 36.0;
        canvas.text(x, y + 4.0, "", Hold::End, &label);
        x -= super::canvas::width(&label) + 10.0;
        canvas.line("x", [x - 3.0, y - 3.0, x + 3.0, y + 3.0]);
        canvas.line("x", [x - 3.0, y + 3.0, x + 3.0, y - 3.0]);
    }
}
