//! What `fit`, `evaluate` and `predict` print while they run.

use std::io::Write;

use cornu_array::Verbose;

use super::Terminal;
use crate::Style;
use crate::bar::{Line, Painted};

/// The least time between two drawings of a live line, in seconds.
const INTERVAL: f64 = 0.1;

/// Draws the progress of a run.
///
/// It has no clock: every call is given the time, in seconds from any fixed moment. A place that can no longer be
/// written to, such as a pipe whose reader has gone, silences it; a run does not stop for that.
///
/// ```
/// use cornu_display::{Progress, Style, Terminal, Verbose};
/// let mut printed = Vec::new();
/// let mut progress = Progress::new(&mut printed, Terminal::PLAIN, Style::Keras2, Verbose::Line);
/// progress.epoch_begin(0.0, 0, 5);
/// progress.step(0.5, 1, Some(2), &[("loss", 0.9)]);
/// progress.step(1.0, 2, Some(2), &[("loss", 0.7)]);
/// progress.epoch_end(1.0, &[("loss", 0.7), ("val_loss", 0.8)]);
/// drop(progress);
/// assert_eq!(printed, b"Epoch 1/5\n2/2 - 1s - loss: 0.7000 - val_loss: 0.8000 - 1s/epoch - 500ms/step\n");
/// ```
pub struct Progress<'a> {
    out: Box<dyn Write + Send + 'a>,
    terminal: Terminal,
    style: Style,
    verbose: Verbose,
    /// When this epoch began.
    start: f64,
    /// When its first step ended: the first is slower than the others, and is left out of the time per step.
    first: Option<f64>,
    done: usize,
    total: Option<usize>,
    /// The time before which `step` has nothing to do.
    due: f64,
    /// The columns of the live line, 0 if none stands open.
    live: usize,
}

impl<'a> Progress<'a> {
    /// Prints to `out`, which `terminal` describes.
    pub fn new(out: impl Write + Send + 'a, terminal: Terminal, style: impl Into<Style>, verbose: Verbose) -> Self {
        let style = style.into();
        let (start, done, live) = (0.0, 0, 0);
        let due = f64::INFINITY;
        Progress { out: Box::new(out), terminal, style, verbose, start, first: None, done, total: None, due, live }
    }

    /// An epoch begins; both are counted as Keras's callbacks count them, `epoch` from 0. The heading is left out if
    /// there is only one.
    pub fn epoch_begin(&mut self, now: f64, epoch: usize, epochs: usize) {
        if epochs > 1 && self.verbose != Verbose::Silent {
            self.write(&format!("Epoch {}/{epochs}\n", epoch + 1));
        }
        self.begin(now);
    }

    /// A run without epochs begins: `evaluate` or `predict`.
    pub fn begin(&mut self, now: f64) {
        self.start = now;
        self.first = None;
        (self.done, self.total, self.live) = (0, None, 0);
        self.due = if self.verbose == Verbose::Silent { f64::INFINITY } else { f64::NEG_INFINITY };
    }

    /// Whether [`Progress::step`] would do anything at that time: figures for it need not be read before.
    pub fn is_due(&self, now: f64) -> bool {
        now >= self.due
    }

    /// `done` steps are done, of `total` if that is known; `logs` are the metrics so far, in Keras 2's order.
    ///
    /// Costs one comparison and allocates nothing unless it is time to draw.
    pub fn step(&mut self, now: f64, done: usize, total: Option<usize>, logs: &[(&str, f64)]) {
        (self.done, self.total) = (done, total);
        if !self.is_due(now) {
            return;
        }
        let live = self.terminal.is_tty && self.verbose != Verbose::Line;
        if live {
            self.draw(now, &self.ordered(logs), false);
        }
        if done == 1 {
            self.first = Some(now);
        }
        self.due = if live && self.verbose != Verbose::Silent { now + INTERVAL } else { f64::INFINITY };
    }

    /// The epoch, or the run, has ended; `logs` are its metrics, those of the validation included.
    pub fn epoch_end(&mut self, now: f64, logs: &[(&str, f64)]) {
        if self.verbose == Verbose::Silent {
            return;
        }
        self.done = self.total.unwrap_or(self.done);
        self.total = Some(self.done);
        let logs = self.ordered(logs);
        if self.verbose == Verbose::Line {
            let line = self.line(now, &logs, true).plain();
            self.write(&format!("{line}\n"));
        } else {
            self.draw(now, &logs, true);
        }
        self.due = f64::INFINITY;
    }

    /// Prints what somebody else has to say, on lines of its own.
    pub fn message(&mut self, text: &str) {
        let fresh = if self.live > 0 && !text.starts_with('\n') { "\n" } else { "" };
        self.live = 0;
        self.write(&format!("{fresh}{text}\n"));
    }

    /// The metrics in the order they are shown: Keras 3 sorts them by name, the validation's after the others, and what
    /// callbacks add at the end.
    fn ordered<'l>(&self, logs: &[(&'l str, f64)]) -> Vec<(&'l str, f64)> {
        let mut logs = logs.to_vec();
        if self.style == Style::Keras3 {
            let place = |name: &str| if name == "learning_rate" { 2 } else { u8::from(name.starts_with("val_")) };
            logs.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
        }
        logs
    }

    fn line<'l>(&self, now: f64, logs: &'l [(&'l str, f64)], last: bool) -> Line<'l> {
        let Progress { style, done, total, start, .. } = *self;
        let per_step = match self.first {
            Some(first) if done > 1 => (now - first) / (done - 1) as f64,
            _ if done > 0 => (now - start) / done as f64,
            _ => 0.0,
        };
        Line { style, done, total, elapsed: now - start, per_step, last, logs }
    }

    /// Draws the line with the bar: over the one before on a terminal, once elsewhere.
    fn draw(&mut self, now: f64, logs: &[(&str, f64)], last: bool) {
        let line = self.line(now, logs, last);
        let Terminal { is_tty, columns, color } = self.terminal;
        if !is_tty {
            let text = line.full(false).text;
            self.write(&format!("{text}\n"));
            return;
        }
        // The last column stays free: some terminals wrap as soon as it is written to.
        let room = columns.saturating_sub(1);
        let Painted { text, width, .. } = if last { line.whole(room, color) } else { line.within(room, color) };
        let back = "\x08".repeat(self.live);
        let blank = " ".repeat(self.live.saturating_sub(width));
        let (before, after) = text.split_once('\n').map_or((&*text, String::new()), |(a, b)| (a, format!("\n{b}")));
        let end = if last { "\n" } else { "" };
        self.live = if last { 0 } else { width };
        self.write(&format!("{back}\r{before}{blank}{after}{end}"));
    }

    fn write(&mut self, text: &str) {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        if written.is_err() {
            self.verbose = Verbose::Silent;
        }
    }
}

/// A run that was stopped leaves its line as it was, and what comes next on a line of its own.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.live > 0 && self.verbose != Verbose::Silent {
            self.write("\n");
        }
    }
}

#[cfg(test)]
mod tests;
