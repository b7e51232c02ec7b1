//! True classes beside scores, and what is averaged over several classes.

use cornu_array::{Array, Error, Result, ToArray};

use super::classification::Average;
use super::curve;
use super::pairs::labels;
use super::precision::{Precision, Weights, finite};
use crate::labels::{compare, find, shown};
use crate::{Labels, Scalar, ToLabels, Value, Values};

/// True classes beside scores.
pub(super) struct Ranked {
    pub(super) truth: Labels,
    /// `[rows, outputs]`.
    pub(super) scores: Vec<f64>,
    pub(super) outputs: usize,
    pub(super) weights: Option<Vec<f64>>,
    precision: Precision,
}

impl Ranked {
    pub(super) fn of(y_true: impl ToLabels, y_score: impl ToArray, weights: &Weights) -> Result<Ranked> {
        let (truth, scores) = (labels("y_true", y_true)?, y_score.into_array()?);
        let outputs = outputs_of("y_score", &scores)?;
        same_rows("y_score", &truth, &scores)?;
        finite("y_score", &scores)?;
        let (weights, precision) = (weights.rows(truth.len())?, Precision::of_all(&[&scores]));
        Ok(Ranked { truth, scores: scores.to_vec(), outputs, weights, precision })
    }

    /// The scores of one output.
    fn column(&self, output: usize) -> Vec<f64> {
        self.scores.iter().skip(output).step_by(self.outputs).copied().collect()
    }

    /// Whether each row is of the class of that code.
    pub(super) fn is(&self, code: Option<usize>) -> Vec<bool> {
        self.truth.codes().iter().map(|&other| Some(other) == code).collect()
    }

    /// The scores, of which each row has one.
    pub(super) fn single(&self) -> Result<&[f64]> {
        match self.outputs {
            1 => Ok(&self.scores),
            outputs => {
                Err(Error::data(format!("`y_score` needs one score in each row for two classes, got {outputs}"))
                    .help("take the scores of the positive class: `y_score.output(1)`"))
            }
        }
    }

    /// The columns as classes: those that were given, or that occur.
    pub(super) fn columns(&self, given: Option<&Values>) -> Result<Vec<Option<usize>>> {
        let codes: Vec<Option<usize>> = match given {
            Some(given) => {
                let found = labels("labels", given)?;
                if found.count() != given.len() || !found.codes().is_sorted() {
                    return Err(Error::usage("`labels` needs different labels in ascending order"));
                }
                if let Some(row) = (0..self.truth.len()).find(|&row| find(given, self.class(row)).is_none()) {
                    let label = shown(self.class(row));
                    return Err(Error::data(format!("`labels` needs all classes, but row {row} is of {label}")));
                }
                given.iter().map(|label| self.truth.code(label)).collect()
            }
            None => (0..self.truth.count()).map(Some).collect(),
        };
        if codes.len() != self.outputs {
            let (needed, got) = (self.outputs, codes.len());
            let error = Error::data(format!("`y_score` has {needed} columns, but there are {got} classes"));
            return Err(if given.is_none() && got < needed {
                error.help("say which class each column is of: `Ranking::new().labels(..)`")
            } else {
                error
            });
        }
        Ok(codes)
    }

    fn class(&self, row: usize) -> Value<'_> {
        self.truth.class(self.truth.codes()[row])
    }

    /// Probabilities add up to one.
    pub(super) fn add_up(&self) -> Result<()> {
        let sums = self.scores.chunks(self.outputs).map(|row| self.precision.sum(row));
        match sums.enumerate().find(|(_, sum)| (1.0 - sum).abs() > 1e-8 + 1e-5 * sum.abs()) {
            Some((row, sum)) => {
                Err(Error::data(format!("`y_score` needs probabilities that add up to 1, got {sum} in row {row}"))
                    .help("end the model with `softmax`"))
            }
            None => Ok(()),
        }
    }
}

