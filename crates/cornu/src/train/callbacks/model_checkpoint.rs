//! The model in a file, while it trains.

use std::fs;
use std::path::Path;

use cornu_graph::numbers::{fixed, general, repr, scientific};
use cornu_graph::{Error, Result, list};

use super::monitor::Monitor;
use super::{is_due, memory, recalled};
use crate::train::{Callback, Control, Memory};

crate::config! {
    /// Saves the model, or its weights alone, after each epoch or after some batches.
    ///
    /// The name may have places for the epoch, counted from 1, the batch and the figures, as Python formats them:
    /// `"best-{epoch:02d}-{val_loss:.2f}.keras"`. Folders that are missing are made.
    ///
    /// ```no_run
    /// use cornu::train::{Fit, ModelCheckpoint};
    /// let best = ModelCheckpoint::new("best.keras").monitor("val_accuracy").save_best_only(true);
    /// let fit = Fit::new().epochs(50).validation_split(0.2).callback(best);
    /// ```
    "keras.callbacks" pub callback ModelCheckpoint(Kept) {
        /// The file: its name ends in `.keras`, or in `.weights.h5` for weights alone.
        filepath: String,
        /// The figure to watch.
        monitor: String = "val_loss".into(),
        /// Whether to say so.
        verbose: usize = 0,
        /// Whether to save only where the figure has become better.
        save_best_only: bool = false,
        /// Whether to save the weights alone.
        save_weights_only: bool = false,
        /// Whether better is smaller, `"min"`, larger, `"max"`, or as the figure's name says, `"auto"`.
        mode: String = "auto".into(),
        /// After how many batches to save; after each epoch where nothing is said.
        save_freq: Option<usize> = None,
        /// The figure that has to be passed before the first file.
        initial_value_threshold: Option<f64> = None,
    }
}

/// What it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The best figure.
    pub best: Option<f64>,
    epoch: usize,
    /// Batches since the last file.
    batches: usize,
    monitor: Monitor,
}

impl ModelCheckpoint {
    /// Saves the model, if it is to be saved.
    fn save(&mut self, batch: Option<usize>, control: &mut Control) -> Result<()> {
        let path = self.path(batch, control)?;
        if !self.is_wanted(&path, control)? {
            return Ok(());
        }
        if let Some(folder) = Path::new(&path).parent() {
            let failed = |error| Error::file(format!("the folder `{}` cannot be made: {error}", folder.display()));
            fs::create_dir_all(folder).map_err(failed)?;
        }
        match self.save_weights_only {
            true => control.model.save_weights(&path)?,
            false => control.model.save(&path)?,
        }
        if self.verbose > 0 && control.model.flavor().says_finished() {
            control.print(&format!("\nEpoch {}: finished saving model to {path}", self.kept.epoch + 1));
        }
        Ok(())
    }

    fn is_wanted(&mut self, path: &str, control: &mut Control) -> Result<bool> {
        let (monitor, epoch, kept) = (&self.monitor, self.kept.epoch + 1, &mut self.kept);
        if !self.save_best_only {
            if self.verbose > 0 {
                control.print(&format!("\nEpoch {epoch}: saving model to {path}"));
            }
            return Ok(true);
        }
        let flavor = control.model.flavor();
        let Some(figure) = kept.monitor.figure("ModelCheckpoint", monitor, control)? else {
            return Ok(flavor.saves_without_figure());
        };
        let none = || flavor.no_best(kept.monitor.is_upwards()).to_owned();
        let before = kept.best.map_or_else(none, |best| fixed(best, 5));
        let better = kept.monitor.improves(figure, kept.best, 0.0);
        if better {
            kept.best = Some(figure);
        }
        if self.verbose > 0 {
            control.print(&match better {
                true => {
                    let now = fixed(figure, 5);
                    format!("\nEpoch {epoch}: {monitor} improved from {before} to {now}, saving model to {path}")
                }
                false => format!("\nEpoch {epoch}: {monitor} did not improve from {before}"),
            });
        }
        Ok(better)
    }

