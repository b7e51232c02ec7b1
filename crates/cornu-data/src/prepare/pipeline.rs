//! Transformers in a row, and an estimator at their end.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cornu_array::{Array, Context, Error, Result, ToArray};
use serde_json::Value as Json;

use super::field::{Field, Object, fields};
use super::{Features, Frame, Transformer, methods, read_file, write};
use crate::{Estimator, Stored};

const CLASS: &str = "Pipeline";

/// Steps in a row, each of which works on what the one before made; an estimator may be the last.
///
/// ```
/// use cornu_data::{MinMaxScaler, Pipeline, SimpleImputer, Table};
///
/// let mut prepare = Pipeline::new().step("fill", SimpleImputer::new()).step("scale", MinMaxScaler::new());
/// let table = Table::from_csv_str("age\n20\n\n40\n")?.select("age")?;
/// assert_eq!(prepare.fit_transform(&table)?.to_string(), "   age\n0  0.0\n1  1.0");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// [`estimator`](Pipeline::estimator) puts a model at the end: `fit(x, y)` then fits all, `predict(x)` takes raw rows. Such
/// a pipeline is saved as two files, `titanic.json` and beside it `titanic.keras`.
#[derive(Clone, Debug)]
pub struct Pipeline<E = ()> {
    steps: Vec<Step>,
    estimator: E,
    /// What the last step is called.
    name: String,
}

#[derive(Clone, Debug)]
struct Step {
    name: String,
    transformer: Box<dyn Transformer>,
}

fields!(Step { name, transformer });
methods!(Pipeline inverse);

impl Default for Pipeline {
    fn default() -> Self {
        Pipeline { steps: Vec::new(), estimator: (), name: String::new() }
    }
}

impl Pipeline {
    /// No steps yet.
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// Puts an estimator at the end.
    #[must_use]
    pub fn estimator<E: Estimator>(self, name: impl Into<String>, estimator: E) -> Pipeline<E> {
        Pipeline { steps: self.steps, estimator, name: name.into() }
    }
}

impl<E> Pipeline<E> {
    /// Adds a transformer behind those there are.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>, transformer: impl Transformer + 'static) -> Self {
        self.steps.push(Step { name: name.into(), transformer: Box::new(transformer) });
        self
    }

    /// The transformer of a step.
    pub fn named_step(&self, name: &str) -> Option<&dyn Transformer> {
        self.steps.iter().find(|step| step.name == name).map(|step| &*step.transformer)
    }

    fn check_names(&self) -> Result<()> {
        let mut names = HashSet::new();
        let last = (!self.name.is_empty()).then_some(&self.name);
        for name in self.steps.iter().map(|step| &step.name).chain(last) {
            if name.contains("__") || name.is_empty() {
                return Err(Error::usage(format!(
                    "the name of a step has no `__` in it, and is not empty; got `{name}`"
                )));
            }
            if !names.insert(name) {
                return Err(Error::usage(format!("steps need different names, got `{name}` twice")));
            }
        }
        Ok(())
    }

    /// Fits the transformers one after the other; of the last one the result is made where it is wanted.
    fn learn_steps(&mut self, x: Frame<'_>, wanted: bool) -> Result<Option<Frame<'static>>> {
        self.check_names()?;
        let count = self.steps.len();
        let mut now: Option<Frame<'static>> = None;
        for (i, step) in self.steps.iter_mut().enumerate() {
            let place = || format!("`{CLASS}`: `{}`", step.name);
            let frame = now.take();
            step.transformer.learn(frame.as_ref().unwrap_or(&x)).map_err(|error| error.context(place()))?;
            if wanted || i + 1 < count {
                let frame = frame.unwrap_or_else(|| x.borrowed().owned());
                now = Some(step.transformer.apply(frame).map_err(|error| error.context(place()))?);
            }
        }
        Ok(if count == 0 && wanted { Some(x.owned()) } else { now })
    }

    fn apply_steps(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let mut steps = self.steps.iter();
        let apply = |step: &Step, frame: Frame<'_>| {
            step.transformer.apply(frame).context(format!("`{CLASS}`: `{}`", step.name))
        };
        let first = match steps.next() {
            Some(step) => apply(step, x)?,
            None => x.owned(),
        };
        steps.try_fold(first, |frame, step| apply(step, frame))
    }

    fn names(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        let mut names = input.map(<[String]>::to_vec);
        for step in &self.steps {
            names = Some(step.transformer.feature_names_out(names.as_deref())?);
        }
        names.ok_or_else(|| Error::usage(format!("this `{CLASS}` has no steps that name columns")))
    }

    fn check_steps(&self) -> Result<()> {
        let check = |step: &Step| step.transformer.check_storable().context(format!("`{CLASS}`: `{}`", step.name));
        self.steps.iter().try_for_each(check)
    }
}

