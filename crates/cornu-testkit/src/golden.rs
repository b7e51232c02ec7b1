//! Golden files: what Keras itself computed.

use std::path::{Path, PathBuf};

use cornu_files::npy::Npz;
use cornu_graph::{AnyArray, Array, DType, Shape, TextArray, Texts};
use serde_json::Value;

/// The copy of a group of golden files in this repository, whatever `CORNU_GOLDEN` says: for tests that mean one file.
pub fn own(group: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden").join(group)
}

/// The first place that has a file of a group: under `CORNU_GOLDEN` if that is set, else the copy in this repository.
///
/// # Panics
/// If `CORNU_GOLDEN` names no folder; it is looked for from the folder of the package under test.
fn place(group: &str, file: &str) -> PathBuf {
    let root = std::env::var_os("CORNU_GOLDEN").map(PathBuf::from);
    let missing = root.as_ref().filter(|root| !root.is_dir());
    assert!(missing.is_none(), "`CORNU_GOLDEN` needs a folder by its whole path, got {missing:?}");
    let given = root.map(|root| root.join(group));
    given.filter(|folder| folder.join(file).exists()).unwrap_or_else(|| own(group))
}

/// The folder of a group of golden files with a manifest: under `CORNU_GOLDEN` if that has the group, else the copy in
/// this repository.
pub fn folder(group: &str) -> PathBuf {
    place(group, "manifest.json")
}

/// A JSON file.
///
/// # Panics
/// If it cannot be read.
pub fn read(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON file of a group: that under `CORNU_GOLDEN`, if there is one.
///
/// # Panics
/// If it cannot be read.
pub fn json(group: &str, file: &str) -> Value {
    read(&place(group, file).join(file))
}

/// The cases of a group's `manifest.json`.
///
/// # Panics
/// If the manifest cannot be read or has no list of cases.
pub fn cases(group: &str) -> Vec<Value> {
    match json(group, "manifest.json")["cases"].take() {
        Value::Array(cases) => cases,
        _ => panic!("the manifest of `{group}` lists no cases"),
    }
}

/// A case of a manifest, and the file of its arrays.
pub struct Case<'a> {
    /// Its name, unique in the group.
    pub id: &'a str,
    /// What the manifest says of it.
    pub json: &'a Value,
    arrays: Npz,
}

