//! Files of Keras: loaded, used, saved in every dialect and loaded again. What they hold is told by the manifest.

use std::path::PathBuf;

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::saving::Loaded;
use cornu_files::keras::Archive;
use cornu_graph::{Array, Arrays, ToArrays};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Case, Report};
use serde_json::Value;

use crate::lacks::{lacks, of_compile};
use crate::saving::numbers;
use crate::seeds::seeded;

/// The `.keras` file of a case.
pub(crate) fn keras_file(json: &Value) -> PathBuf {
    golden::folder("models").join(json["files"]["keras"]["file"].as_str().expect("a file"))
}

fn near(got: f64, want: &Value, (rtol, atol): (f64, f64)) -> Result<(), String> {
    let want = want.as_f64().unwrap_or(f64::NAN);
    if (got - want).abs() <= atol + rtol * want.abs() { Ok(()) } else { Err(format!("got {got}, want {want}")) }
}

/// One array, a list of them, or some by name.
pub(crate) fn arrays(case: &Case, json: &Value) -> Option<Arrays> {
    let found = match (case.array(json), json) {
        (Some(one), _) => one.into_arrays(),
        (None, Value::Array(list)) => {
            list.iter().map(|json| case.array(json)).collect::<Option<Vec<_>>>()?.into_arrays()
        }
        (None, Value::Object(named)) => {
            let each = named.iter().map(|(name, json)| Some((name.clone(), case.array(json)?)));
            each.collect::<Option<Vec<_>>>()?.into_arrays()
        }
        _ => return None,
    };
    found.ok()
}

/// Whether what a model gives is what is stored, one array or several; those by name come in the order of names.
pub(crate) fn all_near(case: &Case, category: &str, got: &[Array], want: &Value) -> Result<(), String> {
    let each: Vec<&Value> = match want {
        Value::Array(list) => list.iter().collect(),
        Value::Object(named) if case.array(want).is_none() => {
            named.iter().collect::<std::collections::BTreeMap<_, _>>().into_values().collect()
        }
        one => vec![one],
    };
    if got.len() != each.len() {
        return Err(format!("got {} outputs, want {}", got.len(), each.len()));
    }
    got.iter().zip(each).try_for_each(|(got, want)| case.near(category, got, want))
}

/// A model of a case, as it was saved.
struct Saved<'a> {
    case: Case<'a>,
    file: PathBuf,
    flavor: Flavor,
}

