//! `cargo xtask bench`: the tutorial's fits against others', in turn, several rounds, medians. Each fit is a process of
//! its own; the contestants alternate, so that a disturbance of the machine meets all of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::{Result, output, results, run as show};

/// The two trainings of the tutorial.
const WORKS: [&str; 2] = ["pima", "mnist"];

/// The command line of `bench`.
pub(crate) fn command() -> clap::Command {
    let path = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("PATH").value_parser(value_parser!(PathBuf)).help(help)
    };
    clap::Command::new("bench")
        .about("Time the tutorial's fits, and those of others where they are there")
        .arg(path("floor", "Folder of the hand-written floor program [../shared/bench/floor if it is there]"))
        .arg(path("peers", "Script that times other frameworks [../shared/bench/peers.py if it is there]"))
        .arg(path("data", "Folder of the data sets [$CORNU_DATASETS, or ../shared/data if it is there]"))
        .arg(
            path("python", "A Python to run the peers it can import with; may be given several times")
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .default_value("3")
                .value_parser(value_parser!(u64).range(1..))
                .help("How often each fit is timed"),
        )
        .arg(
            Arg::new("save")
                .long("save")
                .action(ArgAction::SetTrue)
                .help("Write bench/results.json, which the readmes are compared with"),
        )
}

/// What is compared, and where it lies.
pub(crate) struct Options {
    root: PathBuf,
    floor: Option<PathBuf>,
    peers: Option<PathBuf>,
    data: Option<PathBuf>,
    pythons: Vec<PathBuf>,
    rounds: u64,
    save: bool,
}

impl Options {
    /// Reads the command line; what is not named is looked for beside the repository.
    ///
    /// # Errors
    /// A Python was named, but nothing for it to run.
    pub(crate) fn new(matches: &ArgMatches, root: &Path) -> Result<Self> {
        let beside = |path: &str| Some(root.join("../shared").join(path)).filter(|path| path.exists());
        let given = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let absolute = |path: PathBuf| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let datasets = std::env::var_os("CORNU_DATASETS").map(PathBuf::from);
        let options = Options {
            root: root.into(),
            floor: given("floor").or_else(|| beside("bench/floor")).map(absolute).transpose()?,
            peers: given("peers").or_else(|| beside("bench/peers.py")).map(absolute).transpose()?,
            data: given("data").or(datasets).or_else(|| beside("data")).map(absolute).transpose()?,
            pythons: matches.get_many::<PathBuf>("python").into_iter().flatten().cloned().collect(),
            rounds: matches.get_one::<u64>("rounds").copied().unwrap_or(3),
            save: matches.get_flag("save"),
        };
        if !options.pythons.is_empty() && (options.peers.is_none() || options.data.is_none()) {
            return Err("`--python` needs `--peers` and `--data` too".into());
        }
        if options.save && options.data.is_none() {
            return Err("`--save` needs `--data`: the lesson's numbers are those of its table".into());
        }
        Ok(options)
    }
}

/// Somebody who can do one of the trainings.
struct Contestant {
    name: String,
    work: &'static str,
    command: Command,
    seconds: Vec<f64>,
}

impl Contestant {
    fn new(name: impl Into<String>, work: &'static str, command: Command) -> Self {
        Contestant { name: name.into(), work, command, seconds: Vec::new() }
    }

    /// Runs once and keeps the time of the fit.
    fn time(&mut self) -> Result<()> {
        let text = output(&mut self.command)?;
        let seconds = fit_seconds(&text).ok_or_else(|| format!("{}: no time of a fit in `{text}`", self.name))?;
        self.seconds.push(seconds);
        Ok(())
    }
}

/// Runs all contestants in turn and prints the medians; then what only cornu is measured by.
///
/// # Errors
/// Something cannot be built or run.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut contestants = own(options)?;
    contestants.extend(floor(options)?);
    for python in &options.pythons {
        contestants.extend(peers(options, python)?);
    }
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        contestants.iter_mut().try_for_each(Contestant::time)?;
    }
    println!("{:<7} {:<14} {:>12} {:>12} {:>10}", "fit", "who", "median s", "best s", "to cornu");
    let mut fits = Vec::new();
    for work in WORKS {
        let ours = contestants.iter().find(|c| c.work == work).map_or(f64::NAN, |c| median(&c.seconds));
        for c in contestants.iter().filter(|c| c.work == work) {
            let (middle, best) = (median(&c.seconds), c.seconds.iter().copied().fold(f64::INFINITY, f64::min));
            println!("{work:<7} {:<14} {middle:>12.4} {best:>12.4} {:>10.2}", c.name, middle / ours);
            fits.push(results::Fit { work, who: c.name.clone(), median: middle, best, to_cornu: middle / ours });
        }
    }
    let mut printed = String::new();
    for what in ["first-step", "predict", "memory"] {
        let text = output(&mut bench(options, what))?;
        print!("{text}");
        printed.push_str(&text);
    }
    if options.save { results::save(&options.root, options.rounds, &fits, &printed, &lesson(options)?) } else { Ok(()) }
}