/// What a file says of the estimator: its step, and the file beside this one that keeps it.
struct Beside {
    name: String,
    file: String,
}

fields!(Beside { name, file });

/// What is read of the file of a pipeline.
struct Read {
    steps: Vec<Step>,
    estimator: Option<Beside>,
}

fields!(Read { steps, estimator });

impl Field for Pipeline {
    fn to_json(&self) -> Json {
        serde_json::json!({ "steps": self.steps.to_json(), "estimator": Json::Null })
    }

    fn from_json(json: &Json) -> Result<Self> {
        let Read { steps, estimator } = Read::from_json(json)?;
        match estimator {
            Some(Beside { name, .. }) => {
                Err(Error::file(format!("this pipeline ends in the estimator `{name}`, which was not asked for"))
                    .help("name its type: `Pipeline::<Sequential>::load`"))
            }
            None => Ok(Pipeline { steps, ..Pipeline::default() }),
        }
    }
}

impl Transformer for Pipeline {
    fn class(&self) -> &'static str {
        CLASS
    }

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        self.learn_steps(x.borrowed(), false).map(drop)
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        self.apply_steps(x)
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let undo = |frame: Frame<'static>, step: &Step| {
            step.transformer.undo(frame).context(format!("`{CLASS}`: `{}`", step.name))
        };
        self.steps.iter().rev().try_fold(x.owned(), undo)
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        self.names(input)
    }

    fn config(&self) -> Json {
        Field::to_json(self)
    }

    fn check_storable(&self) -> Result<()> {
        self.check_steps()
    }

    fn boxed(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl<E: Estimator> Pipeline<E> {
    /// Fits the transformers, and the estimator to what they make of `x`, with its own defaults.
    ///
    /// # Errors
    /// What a step cannot learn from; the message says which.
    pub fn fit(&mut self, x: impl Features, y: impl ToArray) -> Result<()> {
        self.fit_with(x, y, E::Fit::default())
    }

    /// [`fit`](Self::fit), with the estimator's options: for a model, the arguments of its `fit`.
    ///
    /// # Errors
    /// What a step cannot learn from; the message says which.
    pub fn fit_with(&mut self, x: impl Features, y: impl ToArray, fit: E::Fit) -> Result<()> {
        let frame = x.frame(CLASS)?;
        let made = self.learn_steps(frame, true)?.map(Frame::into_array);
        // With steps or without, the result was asked for.
        let x = made.unwrap_or_else(|| Err(Error::usage("this pipeline has no features")))?;
        self.estimator.fit(&x, &y.into_array()?, fit).context(format!("`{CLASS}`: `{}`", self.name))
    }

    /// What the estimator predicts for raw rows.
    ///
    /// # Errors
    /// There must have been a fit, on such columns.
    pub fn predict(&mut self, x: impl Features) -> Result<Array> {
        let x = self.prepare(x)?;
        self.estimator.predict(&x).context(format!("`{CLASS}`: `{}`", self.name))
    }

    /// What the estimator is given for raw rows.
    ///
    /// # Errors
    /// There must have been a fit, on such columns.
    pub fn prepare(&self, x: impl Features) -> Result<Array> {
        self.apply_steps(x.frame(CLASS)?)?.into_array()
    }

    /// What `scorer` makes of `y` and the predictions for `x`: `|y, p| r2_score(y, p)`.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict) and of the score.
    pub fn score(
        &mut self,
        x: impl Features,
        y: impl ToArray,
        scorer: impl FnOnce(&Array, &Array) -> Result<f64>,
    ) -> Result<f64> {
        scorer(&y.into_array()?, &self.predict(x)?)
    }

    /// The estimator.
    pub fn estimator_mut(&mut self) -> &mut E {
        &mut self.estimator
    }

    /// The names of the columns that the estimator is given.
    ///
    /// # Errors
    /// There must have been a fit, and a step.
    pub fn get_feature_names_out(&self) -> Result<Vec<String>> {
        self.names(None)
    }
}

/// Raw rows in, predictions out: what cross-validation needs.
impl<E: Estimator> Estimator for Pipeline<E> {
    type Fit = E::Fit;

    fn fit(&mut self, x: &Array, y: &Array, fit: E::Fit) -> Result<()> {
        self.fit_with(x, y, fit)
    }

    fn predict(&mut self, x: &Array) -> Result<Array> {
        Pipeline::predict(self, x)
    }
}

/// What a pipeline may end in: nothing, or an estimator that is kept in a file.
pub trait Last: Sized {
    /// Writes it beside the file of the pipeline; gives the name of its own, if it needs one.
    ///
    /// # Errors
    /// A place that cannot be written.
    fn save_beside(&self, path: &Path) -> Result<Option<String>>;

    /// Reads it out of the folder of the pipeline.
    ///
    /// # Errors
    /// A file that cannot be read or is of something else.
    fn load_beside(path: &Path, file: Option<&str>) -> Result<Self>;
}

impl Last for () {
    fn save_beside(&self, _: &Path) -> Result<Option<String>> {
        Ok(None)
    }

    fn load_beside(_: &Path, file: Option<&str>) -> Result<()> {
        match file {
            Some(file) => {
                Err(Error::file(format!("this pipeline ends in an estimator, `{file}`, which was not asked for"))
                    .help("name its type: `Pipeline::<Sequential>::load`"))
            }
            None => Ok(()),
        }
    }
}

impl<E: Stored> Last for E {
    fn save_beside(&self, path: &Path) -> Result<Option<String>> {
        let beside = path.with_extension(E::EXTENSION);
        let name = beside.file_name().and_then(OsStr::to_str).map(String::from);
        match name {
            Some(name) if beside != path => self.save(&beside).map(|()| Some(name)),
            _ => Err(Error::usage(format!("a pipeline needs a file of another ending than `.{}`", E::EXTENSION))
                .help("name it `.json`: its estimator is kept beside it, under the same name")),
        }
    }

    fn load_beside(path: &Path, file: Option<&str>) -> Result<E> {
        let none = || Error::file("this pipeline has no estimator").help("load it as `Pipeline::<()>`");
        let file = file.ok_or_else(none)?;
        // A file opens none but its neighbour.
        let name = Path::new(file);
        if name.file_name() != Some(name.as_os_str()) || name.extension() != Some(OsStr::new(E::EXTENSION)) {
            return Err(Error::file(format!(
                "`file` needs the name of a file `.{}` beside this one, got `{file}`",
                E::EXTENSION
            )));
        }
        E::load(&path.with_file_name(file)).context("estimator")
    }
}

impl<E: Last> Pipeline<E> {
    /// Writes the steps to a file of JSON, and the estimator to one beside it: `titanic.json` and `titanic.keras`.
    ///
    /// # Errors
    /// A place that cannot be written; a step that no file can hold.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path: PathBuf = path.as_ref().into();
        // What cannot be written is found before the first file is.
        self.check_steps()?;
        let estimator = self.estimator.save_beside(&path)?.map(|file| Beside { name: self.name.clone(), file });
        let config = serde_json::json!({ "steps": self.steps.to_json(), "estimator": estimator.to_json() });
        write(&path, serde_json::json!({ "class_name": CLASS, "config": config }))
    }

    /// Reads what [`save`](Self::save) wrote: `Pipeline::<Sequential>::load("titanic.json")`, and without an estimator
    /// `Pipeline::<()>::load("prepare.json")`.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else: the message says at which place.
    pub fn load(path: impl AsRef<Path>) -> Result<Pipeline<E>> {
        let path = path.as_ref();
        let read = |json: Json| {
            let mut object = Object::of(&json)?;
            let class: String = object.field("class_name")?;
            if class != CLASS {
                return Err(Error::file(format!("needs a `{CLASS}`, got a `{class}`")));
            }
            let Read { steps, estimator } = object.field("config")?;
            object.finish()?;
            let (name, file) = estimator.map(|beside| (beside.name, beside.file)).unzip();
            let estimator = E::load_beside(path, file.as_deref())?;
            Ok(Pipeline { steps, estimator, name: name.unwrap_or_default() })
        };
        read_file(path).and_then(read).context(format!("`{}`", path.display()))
    }
}
