//! `bench/results.json`: what was measured last, of each contestant. The readmes' figures are compared with it by
//! `crates/cornu/tests/main/documents.rs`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::Result;

/// What a contestant took for a fit, in seconds.
pub(crate) struct Fit {
    pub(crate) work: &'static str,
    pub(crate) who: String,
    pub(crate) median: f64,
    pub(crate) best: f64,
    /// Its median divided by cornu's of the same rounds.
    pub(crate) to_cornu: f64,
}

/// Writes what was measured over what was written before. Contestants that were not there keep what they had.
///
/// # Errors
/// The file cannot be read or written, or a program printed something else than it should.
pub(crate) fn save(root: &Path, rounds: u64, fits: &[Fit], printed: &str, lesson: &str) -> Result<()> {
    let path = root.join("bench/results.json");
    let say = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut all: Value = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| say(&error))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({}),
        Err(error) => return Err(say(&error)),
    };
    let date = date(SystemTime::now());
    all["how"] = "cargo xtask bench --save".into();
    all["machine"] = machine();
    all["date"] = date.clone().into();
    all["rounds"] = rounds.into();
    for fit in fits {
        let (median, best, ratio) = (digits(fit.median), digits(fit.best), digits(fit.to_cornu));
        let entry = json!({ "median_s": median, "best_s": best, "to_cornu": ratio, "date": date });
        all["fits"][fit.work][&fit.who] = entry;
    }
    tutorial(&mut all, printed)?;
    all["lesson"] = of_lesson(lesson)?;
    let text = serde_json::to_string_pretty(&all).map_err(|error| say(&error))?;
    std::fs::create_dir_all(root.join("bench")).map_err(|error| say(&error))?;
    std::fs::write(&path, text + "\n").map_err(|error| say(&error))?;
    println!("wrote {}; `cargo test --package cornu --test main documents` says what the readmes need", path.display());
    Ok(())
}

/// Four digits, which is more than a measurement is worth.
fn digits(value: f64) -> Value {
    format!("{value:.3e}").parse::<f64>().ok().into()
}

/// What the processor is called, and how many threads it runs.
fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    json!({ "processor": model.unwrap_or(std::env::consts::ARCH), "avx512": cpu.contains("avx512f"), "cores": cores })
}

/// The numbers of `crates/cornu/benches/tutorial.rs`: for each line, what follows which words.
fn tutorial(all: &mut Value, printed: &str) -> Result<()> {
    let after = |start: &str, word: &str| -> Result<Value> {
        let line = printed.lines().find_map(|line| line.strip_prefix(start));
        let number = line.and_then(|line| line.split_once(word)?.1.split_whitespace().next()?.parse::<f64>().ok());
        number.map(digits).ok_or_else(|| format!("no line `{start} … {word} NUMBER` in:\n{printed}"))
    };
    for work in ["pima", "mnist"] {
        let line = format!("cornu {work} from a new model");
        all["first_step_ms"][work] = json!({ "first": after(&line, "first step: ")?, "next": after(&line, "then ")? });
        all["predict_us"][work] = after(&format!("cornu {work} predict"), "row: ")?;
    }
    let kilobytes = after("cornu pima peak", "memory: ")?.as_f64().unwrap_or(f64::NAN);
    all["peak_memory_mb"] = digits(kilobytes / 1024.0);
    Ok(())
}

/// The accuracies and the first predictions that the example printed, digit for digit.
fn of_lesson(printed: &str) -> Result<Value> {
    let number = |start: &str| {
        let text = printed.lines().find_map(|line| line.strip_prefix(start)).map(str::trim);
        text.map(Value::from).ok_or_else(|| format!("no line `{start}` in:\n{printed}"))
    };
    let rows = printed.split_once("predictions:\n").map_or("", |(_, rest)| rest);
    let rows = rows.lines().take_while(|line| line.starts_with(['[', ' ']));
    let predictions: Vec<&str> = rows.map(|line| line.trim_matches(['[', ']', ' '])).collect();
    Ok(
        json!({ "accuracy": number("Accuracy:")?, "test_accuracy": number("Test accuracy:")?, "predictions": predictions }),
    )
}

/// The day, as `2026-01-31` (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(now: SystemTime) -> String {
    let days = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[test]
fn what_programs_print_is_kept() {
    let printed = "cornu pima from a new model to the end of its first step: 1.20 ms, then 0.60 ms\n\
        cornu mnist from a new model to the end of its first step: 4.50 ms, then 3.50 ms\n\
        cornu pima predict of one row: 0.39 µs\ncornu mnist predict of one row: 3.70 µs\n\
        cornu pima peak memory: 5324 kB\n";
    let mut all = json!({});
    tutorial(&mut all, printed).expect("all lines");
    assert_eq!(all["first_step_ms"]["mnist"], json!({ "first": 4.5, "next": 3.5 }));
    assert_eq!((&all["predict_us"]["pima"], &all["peak_memory_mb"]), (&json!(0.39), &json!(5.199)));
    assert!(tutorial(&mut all, "cornu pima predict of two rows").is_err());
    let lesson = of_lesson(
        "Accuracy: 0.84\n\nThe first 15 predictions:\n[[0.25]\n [0.5 ]]\nrounded:\n[0. 1.]\nTest accuracy: 0.7\n",
    );
    assert_eq!(lesson, Ok(json!({ "accuracy": "0.84", "test_accuracy": "0.7", "predictions": ["0.25", "0.5"] })));
}

#[test]
fn days_are_counted_from_1970() {
    let day = |days: u64| date(UNIX_EPOCH + std::time::Duration::from_secs(days * 86_400 + 5));
    assert_eq!(
        [day(0), day(58), day(59), day(19_782), day(20_453)],
        ["1970-01-01", "1970-02-28", "1970-03-01", "2024-02-29", "2025-12-31"]
    );
}
