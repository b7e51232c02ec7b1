//! Keras's own output, byte for byte where its clock was made up and else but for the durations.

use cornu_testkit::golden::{Report, folder, json};
use serde_json::Value;

use super::*;

const GROUP: &str = "datasets-and-tools";
const WIDE: Terminal = Terminal { is_tty: true, columns: 200, color: true };

type Logs = Vec<(String, f64)>;

fn cases(kind: &str) -> Vec<Value> {
    let manifest = json(GROUP, "manifest.json");
    let cases = manifest["cases"].as_array().expect("cases");
    cases.iter().filter(|case| case["kind"] == kind).cloned().collect()
}

fn style(id: &str) -> Style {
    if id.starts_with("keras2") { Style::Keras2 } else { Style::Keras3 }
}

fn borrowed(logs: &Logs) -> Vec<(&str, f64)> {
    logs.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

fn same(got: &str, want: &str) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("\n  got  {got:?}\n  want {want:?}")) }
}

/// Everything a run prints.
fn printed(terminal: Terminal, style: Style, verbose: Verbose, run: impl FnOnce(&mut Progress)) -> String {
    let mut bytes = Vec::new();
    run(&mut Progress::new(&mut bytes, terminal, style, verbose));
    String::from_utf8(bytes).expect("utf-8")
}

/// The values a `Progbar` of Keras shows after each of its updates: it averages them itself, and Keras 3 shows the last
/// ones at the end.
fn shown(case: &Value) -> Vec<Logs> {
    let progbar = &case["progbar"];
    let target = progbar["target"].as_u64().map(|target| target as usize);
    let stateful =
        |name: &str| progbar["kwargs"]["stateful_metrics"].as_array().is_some_and(|s| s.contains(&name.into()));
    let mut sums = Vec::<(String, f64)>::new();
    let updates = progbar["values"].as_array().expect("values").iter().enumerate();
    let shown = updates.map(|(step, values)| {
        let latest = style(case["id"].as_str().expect("id")) == Style::Keras3 && target == Some(step + 1);
        let values = values.as_array().into_iter().flatten().enumerate().map(|(i, pair)| {
            let (name, value) = (pair[0].as_str().expect("name"), pair[1].as_f64().expect("value"));
            if sums.len() <= i {
                sums.push((name.to_owned(), 0.0));
            }
            sums[i].1 += value;
            let mean = sums[i].1 / (step + 1) as f64;
            (name.to_owned(), if latest || stateful(name) { value } else { mean })
        });
        values.collect()
    });
    shown.collect()
}

#[test]
fn a_made_up_clock_gives_the_bytes_of_keras() {
    let mut report = Report::default();
    for case in cases("progress output").iter().filter(|case| case["progbar"].is_object()) {
        let progbar = &case["progbar"];
        let (id, kwargs) = (case["id"].as_str().expect("id"), &progbar["kwargs"]);
        if kwargs["unit_name"].is_string() || kwargs["width"] == 20 && style(id) == Style::Keras2 {
            continue; // Only `Progbar` itself can be told to; `fit`, `evaluate` and `predict` count steps.
        }
        let verbose = if kwargs["verbose"] == 2 { Verbose::Line } else { Verbose::Bar };
        let total = progbar["target"].as_u64().map(|target| target as usize);
        let updates = shown(case);
        let got = printed(WIDE, style(id), verbose, |progress| {
            progress.begin(100.0);
            let mut now = 100.0;
            for (step, logs) in updates.iter().enumerate() {
                now += progbar["clock_step"].as_f64().expect("clock_step");
                let (last, logs) = (total == Some(step + 1), borrowed(logs));
                match (last, verbose) {
                    (true, Verbose::Line) => progress.epoch_end(now, &logs),
                    _ if verbose == Verbose::Line => progress.step(now, step + 1, total, &logs),
                    // `step` would put the names in the order of `fit`.
                    _ => {
                        (progress.done, progress.total) = (step + 1, total);
                        progress.draw(now, &logs, last);
                        progress.first.get_or_insert(now);
                    }
                }
            }
            if total.is_none() {
                progress.draw(now + 0.25, &borrowed(&updates[updates.len() - 1]), true);
            }
        });
        let want = std::fs::read_to_string(folder(GROUP).join(case["file"].as_str().expect("file"))).expect("file");
        report.case(id, same(&got, &want));
    }
    report.finish();
}