pub(super) fn outputs_of(name: &str, array: &Array) -> Result<usize> {
    match array.shape()[..] {
        [_] => Ok(1),
        [_, outputs] if outputs > 0 => Ok(outputs),
        _ => Err(Error::data(format!("`{name}` needs `[rows]` or `[rows, classes]`, got {}", array.ty()))),
    }
}

pub(super) fn same_rows(name: &str, truth: &Labels, scores: &Array) -> Result<()> {
    let (needed, got) = (truth.len(), scores.shape()[0]);
    if needed != got {
        return Err(Error::data(format!("`{name}` needs {needed} rows as `y_true` has, got {got}")));
    }
    match needed {
        0 => Err(Error::data("`y_true` needs at least one label, got none")),
        _ => Ok(()),
    }
}

/// The code of the class that is positive where none is named: 1, of -1 and 1 or of 0 and 1.
pub(super) fn positive(truth: &Labels, given: Option<&Scalar>) -> Result<Option<usize>> {
    if let Some(given) = given {
        return Ok(truth.code(given.as_value()));
    }
    let usual = [&[0, 1][..], &[-1, 1], &[0], &[-1], &[1]];
    let is = |usual: &&[i64]| {
        let usual = Values::Int(usual.to_vec());
        truth.count() == usual.len() && truth.classes().iter().zip(usual.iter()).all(|(a, b)| compare(a, b).is_eq())
    };
    match usual.iter().any(is) {
        true => Ok(truth.code(Value::Int(1))),
        false => {
            let names: Vec<String> = truth.classes().iter().take(5).map(shown).collect();
            Err(Error::usage(format!(
                "`pos_label` is needed, since the classes are {} and not 0 and 1",
                names.join(", ")
            ))
            .help("name the class that high scores speak for: `pos_label(..)` of the options"))
        }
    }
}

/// Whether the true class is among the best scores.
pub(super) fn many_hits(ranked: &Ranked, given: Option<&Values>, k: usize) -> Result<Vec<f64>> {
    let columns = ranked.columns(given)?;
    let hit = |(row, code): (usize, &usize)| {
        let scores = &ranked.scores[row * ranked.outputs..(row + 1) * ranked.outputs];
        let place = columns.iter().position(|column| column.as_ref() == Some(code));
        // Of equal scores the last counts as the best.
        let above = |other: usize, place: usize| {
            scores[other] > scores[place] || scores[other] == scores[place] && other > place
        };
        let better = |place: usize| (0..scores.len()).filter(|&other| above(other, place)).count();
        f64::from(place.is_some_and(|place| better(place) < k))
    };
    Ok(ranked.truth.codes().iter().enumerate().map(hit).collect())
}

/// Of two classes, whether the score speaks for the true one.
pub(super) fn two_hits(ranked: &Ranked, given: Option<&Values>, k: usize) -> Result<Vec<f64>> {
    let scores = ranked.single()?;
    let classes = given.unwrap_or(ranked.truth.classes());
    if classes.len() != 2 {
        return Err(Error::data("`top_k_accuracy_score` needs two classes or more, got one")
            .help("say what the classes are: `Ranking::new().labels(..)`"));
    }
    if k > 1 {
        return Ok(vec![1.0; scores.len()]);
    }
    let probable = scores.iter().all(|score| (0.0..=1.0).contains(score));
    let threshold = if probable { 0.5 } else { 0.0 };
    let second = find(classes, classes.get(1));
    let hit = |(row, &score): (usize, &f64)| {
        let is_second = find(classes, ranked.class(row)) == second;
        f64::from((score > threshold) == is_second)
    };
    Ok(scores.iter().enumerate().map(hit).collect())
}

/// A score of rows that are positive or not.
type Score = fn(&[bool], &[f64], Option<&[f64]>) -> f64;

