//! Models as files: [`Model::save`], [`load_model`], and weights alone.
//!
//! What is written opens in Keras 2.13 and in Keras 3; what either of them wrote is read. `docs/keras-files.md` says how
//! such a file looks. A file is only data: nothing in it names another file to open or code to run.

mod compiled;
mod keras_file;
mod optimizer;
mod weights;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use cornu_files::atomic;
use cornu_files::h5::{Builder, H5, SIGNATURE};
use cornu_files::keras::{Archive, WHOLE_MODEL};
use cornu_graph::room::room;
use cornu_graph::{Context, Error, Result, tell};

use crate::model::{Model, Sequential};
use crate::step::Warning;

pub use optimizer::Save;

/// How a model is loaded: the arguments of [`load_model_with`].
#[derive(Clone, Copy, Debug)]
pub struct Load {
    compile: bool,
}

impl Load {
    /// With its training settings, if the file has any.
    pub fn new() -> Load {
        Load { compile: true }
    }

    /// Whether to compile the model as it was when it was saved.
    #[must_use]
    pub fn compile(mut self, compile: bool) -> Load {
        self.compile = compile;
        self
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

/// What a file gave.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub model: Model,
    /// What of the file could not be used.
    pub warnings: Vec<Warning>,
}

/// The model in a `.keras` file of Keras 2.13, of Keras 3, or of [`Model::save`], ready to predict and to go on
/// training. Training settings that are not known here are left out, which a line on the standard error tells.
///
/// Restored are layers, weights, training settings, and what the optimizer remembers: its slots, the number of steps, the
/// learning rate. Not restored are the streams of dropout, which begin anew; the order of rows, which each fit begins
/// anew; the history; and the flavour, which is that of this process.
///
/// # Errors
/// A file that is missing, damaged, or holds something else than a model; a layer of an unknown class, or
/// anything of another package than Keras that was not [registered](crate::layers::register); a weight that is missing, left over, or of another shape than its layer needs.
pub fn load_model(path: impl AsRef<Path>) -> Result<Model> {
    let loaded = load_model_with(path, Load::new())?;
    loaded.warnings.iter().for_each(tell);
    Ok(loaded.model)
}

/// [`load_model`] with arguments; warnings are handed back instead of printed.
///
/// # Errors
/// Those of [`load_model`].
pub fn load_model_with(path: impl AsRef<Path>, load: Load) -> Result<Loaded> {
    let path = path.as_ref();
    refuse_old_format(path)?;
    keras_file::read(Archive::open(path)?, load.compile).context(format_args!("`{}`", path.display()))
}

impl Sequential {
    /// [`load_model`] of a model whose layers stand in a line.
    ///
    /// # Errors
    /// Those of [`load_model`]; a functional model.
    pub fn load(path: impl AsRef<Path>) -> Result<Sequential> {
        load_model(path)?.try_into()
    }
}

impl Model {
    /// Saves layers, weights, training settings and the state of the optimizer as a `.keras` file, which Keras 2.13 and
    /// Keras 3 open. The file is written beside the old one and then renamed: if anything fails, the old one is unchanged.
    ///
    /// ```no_run
    /// use cornu::prelude::*;
    /// # let mut model = sequential![Dense::new(1).input_shape([8])];
    /// model.save("diabetes.keras")?;
    /// let same = load_model("diabetes.keras")?;
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// A model that is not built, a name that does not end in `.keras`, or a place that cannot be written to.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let warnings = self.save_with(path, Save::new())?;
        warnings.iter().for_each(tell);
        Ok(())
    }

    /// [`Model::save`] with arguments; gives what could not be saved.
    ///
    /// # Errors
    /// Those of [`Model::save`], and a version of Keras that is not known.
    pub fn save_with(&self, path: impl AsRef<Path>, save: Save) -> Result<Vec<Warning>> {
        let path = path.as_ref();
        let place = format!("`{}`", path.display());
        let (archive, warnings) = check_name(path, ".keras", "a model")
            .and_then(|()| self.ready())
            .and_then(|()| check_memory(self))
            .and_then(|()| keras_file::archive(self, save))
            .context(format_args!("{place} cannot be saved"))?;
        archive.save(path)?;
        Ok(warnings)
    }
}

