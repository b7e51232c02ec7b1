//! `cargo xtask recipes`: the patches under `docs/recipes` are applied to a copy of the repository, which is then built
//! and tested; what `CONTRIBUTING.md` quotes of them, and how many edits it counts, must be what they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, output, run};

const FOLDER: &str = "docs/recipes";
const GUIDE: &str = "CONTRIBUTING.md";
/// Where the copy lies, below the repository, and where it is built: cargo tells packages of two workspaces apart by
/// their places inside the workspace alone.
const COPY: &str = "target/recipes/tree";
const BUILD: &str = "target/recipes/build";

/// One patch.
struct Recipe {
    name: String,
    text: String,
}

impl Recipe {
    /// `3 edits in 2 files`: an edit is a hunk, a new file is one. Keras's cases under `testdata` are no edits of the code,
    /// nor is what `CORNU_BLESS` writes.
    fn edits(&self) -> String {
        let is_edited =
            |file: &&str| !file.starts_with("a/testdata/") && !file.starts_with("a/crates/cornu-graph/tests/text/");
        let files = self.text.split("diff --git ").skip(1).filter(is_edited);
        let hunks = |file: &str| file.lines().filter(|line| line.starts_with("@@ ")).count();
        let edits: Vec<usize> = files.map(hunks).collect();
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        format!("{} in {}", counted(edits.iter().sum(), "edit"), counted(edits.len(), "file"))
    }

    /// The lines that the patch adds, without their indentation.
    fn added(&self) -> Vec<&str> {
        let lines = self.text.lines().filter(|line| !line.starts_with("+++"));
        lines.filter_map(|line| Some(line.strip_prefix('+')?.trim())).collect()
    }

    /// Compares what the guide says of this recipe with the patch.
    fn quoted(&self, guide: &str) -> Result<()> {
        let reference = format!("`{FOLDER}/{}.patch`", self.name);
        let (before, after) = guide.split_once(&reference).ok_or(format!("{GUIDE} does not name {reference}"))?;
        let title = before.lines().rev().find(|line| line.starts_with('#')).unwrap_or_default();
        let section = after.split("\n#").next().unwrap_or_default();
        let edits = self.edits();
        if !section.replace('\n', " ").contains(&edits) {
            return Err(format!("{GUIDE}, `{title}`: {reference} has {edits}; say so behind its name"));
        }
        let mut added = self.added().into_iter();
        for line in section.split("```").skip(1).step_by(2).flat_map(|fence| fence.lines().skip(1)) {
            if !line.trim().is_empty() && !added.any(|own| own == line.trim()) {
                return Err(format!("{GUIDE}, `{title}`: `{}` is not added by {reference}, or not there", line.trim()));
            }
        }
        Ok(())
    }
}

/// Applies each recipe alone and then all together, and runs the suites of the workspace on the result.
///
/// # Errors
/// The first recipe that does not apply, is quoted wrongly, or fails a test.
pub(crate) fn check(root: &Path) -> Result<()> {
    let recipes = recipes(root)?;
    let guide = fs::read_to_string(root.join(GUIDE)).map_err(|error| format!("{GUIDE}: {error}"))?;
    recipes.iter().try_for_each(|recipe| recipe.quoted(&guide))?;
    copy(root)?;
    for recipe in &recipes {
        apply(root, recipe, true)?;
    }
    for recipe in &recipes {
        apply(root, recipe, false)?;
        println!("{:<16} {}", recipe.name, recipe.edits());
    }
    let mut tests = Command::new("cargo");
    tests.args(["test", "--workspace", "--lib", "--tests"]).current_dir(root.join(COPY));
    run(tests.env("CARGO_TARGET_DIR", root.join(BUILD)))
}

fn recipes(root: &Path) -> Result<Vec<Recipe>> {
    let folder = root.join(FOLDER);
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Recipe { name, text })
    };
    paths.iter().map(read).collect()
}

/// Applies a recipe to the copy, or only asks whether it could be.
fn apply(root: &Path, recipe: &Recipe, ask: bool) -> Result<()> {
    let mut git = Command::new("git");
    git.arg("apply").arg(format!("--directory={COPY}")).args(ask.then_some("--check"));
    git.arg(format!("{FOLDER}/{}.patch", recipe.name)).current_dir(root);
    output(&mut git).map(drop).map_err(|problem| format!("{FOLDER}/{}.patch does not apply: {problem}", recipe.name))
}

/// Copies the files of the repository that git knows or would add. What has not changed keeps its time stamp, so that
/// it is not built again.
fn copy(root: &Path) -> Result<()> {
    let files = output(
        Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root),
    )?;
    let files: BTreeSet<&str> = files.split('\0').filter(|file| root.join(file).is_file()).collect();
    let tree = root.join(COPY);
    remove_others(&tree, &tree, &files)?;
    for file in files {
        let (from, to) = (root.join(file), tree.join(file));
        let bytes = fs::read(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(&tree)).map_err(|error| format!("{}: {error}", to.display()))?;
        fs::copy(&from, &to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

/// Removes what an earlier run has left in the copy and the repository does not have.
fn remove_others(tree: &Path, folder: &Path, files: &BTreeSet<&str>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            remove_others(tree, &path, files)?;
        } else if !path.strip_prefix(tree).is_ok_and(|path| files.contains(&*path.to_string_lossy())) {
            fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

#[test]
fn a_guide_that_says_something_else_is_found_out() {
    let text =
        "diff --git a/x.rs b/x.rs\n--- a/x.rs\n+++ b/x.rs\n@@ -1 +1,2 @@\n one\n+    two;\n@@ -9 +10 @@\n+three\n";
    let recipe = Recipe { name: "an-op".into(), text: text.into() };
    let guide = |edits: &str, code: &str| {
        recipe.quoted(&format!(
            "# Add\n`docs/recipes/an-op.patch`, {edits}:\n```text\n{code}\n```\n# Next\n```text\nx\n```\n"
        ))
    };
    assert_eq!(recipe.edits(), "2 edits in 1 file");
    assert_eq!(guide("2 edits in 1 file", "two;\n\nthree"), Ok(()));
    assert!(guide("2 edits in 1 file", "three\ntwo;").unwrap_err().contains("`two;` is not added"));
    assert!(guide("3 edits in 1 file", "two;").unwrap_err().contains("has 2 edits in 1 file"));
    assert!(recipe.quoted("# Add").unwrap_err().contains("does not name"));
}
