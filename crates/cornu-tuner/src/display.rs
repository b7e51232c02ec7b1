//! What a search shows: a table on a terminal that is drawn anew in its place, lines in a file.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use cornu::display::{Terminal, Verbose};
use cornu::graph::numbers::general;

use crate::ledger::Ledger;
use crate::search::Finish;
use crate::space::OWN;
use crate::trial::{Status, Trial};
use crate::value::Value;

/// How many trials the table has.
const BEST: usize = 5;

/// How often it is drawn.
const EACH: Duration = Duration::from_millis(150);

/// Shows how a search goes on.
pub(crate) struct Display {
    shown: bool,
    terminal: Terminal,
    begun: Instant,
    drawn: Option<Instant>,
    /// How many lines are to be drawn over.
    lines: usize,
    max_trials: Option<u64>,
    running: BTreeSet<u64>,
    /// Trials that have ended here.
    ended: usize,
    best: Option<f64>,
}

/// A time as `1:02:03` or `2:03`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A value in few digits.
fn short(value: &Value) -> String {
    match value {
        Value::Float(number) => general(*number, 4),
        other => other.to_string(),
    }
}

/// As much of a line as there is room for.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// The table of the best trials.
fn table(ledger: &Ledger) -> Vec<String> {
    let best: Vec<&Trial> = ledger.best().into_iter().take(BEST).collect();
    let Some(first) = best.first() else { return Vec::new() };
    let mut names: Vec<&str> =
        first.values.iter().map(|(name, _)| name).filter(|name| !name.starts_with(OWN)).collect();
    for (name, _) in best.iter().flat_map(|trial| trial.values.iter()).filter(|(name, _)| !name.starts_with(OWN)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut columns = vec![vec!["trial".to_owned()], vec![ledger.objective.name().to_owned()]];
    columns[0].extend(best.iter().map(|trial| trial.number.to_string()));
    columns[1].extend(best.iter().map(|trial| format!("{:.4}", trial.score.unwrap_or_default())));
    columns.extend(names.iter().map(|name| {
        let values = best.iter().map(|trial| trial.values.get(name).map_or_else(|| "–".into(), short));
        std::iter::once((*name).to_owned()).chain(values).collect()
    }));
    let widths: Vec<usize> =
        columns.iter().map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    let line = |row: usize| {
        let cells = columns.iter().zip(&widths).map(|(column, &width)| format!("{:>width$}", column[row]));
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
    };
    (0..=best.len()).map(line).collect()
}

impl Display {
    pub(crate) fn new(verbose: Verbose, max_trials: Option<u64>) -> Display {
        Display {
            shown: verbose != Verbose::Silent,
            terminal: Terminal::of_stdout(),
            begun: Instant::now(),
            drawn: None,
            lines: 0,
            max_trials,
            running: BTreeSet::new(),
            ended: 0,
            best: None,
        }
    }

    /// What is known of the search as a whole, so many seconds after its begin.
    fn head(&self, ledger: &Ledger, elapsed: f64) -> String {
        let trials = ledger.trials();
        let count = |status: Status| trials.iter().filter(|trial| trial.status == status).count();
        let done = trials.iter().filter(|trial| !matches!(trial.status, Status::Running | Status::Repeated)).count();
        let of = self.max_trials.map_or(String::new(), |most| format!(" of {most}"));
        let mut parts = vec![format!("{done}{of} trials")];
        let told =
            [(count(Status::Failed), "failed"), (count(Status::Pruned), "given up"), (self.running.len(), "running")];
        parts.extend(told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        parts.push(clock(elapsed));
        let left = self.max_trials.map(|most| most.saturating_sub(done as u64)).filter(|left| *left > 0);
        if let Some(left) = left.filter(|_| self.ended > 0) {
            parts.push(format!("about {} left", clock(elapsed / self.ended as f64 * left as f64)));
        }
        format!("Search: {}", parts.join(", "))
    }

    fn lines(&self, ledger: &Ledger) -> Vec<String> {
        let head = self.head(ledger, self.begun.elapsed().as_secs_f64());
        let lines = std::iter::once(head).chain(table(ledger));
        lines.map(|line| cut(&line, self.terminal.columns)).collect()
    }

    /// Where the output takes nothing, nothing is shown.
    fn print(text: &str) {
        let mut out = std::io::stdout().lock();
        _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn draw(&mut self, ledger: &Ledger) {
        let lines = self.lines(ledger);
        let up = if self.lines > 0 { format!("\x1b[{}A", self.lines) } else { String::new() };
        let text: String = lines.iter().map(|line| format!("\x1b[2K{line}\n")).collect();
        Display::print(&format!("{up}{text}\x1b[J"));
        (self.lines, self.drawn) = (lines.len(), Some(Instant::now()));
    }

    pub(crate) fn began(&mut self, number: u64) {
        self.running.insert(number);
    }

    pub(crate) fn ended(&mut self, ledger: &Ledger, trial: &Trial) {
        self.running.remove(&trial.number);
        self.ended += 1;
        if !self.shown || self.terminal.is_tty {
            return;
        }
        if let (Status::Failed, Some(message)) = (trial.status, &trial.message) {
            Display::print(&format!("Trial {} failed: {message}\n", trial.number));
        }
        let Some(score) = trial.score.filter(|_| trial.status == Status::Completed) else { return };
        if self.best.is_none_or(|best| ledger.objective.better_than(score, best)) {
            self.best = Some(score);
            let values = trial.values.iter().map(|(name, value)| format!("{name}={}", short(value)));
            let (name, values) = (ledger.objective.name(), values.collect::<Vec<_>>().join(", "));
            Display::print(&format!("Trial {}: {name} {score:.4}, the best so far, {values}\n", trial.number));
        }
    }

    /// Draws, where it is time.
    pub(crate) fn tick(&mut self, ledger: &Ledger) {
        if self.shown && self.terminal.is_tty && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EACH) {
            self.draw(ledger);
        }
    }

    pub(crate) fn end(&mut self, ledger: &Ledger, finish: Option<Finish>) {
        if !self.shown {
            return;
        }
        if self.terminal.is_tty {
            self.draw(ledger);
        } else {
            Display::print(&format!("{}\n", self.head(ledger, self.begun.elapsed().as_secs_f64())));
        }
        if let Some(finish) = finish {
            Display::print(&format!("The search has ended: {finish}.\n"));
        }
    }

    /// Says what is not as it should be, on the standard error.
    pub(crate) fn warn(&mut self, text: &str) {
        if self.shown {
            _ = writeln!(std::io::stderr(), "warning: {text}");
            self.lines = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::Objective;
    use crate::value::Values;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.objective = Objective::max("val_accuracy");
        for (number, score) in [0.75, 0.5, f64::NAN, 0.875].into_iter().enumerate() {
            let mut values = Values::default();
            values.set("units", 4 * (number + 1));
            values.set("lr", 0.001_234_567);
            values.set("tuner/round", 0usize);
            let mut trial = Trial::new(number as u64, values);
            (trial.status, trial.score) = (Status::Completed, Some(score));
            if score.is_nan() {
                (trial.status, trial.score) = (Status::Failed, None);
            }
            ledger.note(trial);
        }
        ledger
    }

    #[test]
    fn the_best_trials_stand_above_each_other() {
        let lines = table(&ledger());
        assert_eq!(lines[0], "  trial  val_accuracy  units        lr");
        assert_eq!(lines[1], "      3        0.8750     16  0.001235");
        assert_eq!(lines.len(), 4);
        assert_eq!(cut(&lines[1], 12), "      3    …");
    }

    #[test]
    fn the_head_tells_what_is_left() {
        let mut display = Display::new(Verbose::Auto, Some(10));
        display.running.extend([7, 9]);
        display.ended = 4;
        let head = display.head(&ledger(), 61.0);
        assert_eq!(head, "Search: 4 of 10 trials, 1 failed, 2 running, 1:01, about 1:32 left");
        assert_eq!([clock(3723.4), clock(59.6)], ["1:02:03", "1:00"]);
    }
}