/// A line of Keras's without its durations, which vary.
fn masked(line: &str) -> String {
    let timed = |part: &str| {
        let part = part.trim_end_matches("\x1b[0m").rsplit([' ', 'm']).next().unwrap_or("");
        part.ends_with("/step") || part.ends_with("/epoch")
    };
    let plain = line.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[32m", "").replace("\x1b[37m", "");
    let words = plain.trim_end().split(' ').filter(|word| {
        let seconds = word.strip_suffix('s').is_some_and(|digits| digits.parse::<u32>().is_ok());
        !seconds && !timed(word)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The number of steps and the metrics of a line, in single precision as they were.
fn parsed(line: &str) -> (usize, Logs) {
    let steps = masked(line).split(['/', ' ']).find_map(|word| word.parse().ok()).expect("a counter");
    let pairs = line.split(" - ").filter_map(|part| part.trim_end().split_once(": "));
    (steps, pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse::<f32>().ok()?.into()))).collect())
}

#[test]
fn runs_end_their_lines_as_keras_does() {
    let mut report = Report::default();
    for case in cases("progress output").iter().filter(|case| !case["progbar"].is_object()) {
        let id = case["id"].as_str().expect("id");
        let text = std::fs::read_to_string(folder(GROUP).join(case["file"].as_str().expect("file"))).expect("file");
        let verbose = match id {
            _ if id.ends_with("verbose0") => Verbose::Silent,
            _ if text.contains('\r') => Verbose::Bar,
            _ => Verbose::Line,
        };
        let lines: Vec<&str> = text.lines().map(|line| line.rsplit('\r').next().unwrap_or(line)).collect();
        let got = printed(Terminal::PLAIN, style(id), verbose, |progress| replay(progress, &lines));
        let join = |lines: &mut dyn Iterator<Item = &str>| lines.map(masked).collect::<Vec<_>>().join("\n");
        report.case(id, same(&join(&mut got.lines()), &join(&mut lines.iter().copied())));
    }
    report.finish();
}

/// The time per step a line tells, in seconds.
fn told(line: &str) -> Option<f64> {
    let time = line.split(' ').find_map(|word| word.strip_suffix("/step"))?;
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0)];
    units.iter().find_map(|(unit, seconds)| Some(time.strip_suffix(unit)?.parse::<f64>().ok()? * seconds))
}

/// The time of the first of so many steps: Keras 2 tells how long the others will take.
fn first_step(line: &str, steps: usize) -> f64 {
    let eta = line.split("ETA: ").nth(1).and_then(|rest| rest.split([' ', '\x08']).next()).unwrap_or_default();
    let eta = eta.trim_end_matches('s').split(':').fold(0.0, |sum, part| 60.0 * sum + part.parse().unwrap_or(0.0));
    told(line).unwrap_or(if eta > 0.0 { (eta + 0.5) / (steps - 1) as f64 } else { 0.01 / steps as f64 })
}

