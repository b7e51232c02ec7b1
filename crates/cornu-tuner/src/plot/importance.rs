//! How much each parameter matters for the score.

use super::axis::Scale;
use super::{Search, Trial, Value, forest};
use crate::sampler::normal;

/// Of how many trials the forest learns at most.
const MOST: usize = 400;

/// The parameters and their shares in the variance of the score, the largest first; the shares sum to one, or are all
/// zero where nothing can be said.
///
/// It is the functional analysis of variance of a random forest (fANOVA), of what each parameter does by itself. The
/// same trials give the same shares.
pub fn importance(search: &Search) -> Vec<(String, f64)> {
    let all: Vec<(&Trial, f64)> = search.scored().collect();
    let stride = all.len().div_ceil(MOST).max(1);
    let (trials, scores): (Vec<&Trial>, Vec<f64>) = all.into_iter().step_by(stride).unzip();
    let scores = normal::standard(&scores);
    let columns: Vec<Vec<f64>> = (0..search.parameters.len()).map(|i| column(search, &trials, &scores, i)).collect();
    let shares = forest::shares(&columns, &scores);
    let total: f64 = shares.iter().sum();
    let name = |i: usize| search.parameters[i].name.clone();
    let share = |share: f64| if total > 0.0 { share / total } else { 0.0 };
    let mut named: Vec<(String, f64)> = shares.iter().enumerate().map(|(i, &s)| (name(i), share(s))).collect();
    named.sort_by(|a, b| b.1.total_cmp(&a.1));
    named
}

/// Where the values of a parameter lie within 0 to 1. Trials without one have a part of their own at the beginning, as
/// large as there are many; texts have equal parts, in the order of their mean scores.
fn column(search: &Search, trials: &[&Trial], scores: &[f64], i: usize) -> Vec<f64> {
    let values: Vec<Option<&Value>> = trials.iter().map(|trial| value(trial, i)).collect();
    let absent = values.iter().filter(|value| value.is_none()).count() as f64 / values.len() as f64;
    let numbers = values.iter().flatten().filter_map(|value| number(value));
    let scale = Scale::over(numbers.clone(), search.parameters[i].log);
    let texts = texts(&values, scores);
    // Where there are both, texts come first.
    let share = texts.len() as f64 / (texts.len() + usize::from(numbers.count() > 0)).max(1) as f64;
    let at = |value: &Value| match value {
        Value::Number(number) if number.is_finite() => share + (1.0 - share) * scale.at(*number).clamp(0.0, 1.0),
        Value::Number(_) => 0.0,
        Value::Text(text) => {
            let place = texts.iter().position(|other| *other == text).unwrap_or(0);
            share * (place as f64 + 0.5) / texts.len() as f64
        }
    };
    values.iter().map(|value| value.map_or(absent / 2.0, |value| absent + (1.0 - absent) * at(value))).collect()
}

/// The value of a parameter, if the trial has one.
pub(super) fn value(trial: &Trial, i: usize) -> Option<&Value> {
    trial.values.get(i).and_then(Option::as_ref)
}

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number).filter(|number| number.is_finite()),
        Value::Text(_) => None,
    }
}

/// The texts among the values, by their mean scores.
fn texts<'a>(values: &[Option<&'a Value>], scores: &[f64]) -> Vec<&'a String> {
    let mut means: Vec<(&String, f64, f64)> = Vec::new();
    for (value, score) in values.iter().zip(scores) {
        let Some(Value::Text(text)) = value else { continue };
        match means.iter_mut().find(|(other, ..)| *other == text) {
            Some((_, sum, count)) => (*sum, *count) = (*sum + score, *count + 1.0),
            None => means.push((text, *score, 1.0)),
        }
    }
    means.sort_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)).then(a.0.cmp(b.0)));
    means.into_iter().map(|(text, ..)| text).collect()
}