impl Model {
    /// Saves the weights alone, as a `.weights.h5` file in which Keras 2.13 and Keras 3 find them.
    ///
    /// # Errors
    /// A model that is not built, a name that does not end in `.weights.h5`, or a place that cannot be written to.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ready = || self.ready().and_then(|()| check_memory(self));
        let bytes = check_name(path, ".weights.h5", "a file of weights").and_then(|()| ready()).and_then(|()| {
            let mut builder = Builder::new();
            weights::write(self, &mut builder)?;
            builder.finish()
        });
        atomic::write(path, &bytes.context(format_args!("`{}` cannot be saved", path.display()))?)
    }

    /// Takes the weights of a `.weights.h5` or `.keras` file of Keras 2.13, Keras 3 or this crate. The model must have
    /// layers of the same classes, in the same order; their names do not count. Nothing changes if one does not fit.
    ///
    /// # Errors
    /// A model that is not built, a file that is missing or damaged, or weights that do not fit the layers.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.ready().context("`load_weights`")?;
        let path = path.as_ref();
        let named = path.extension().is_some_and(|extension| extension == "keras");
        let place = format!("`{}`", path.display());
        // Weights alone are told from a model by what is in the file: names change.
        let file = if path.is_dir() || named && !is_hdf5(path) {
            H5::read(Archive::open(path)?.weights).context(&place)?
        } else {
            H5::open(path)?
        };
        weights::read(&file, self).context(place)
    }
}

/// Whether there is memory for a file of this model: its numbers are put together several times before they are written.
fn check_memory(model: &Model) -> Result<()> {
    const COPIES: usize = 4;
    let weights: usize =
        model.variables().all().iter().map(|variable| variable.ty.size() * variable.ty.dtype.size()).sum();
    // Each weight stands in the places of both versions of Keras.
    let needed = weights.saturating_mul(2 * COPIES);
    room::<u8>("it", &[needed]).map_err(|error| error.help("free some memory, or save on a machine that has more"))
}

/// Whether a file starts as an HDF5 file does.
fn is_hdf5(path: &Path) -> bool {
    let mut start = [0; SIGNATURE.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == SIGNATURE
}

/// Whether a file has the ending that says what it is.
fn check_name(path: &Path, ending: &str, what: &str) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.len() > ending.len() && name.ends_with(ending) {
        return Ok(());
    }
    let stem = [".weights.h5", ".keras", ".h5", ".hdf5"].iter().find_map(|old| name.strip_suffix(old)).unwrap_or(&name);
    let meant = path.with_file_name(format!("{}{ending}", if stem.is_empty() { "model" } else { stem }));
    let error = Error::usage(format!("the name of {what} must end in `{ending}`"));
    let other = match ending {
        ".keras" if name.ends_with(".weights.h5") => "; for the weights alone, call `save_weights`",
        ".keras" if name.ends_with("5") => "; the old HDF5 format is not written, both versions of Keras open `.keras`",
        ".weights.h5" if name.ends_with(".keras") => "; for the whole model, call `save`",
        _ => "",
    };
    Err(error.help(format!("write `{}`{other}", meant.display())))
}

/// Says what to do about whole models in the format before `.keras`.
fn refuse_old_format(path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    if name.ends_with(".weights.h5") {
        let error = Error::usage(format!("`{name}` holds weights alone, not a model"));
        return Err(error.help("build the model, then call `load_weights` on it"));
    }
    if name.ends_with(".h5") || name.ends_with(".hdf5") {
        let error = Error::unsupported(format!("`{name}`: the old HDF5 format of whole models cannot be read"));
        return Err(error.help(WHOLE_MODEL));
    }
    Ok(())
}
