//! `.keras` files: a zip archive (or a folder) of `metadata.json`, `config.json` and `model.weights.h5`.
//!
//! What the two JSON texts and the HDF5 file must hold for Keras 2.13 and Keras 3 to open them is told in
//! `docs/keras-files.md`; here they are only kept together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cornu_array::{Context, Error, Result};
use serde_json::Value;

use crate::members::{self, Members};
use crate::{atomic, h5, json};

const METADATA: &str = "metadata.json";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// The folder of what some layers keep in files.
const ASSETS: &str = "assets";

/// Weights hardly shrink; Keras stores them as they are, and refuses archives that grow more than this.
const MOST_INFLATION: u64 = 100;

/// Up to this size, a JSON text may be larger than the archive it is in.
const HARMLESS_TEXT: usize = 4 << 20;

/// So many values of a JSON text need no archive of that size. Parsed, one may take two hundred bytes.
const HARMLESS_VALUES: usize = 150_000;

/// Folders inside folders that are looked into when a model was saved as a folder.
const MOST_LEVELS: usize = 16;

/// A `.keras` file.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// Which Keras saved it, and when: `keras_version`, `date_saved`. Null where the file has none.
    pub metadata: Value,
    /// The model: `module`, `class_name`, `config`, `build_config`, `compile_config`.
    pub config: Value,
    /// The bytes of the HDF5 file of weights, for [`h5::H5::read`].
    pub weights: Vec<u8>,
    /// Everything else, in order: the vocabularies under `assets/`.
    pub extra: Vec<Extra>,
}

/// A member that only some layers need. It is read, and inflated, when it is asked for.
#[derive(Clone)]
pub struct Extra {
    name: String,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Bytes(Vec<u8>),
    Member(Arc<Members>),
    File(PathBuf),
}

impl Extra {
    /// A member of these bytes.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Extra {
        Extra { name: name.into(), source: Source::Bytes(bytes) }
    }

    /// Its name in the archive.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes.
    ///
    /// # Errors
    /// The archive must not be damaged; of a folder, the file must be readable.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        match &self.source {
            Source::Bytes(bytes) => Ok(bytes.clone()),
            Source::Member(members) => members.bytes(&self.name),
            Source::File(path) => read_file(path),
        }
    }
}

/// Of the same name and the same bytes.
impl PartialEq for Extra {
    fn eq(&self, other: &Extra) -> bool {
        self.name == other.name && self.bytes().ok() == other.bytes().ok()
    }
}

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)
    }
}

/// Where the members of a model are.
enum Place {
    Archive(Arc<Members>),
    Folder(PathBuf),
}

impl Archive {
    /// Reads a file, or a folder with the same members.
    ///
    /// # Errors
    /// As [`Archive::read`]; and the file must exist and be readable.
    pub fn open(path: impl AsRef<Path>) -> Result<Archive> {
        let path = path.as_ref();
        let archive = if path.is_dir() {
            let mut names = Vec::new();
            folder(path, "", 0, &mut names).and_then(|()| Archive::of(&Place::Folder(path.into()), names, usize::MAX))
        } else {
            read_file(path).and_then(Archive::of_bytes)
        };
        archive.context(format_args!("`{}`", path.display()))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// The bytes must be a zip archive with the members Keras writes, whole, and no larger inside than what is stored
    /// allows.
    pub fn read(bytes: &[u8]) -> Result<Archive> {
        Archive::of_bytes(bytes.to_vec())
    }

    fn of_bytes(bytes: Vec<u8>) -> Result<Archive> {
        if let Some(error) = something_else(&bytes) {
            return Err(error);
        }
        let size = bytes.len();
        let members = Members::read(bytes, MOST_INFLATION)?;
        let names = members.names().iter().filter(|name| !name.ends_with('/')).cloned().collect();
        Archive::of(&Place::Archive(Arc::new(members)), names, size)
    }

    /// The model with members of these names; `size` bytes are all that there is.
    fn of(place: &Place, names: Vec<String>, size: usize) -> Result<Archive> {
        let own = |name: &String| [METADATA, CONFIG, WEIGHTS].contains(&name.as_str());
        let (own, extra): (Vec<String>, Vec<String>) = names.into_iter().partition(own);
        let has = |name: &str| own.iter().any(|known| known == name);
        let bytes = |name: &str| match place {
            _ if !has(name) => Err(missing(name, &extra)),
            Place::Archive(members) => members.bytes(name),
            Place::Folder(path) => read_file(&path.join(name)),
        };
        let text = |name: &str| bytes(name).and_then(|text| checked_text(name, &text, size));
        let metadata = if has(METADATA) { text(METADATA)? } else { Value::Null };
        let (config, weights) = (text(CONFIG)?, bytes(WEIGHTS)?);
        let source = |name: &str| match place {
            Place::Archive(members) => Source::Member(Arc::clone(members)),
            Place::Folder(path) => Source::File(path.join(name)),
        };
        let extra = extra.into_iter().map(|name| Extra { source: source(&name), name }).collect();
        Ok(Archive { metadata, config, weights, extra })
    }

    /// The bytes of the file: stored members in Keras's order, JSON as Python writes it.
    ///
    /// # Errors
    /// No member of `extra` may have the name of another member.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (metadata, config) = (json::to_bytes(&self.metadata)?, json::to_bytes(&self.config)?);
        let own = [(METADATA, &metadata[..]), (CONFIG, &config[..]), (WEIGHTS, &self.weights[..])];
        let extra: Result<Vec<_>> = self.extra.iter().map(|extra| Ok((extra.name(), extra.bytes()?))).collect();
        let extra = extra?;
        members::write(own.into_iter().chain(extra.iter().map(|(name, bytes)| (*name, &bytes[..]))), false)
    }

