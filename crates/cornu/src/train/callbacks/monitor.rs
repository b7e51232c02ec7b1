//! The figure that a callback watches, and which way is better.

use cornu_graph::{Error, Result};

use crate::metrics::Direction;
use crate::train::{Code, Control};

/// What a callback watches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Monitor {
    /// Which way is better, once that is known.
    direction: Option<Direction>,
    /// Whether it was said that there is no such figure.
    told: bool,
}

impl Monitor {
    /// The figure of that name; nothing where there is none, which is said once, unless it may come later.
    pub(super) fn figure(&mut self, class: &str, name: &str, control: &mut Control) -> Result<Option<f64>> {
        let logs = control.logs()?;
        if let Some(figure) = logs.get(name) {
            return Ok(Some(figure));
        }
        if name.starts_with("val_") && control.validates() {
            return Ok(None);
        }
        let logs = control.logs()?;
        let names: Vec<&str> = logs.iter().map(|(name, _)| name).collect();
        let message = format!("`{class}` watches `{name}`, which is not there; there are {}", names.join(", "));
        if !std::mem::replace(&mut self.told, true) {
            control.warn(Code::NoSuchFigure, message);
        }
        Ok(None)
    }

    /// Finds out which way is better: as `mode` says, else as the metric of that name, else as Keras 2 goes by names.
    ///
    /// # Errors
    /// A mode that is none, and where Keras 3 cannot tell either.
    pub(super) fn settle(&mut self, class: &str, name: &str, mode: &str, control: &Control) -> Result<()> {
        let plain = name.strip_prefix("val_").unwrap_or(name);
        let known = || control.model.training().direction(plain);
        self.direction = Some(match mode {
            "min" => Direction::Down,
            "max" => Direction::Up,
            "auto" if plain.ends_with("loss") => Direction::Down,
            "auto" => match (known(), control.model.flavor().tells_by_names()) {
                (Some(direction), _) => direction,
                (None, true) if plain.contains("acc") || plain.ends_with("auc") => Direction::Up,
                (None, true) => Direction::Down,
                (None, false) => {
                    let message =
                        format!("`{class}` cannot tell whether `{name}` is better if it is larger or smaller");
                    return Err(Error::usage(message).help("say it: `.mode(\"max\")` or `.mode(\"min\")`"));
                }
            },
            other => {
                let message = format!("`{class}.mode` needs one of \"auto\", \"min\" and \"max\", got {other:?}");
                return Err(Error::usage(message));
            }
        });
        Ok(())
    }

    /// Whether better is larger.
    pub(super) fn is_upwards(&self) -> bool {
        self.direction == Some(Direction::Up)
    }

    /// Whether a figure is better than the best by more than `min_delta`.
    pub(super) fn improves(&self, figure: f64, best: Option<f64>, min_delta: f64) -> bool {
        let Some(best) = best else { return true };
        // Keras 3 compares in single precision, as figures are; singles as doubles compare alike.
        match self.direction {
            Some(Direction::Up) => ((figure - min_delta.abs()) as f32) > best as f32,
            _ => ((figure + min_delta.abs()) as f32) < best as f32,
        }
    }
}