/// The score of each class against the rest.
pub(super) fn each(ranked: &Ranked, columns: &[Option<usize>], score: Score) -> Vec<f64> {
    let one = |(column, code): (usize, &Option<usize>)| {
        score(&ranked.is(*code), &ranked.column(column), ranked.weights.as_deref())
    };
    columns.iter().enumerate().map(one).collect()
}

/// One average over the classes.
pub(super) fn averaged(ranked: &Ranked, columns: &[Option<usize>], average: Average, score: Score) -> Result<f64> {
    match average {
        Average::Binary => Err(Error::usage("`Average::Binary` needs two classes, got more")
            .help("choose `Average::Macro`, `Average::Weighted` or `Average::Micro`")),
        Average::Macro => Ok(Precision::Double.average(&each(ranked, columns, score), None)),
        Average::Micro => {
            let truth: Vec<bool> = ranked
                .truth
                .codes()
                .iter()
                .flat_map(|&code| columns.iter().map(move |column| *column == Some(code)))
                .collect();
            let repeated = |weights: &Vec<f64>| {
                weights.iter().flat_map(|&weight| std::iter::repeat_n(weight, columns.len())).collect::<Vec<f64>>()
            };
            let weights = ranked.weights.as_ref().map(repeated);
            Ok(score(&truth, &ranked.scores, weights.as_deref()))
        }
        Average::Weighted => {
            let prevalence = |code: &Option<usize>| {
                let rows = ranked.truth.codes().iter().enumerate();
                rows.filter(|(_, other)| Some(**other) == *code)
                    .map(|(row, _)| ranked.weights.as_ref().map_or(1.0, |weights| weights[row]))
                    .fold(0.0, |sum, weight| sum + weight)
            };
            let weights: Vec<f64> = columns.iter().map(prevalence).collect();
            let scores = each(ranked, columns, score);
            let scores: Vec<f64> = scores
                .into_iter()
                .zip(&weights)
                .map(|(score, &weight)| if weight == 0.0 { 0.0 } else { score })
                .collect();
            Ok(Precision::Double.average(&scores, Some(&weights)))
        }
    }
}

/// Each class against each other: Hand and Till, "A simple generalisation of the area under the ROC curve for multiple
/// class classification problems" (2001).
pub(super) fn each_against_each(ranked: &Ranked, columns: &[Option<usize>], average: Average) -> Result<f64> {
    let weighted = match average {
        Average::Macro => false,
        Average::Weighted => true,
        average => {
            return Err(Error::usage(format!(
                "`MultiClass::Ovo` has the averages `Macro` and `Weighted`, got `{average:?}`"
            )));
        }
    };
    if ranked.weights.is_some() {
        return Err(Error::usage("`MultiClass::Ovo` has no option `sample_weight`"));
    }
    let present: Vec<(usize, usize)> =
        columns.iter().enumerate().filter_map(|(column, code)| Some((column, (*code)?))).collect();
    if present.len() < 2 && weighted {
        return Err(Error::data("`MultiClass::Ovo` needs two classes among the labels, got one"));
    }
    let (mut scores, mut prevalence) = (Vec::new(), Vec::new());
    for (i, &a) in present.iter().enumerate() {
        for &b in &present[i + 1..] {
            let rows: Vec<usize> =
                (0..ranked.truth.len()).filter(|&row| [a.1, b.1].contains(&ranked.truth.codes()[row])).collect();
            let area = |(column, code): (usize, usize)| {
                let truth: Vec<bool> = rows.iter().map(|&row| ranked.truth.codes()[row] == code).collect();
                let values: Vec<f64> = rows.iter().map(|&row| ranked.scores[row * ranked.outputs + column]).collect();
                curve::roc_auc(&truth, &values, None, None)
            };
            scores.push((area(a) + area(b)) / 2.0);
            prevalence.push(rows.len() as f64 / ranked.truth.len() as f64);
        }
    }
    Ok(Precision::Double.average(&scores, weighted.then_some(&prevalence[..])))
}