    /// Writes the file in one step, as [`atomic::write`] does: if anything fails, an older file at `path` is unchanged.
    ///
    /// # Errors
    /// As [`Archive::to_bytes`] and [`atomic::write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path, &self.to_bytes()?)
    }
}

/// The error for a model that lacks a member; `others` are there.
fn missing(name: &str, others: &[String]) -> Error {
    let names: Vec<&str> = others.iter().map(String::as_str).take(5).collect();
    let error = Error::file(format!("this is not a Keras model: it has no `{name}`"));
    match names.as_slice() {
        [] => error.help("a `.keras` file is a zip archive of `metadata.json`, `config.json`, `model.weights.h5`"),
        names if names.contains(&"saved_model.pb") => error.help("a SavedModel cannot be read; save it as `.keras`"),
        names if names.iter().all(|name| name.ends_with(".npy")) => {
            error.help("this is an `.npz` file of arrays; a model is saved with `model.save(\"name.keras\")`")
        }
        names => error.help(format!("it holds `{}`; was a folder zipped around the model?", names.join("`, `"))),
    }
}

/// The values of a text, in an archive of `size` bytes: parsed, it takes far more memory than its bytes.
fn checked_text(name: &str, text: &[u8], size: usize) -> Result<Value> {
    const MADE_UP: &str = "the file was made to use up memory, or it is damaged";
    if text.len() > size.max(HARMLESS_TEXT) {
        let (length, whole) = (text.len(), size);
        return Err(Error::file(format!("`{name}` has {length} bytes, in an archive of {whole}")).help(MADE_UP));
    }
    let values = text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if values > HARMLESS_VALUES && values > size / 32 {
        return Err(Error::file(format!("`{name}` has {values} values, in an archive of {size} bytes")).help(MADE_UP));
    }
    parse(name, text)
}

fn parse(name: &str, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Python's names for numbers that JSON does not know.
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let help = match has(": Infinity") || has(": -Infinity") || has(": NaN") {
            true => "a setting is `Infinity` or `NaN`, which only Python reads: leave it out and save the model again",
            false => "the file is damaged, or it was edited by hand",
        };
        Error::file(format!("`{name}` is not JSON: {error}")).help(help).caused_by(error)
    })
}

/// What to do about a whole model in the format before `.keras`.
pub const WHOLE_MODEL: &str = "this is the format before `.keras`; name it `model.h5`, and convert it in Python: \
    `keras.models.load_model(\"model.h5\").save(\"model.keras\")`";

/// Whether an HDF5 file holds layers and not only weights: their settings are an attribute of the root.
fn is_whole_model(bytes: &[u8]) -> bool {
    let file = h5::H5::read(bytes.to_vec());
    file.is_ok_and(|file| {
        file.has_group("model_weights") || file.attributes("").is_ok_and(|found| found.contains_key("model_config"))
    })
}

/// The error for bytes that are well-known, but no zip archive.
fn something_else(bytes: &[u8]) -> Option<Error> {
    let start = bytes.trim_ascii_start();
    let starts = |text: &str| start.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text.as_bytes()));
    let again = "download it again, and look at the file's first lines to see what the server said";
    if bytes.is_empty() {
        Some(Error::file("the file is empty").help("the saving or the download of the model did not finish"))
    } else if bytes.starts_with(h5::SIGNATURE) {
        Some(Error::file("this is an HDF5 file, not a zip archive").help(if is_whole_model(bytes) {
            WHOLE_MODEL
        } else {
            "it holds weights alone: build the model, and call `load_weights` with this path"
        }))
    } else if starts("<!doctype html") || starts("<html") || starts("<?xml") {
        Some(Error::file("this is a web page, not a model").help(again))
    } else if starts("version https://git-lfs") {
        Some(Error::file("this is a pointer of Git LFS, not the model itself").help("run `git lfs pull` to fetch it"))
    } else if starts("{") {
        Some(
            Error::file("this is a JSON text, not a zip archive").help(
                "the architecture alone, as `model.to_json()` gives it, has no weights; save with `model.save(...)`",
            ),
        )
    } else if !bytes.starts_with(b"PK") {
        Some(Error::file("this is not a `.keras` file: it is no zip archive").help(again))
    } else {
        None
    }
}

/// The names of the members of a model in a folder; links are not followed, and other files are not looked at.
fn folder(path: &Path, prefix: &str, level: usize, names: &mut Vec<String>) -> Result<()> {
    let failed = |error: std::io::Error| h5::unreadable(&error).context(format_args!("`{prefix}`"));
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_file() {
            names.push(name);
        } else if kind.is_dir() && level < MOST_LEVELS && (level > 0 || name == ASSETS) {
            folder(&entry.path(), &format!("{name}/"), level + 1, names)?;
        }
    }
    names.sort();
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    atomic::read(path).map_err(|error| h5::unreadable(&error))
}
