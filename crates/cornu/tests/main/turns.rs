//! Rules that tests here keep: seeds and flavour belong to the process, so that whoever makes weights waits for a turn,
//! and no test is left out in silence.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What makes weights, or sets what belongs to the process.
const MAKERS: [&str; 7] = [
    "sequential![",
    "Sequential::new(",
    "Sequential::named(",
    "Sequential::from_json",
    "load_model",
    "set_random_seed(",
    "set_flavor(",
];

/// The functions of a file, by name: whether it is a test, and its text. Functions end where a brace is as far to the
/// left as they begin.
fn functions(text: &str) -> BTreeMap<String, (bool, String)> {
    let mut found = BTreeMap::new();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let Some(start) = line.find("fn ").filter(|at| line[..*at].trim().is_empty() || line.contains("pub(crate) fn"))
        else {
            continue;
        };
        let name: String = line[start + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = format!("{indent}}}");
        let body = lines[at + 1..].iter().take_while(|line| **line != end).copied().collect::<Vec<_>>().join("\n");
        found.insert(name, (at > 0 && lines[at - 1].trim() == "#[test]", body));
    }
    found
}

/// The functions of each file.
type Files = BTreeMap<String, BTreeMap<String, (bool, String)>>;

/// The names that each file imports from others, and which.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// The names that a file imports from others here: `use crate::saving::{Folder, trained};`.
fn imports(text: &str) -> impl Iterator<Item = (String, String)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("use crate::")?.strip_suffix(';')?.split_once("::"));
    lines.flat_map(|(module, names)| {
        let names = names.trim_matches(['{', '}']).split(", ");
        names.map(move |name| (name.to_owned(), format!("{module}.rs"))).collect::<Vec<_>>()
    })
}

fn files() -> (Files, Imports) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main");
    let (mut files, mut imported) = (Files::new(), Imports::new());
    for entry in fs::read_dir(folder).expect("the folder of these tests") {
        let path = entry.expect("an entry").path();
        let (name, text) =
            (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read_to_string(&path));
        let text = text.expect("a text");
        imported.insert(name.clone(), imports(&text).collect());
        files.insert(name, functions(&text));
    }
    (files, imported)
}

/// The text of a function, and of those of its file or its imports that it names.
fn closure(all_files: &(Files, Imports), file: &str, name: &str, seen: &mut Vec<(String, String)>) -> String {
    let (files, imports) = all_files;
    let key = (file.to_owned(), name.to_owned());
    let function = files.get(file).and_then(|functions| functions.get(name));
    let Some((_, body)) = function.filter(|_| !seen.contains(&key)) else { return String::new() };
    seen.push(key);
    let mut all = body.clone();
    for word in body.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
        let own = files[file].contains_key(word).then_some(file);
        let place = own.or_else(|| imports.get(file)?.get(word).map(String::as_str));
        if let Some(place) = place {
            all.push_str(&closure(all_files, place, word, seen));
        }
    }
    all
}

#[test]
fn tests_that_make_weights_wait_for_their_turn() {
    let files = files();
    let (mut tests, mut forgot) = (0, Vec::new());
    for (file, functions) in files.0.iter().filter(|(file, _)| *file != "turns.rs") {
        for (name, _) in functions.iter().filter(|(_, (is_test, _))| *is_test) {
            let text = closure(&files, file, name, &mut Vec::new());
            tests += 1;
            if MAKERS.iter().any(|maker| text.contains(maker)) && !text.contains(" seeded(") {
                forgot.push(format!("{file}: `{name}` begins without `let _turn = seeded(Flavor::Keras2, 1);`"));
            }
        }
    }
    assert!(tests > 50 && forgot.is_empty(), "{tests} tests\n{}", forgot.join("\n"));
}

#[test]
fn a_test_that_forgets_is_found() {
    let text =
        "fn model() -> Sequential {\n    sequential![Dense::new(1)]\n}\n\n#[test]\nfn late() {\n    model();\n}\n";
    let other = "use crate::a::{Folder, model};\n\n#[test]\nfn elsewhere() {\n    model();\n}\n";
    let files: Files = [("a.rs".into(), functions(text)), ("b.rs".into(), functions(other))].into();
    assert!(files["a.rs"]["late"].0 && !files["a.rs"]["model"].0);
    let all = (files, [("b.rs".to_owned(), imports(other).collect())].into());
    assert!(closure(&all, "b.rs", "elsewhere", &mut Vec::new()).contains(MAKERS[0]));
    let closure = closure(&all, "a.rs", "late", &mut Vec::new());
    assert!(closure.contains(MAKERS[0]) && !closure.contains(" seeded("), "{closure}");
}
