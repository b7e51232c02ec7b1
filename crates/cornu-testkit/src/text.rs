//! Tests as text: a graph, and below it what a pass, a gradient or a planner makes of it.
//!
//! The first line says what is tested. With `CORNU_BLESS=1` what comes out is written into the files in place of what
//! was expected.
//!
//! ```text
//! ; test simplify neg_neg
//! %0 = input 0 : f32[2]
//! %1 = neg %0 : f32[2]
//! %2 = neg %1 : f32[2]
//! output %2
//!
//! ; becomes
//! ; %0 = input 0 : f32[2]
//! ; output %0
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use cornu_graph::{Error, Graph, Result, Tensor, Trace, Value, gradients, passes};

use crate::golden::Report;

/// What begins the expectation.
const BECOMES: &str = "; becomes";

/// Whether files are to be written.
///
/// # Panics
/// If `CORNU_BLESS` is neither 1 nor 0.
fn bless() -> bool {
    match std::env::var("CORNU_BLESS").as_deref() {
        Ok("1") => true,
        Ok("0" | "") | Err(_) => false,
        Ok(other) => panic!("`CORNU_BLESS` needs 1 or 0, got `{other}`"),
    }
}

/// Runs every `.txt` file under `folder`: `make` is given the words after `; test` and the graph. Gives the words of
/// every file.
///
/// # Panics
/// If something else comes out than a file expects, naming all such files.
pub fn walk(folder: &Path, make: impl Fn(&[&str], &Graph) -> Result<String, String>) -> Vec<Vec<String>> {
    let bless = bless();
    let mut report = Report::default();
    let mut seen = Vec::new();
    for path in files(folder) {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let outcome = words(&text).and_then(|words| {
            seen.push(words.iter().map(ToString::to_string).collect());
            let new = run(&words, &text, &make)?;
            if bless && new != text {
                fs::write(&path, &new).map_err(|error| error.to_string())?;
            } else if new != text {
                let help = "CORNU_BLESS=1 writes what comes out into the file";
                return Err(format!("needs -, got +; {help}\n{}", difference(&text, &new)));
            }
            Ok(())
        });
        report.case(&name, outcome);
    }
    report.finish();
    seen
}

/// With `CORNU_BLESS=1` writes a test of that graph into a file that is not there yet.
///
/// # Errors
/// Without it, or if nothing comes out.
pub fn create(
    path: &Path,
    words: &[&str],
    graph: &Graph,
    make: impl Fn(&[&str], &Graph) -> Result<String, String>,
) -> Result<(), String> {
    if !bless() {
        return Err(format!("no file for `{}`; CORNU_BLESS=1 writes {}", words.join(" "), path.display()));
    }
    let text = format!("; test {}\n; Its first sample.\n\n{graph}", words.join(" "));
    fs::write(path, run(words, &text, &make)?).map_err(|error| error.to_string())
}

/// Checks that the graph of a file is that one; with `CORNU_BLESS=1` writes it there.
///
/// # Panics
/// If it is another.
pub fn input(path: &Path, graph: &Graph) {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (own, rest) = text.split_at(text.find(BECOMES).unwrap_or(text.len()));
    let head: String = own.lines().take_while(|line| line.starts_with(';')).map(|line| format!("{line}\n")).collect();
    let new = format!("{head}\n{graph}\n{rest}");
    if new != text && bless() {
        fs::write(path, new).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    } else if new != text {
        panic!("{} has another graph\n{}", path.display(), difference(&text, &new));
    }
}

/// Every `.txt` file under a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    paths.sort();
    let (folders, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| files(folder));
    below.chain(paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "txt"))).collect()
}

/// The words after `; test`.
fn words(text: &str) -> Result<Vec<&str>, String> {
    let words = text.lines().next().and_then(|line| line.strip_prefix("; test "));
    let words: Vec<&str> = words.unwrap_or_default().split_whitespace().collect();
    if words.is_empty() { Err("needs `; test …` on its first line".into()) } else { Ok(words) }
}

/// The whole file as it should be: the graph as it stands, then what comes out.
fn run(
    words: &[&str],
    text: &str,
    make: &impl Fn(&[&str], &Graph) -> Result<String, String>,
) -> Result<String, String> {
    let input = text.find(BECOMES).map_or(text, |end| &text[..end]).trim_end();
    let graph: Graph = input.parse().map_err(|error: Error| error.to_string())?;
    let bare = |line: &&str| !line.is_empty() && !line.starts_with(';');
    let own: Vec<&str> = input.lines().filter(bare).collect();
    let printed = graph.to_string();
    if !printed.lines().eq(own.iter().copied()) {
        return Err(format!("prints otherwise than it reads\n{}", difference(&own.join("\n"), &printed)));
    }
    let lines: String = make(words, &graph)?.lines().map(|line| format!("; {line}\n")).collect();
    Ok(format!("{input}\n\n{BECOMES}\n{lines}"))
}

