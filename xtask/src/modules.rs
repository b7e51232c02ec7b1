//! The order of cornu's modules: each uses only those below it, also where it names them through the crate's root.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{Result, entries};

const FOLDER: &str = "crates/cornu/src";

/// From the bottom up: whoever reads them in this order meets nothing that was not there before.
const MODULES: [&str; 22] = [
    "flavor",
    "policy",
    "random",
    "config",
    "registry",
    "choice",
    "activations",
    "initializers",
    "regularizers",
    "constraints",
    "variables",
    "trace",
    "layers",
    "net",
    "losses",
    "metrics",
    "optimizers",
    "step",
    "model",
    "saving",
    "train",
    "estimator",
];

/// Looks for a module that uses one above it.
///
/// # Errors
/// Every such use; a module that is not in the list, or a name in the list that is none.
pub(crate) fn check(root: &Path) -> Result<()> {
    let folder = root.join(FOLDER);
    let lib = read(&folder.join("lib.rs"))?;
    let mut problems = unlisted(&lib);
    let exports = exports(&lib);
    for path in entries(&folder)? {
        let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if module != "lib" {
            look(&path, &module, &exports, &mut problems)?;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Notes the arrows of a file, or of the files in a folder, that point up.
fn look(path: &Path, module: &str, exports: &BTreeMap<String, String>, problems: &mut Vec<String>) -> Result<()> {
    if path.is_dir() {
        return entries(path)?.iter().try_for_each(|path| look(path, module, exports, problems));
    }
    if path.ends_with("tests.rs") {
        return Ok(());
    }
    let upward = upward(module, &read(path)?, exports);
    problems
        .extend(upward.iter().map(|used| format!("{}: `{module}` uses `{used}`, which is above it", path.display())));
    Ok(())
}

fn place(module: &str) -> Option<usize> {
    MODULES.iter().position(|known| *known == module)
}

/// The modules of the crate that are not in the list, and the other way round.
fn unlisted(lib: &str) -> Vec<String> {
    let declared: Vec<&str> = lib.lines().filter_map(declared).collect();
    let missing = declared.iter().filter(|module| place(module).is_none());
    let gone = MODULES.iter().filter(|module| !declared.contains(module));
    let missing = missing.map(|module| format!("`{module}` has no place in the order of modules"));
    missing.chain(gone.map(|module| format!("`{module}` has a place in the order of modules, but is none"))).collect()
}

/// The module of a line `pub mod layers;`.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_suffix(';')?;
    line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")).filter(|name| !name.contains(' '))
}

/// What the root hands on, and from which module: `pub use net::{Call, Net};`.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in code(lib).split(';') {
        let Some((module, names)) = statement.trim().strip_prefix("pub use ").and_then(|rest| rest.split_once("::"))
        else {
            continue;
        };
        if place(module).is_some() {
            exports.extend(names_of(names).into_iter().map(|name| (name, module.to_owned())));
        }
    }
    exports
}

/// The first names in a path's end: `{a::b, c}` gives `a` and `c`.
fn names_of(tree: &str) -> Vec<String> {
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(inside) = tree.trim().strip_prefix('{') else { return vec![word(tree.trim())] };
    let (mut depth, mut names, mut at_name) = (0, Vec::new(), true);
    for (i, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_name = true,
            c if at_name && !c.is_whitespace() => {
                names.push(word(&inside[i..]));
                at_name = false;
            }
            _ => {}
        }
    }
    names
}

/// The text without comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules above `module` that a text of it names, also from within macros.
fn upward(module: &str, text: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let code = code(text);
    let named = code.split("crate::").skip(1).flat_map(names_of);
    let modules = named.map(|name| exports.get(&name).cloned().unwrap_or(name));
    let mut above: Vec<String> = modules.filter(|used| place(used) > place(module)).collect();
    above.sort();
    above.dedup();
    above
}

#[test]
fn arrows_that_point_up_are_found() {
    let lib = "mod net;\npub mod train;\npub use net::{Call,\n    Net};\npub use model::Model;\n";
    let exports = exports(lib);
    assert_eq!(exports.keys().collect::<Vec<_>>(), ["Call", "Model", "Net"]);
    let up = |module: &str, text: &str| upward(module, text, &exports);
    assert_eq!(up("step", "use crate::Net;\nuse crate::model::show;\n"), ["model"]);
    assert_eq!(up("step", "use crate::{Model, net::{Net, Wire}};\n// crate::saving\n"), ["model"]);
    assert_eq!(up("config", "($x:ident) => { $crate::layers::Base }"), ["layers"]);
    assert_eq!(up("model", "fn f(net: crate::net::Net) {}"), [""; 0]);
    let problems = unlisted("mod net;\nmod new;\n");
    assert!(problems.contains(&"`new` has no place in the order of modules".to_owned()));
    assert!(problems.contains(&"`layers` has a place in the order of modules, but is none".to_owned()));
}