#[test]
fn a_terminal_gets_the_bytes_of_keras() {
    let mut report = Report::default();
    for case in cases("progress output").iter().filter(|case| !case["progbar"].is_object() && case["terminal"] == true)
    {
        let id = case["id"].as_str().expect("id");
        let text = std::fs::read_to_string(folder(GROUP).join(case["file"].as_str().expect("file"))).expect("file");
        let got = printed(WIDE, style(id), Verbose::Auto, |progress| {
            progress.begin(0.0);
            for line in text.lines() {
                // Keras drew twice, after the first step and at the end.
                let [_, begun, ended] = line.split('\r').collect::<Vec<_>>()[..] else {
                    let (epoch, epochs) = line["Epoch ".len()..].trim_end().split_once('/').expect("an epoch of some");
                    let number = |text: &str| text.parse::<usize>().expect("a number");
                    progress.epoch_begin(0.0, number(epoch) - 1, number(epochs));
                    continue;
                };
                let begun = begun.trim_end_matches('\x08');
                let (steps, logs) = parsed(ended);
                let first = first_step(begun, steps);
                progress.step(first, 1, Some(steps), &borrowed(&parsed(begun).1));
                progress.step(first, steps, Some(steps), &borrowed(&logs));
                let rest = told(ended).expect("a time per step") * (steps - 1) as f64;
                progress.epoch_end(first + rest, &borrowed(&logs));
            }
        });
        report.case(id, same(&got, &text));
    }
    report.finish();
}

/// Runs what would have printed these lines, telling the metrics in the wrong order where Keras 3 sorts them.
fn replay(progress: &mut Progress, lines: &[&str]) {
    let epochs = lines.iter().rev().find_map(|line| line.strip_prefix("Epoch ")?.split_once('/'));
    let epochs = epochs.and_then(|(_, epochs)| epochs.parse().ok()).unwrap_or(1);
    let mut epoch = 0;
    progress.begin(0.0);
    for line in lines {
        if line.starts_with("Epoch ") && line.contains('/') {
            progress.epoch_begin(0.0, epoch, epochs);
            epoch += 1;
        } else if line.is_empty() || line.starts_with("Epoch ") || line.starts_with("Restoring") {
            progress.message(line);
        } else {
            let (steps, mut logs) = parsed(line);
            if progress.style == Style::Keras3 {
                logs.reverse();
            }
            progress.step(0.5, steps, Some(steps), &borrowed(&logs));
            progress.epoch_end(1.0, &borrowed(&logs));
        }
    }
}

#[test]
fn the_tutorial_is_told_in_one_line() {
    let got = printed(Terminal::PLAIN, Style::Keras2, Verbose::from(2), |progress| {
        progress.begin(0.0);
        progress.step(0.01, 1, Some(313), &[]);
        progress.step(0.25, 313, Some(313), &[]);
        progress.epoch_end(0.2664, &[("loss", 0.0841), ("accuracy", 0.9751)]);
    });
    assert_eq!(got, "313/313 - 0s - loss: 0.0841 - accuracy: 0.9751 - 266ms/epoch - 851us/step\n");
}

#[test]
fn a_pipe_gets_one_plain_line_per_epoch() {
    for style in [Style::Keras2, Style::Keras3] {
        let got = printed(Terminal::PLAIN, style, Verbose::Auto, |progress| {
            for epoch in 0..3 {
                progress.epoch_begin(0.0, epoch, 3);
                for step in 1..=50 {
                    progress.step(step as f64, step, Some(50), &[("loss", 1.0 / step as f64)]);
                }
                progress.epoch_end(51.0, &[("loss", 0.02)]);
            }
        });
        assert_eq!(got.lines().count(), 6, "{got}");
        assert!(!got.contains(['\x08', '\r', '\x1b']), "{got:?}");
        assert!(got.ends_with(" - loss: 0.0200\n"), "{got}");
    }
}

#[test]
fn a_line_is_drawn_at_most_ten_times_a_second() {
    let got = printed(WIDE, Style::Keras2, Verbose::Auto, |progress| {
        progress.begin(0.0);
        for step in 1..=1000 {
            progress.step(f64::from(step) / 1000.0, step as usize, Some(1000), &[]);
        }
    });
    assert_eq!(got.matches('\r').count(), 10, "{got:?}");
}

/// What stands on a screen after all was written, and whether a line ever ran over its edge.
fn screen(text: &str, columns: usize) -> (Vec<String>, bool) {
    let (mut lines, mut column, mut wrapped) = (vec![Vec::new()], 0_usize, false);
    for c in text.chars() {
        let row: &mut Vec<char> = lines.last_mut().expect("a line");
        match c {
            '\r' => column = 0,
            '\x08' => column = column.saturating_sub(1),
            '\n' => {
                lines.push(Vec::new());
                column = 0;
            }
            _ => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
                wrapped |= column >= columns;
            }
        }
    }
    (lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect(), wrapped)
}