/// The lines that differ, each after `-` or `+`, between those that do not (a longest common subsequence).
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let longer = common[i + 1][j].max(common[i][j + 1]);
            common[i][j] = if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { longer };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines.join("\n")
}

/// Prints a graph after seeing that it reads back as itself.
///
/// # Errors
/// Says how it does not.
pub fn printed(graph: &Graph) -> Result<String, String> {
    let text = graph.to_string();
    let read: Graph = text.parse().map_err(|error| format!("{error}\n{text}"))?;
    if read != *graph || read.to_string() != text {
        return Err(format!("reads back otherwise\n{}", difference(&text, &read.to_string())));
    }
    Ok(text)
}

/// The graph that one rule of a pass makes of another.
///
/// # Errors
/// If there is no such rule, or it does not apply.
pub fn by_rule(pass: &str, rule: &str, graph: &Graph) -> Result<Graph, String> {
    let rules = passes::RULES.iter().find(|(name, _)| *name == pass).map_or(&[][..], |(_, rules)| rules);
    let at =
        rules.iter().position(|known| known.name == rule).ok_or_else(|| format!("no rule `{rule}` of `{pass}`"))?;
    let new = passes::apply(graph, &rules[at..=at]);
    if new == passes::apply(graph, &[]) { Err(format!("the rule `{rule}` does not apply")) } else { Ok(new) }
}

/// The gradients for all inputs of floats: what the output adds to a loss for each of its elements is one more input.
///
/// # Errors
/// If the graph has not one output.
pub fn gradient(graph: &Graph) -> Result<Graph, String> {
    let trace = Trace::new();
    let mut tensors: Vec<Tensor> = Vec::new();
    let named = |tensors: &[Tensor], value: &Value| tensors[value.index()].clone();
    for (_, node) in graph.nodes() {
        let args: Vec<Tensor> = node.args.iter().map(|arg| named(&tensors, arg)).collect();
        let args: Vec<&Tensor> = args.iter().collect();
        let input = matches!(node.op, cornu_graph::ops::Op::Leaf(cornu_graph::ops::Leaf::Input { .. }));
        match input {
            true => tensors.push(trace.input(graph.results_of(node)[0].clone())),
            false => tensors.extend(trace.push_all(node.op.clone(), &args)),
        }
    }
    let [y] = graph.outputs[..] else { return Err("a gradient needs one output".into()) };
    let y = named(&tensors, &y);
    let y = if y.dtype().is_float() { y } else { y.cast(cornu_graph::DType::F32) };
    let loss = (&y * trace.input(y.ty())).sum_all();
    let inputs = graph.inputs.iter().map(|value| named(&tensors, value));
    let inputs: Vec<Tensor> = inputs.filter(|input| input.dtype().is_float()).collect();
    let slopes = gradients(&loss, &inputs);
    let graph = trace.finish(&slopes, &[]).map_err(|error| error.to_string())?;
    Ok(passes::run(&graph, &[passes::join, passes::trim, passes::simplify]))
}

#[test]
fn what_differs_is_shown_line_by_line_and_written_below_the_graph() {
    let file =
        "; test simplify neg_neg\n\n%0 = input 0 : f32[2]\n%1 = neg %0 : f32[2]\n%2 = neg %1 : f32[2]\noutput %2\n";
    let make = |words: &[&str], graph: &Graph| printed(&by_rule(words[0], words[1], graph)?);
    let new = run(&["simplify", "neg_neg"], file, &make).expect("a rule that applies");
    assert_eq!(new, format!("{file}\n; becomes\n; %0 = input 0 : f32[2]\n; output %0\n"));
    assert_eq!(run(&["simplify", "neg_neg"], &new, &make).as_ref(), Ok(&new));
    let other = new.replace("; output %0", "; output %1\n; output %0");
    let lines = difference(&other, &new);
    assert_eq!(lines.lines().filter(|line| !line.starts_with("  ")).collect::<Vec<_>>(), ["- ; output %1"]);
    let unmoved = run(&["simplify", "not_not"], file, &make).expect_err("a rule that does not apply");
    assert_eq!(unmoved, "the rule `not_not` does not apply");
    let untidy = file.replace("%1 = neg %0 :", "%1 =  neg %0 :");
    assert!(run(&["simplify", "neg_neg"], &untidy, &make).expect_err("spaces").contains("prints otherwise"));
}