impl Saved<'_> {
    fn open(json: &Value) -> Saved<'_> {
        let keras2 = json["saved_by"].as_str().is_some_and(|version| version.starts_with("keras 2"));
        let flavor = if keras2 { Flavor::Keras2 } else { Flavor::Keras3 };
        Saved { case: Case::open("models", json), file: keras_file(json), flavor }
    }

    fn arrays(&self, key: &str) -> Option<Arrays> {
        arrays(&self.case, &self.case.json[key])
    }

    /// Predictions as stored.
    fn predicts(&self, model: &mut Model, want: &Value, category: &str) -> Result<(), String> {
        // The inputs of some models are rows of a data file that is not here.
        let Some(x) = self.arrays("inputs") else {
            println!("{}: predictions skipped, the manifest has no inputs", self.case.id);
            return Ok(());
        };
        let got = model.predict_all(x).map_err(|error| error.to_string())?;
        all_near(&self.case, category, &got, want)
    }

    fn figures(&self, scores: &Scores, want: &Value, category: &str) -> Result<(), String> {
        scores.iter().try_for_each(|(key, got)| {
            near(got, &want[key], self.case.tolerance(category)).map_err(|problem| format!("{key}: {problem}"))
        })
    }

    /// Loss and metrics as stored.
    fn evaluates(&self, model: &mut Model) -> Result<(), String> {
        let (Some(x), Some(y)) = (self.arrays("inputs"), self.arrays("targets")) else { return Ok(()) };
        let rows = self.case.json["evaluate_batch_size"].as_u64().unwrap_or(32) as usize;
        let evaluate = Evaluate::new().batch_size(rows).verbose(0);
        let scores = model.evaluate_with(x, y, evaluate).map_err(|error| error.to_string())?;
        self.figures(&scores, &self.case.json["evaluate"], "evaluate")
    }

    /// Some more steps of training, and the predictions after them.
    fn resumes(&self, model: &mut Model) -> Result<(), String> {
        let resume = &self.case.json["resume"];
        let (Some(x), Some(y)) = (self.arrays("inputs"), self.arrays("targets")) else { return Ok(()) };
        let Some(logs) = resume["logs"].as_array() else { return Ok(()) };
        for (step, want) in logs.iter().enumerate() {
            let scores = model.train_on_batch(x.clone(), y.clone()).map_err(|error| error.to_string())?;
            self.figures(&scores, want, "resume").map_err(|problem| format!("step {step}, {problem}"))?;
        }
        self.predicts(model, &resume["predictions_after"], "resume")
    }

    /// Saved in that dialect and loaded again, it is the same model; a file for the version it came from has the very
    /// variables of the original.
    fn comes_back(&self, model: &Model, folder: &Folder, version: Option<u32>) -> cornu::Result<Model> {
        let (id, path) = (self.case.id, folder.join("again.keras"));
        let save = version.map_or(Save::new(), |version| Save::new().keras(version));
        assert_eq!(model.save_with(&path, save)?, [], "{id}");
        let Loaded { model: again, warnings } = load_model_with(&path, Load::new())?;
        assert_eq!(warnings, [], "{id}");
        assert_eq!(again.weights(), model.weights(), "{id}");
        assert_eq!(again.optimizer_state(), model.optimizer_state(), "{id}");
        assert_eq!(again.to_json()?, model.to_json()?, "{id}");

        let (own, layers) = match self.flavor {
            Flavor::Keras2 => (2, "_layer_checkpoint_dependencies"),
            Flavor::Keras3 => (3, "layers"),
        };
        assert_eq!(numbers(&path, &[layers])?, numbers(&self.file, &[layers])?, "{id}");
        let (got, want) = (numbers(&path, &["optimizer"])?, numbers(&self.file, &["optimizer"])?);
        // Keras on JAX counts steps in 32 bits.
        let counted_alike = got.first().map(Array::dtype) == want.first().map(Array::dtype);
        // Plain `SGD` of Keras 2.13 keeps momenta that it does not read.
        let idle = model.optimizer_state().is_none_or(|state| state.slots.is_empty());
        let same =
            |(got, want): (&Array, &Array)| got == want || idle && got.shape().rank() > 0 && got.ty() == want.ty();
        // Of what either version would take for the other's, the number of steps alone is written.
        let steps_alone = idle && got.len() == 1 && want.len() == 2;
        let same = (got.len() == want.len() || steps_alone) && got.iter().zip(&want).all(same);
        assert!(
            version != Some(own) || !counted_alike || same,
            "{id}: the optimizer has {got:?}, in the file {want:?}"
        );
        // Whatever was lost would show up the second time.
        let second = folder.join("second.keras");
        again.save_with(&second, save)?;
        assert!(std::fs::read(&path).ok() == std::fs::read(&second).ok(), "{id}: the second file differs");
        Ok(again)
    }

    fn check(&self, report: &mut Report, compiles: bool) -> cornu::Result<()> {
        let _turn = seeded(self.flavor, 1);
        let (id, folder) = (self.case.id, Folder::new("saving"));
        let Loaded { mut model, warnings } = load_model_with(&self.file, Load::new())?;
        assert_eq!(warnings.is_empty(), compiles, "{id}: {warnings:?}");
        let mut models = vec![load_model(&self.file)?];
        let keras_3 = ["gradient_accumulation_steps", "loss_scale_factor"];
        let compiled = model.compiled().map(|compile| compile.optimizer.resolve()).transpose()?;
        let settings = compiled.map(|optimizer| optimizer.to_json()).unwrap_or_default();
        let only_keras_3 = keras_3.iter().any(|key| settings.get(*key).is_some_and(|value| !value.is_null()));
        for version in [None, Some(2), Some(3)].into_iter().filter(|version| !only_keras_3 || *version != Some(2)) {
            models.push(self.comes_back(&model, &folder, version)?);
        }
        let predictions = &self.case.json["predictions"];
        report.case(&format!("{id} predict"), self.predicts(&mut model, predictions, "outputs"));
        if compiles && model.compiled().is_some() {
            report.case(&format!("{id} evaluate"), self.evaluates(&mut model));
            for (i, model) in models.iter_mut().enumerate() {
                report.case(&format!("{id} resume, model {i}"), self.resumes(model));
            }
        }
        Ok(())
    }
}

/// What a file lacks: of its layers, and of its training settings.
fn lacking(json: &Value) -> [Vec<String>; 2] {
    let mut config = Archive::open(keras_file(json)).expect("an archive").config;
    let compile = config.as_object_mut().and_then(|config| config.shift_remove("compile_config")).unwrap_or_default();
    [lacks(&config), of_compile(&compile)]
}

#[test]
fn files_of_both_versions_are_used_saved_and_trained_on() -> cornu::Result<()> {
    let mut report = Report::default();
    for json in &golden::cases("models") {
        let [layers, compile] = lacking(json);
        if layers.is_empty() {
            Saved::open(json).check(&mut report, compile.is_empty())?;
        }
    }
    report.finish();
    Ok(())
}

/// A file with layers that are not there is refused for one of them.
#[test]
fn what_is_not_known_is_named() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut report = Report::default();
    for json in &golden::cases("models") {
        let (path, [layers, _]) = (keras_file(json), lacking(json));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let outcome = match load_model_with(&path, Load::new()) {
            Ok(_) => Ok(()),
            Err(error) if error.message().contains(name) && error.kind() == cornu::ErrorKind::Unsupported => {
                Err(error.to_string())
            }
            Err(error) => Err(format!("{:?}", error.kind())),
        };
        report.lacking(json["id"].as_str().expect("an id"), &layers, outcome);
    }
    report.finish();
}