/// What the example of the readme prints.
fn lesson(options: &Options) -> Result<String> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--example", "pima"]).current_dir(&options.root);
    if let Some(data) = &options.data {
        command.env("CORNU_DATASETS", data);
    }
    output(&mut command)
}

/// cornu's own program, `crates/cornu/benches/tutorial.rs`, doing one thing.
fn bench(options: &Options, what: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["bench", "--quiet", "--package", "cornu", "--bench", "tutorial", "--", what]);
    command.current_dir(&options.root);
    if let Some(data) = &options.data {
        command.env("CORNU_DATASETS", data);
    }
    command
}

/// cornu on all cores and on one. The first of each work is what others are compared with.
fn own(options: &Options) -> Result<Vec<Contestant>> {
    let mut build = Command::new("cargo");
    build.args(["bench", "--no-run", "--package", "cornu", "--bench", "tutorial"]).current_dir(&options.root);
    show(&mut build)?;
    let of = |work| {
        let mut single = bench(options, work);
        single.env("CORNU_THREADS", "1");
        [Contestant::new("cornu", work, bench(options, work)), Contestant::new("cornu, 1 thread", work, single)]
    };
    Ok(WORKS.into_iter().flat_map(of).collect())
}

/// The program written by hand for the sizes of the first training.
fn floor(options: &Options) -> Result<Option<Contestant>> {
    let (Some(folder), Some(data)) = (&options.floor, &options.data) else { return Ok(None) };
    let target = options.root.join("target/floor");
    let manifest = folder.join("Cargo.toml");
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--release", "--manifest-path"]).arg(manifest).arg("--target-dir").arg(&target);
    show(&mut build)?;
    let mut command = Command::new(target.join("release/floor"));
    command.arg(data.join("pima-indians-diabetes.csv"));
    Ok(Some(Contestant::new("floor", "pima", command)))
}

/// The frameworks that a Python can import.
fn peers(options: &Options, python: &Path) -> Result<Vec<Contestant>> {
    let (Some(script), Some(data)) = (&options.peers, &options.data) else { return Ok(Vec::new()) };
    const PROBE: &str = "\
import importlib.util, importlib.metadata
for name in ('keras', 'tensorflow', 'jax', 'torch'):
    if importlib.util.find_spec(name):
        print(name)
if importlib.util.find_spec('keras') and importlib.metadata.version('keras').startswith('2.'):
    print('keras2')";
    let found = output(Command::new(python).args(["-c", PROBE]))?;
    let has = |name: &str| found.lines().any(|line| line == name);
    let keras3 = has("keras") && !has("keras2");
    let frameworks = [
        ("keras-tf", keras3 && has("tensorflow")),
        ("keras-jax", keras3 && has("jax")),
        ("tf213", has("keras2") && has("tensorflow")),
        ("jax-scan", has("jax")),
        ("torch", has("torch")),
    ];
    let of = |name: &'static str| {
        WORKS.map(|work| {
            let mut command = Command::new(python);
            command.arg(script).args([name, work]).arg(data);
            Contestant::new(name, work, command)
        })
    };
    Ok(frameworks.into_iter().filter(|(_, there)| *there).flat_map(|(name, _)| of(name)).collect())
}

/// The time of a fit: what follows `fit_seconds`, or else the median of the milliseconds that follow each `fit`.
fn fit_seconds(text: &str) -> Option<f64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |key: &str| -> Vec<f64> {
        words.windows(2).filter(|pair| pair[0] == key).filter_map(|pair| pair[1].parse().ok()).collect()
    };
    let milliseconds = after("fit");
    let seconds = after("fit_seconds").first().copied();
    seconds.or_else(|| (!milliseconds.is_empty()).then(|| median(&milliseconds) / 1e3))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

#[test]
fn times_are_found_in_what_programs_print() {
    assert_eq!(fit_seconds("torch pima fit_seconds 1.250 total_seconds 3.1"), Some(1.25));
    let floor = "rep 0: fit 30.0 ms, 3 us/step\nrep 1: fit 10.0 ms, 1 us/step\nrep 2: fit 20.0 ms, 2 us/step\n";
    assert_eq!(fit_seconds(floor), Some(0.02));
    assert_eq!(fit_seconds("nothing"), None);
    assert_eq!(median(&[3.0, 1.0, 2.0, 4.0]), 2.5);
}
