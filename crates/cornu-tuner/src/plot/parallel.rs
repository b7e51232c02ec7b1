//! Parallel coordinates: an axis for each parameter, a line for each trial, the better the stronger.

use super::axis::{Scale, text};
use super::canvas::{Canvas, Hold, WIDTH, cut, width};
use super::importance::{number, value};
use super::report::describe;
use super::{Search, Trial, Value, importance};

const HEIGHT: f64 = 340.0;
/// How many parameters are shown, and how many lines.
const MOST: usize = 12;
const LINES: usize = 400;
/// How wide a column is at least.
const COLUMN: f64 = 96.0;
/// Where axes begin and end below the top, and where lines pass of which the trial has no value.
const SPAN: [f64; 2] = [62.0, 282.0];
const ABSENT: f64 = 310.0;
/// Colours from the worst to the best, which are told apart on light and dark grounds.
const COLOURS: [[f64; 3]; 4] =
    [[168.0, 178.0, 192.0], [111.0, 149.0, 194.0], [120.0, 110.0, 170.0], [194.0, 65.0, 12.0]];

/// One axis.
enum Column<'a> {
    Numbers(Scale),
    Texts(Vec<&'a str>),
}

pub(super) fn draw(search: &Search, canvas: &mut Canvas) {
    let shown: Vec<usize> = shown(search);
    let step = ((WIDTH - 40.0) / (shown.len() + 1) as f64).max(COLUMN);
    let top = canvas.take(HEIGHT, 40.0 + step * (shown.len() + 1) as f64);
    canvas.text(20.0, top + 16.0, "t", Hold::Start, "Parallel coordinates");
    canvas.text(188.0, top + 16.0, "m", Hold::Start, "a line for each trial, orange the best");
    let columns: Vec<Column> = shown.iter().map(|&i| column(search, i)).collect();
    let scores = Scale::over(search.scored().map(|(_, score)| score), false);
    let x = |place: usize| 32.0 + step * place as f64;
    let trials = ranked(search);
    for (rank, (trial, score)) in trials.iter().enumerate() {
        let mut way: Vec<(f64, f64)> = Vec::new();
        for (place, (&i, column)) in shown.iter().zip(&columns).enumerate() {
            let y = value(trial, i).and_then(|value| column.at(value)).map_or(ABSENT, height);
            way.push((x(place), top + y));
        }
        way.push((x(shown.len()), top + height(scores.at(*score))));
        let part = if trials.len() > 1 { rank as f64 / (trials.len() - 1) as f64 } else { 1.0 };
        canvas.path("l", &way, &stroke(part), &describe(search, trial));
    }
    for (place, (&i, column)) in shown.iter().zip(&columns).enumerate() {
        axis(canvas, [x(place), top, step], &search.parameters[i].name, &column.labels());
    }
    axis(canvas, [x(shown.len()), top, step], search.score_name(), &Column::Numbers(scores).labels());
    let lacks = |trial: &Trial| shown.iter().any(|&i| value(trial, i).is_none());
    if trials.iter().any(|(trial, _)| lacks(trial)) {
        canvas.text(20.0, top + ABSENT + 18.0, "m p", Hold::Start, "below the axes: trials without the parameter");
    }
}

/// The parameters that matter most, in their order.
fn shown(search: &Search) -> Vec<usize> {
    let names: Vec<String> = importance(search).into_iter().take(MOST).map(|(name, _)| name).collect();
    (0..search.parameters.len()).filter(|&i| names.contains(&search.parameters[i].name)).take(MOST).collect()
}

/// The trials to be drawn, the best last.
fn ranked(search: &Search) -> Vec<(&Trial, f64)> {
    let mut all: Vec<(&Trial, f64)> = search.scored().collect();
    all.sort_by(|a, b| if search.maximize { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
    let best = all.split_off(all.len().saturating_sub(LINES / 2));
    let stride = all.len().div_ceil(LINES / 2).max(1);
    all.into_iter().step_by(stride).chain(best).collect()
}

/// The height of a part of an axis, below the top.
fn height(part: f64) -> f64 {
    SPAN[1] + (SPAN[0] - SPAN[1]) * part.clamp(0.0, 1.0)
}

/// Colour, width and opacity of a line, by its rank from 0, the worst, to 1.
fn stroke(part: f64) -> String {
    let at = part * part * (COLOURS.len() - 1) as f64;
    let (low, rest) = ((at as usize).min(COLOURS.len() - 2), at - (at as usize).min(COLOURS.len() - 2) as f64);
    let [r, g, b] = [0, 1, 2].map(|i| COLOURS[low][i] + rest * (COLOURS[low + 1][i] - COLOURS[low][i]));
    let (opacity, wide) = (0.25 + 0.65 * part * part, if part >= 1.0 { 2.4 } else { 0.8 + 0.5 * part });
    format!(" style=\"stroke:rgb({r:.0},{g:.0},{b:.0});stroke-opacity:{opacity:.2};stroke-width:{wide:.1}\"")
}

fn axis(canvas: &mut Canvas, [x, top, step]: [f64; 3], name: &str, labels: &[(f64, String)]) {
    canvas.line("a", [x, top + SPAN[0], x, top + SPAN[1]]);
    canvas.text(x - 10.0, top + SPAN[0] - 14.0, "", Hold::Start, &cut(name, step - 10.0));
    for (part, label) in labels {
        let y = top + height(*part);
        canvas.line("a", [x, y, x + 4.0, y]);
        let label = cut(label, step - 16.0);
        canvas.bar("k", [x + 5.0, y - 7.0, width(&label) + 3.0, 14.0]);
        canvas.text(x + 7.0, y + 4.0, "m p", Hold::Start, &label);
    }
}

fn column(search: &Search, i: usize) -> Column<'_> {
    let values = || search.scored().filter_map(move |(trial, _)| value(trial, i));
    if values().all(|value| number(value).is_some()) {
        let numbers: Vec<f64> = values().filter_map(number).collect();
        return Column::Numbers(Scale::over(numbers.into_iter(), search.parameters[i].log));
    }
    let mut texts: Vec<&str> = Vec::new();
    for value in values() {
        let Value::Text(text) = value else { continue };
        if !texts.contains(&text.as_str()) {
            texts.push(text);
        }
    }
    texts.sort_unstable();
    Column::Texts(texts)
}

impl Column<'_> {
    /// Where a value lies, from 0 to 1.
    fn at(&self, value: &Value) -> Option<f64> {
        match (self, value) {
            (Column::Numbers(scale), value) => number(value).map(|number| scale.at(number)),
            (Column::Texts(texts), Value::Text(text)) => {
                texts.iter().position(|other| other == text).map(|place| part(place, texts.len()))
            }
            (Column::Texts(_), Value::Number(_)) => None,
        }
    }

    /// What is written beside the axis: round numbers, or texts, as many as have room.
    fn labels(&self) -> Vec<(f64, String)> {
        match self {
            Column::Numbers(scale) => {
                scale.ticks(6).into_iter().map(|(number, text)| (scale.at(number), text)).collect()
            }
            Column::Texts(texts) => {
                let every = texts.len().div_ceil(14).max(1);
                let label = |(place, text): (usize, &&str)| (part(place, texts.len()), (*text).to_owned());
                texts.iter().enumerate().step_by(every).map(label).collect()
            }
        }
    }
}

/// The place of one of so many texts.
fn part(place: usize, count: usize) -> f64 {
    (place as f64 + 0.5) / count as f64
}

/// A value in few letters.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Number(number) => text(*number),
        Value::Text(text) => text.clone(),
    }
}