impl<'a> Case<'a> {
    /// Opens the arrays of a case.
    ///
    /// # Panics
    /// If they cannot be read.
    pub fn open(group: &str, json: &'a Value) -> Case<'a> {
        let text =
            |key: &str| json[key].as_str().unwrap_or_else(|| panic!("a case of `{group}` has no `{key}`: {json}"));
        let arrays = Npz::open(folder(group).join(text("arrays"))).unwrap_or_else(|error| panic!("{error}"));
        Case { id: text("id"), json, arrays }
    }

    /// The array that is meant by `{"$array": name}` or `{"$scalar": number, "dtype": name}`; `None` for anything else.
    ///
    /// # Panics
    /// If the file lacks an array of that name.
    pub fn array(&self, json: &Value) -> Option<Array> {
        if let Some(name) = json["$array"].as_str() {
            return Some(self.arrays.array(name).unwrap_or_else(|error| panic!("{}: {error}", self.id)));
        }
        let number = match &json["$scalar"] {
            Value::String(text) => text.replace("Infinity", "inf").parse().ok()?,
            number => number.as_f64()?,
        };
        Some(Array::scalar(number).cast(DType::from_keras_name(json["dtype"].as_str()?)?))
    }

    /// The numbers or texts that are meant by [`Case::array`] or `{"$strings": rows, "shape": sizes}`.
    ///
    /// # Panics
    /// If the texts are not of that shape.
    pub fn any(&self, json: &Value) -> Option<AnyArray> {
        fn push(json: &Value, texts: &mut Texts) {
            match json {
                Value::Array(rows) => rows.iter().for_each(|row| push(row, texts)),
                text => texts.push(text.as_str()),
            }
        }
        if json["$strings"].is_null() {
            return self.array(json).map(AnyArray::Numbers);
        }
        let (mut texts, sizes) = (Texts::default(), json["shape"].as_array());
        push(&json["$strings"], &mut texts);
        let shape: Shape = sizes.into_iter().flatten().filter_map(Value::as_u64).map(|size| size as usize).collect();
        Some(AnyArray::Texts(TextArray::new(shape, texts).unwrap_or_else(|error| panic!("{}: {error}", self.id))))
    }

    /// The arrays of a list.
    ///
    /// # Panics
    /// If it is none, or the file lacks one of them.
    pub fn all(&self, list: &Value) -> Vec<Array> {
        let list = list.as_array().unwrap_or_else(|| panic!("{}: no list of arrays: {list}", self.id));
        list.iter().map(|json| self.array(json).unwrap_or_else(|| panic!("{}: no array at {json}", self.id))).collect()
    }

    /// The tolerances `(rtol, atol)` that are stated for a category.
    ///
    /// # Panics
    /// If there are none.
    pub fn tolerance(&self, category: &str) -> (f64, f64) {
        let of = |kind: &str| self.json["tol"][category][kind].as_f64();
        of("rtol").zip(of("atol")).unwrap_or_else(|| panic!("{}: no tolerance for {category}", self.id))
    }

    /// Whether an array is that of the case, within the tolerances of that category, and of that array if it has its own.
    /// Elements in which Keras's backends disagree are left out.
    ///
    /// # Errors
    /// What differs, and how far.
    ///
    /// # Panics
    /// If the case has no such array.
    pub fn near(&self, category: &str, got: &Array, want: &Value) -> Result<(), String> {
        let wanted = self.array(want).unwrap_or_else(|| panic!("{}: no array at {want}", self.id));
        let stated = self.json["tol"].is_object();
        let (rtol, atol) = if stated { self.tolerance(category) } else { least_tolerance(category, &wanted) };
        let key = want["$array"].as_str().unwrap_or_default();
        let atol = self.json["tol"][category]["atol_by_array"][key].as_f64().unwrap_or(atol);
        let but = &self.json["backends_disagree"][category][key]["elements"];
        if *but == "all" {
            return close(got, &wanted, f64::INFINITY, f64::INFINITY);
        }
        let but: Vec<u64> = but.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        if but.is_empty() || got.len() != wanted.len() {
            return close(got, &wanted, rtol, atol);
        }
        let of = |i: usize| if but.contains(&(i as u64)) { wanted.get(i) } else { got.get(i) };
        close(&Array::from_fn(&got.ty(), of), &wanted, rtol, atol)
    }
}

/// The tolerances of a case that only one of Keras's backends could run: those that no other goes below.
fn least_tolerance(category: &str, want: &Array) -> (f64, f64) {
    let largest = (0..want.len()).map(|at| want.get(at).abs()).filter(|x| x.is_finite()).fold(1.0, f64::max);
    (1e-5, largest * if category == "outputs" { 1e-6 } else { 2e-6 })
}

/// Whether every element of `got` is as near to `want` as Keras's own runs are to each other:
/// `|got - want| <= atol + rtol * |want|`, infinities and NaN at the same places; integers and booleans are exact.
///
/// # Errors
/// Says which shape differs, or how many elements do and which the most.
pub fn close(got: &Array, want: &Array, rtol: f64, atol: f64) -> Result<(), String> {
    if got.shape() != want.shape() || got.dtype().is_float() != want.dtype().is_float() {
        return Err(format!("got {}, want {}", got.ty(), want.ty()));
    }
    if !want.dtype().is_float() && got.dtype() == want.dtype() {
        // Integers wider than a double's 53 bits are compared as they are.
        return if got == want { Ok(()) } else { Err(format!("got {got:?}, want {want:?}")) };
    }
    let (rtol, atol) = if want.dtype().is_float() { (rtol, atol) } else { (0.0, 0.0) };
    let (mut wrong, mut worst) = (0, (0, 0.0));
    for index in 0..want.len() {
        let (g, w) = (got.get(index), want.get(index));
        let equal = g == w || g.is_nan() && w.is_nan();
        let excess = (g - w).abs() - (atol + rtol * w.abs());
        if !equal && (!w.is_finite() || excess.is_nan() || excess > 0.0) {
            let excess = if excess.is_nan() { f64::INFINITY } else { excess };
            if wrong == 0 || excess > worst.1 {
                worst = (index, excess);
            }
            wrong += 1;
        }
    }
    if wrong == 0 {
        return Ok(());
    }
    let (g, w) = (got.get(worst.0), want.get(worst.0));
    Err(format!(
        "{wrong} of {} elements differ; the most at {}: got {g}, want {w}, difference {:.3e}, rtol {rtol:.0e}, atol {atol:.0e}",
        want.len(),
        worst.0,
        (g - w).abs()
    ))
}

/// Collects failing cases, so that a test prints one line for each and fails once, at its end.
#[derive(Default)]
pub struct Report {
    checked: usize,
    lacking: usize,
    failures: Vec<String>,
}

impl Report {
    /// Counts a case; `outcome` says what is wrong with it, if anything.
    pub fn case(&mut self, id: &str, outcome: Result<(), String>) {
        self.checked += 1;
        if let Err(problem) = outcome {
            self.failures.push(format!("{id}: {problem}"));
        }
    }

