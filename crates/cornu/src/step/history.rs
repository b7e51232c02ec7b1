//! What training and evaluation report: figures by name.

use std::fmt;
use std::ops::Index;

use cornu_display::Verbose;
use cornu_graph::list;

use super::Warning;

/// Figures by name, as [`evaluate`](crate::Model::evaluate) gives them: first the loss, then the metrics in
/// the order they were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores(Vec<(String, f64)>);

impl Scores {
    pub(crate) fn new(figures: Vec<(String, f64)>) -> Scores {
        Scores(figures)
    }

    /// Sets a figure; a new one comes last.
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Orders the figures by name.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    /// The figure of that name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The figures and their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The figures alone: what Keras's `evaluate` gives.
    pub fn values(&self) -> Vec<f64> {
        self.0.iter().map(|(_, value)| *value).collect()
    }
}

/// The figure of that name.
///
/// # Panics
/// If there is none; [`Scores::get`] does not panic.
impl Index<&str> for Scores {
    type Output = f64;

    fn index(&self, name: &str) -> &f64 {
        let found = self.0.iter().find(|(key, _)| key == name);
        let names = || list(&Vec::from_iter(self.0.iter().map(|(key, _)| key.as_str())));
        &found.unwrap_or_else(|| panic!("no figure `{name}`: there are {}", names())).1
    }
}

/// `loss: 0.4732, accuracy: 0.7727`
impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}: {value:.4}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// How a fit was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// How much was printed: Keras's 0, 1 or 2.
    pub verbose: u8,
    /// The number after the last epoch.
    pub epochs: usize,
    /// Batches in an epoch.
    pub steps: usize,
}

impl Params {
    pub(crate) fn new(verbose: Verbose, epochs: usize, steps: usize) -> Params {
        let verbose = match verbose {
            Verbose::Silent => 0,
            Verbose::Auto | Verbose::Bar => 1,
            Verbose::Line => 2,
        };
        Params { verbose, epochs, steps }
    }
}

/// Lists of figures by name, one figure an epoch: Keras's `history.history`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(Vec<(String, Vec<f64>)>);

impl Figures {
    /// The figures of that name, one an epoch; those of the validation may be fewer, if it was not run in each.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.iter().find(|(key, _)| *key == name).map(|(_, values)| values)
    }

    /// The figures and their names, in Keras's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[f64])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// The names of the figures, in Keras's order.
    pub fn keys(&self) -> Vec<&str> {
        self.iter().map(|(name, _)| name).collect()
    }

    fn push(&mut self, logs: &Scores) {
        for (name, value) in logs.iter() {
            match self.0.iter_mut().find(|(key, _)| key == name) {
                Some((_, values)) => values.push(value),
                None => self.0.push((name.to_owned(), vec![value])),
            }
        }
    }
}

/// The figures of that name, one an epoch.
///
/// # Panics
/// If there are none; [`Figures::get`] does not panic.
impl Index<&str> for Figures {
    type Output = Vec<f64>;

    fn index(&self, name: &str) -> &Vec<f64> {
        let found = self.0.iter().find(|(key, _)| key == name);
        let names = || list(&self.keys());
        &found.unwrap_or_else(|| panic!("no figures `{name}`: there are {}", names())).1
    }
}

/// What [`fit`](crate::Model::fit) reports: each figure after each epoch, `history["loss"]` for short.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The figures by name.
    pub history: Figures,
    /// The epochs that were run, counted from 0.
    pub epoch: Vec<usize>,
    /// How the fit was asked for.
    pub params: Params,
    /// What looked like a mistake in the data or the model.
    pub warnings: Vec<Warning>,
}

impl History {
    pub(crate) fn new(params: Params, warnings: Vec<Warning>) -> History {
        History { params, warnings, ..History::default() }
    }

    pub(crate) fn push(&mut self, epoch: usize, logs: &Scores) {
        self.epoch.push(epoch);
        self.history.push(logs);
    }

    /// The epochs and figures of an earlier part of the same training.
    pub(crate) fn resume(&mut self, epoch: Vec<usize>, figures: Vec<(String, Vec<f64>)>) {
        (self.epoch, self.history) = (epoch, Figures(figures));
    }

    /// [`Figures::get`].
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.history.get(name)
    }

    /// [`Figures::iter`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[f64])> {
        self.history.iter()
    }

    /// [`Figures::keys`].
    pub fn keys(&self) -> Vec<&str> {
        self.history.keys()
    }
}

/// The figures of that name, one an epoch.
///
/// # Panics
/// If there are none; [`History::get`] does not panic.
impl Index<&str> for History {
    type Output = Vec<f64>;

    fn index(&self, name: &str) -> &Vec<f64> {
        &self.history[name]
    }
}

/// `150 epochs: loss 0.6802 -> 0.3541, accuracy 0.5863 -> 0.8420`
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} epoch{}", self.epoch.len(), if self.epoch.len() == 1 { "" } else { "s" })?;
        for (i, (name, values)) in self.iter().enumerate() {
            let (Some(first), Some(last)) = (values.first(), values.last()) else { continue };
            write!(f, "{} {name} {first:.4} -> {last:.4}", if i > 0 { "," } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_name_and_keep_their_order() {
        let mut history = History::default();
        history.push(0, &Scores::new(vec![("loss".into(), 0.5), ("val_loss".into(), 0.75)]));
        history.push(1, &Scores::new(vec![("loss".into(), 0.25)]));
        assert_eq!(history["loss"], [0.5, 0.25]);
        assert_eq!(format!("{:?}", history["loss"]), "[0.5, 0.25]");
        assert_eq!(history.get("val_loss"), Some(&[0.75][..]));
        assert_eq!(history.get("accuracy"), None);
        assert_eq!(history.to_string(), "2 epochs: loss 0.5000 -> 0.2500, val_loss 0.7500 -> 0.7500");
        let scores = Scores::new(vec![("loss".into(), 0.5), ("accuracy".into(), 1.0)]);
        assert_eq!((scores["accuracy"], scores.values()), (1.0, vec![0.5, 1.0]));
    }
}
