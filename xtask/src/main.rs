//! The chores of this repository: `cargo xtask ci`, `size`, `modules`, `recipes`, `mutate`, `bench`.
#![forbid(unsafe_code)]

mod bench;
mod modules;
mod recipes;
mod results;
mod size;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What went wrong, in words.
type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let matches = commands().get_matches();
    let outcome = match matches.subcommand() {
        Some(("ci", _)) => run(Command::new("bash").arg(".ci/run").current_dir(root())),
        Some(("size", _)) => size::check(&root()),
        Some(("modules", _)) => modules::check(&root()),
        Some(("recipes", _)) => recipes::check(&root()),
        Some(("mutate", options)) => mutate(options.get_one::<u64>("count").copied().unwrap_or(200_000)),
        Some(("bench", options)) => bench::Options::new(options, &root()).and_then(|options| bench::run(&options)),
        _ => unreachable!("clap asks for one of the commands"),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn commands() -> clap::Command {
    clap::Command::new("xtask")
        .about("The chores of this repository")
        .subcommand_required(true)
        .subcommand(clap::Command::new("ci").about("Run everything a change must pass"))
        .subcommand(clap::Command::new("size").about("Count code lines per crate against their ceilings"))
        .subcommand(clap::Command::new("modules").about("See that the modules of cornu use only those below them"))
        .subcommand(clap::Command::new("recipes").about("Apply the recipes of docs/recipes to a copy, and test it"))
        .subcommand(
            clap::Command::new("mutate")
                .about("Change sound files in small ways, and see that they are read or refused")
                .arg(clap::Arg::new("count").value_parser(clap::value_parser!(u64)).help("How many files [200000]")),
        )
        .subcommand(bench::command())
}

/// The test that changes files, with so many of them; a development build, in which sums that overflow are found.
fn mutate(count: u64) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--package", "cornu", "--test", "files", "--", "--exact", "mutated_files_are_read_or_refused"]);
    run(cargo.arg("--nocapture").env("CORNU_MUTATIONS", count.to_string()).current_dir(root()))
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).into()
}

/// What lies in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

/// Runs a command to its end, showing what it prints.
fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

/// Runs a command to its end and hands back what it printed.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
