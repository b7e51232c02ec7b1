//! One line of progress: how far, how long, and the metrics so far.

use cornu_array::pad::right;

use super::numbers::{fixed, metric, scientific};
use crate::Style;

/// What a line says.
pub(super) struct Line<'a> {
    pub(super) style: Style,
    /// Steps done.
    pub(super) done: usize,
    /// Steps there will be, if that is known.
    pub(super) total: Option<usize>,
    /// Seconds since the beginning of the epoch.
    pub(super) elapsed: f64,
    /// Seconds a step takes.
    pub(super) per_step: f64,
    /// Whether this is the last line of the epoch.
    pub(super) last: bool,
    pub(super) logs: &'a [(&'a str, f64)],
}

/// A text and the number of columns it takes.
#[derive(Default)]
pub(super) struct Painted {
    pub(super) text: String,
    pub(super) width: usize,
    color: bool,
}

impl Painted {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.width += text.chars().count();
    }

    /// Adds a text in the style of a terminal's code: `1` is bold, `32` green.
    fn push_as(&mut self, code: &str, text: &str) {
        if self.color {
            self.text.push_str(&format!("\x1b[{code}m"));
        }
        self.push(text);
        if self.color {
            self.text.push_str("\x1b[0m");
        }
    }
}

impl Line<'_> {
    /// The line Keras draws: the counter, the bar, the time, the metrics.
    pub(super) fn full(&self, color: bool) -> Painted {
        self.drawn(self.style.bar(), self.logs.len(), color)
    }

    /// The same in at most `room` columns: first the bar shrinks, then metrics are left out from the end.
    pub(super) fn within(&self, room: usize, color: bool) -> Painted {
        let full = self.full(color);
        if full.width <= room {
            return full;
        }
        let bar = self.style.bar().saturating_sub(full.width - room);
        let start = self.drawn(bar, 0, false).width;
        if start > room {
            let text: String = self.drawn(0, 0, false).text.chars().take(room).collect();
            return Painted { width: text.chars().count(), text, color: false };
        }
        let widths = self.logs.iter().scan(start, |width, &(name, value)| {
            *width += log(name, &metric(value)).chars().count();
            Some(*width)
        });
        self.drawn(bar, widths.take_while(|&width| width <= room).count(), color)
    }

    /// The last line, with every metric: if even a shrunken bar does not make it fit, it goes on below, under the bar.
    pub(super) fn whole(&self, room: usize, color: bool) -> Painted {
        if self.drawn(0, self.logs.len(), false).width <= room {
            return self.within(room, color);
        }
        let mut line = Line { logs: &[], ..*self }.within(room, color);
        let mut first = None;
        let indent = self.counter().chars().count();
        let mut column = line.width;
        for &(name, value) in self.logs {
            let text = log(name, &metric(value));
            let width = text.chars().count();
            if column + width > room && column > indent {
                first.get_or_insert(column);
                line.push("\n");
                line.push(&" ".repeat(indent));
                column = indent;
            }
            line.push(&text);
            column += width;
        }
        Painted { width: first.unwrap_or(column), ..line }
    }

    /// The line of `verbose=2`.
    pub(super) fn plain(&self) -> String {
        // Keras decides by the value and not by its size here, so negative ones get an exponent.
        let value = |value: f64| if value > 1e-3 { fixed(value, 4) } else { scientific(value, 4) };
        let logs: String = self.logs.iter().map(|&(name, number)| log(name, &value(number))).collect();
        let start = format!("{} - {}s", self.counter(), fixed(self.elapsed, 0));
        match self.style {
            Style::Keras3 => format!("{start} - {}{logs}", duration(self.per_step, "step")),
            Style::Keras2 => {
                let each = self.elapsed / self.done.max(1) as f64;
                format!("{start}{logs} - {} - {}", duration(self.elapsed, "epoch"), duration(each, "step"))
            }
        }
    }

    /// The line with a bar of `bar` columns and the first `logs` metrics.
    fn drawn(&self, bar: usize, logs: usize, color: bool) -> Painted {
        let mut line = Painted { color, ..Painted::default() };
        match (self.style, self.total) {
            (Style::Keras3, Some(total)) => self.keras3_bar(&mut line, bar, total),
            (Style::Keras2, Some(total)) => self.keras2_bar(&mut line, bar, total),
            (_, None) => line.push(&self.counter()),
        }
        match self.style {
            Style::Keras3 => {
                line.push(" ");
                line.push_as("1", &self.time());
                line.push(&format!(" {}", duration(self.per_step, "step")));
            }
            Style::Keras2 if self.remaining().is_some() => line.push(&format!(" - ETA: {}", self.time())),
            Style::Keras2 => line.push(&format!(" - {} {}", self.time(), duration(self.per_step, "step"))),
        }
        for &(name, value) in &self.logs[..logs] {
            line.push(&log(name, &metric(value)));
        }
        line
    }

    fn keras3_bar(&self, line: &mut Painted, width: usize, total: usize) {
        line.push_as("1", &self.counter());
        if width == 0 {
            return;
        }
        line.push(" ");
        let filled = self.filled(width, total);
        if filled > 0 {
            line.push_as("32", &"━".repeat(filled));
        }
        // Without colours the rest has to look different by itself.
        let rest = if line.color { "━" } else { "─" };
        line.push_as("37", &rest.repeat(width - filled));
    }

    fn keras2_bar(&self, line: &mut Painted, width: usize, total: usize) {
        line.push(&self.counter());
        if width == 0 {
            return;
        }
        let filled = self.filled(width, total);
        let tip = if filled == 0 {
            ""
        } else if self.done < total {
            ">"
        } else {
            "="
        };
        line.push(&format!(" [{}{tip}{}]", "=".repeat(filled.saturating_sub(1)), ".".repeat(width - filled)));
    }

    /// How many columns of the bar are done.
    fn filled(&self, width: usize, total: usize) -> usize {
        let share = if total == 0 { 1.0 } else { self.done as f64 / total as f64 };
        ((width as f64 * share) as usize).min(width)
    }

    /// ` 3/10`, or `      3/Unknown`.
    fn counter(&self) -> String {
        match self.total {
            Some(total) => format!("{}/{total}", right(&self.done.to_string(), total.to_string().len())),
            None => format!("{:7}/Unknown", self.done),
        }
    }

    /// The seconds that remain, if this is not the last line and they can be known.
    fn remaining(&self) -> Option<f64> {
        let total = self.total.filter(|_| !self.last)?;
        Some(self.per_step * total.saturating_sub(self.done) as f64)
    }

    /// The time that remains, else the time it took.
    fn time(&self) -> String {
        let Some(remaining) = self.remaining() else { return format!("{}s", fixed(self.elapsed, 0)) };
        let seconds = remaining as u64;
        if remaining > 3600.0 {
            format!("{}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60)
        } else if remaining > 60.0 {
            format!("{}:{:02}", seconds / 60, seconds % 60)
        } else {
            format!("{seconds}s")
        }
    }
}

impl Style {
    /// The columns of a bar.
    fn bar(self) -> usize {
        match self {
            Style::Keras2 => 30,
            Style::Keras3 => 20,
        }
    }
}

fn log(name: &str, value: &str) -> String {
    format!(" - {name}: {value}")
}

/// `2ms/step`: whole seconds, milliseconds or microseconds.
fn duration(seconds: f64, unit: &str) -> String {
    if seconds >= 1.0 || seconds == 0.0 {
        format!("{seconds:.0}s/{unit}")
    } else if seconds >= 1e-3 {
        format!("{:.0}ms/{unit}", seconds * 1e3)
    } else {
        format!("{:.0}us/{unit}", seconds * 1e6)
    }
}