    /// Counts a case that needs what is not there yet: it has to fail, and to say so in one of the words of `lacks`. If
    /// there are none, it is a case like any other.
    pub fn lacking(&mut self, id: &str, lacks: &[String], outcome: Result<(), String>) {
        if lacks.is_empty() {
            return self.case(id, outcome);
        }
        self.lacking += 1;
        match outcome {
            Ok(()) => self.failures.push(format!("{id}: works, though it is said to need {}", lacks.join(", "))),
            Err(problem) if lacks.iter().any(|words| problem.contains(words)) => {}
            Err(problem) => {
                self.failures
                    .push(format!("{id}: has to fail for {}, but fails otherwise: {problem}", lacks.join(", ")));
            }
        }
    }

    /// Fails for each class that no case of a group is of, neither here nor in this repository.
    pub fn has_cases(&mut self, classes: &[&str], group: &str, key: &str) {
        let own = read(&own(group).join("manifest.json"))["cases"].take();
        let own = own.as_array().into_iter().flatten().cloned();
        let cases: Vec<Value> = cases(group).into_iter().chain(own).collect();
        for class in classes {
            let found = cases.iter().any(|case| case[key] == *class);
            self.case(
                class,
                if found { Ok(()) } else { Err("no case holds what Keras computed of this class".into()) },
            );
        }
    }

    /// Ends the test. The folder that `CORNU_GOLDEN` names need not have cases of every kind.
    ///
    /// # Panics
    /// If a case failed, or if none of this repository's has all it needs.
    pub fn finish(self) {
        let (count, of) = (self.failures.len(), self.checked + self.lacking);
        println!("{} cases checked, {} lack what is not there yet", self.checked, self.lacking);
        assert!(self.failures.is_empty(), "{count} of {of} cases failed:\n{}", self.failures.join("\n"));
        assert!(self.checked > 0 || std::env::var_os("CORNU_GOLDEN").is_some(), "no case was checked");
    }
}

#[test]
fn closeness_is_per_element_and_infinities_must_match() {
    let array = |data: &[f64]| Array::vector(data.to_vec());
    let want = array(&[1.0, 0.0, f64::INFINITY, f64::NAN]);
    let near = |data: &[f64]| close(&array(data), &want, 1e-3, 1e-6).is_ok();
    assert!(near(&[1.001, 1e-6, f64::INFINITY, f64::NAN]));
    assert!(!near(&[1.0011, 0.0, f64::INFINITY, f64::NAN]));
    assert!(!near(&[1.0, 2e-6, f64::INFINITY, f64::NAN]));
    assert!(!near(&[1.0, 0.0, f64::NEG_INFINITY, f64::NAN]));
    assert!(!near(&[1.0, 0.0, f64::MAX, f64::NAN]));
    assert!(!near(&[1.0, 0.0, f64::INFINITY, 0.0]));
    assert!(!near(&[f64::NAN, 0.0, f64::INFINITY, f64::NAN]));
    assert!(!near(&[1.0, 0.0, f64::INFINITY]));
    let integers = Array::vector(vec![1i64 << 60]);
    assert!(close(&integers, &integers, 0.0, 0.0).is_ok());
    assert!(close(&Array::vector(vec![(1i64 << 60) + 1]), &integers, 1.0, 1.0).is_err());
    assert!(close(&Array::vector(vec![2i32]), &Array::vector(vec![1i64]), 1.0, 1.0).is_err());
    let message = close(&array(&[1.0, 9.0, f64::INFINITY, f64::NAN]), &want, 0.0, 0.5).unwrap_err();
    assert!(message.starts_with("1 of 4 elements differ; the most at 1: got 9, want 0"), "{message}");
}

#[test]
fn cases_that_lack_something_must_say_so() {
    let report = |lacks: &[&str], outcome: Result<(), &str>| {
        let mut report = Report::default();
        let lacks: Vec<String> = lacks.iter().map(|&words| words.into()).collect();
        report.lacking("id", &lacks, outcome.map_err(String::from));
        report.failures
    };
    assert!(report(&["`swoosh`"], Err("unknown activation `swoosh`")).is_empty() && report(&[], Ok(())).is_empty());
    assert_eq!(report(&["`swoosh`"], Err("sizes")), ["id: has to fail for `swoosh`, but fails otherwise: sizes"]);
    assert_eq!(report(&["`swoosh`"], Ok(())), ["id: works, though it is said to need `swoosh`"]);
    assert_eq!(report(&[], Err("sizes")), ["id: sizes"]);
    let mut report = Report::default();
    report.has_cases(&["Dense", "Densest"], "layers", "class");
    assert_eq!(report.failures, ["Densest: no case holds what Keras computed of this class"]);
}