#[test]
fn no_line_wraps_and_the_last_keeps_every_metric() {
    let logs = [("loss", 0.5), ("accuracy", 0.25), ("val_loss", 0.75), ("val_accuracy", 0.125)];
    for (style, columns) in
        [Style::Keras2, Style::Keras3].into_iter().flat_map(|s| [10, 40, 60, 80, 120].map(|c| (s, c)))
    {
        let terminal = Terminal { is_tty: true, columns, color: false };
        let got = printed(terminal, style, Verbose::Auto, |progress| {
            progress.begin(0.0);
            for step in 1..=20 {
                progress.step(step as f64, step, Some(20), &logs[..2]);
            }
            progress.epoch_end(21.0, &logs);
        });
        let (lines, wrapped) = screen(&got, columns.max(30));
        assert!(!wrapped, "{style:?} in {columns} columns: {lines:#?}");
        for (name, value) in logs {
            let metric = format!("{name}: {value:.4}");
            assert_eq!(lines.join("\n").matches(&format!(" {metric}")).count(), 1, "{metric} of {lines:#?}");
        }
    }
}

#[test]
fn a_message_ends_the_live_line() {
    let got = printed(WIDE, Style::Keras2, Verbose::Bar, |progress| {
        progress.begin(0.0);
        progress.step(1.0, 1, Some(2), &[]);
        progress.message("Epoch 1: early stopping");
        progress.epoch_end(2.0, &[]);
    });
    let (lines, _) = screen(&got, 200);
    assert_eq!(lines[1], "Epoch 1: early stopping");
    assert!(lines[0].starts_with("1/2 [====") && lines[2].starts_with("2/2 [===="), "{lines:#?}");
}

#[test]
fn a_run_that_is_stopped_ends_its_line() {
    let stopped = |terminal| {
        printed(terminal, Style::Keras2, Verbose::Bar, |progress| {
            progress.begin(0.0);
            progress.step(0.5, 1, Some(2), &[("loss", 0.5)]);
        })
    };
    assert!(stopped(WIDE).ends_with(" - loss: 0.5000\n"), "{:?}", stopped(WIDE));
    assert_eq!(stopped(Terminal::PLAIN), "");
}

#[test]
fn a_closed_pipe_stops_nothing() {
    struct Closed(usize);
    impl Write for &mut Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            self.0 += 1;
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut closed = Closed(0);
    let mut progress = Progress::new(&mut closed, WIDE, Style::Keras3, Verbose::Bar);
    for epoch in 0..3 {
        progress.epoch_begin(0.0, epoch, 3);
        progress.step(1.0, 1, None, &[]);
        progress.epoch_end(1.0, &[]);
    }
    drop(progress);
    assert_eq!(closed.0, 1);
}

#[test]
fn no_terminal_is_too_narrow() {
    let logs = [("loss", 0.5), ("accuracy", 0.25)];
    for (columns, style) in (0..12).flat_map(|columns| [(columns, Style::Keras2), (columns, Style::Keras3)]) {
        let terminal = Terminal { is_tty: true, columns, color: false };
        let text = printed(terminal, style, Verbose::Bar, |progress| {
            progress.epoch_begin(0.0, 0, 2);
            progress.step(0.5, 1, Some(2), &logs);
            progress.step(1.5, 2, Some(2), &logs);
            progress.epoch_end(2.0, &logs);
        });
        let lines = text.split(['\r', '\n', '\x08']).filter(|line| !line.starts_with("Epoch") && !line.contains(" - "));
        let widest = lines.map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(widest < columns.max(1), "{columns}: {text:?}");
        assert!(text.contains("loss: 0.5000") && text.contains("accuracy: 0.2500"), "{columns}: {text:?}");
    }
}
