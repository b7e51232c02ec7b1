//! Where the bytes of a table come from: a file, an address or memory, packed or not, in any of the encodings.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cornu_array::{Context, Error, Result, nearest};
use cornu_files::packed;

use super::encoding::{Decoded, Encoding};
use super::lines::unreadable;
use super::{Csv, formats};

/// Bytes that can be read from the start as often as needed.
enum Place<'a> {
    File(PathBuf),
    Bytes(&'a [u8]),
    Own(Vec<u8>),
}

/// A text to be read.
pub(super) struct Source<'a> {
    place: Place<'a>,
    gzip: bool,
    encoding: Encoding,
}

impl<'a> Source<'a> {
    /// The file at a path.
    pub(super) fn file(path: &Path, csv: &Csv) -> Result<Source<'a>> {
        let file = File::open(path).map_err(|error| missing(path, error))?;
        let place = match file.metadata() {
            Ok(found) if found.is_file() => Place::File(path.to_path_buf()),
            // A pipe gives its bytes once.
            _ => Place::Own(cornu_files::atomic::read(path).map_err(|error| missing(path, error))?),
        };
        Source::of(place, csv).context(format!("`{}`", path.display()))
    }

    /// These bytes.
    pub(super) fn bytes(bytes: &'a [u8], csv: &Csv) -> Result<Source<'a>> {
        Source::of(Place::Bytes(bytes), csv)
    }

    fn of(place: Place<'a>, csv: &Csv) -> Result<Source<'a>> {
        let encoding = Encoding::named(&csv.encoding).ok_or_else(|| {
            Error::usage(format!("`encoding` needs `utf-8`, `latin-1`, `cp1252` or `utf-16`, got `{}`", csv.encoding))
                .help("save the file as UTF-8 text, as by `iconv -t UTF-8` in a terminal")
        })?;
        let mut source = Source { place, gzip: false, encoding };
        let start = source.start()?;
        let (gzip, zip) = (start.starts_with(packed::GZIP), start.starts_with(packed::ZIP));
        match csv.compression.as_deref() {
            Some("infer") => source.gzip = gzip,
            Some("gzip") if gzip => source.gzip = true,
            Some("zip") if zip => {}
            None if gzip || zip => {
                let error = Error::unsupported("this is a packed file, not a table of text");
                return Err(error.help("leave out `.compression(None)`"));
            }
            None => {}
            Some(method @ ("gzip" | "zip")) => {
                return Err(Error::data(format!("this is no {method} file"))
                    .help("leave out `.compression(..)`: what a file is shows in its first bytes"));
            }
            Some(method) => {
                return Err(Error::usage(format!(
                    "`compression` needs `infer`, `gzip`, `zip` or `None`, got `{method}`"
                )));
            }
        }
        if zip {
            formats::refuse_sheets(&start)?;
            let member = packed::only_member(source.all()?)?;
            source.place = Place::Own(member);
        }
        formats::refuse_others(&source.start()?)?;
        Ok(source)
    }

    fn raw(&self) -> Result<Box<dyn Read + Send + '_>> {
        let raw: Box<dyn Read + Send + '_> = match &self.place {
            Place::File(path) => Box::new(File::open(path).map_err(|error| missing(path, error))?),
            Place::Bytes(bytes) => Box::new(*bytes),
            Place::Own(bytes) => Box::new(&bytes[..]),
        };
        Ok(if self.gzip { Box::new(packed::gunzip(raw)) } else { raw })
    }

    /// The first bytes.
    fn start(&self) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        self.raw()?.take(1 << 13).read_to_end(&mut start).map_err(unreadable)?;
        Ok(start)
    }

    fn all(&mut self) -> Result<Vec<u8>> {
        match &mut self.place {
            Place::File(path) => cornu_files::atomic::read(&*path).map_err(|error| missing(path, error)),
            Place::Bytes(bytes) => Ok(bytes.to_vec()),
            Place::Own(bytes) => Ok(std::mem::take(bytes)),
        }
    }

    /// About how many bytes of text there are, where that is known.
    pub(super) fn size(&self) -> Option<u64> {
        let size = match &self.place {
            Place::File(path) => path.metadata().ok()?.len(),
            Place::Bytes(bytes) => bytes.len() as u64,
            Place::Own(bytes) => bytes.len() as u64,
        };
        match self.encoding {
            _ if self.gzip => None,
            Encoding::Utf16(_) => Some(size / 2),
            _ => Some(size),
        }
    }

    /// The text from its start, as UTF-8.
    pub(super) fn text(&self) -> Result<Box<dyn Read + Send + '_>> {
        let raw = self.raw()?;
        Ok(match self.encoding {
            Encoding::Utf8 => raw,
            encoding => Box::new(Decoded::new(raw, encoding)),
        })
    }
}

/// Why a file cannot be read, with the name that was probably meant.
fn missing(place: &Path, error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("no file `{}`", place.display()),
        _ => format!("cannot read `{}`: {error}", place.display()),
    };
    let folder = place.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let neighbours: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let near = nearest(name, neighbours.iter().map(String::as_str)).filter(|near| *near != name);
    let error = Error::file(message).caused_by(error);
    if place.to_string_lossy().contains("://") {
        return error.help("an address begins with `http://` or `https://`");
    }
    match near {
        Some(near) => error.help(format!("did you mean `{}`?", place.with_file_name(near).display())),
        None => error,
    }
}