    /// The name of the file, with epoch, batch and figures in their places.
    fn path(&self, batch: Option<usize>, control: &mut Control) -> Result<String> {
        let mut path = String::new();
        let mut rest = self.filepath.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((place, after)) = after.split_once('}') else { break };
            let (name, spec) = place.split_once(':').unwrap_or((place, ""));
            let counted = [("epoch", Some(self.kept.epoch + 1)), ("batch", batch.map(|batch| batch + 1))];
            let count = counted.iter().find_map(|(known, count)| count.filter(|_| *known == name));
            let logs = control.logs()?;
            let text = match (count, logs.get(name)) {
                (Some(count), _) => format_count(count, spec),
                (None, Some(figure)) => format_figure(figure, spec),
                (None, None) => {
                    let names: Vec<&str> = ["epoch"].into_iter().chain(logs.iter().map(|(name, _)| name)).collect();
                    let message =
                        format!("`ModelCheckpoint.filepath` has a place for `{name}`; there are {}", list(&names));
                    return Err(Error::usage(message));
                }
            };
            let wrong = || Error::usage(format!("`ModelCheckpoint.filepath` cannot write `{name}` as `{spec}`"));
            path = path + before + &text.ok_or_else(|| wrong().help("write `{epoch:02d}` or `{val_loss:.2f}`"))?;
            rest = after;
        }
        Ok(path + rest)
    }
}

/// `07` of `02d`: the fill and width of a Python format, and the rest of it.
fn padded(spec: &str, write: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let fill = if spec.starts_with('0') { '0' } else { ' ' };
    let digits = spec.chars().take_while(char::is_ascii_digit).count();
    let width: usize = if digits == 0 { 0 } else { spec[..digits].parse().ok().filter(|width| *width <= 100)? };
    let text = write(&spec[digits..])?;
    let missing = width.saturating_sub(text.chars().count());
    Some(fill.to_string().repeat(missing) + &text)
}

fn format_count(count: usize, spec: &str) -> Option<String> {
    padded(spec, |kind| matches!(kind, "" | "d").then(|| count.to_string()))
}

fn format_figure(figure: f64, spec: &str) -> Option<String> {
    padded(spec, |rest| {
        let (digits, kind) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.chars().take_while(char::is_ascii_digit).count()),
            None => ("6", rest),
        };
        let digits: usize = digits.parse().ok().filter(|digits| *digits <= 100)?;
        match kind {
            "" if !rest.starts_with('.') => Some(repr(figure)),
            "f" => Some(fixed(figure, digits)),
            "e" => Some(scientific(figure, digits)),
            "g" => Some(general(figure, digits)),
            "%" => Some(fixed(figure * 100.0, digits) + "%"),
            _ => None,
        }
    })
}

impl Callback for ModelCheckpoint {
    fn memory(&self) -> Option<Memory> {
        Some(memory("ModelCheckpoint", &[self.kept.batches], &[self.kept.best]))
    }

    fn recall(&mut self, memory: Memory) -> Result<()> {
        ([self.kept.batches], [self.kept.best]) = recalled(&memory)?;
        Ok(())
    }

    fn on_train_begin(&mut self, control: &mut Control) -> Result<()> {
        let ending = if self.save_weights_only { ".weights.h5" } else { ".keras" };
        if !self.filepath.ends_with(ending) {
            let message = format!("`ModelCheckpoint.filepath` needs to end in `{ending}`, got `{}`", self.filepath);
            return Err(Error::usage(message));
        }
        if self.save_freq == Some(0) {
            return Err(Error::usage("`ModelCheckpoint.save_freq` needs a number of batches above 0, got 0"));
        }
        if self.kept.best.is_none() {
            self.kept.best = self.initial_value_threshold;
        }
        if self.save_best_only {
            self.kept.monitor.settle("ModelCheckpoint", &self.monitor, &self.mode, control)?;
        }
        Ok(())
    }

    fn on_epoch_begin(&mut self, epoch: usize, _: &mut Control) -> Result<()> {
        self.kept.epoch = epoch;
        Ok(())
    }

    fn on_train_batch_end(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        if is_due(self.save_freq, &mut self.kept.batches, control) { self.save(Some(batch), control) } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        if self.save_freq.is_none() { self.save(None, control) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `str.format` writes them.
    #[test]
    fn counts_and_figures_are_formatted_as_in_python() {
        let counts = ["", "d", "02d", "5d", "05"].map(|spec| format_count(7, spec).expect("a format"));
        assert_eq!(counts, ["7", "7", "07", "    7", "00007"]);
        let figures = ["", ".2f", "08.3f", ".1e", ".3g", ".1%", "f"].map(|spec| format_figure(0.123_456_789, spec));
        let figures = figures.map(|text| text.expect("a format"));
        assert_eq!(figures, ["0.123456789", "0.12", "0000.123", "1.2e-01", "0.123", "12.3%", "0.123457"]);
        assert_eq!((format_count(7, ".2f"), format_figure(0.5, "d"), format_figure(0.5, "999f")), (None, None, None));
    }
}
