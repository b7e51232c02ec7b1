//! Golden files: what Keras itself computed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cornu_files::npy::Npz;
use cornu_graph::{Array, DType};
use serde_json::Value;

/// The folder of a group of golden files: under `CORNU_GOLDEN` if that is set and has the group, else the copy in this
/// repository.
///
/// # Panics
/// If neither place has the group.
pub fn folder(group: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    let places = std::env::var_os("CORNU_GOLDEN").map(PathBuf::from).into_iter().chain([own]);
    let mut folders = places.map(|place| place.join(group));
    folders.find(|folder| folder.is_dir()).unwrap_or_else(|| panic!("no golden files for `{group}`; set CORNU_GOLDEN"))
}

/// A JSON file of a group.
///
/// # Panics
/// If it cannot be read.
pub fn json(group: &str, file: &str) -> Value {
    let path = folder(group).join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases of a group's `manifest.json`.
///
/// # Panics
/// If the manifest cannot be read or lists no cases.
pub fn cases(group: &str) -> Vec<Value> {
    match json(group, "manifest.json")["cases"].take() {
        Value::Array(cases) if !cases.is_empty() => cases,
        _ => panic!("the manifest of `{group}` lists no cases"),
    }
}

/// The arrays of an `.npz` file of a group, by name.
///
/// # Panics
/// If the file cannot be read.
pub fn arrays(group: &str, file: &str) -> BTreeMap<String, Array> {
    let npz = Npz::open(folder(group).join(file)).unwrap_or_else(|error| panic!("{error}"));
    let array = |name: &str| npz.array(name).unwrap_or_else(|error| panic!("{file}: {error}"));
    npz.names().map(|name| (name.to_owned(), array(name))).collect()
}

/// The array that a case means by `{"$array": name}` or `{"$scalar": number, "dtype": name}`; `None` for anything else.
///
/// # Panics
/// If `arrays` lacks the name.
pub fn value(json: &Value, arrays: &BTreeMap<String, Array>) -> Option<Array> {
    if let Some(name) = json["$array"].as_str() {
        return Some(arrays.get(name).unwrap_or_else(|| panic!("no array `{name}`")).clone());
    }
    let number = match &json["$scalar"] {
        Value::String(text) => text.replace("Infinity", "inf").parse().ok()?,
        number => number.as_f64()?,
    };
    Some(Array::scalar(number).cast(DType::from_keras_name(json["dtype"].as_str()?)?))
}

/// The tolerances `(rtol, atol)` that a case states for a category.
///
/// # Panics
/// If it states none.
pub fn tolerance(case: &Value, category: &str) -> (f64, f64) {
    let of = |kind: &str| case["tol"][category][kind].as_f64();
    of("rtol").zip(of("atol")).unwrap_or_else(|| panic!("{}: no tolerance for {category}", case["id"]))
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

    /// Ends the test.
    ///
    /// # Panics
    /// If a case failed, or if there was none.
    pub fn finish(self) {
        assert!(self.checked > 0, "no case was checked");
        let count = self.failures.len();
        assert!(self.failures.is_empty(), "{count} of {} cases failed:\n{}", self.checked, self.failures.join("\n"));
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
