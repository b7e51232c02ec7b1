//! `.keras` files: a zip archive (or a folder) of `metadata.json`, `config.json` and `model.weights.h5`.
//!
//! What the two JSON texts and the HDF5 file must hold for Keras 2.13 and Keras 3 to open them is told in
//! `docs/keras-files.md`; here they are only kept together.

use std::path::Path;

use cornu_graph::{Context, Error, Result};
use serde_json::Value;

use crate::{atomic, h5, json, members};

const METADATA: &str = "metadata.json";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// Weights hardly shrink; Keras stores them as they are, and refuses archives that grow more than this.
const MOST_INFLATION: u64 = 100;

/// Up to this size, a JSON text may be larger than the archive it is in. Parsed, a text takes forty times its size.
const HARMLESS_TEXT: usize = 4 << 20;

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
    /// Everything else, by name and in order: the vocabularies under `assets/`.
    pub extra: Vec<(String, Vec<u8>)>,
}

impl Archive {
    /// Reads a file, or a folder with the same members.
    ///
    /// # Errors
    /// As [`Archive::read`]; and the file must exist and be readable.
    pub fn open(path: impl AsRef<Path>) -> Result<Archive> {
        let path = path.as_ref();
        let archive = if path.is_dir() {
            let mut found = Vec::new();
            folder(path, "", 0, &mut found).and_then(|()| Archive::from_members(found))
        } else {
            std::fs::read(path).map_err(|error| h5::unreadable(&error)).and_then(|bytes| Archive::read(&bytes))
        };
        archive.context(format_args!("`{}`", path.display()))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// The bytes must be a zip archive with the members Keras writes, whole, and no larger inside than what is stored
    /// allows.
    pub fn read(bytes: &[u8]) -> Result<Archive> {
        if let Some(error) = something_else(bytes) {
            return Err(error);
        }
        let members = members::read(bytes, MOST_INFLATION)?;
        let most = bytes.len().max(HARMLESS_TEXT);
        match members.iter().find(|(name, text)| [METADATA, CONFIG].contains(&name.as_str()) && text.len() > most) {
            Some((name, text)) => {
                let (size, whole) = (text.len(), bytes.len());
                let error = Error::file(format!("`{name}` has {size} bytes, in an archive of {whole}"));
                Err(error.help("the file was made to use up memory, or it is damaged"))
            }
            None => Archive::from_members(members),
        }
    }

    fn from_members(found: Vec<members::Member>) -> Result<Archive> {
        let (mut metadata, mut config, mut weights, mut extra) = (None, None, None, Vec::new());
        for (name, bytes) in found {
            match name.as_str() {
                METADATA => metadata = Some(parse(METADATA, &bytes)?),
                CONFIG => config = Some(parse(CONFIG, &bytes)?),
                WEIGHTS => weights = Some(bytes),
                _ => extra.push((name, bytes)),
            }
        }
        let missing =
            |name: &str| {
                let names: Vec<&str> = extra.iter().map(|(name, _)| name.as_str()).take(5).collect();
                let error = Error::file(format!("this is not a Keras model: it has no `{name}`"));
                match names.as_slice() {
                    [] => error
                        .help("a `.keras` file is a zip archive of `metadata.json`, `config.json`, `model.weights.h5`"),
                    names if names.contains(&"saved_model.pb") => {
                        error.help("a SavedModel cannot be read; save it as `.keras`")
                    }
                    names if names.iter().all(|name| name.ends_with(".npy")) => error
                        .help("this is an `.npz` file of arrays; a model is saved with `model.save(\"name.keras\")`"),
                    names => {
                        error.help(format!("it holds `{}`; was a folder zipped around the model?", names.join("`, `")))
                    }
                }
            };
        Ok(Archive {
            config: config.ok_or_else(|| missing(CONFIG))?,
            weights: weights.ok_or_else(|| missing(WEIGHTS))?,
            metadata: metadata.unwrap_or(Value::Null),
            extra,
        })
    }

    /// The bytes of the file: stored members in Keras's order, JSON as Python writes it.
    ///
    /// # Errors
    /// No member of `extra` may have the name of another member.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (metadata, config) = (json::to_bytes(&self.metadata)?, json::to_bytes(&self.config)?);
        let own = [(METADATA, &metadata[..]), (CONFIG, &config[..]), (WEIGHTS, &self.weights[..])];
        let extra = self.extra.iter().map(|(name, bytes)| (name.as_str(), &bytes[..]));
        members::write(own.into_iter().chain(extra), false)
    }

    /// Writes the file in one step, as [`atomic::write`] does: if anything fails, an older file at `path` is unchanged.
    ///
    /// # Errors
    /// As [`Archive::to_bytes`] and [`atomic::write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path, &self.to_bytes()?)
    }
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

/// The error for bytes that are well-known, but no zip archive.
fn something_else(bytes: &[u8]) -> Option<Error> {
    let start = bytes.trim_ascii_start();
    let starts = |text: &str| start.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text.as_bytes()));
    let again = "download it again, and look at the file's first lines to see what the server said";
    if bytes.is_empty() {
        Some(Error::file("the file is empty").help("the saving or the download of the model did not finish"))
    } else if bytes.starts_with(h5::SIGNATURE) {
        Some(
            Error::file("this is an HDF5 file, not a zip archive")
                .help("give it the name it was made with: `.h5` for a whole model, `.weights.h5` for weights alone"),
        )
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

/// Reads the members of a folder; links are not followed.
fn folder(path: &Path, prefix: &str, level: usize, found: &mut Vec<members::Member>) -> Result<()> {
    let failed = |error: std::io::Error| h5::unreadable(&error).context(format_args!("`{prefix}`"));
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_file() {
            found.push((name, std::fs::read(entry.path()).map_err(failed)?));
        } else if kind.is_dir() && level < MOST_LEVELS {
            folder(&entry.path(), &format!("{name}/"), level + 1, found)?;
        }
    }
    found.sort();
    Ok(())
}
