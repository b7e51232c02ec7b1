//! Small changes to sound files, some of which fit the structure: checksums are put right, numbers stay numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Cursor, Read, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use cornu::prelude::*;
use cornu_files::npy::{self, Npz};
use cornu_graph::Array;
use cornu_testkit::alloc::used;
use cornu_testkit::bits::Bits;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden;
use ndarray::{ArrayD, IxDyn};
use zip::write::SimpleFileOptions;

use crate::tables;

#[path = "../../../cornu-files/src/h5/checksum.rs"]
mod checksum;

/// The most memory for a file that is refused.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// No file of a few kilobytes takes longer.
const MOST_TIME: Duration = Duration::from_secs(10);

/// What came of the files of one kind.
#[derive(Default)]
pub(crate) struct Kind {
    pub(crate) tried: u64,
    pub(crate) refused: u64,
    most_bytes: usize,
    most_time: Duration,
}

/// What came of all files.
#[derive(Default)]
pub(crate) struct Outcome {
    kinds: BTreeMap<&'static str, Kind>,
    /// Files that did what no file may do.
    pub(crate) wrong: Vec<String>,
}

impl Outcome {
    pub(crate) fn kinds(&self) -> Vec<&Kind> {
        self.kinds.values().collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Kind { tried, refused, most_bytes, most_time }) in &self.kinds {
            let (megabytes, time) = (most_bytes >> 20, most_time.as_millis());
            writeln!(f, "{name}: {tried} files, {refused} refused, at most {megabytes} MB and {time} ms")?;
        }
        self.wrong.iter().take(20).try_for_each(|wrong| writeln!(f, "{wrong}"))
    }
}

/// The sound files that are changed.
struct Sound {
    models: Vec<Vec<u8>>,
    weights: Vec<Vec<u8>>,
    npz: Vec<Vec<u8>>,
    json: Vec<Vec<u8>>,
    /// Takes the weights, and must not change if they are refused.
    model: Model,
    values: Vec<ArrayD<f32>>,
    folder: Folder,
}

impl Sound {
    fn new() -> Sound {
        let folder = Folder::new("mutations");
        let files = golden::own("models").join("files");
        let read = |name: &str| std::fs::read(files.join(format!("{name}.keras"))).expect("a golden file");
        let mut models = vec![read("k3__pima_mlp"), read("k213__pima_mlp"), read("k3__deferred_sequential")];
        let model = load_model(files.join("k3__pima_mlp.keras")).expect("a sound file");
        model.save(folder.join("own.keras")).expect("a sound model");
        models.push(std::fs::read(folder.join("own.keras")).expect("the file"));
        let weights = models.iter().map(|model| member(model, "model.weights.h5")).collect();
        let json = models.iter().map(|model| member(model, "config.json")).collect();
        let arrays = [Array::new([3, 5], (0..15i32).collect()).expect("an array"), Array::scalar(1.5f64)];
        let pairs = || [("a", &arrays[0]), ("b", &arrays[1])];
        let npz = [true, false].map(|compress| npy::npz_to_bytes(pairs(), compress).expect("an archive"));
        let values = model.weights();
        Sound { models, weights, npz: npz.into(), json, model, values, folder }
    }
}

/// Changes a file for each seed, and reads it.
pub(crate) fn run(seeds: Range<u64>) -> Outcome {
    let (mut sound, mut outcome) = (Sound::new(), Outcome::default());
    seeds.for_each(|seed| one(&mut sound, seed, &mut outcome));
    outcome
}

fn one(sound: &mut Sound, seed: u64, outcome: &mut Outcome) {
    let (name, bytes) = changed(sound, seed % 6, &mut Bits(seed));
    let path = sound.folder.join(format!("m{name}"));
    if name == ".keras" || name == ".weights.h5" {
        std::fs::write(&path, &bytes).expect("a file");
    }
    let clock = Instant::now();
    let (read, memory) = used(|| without_hook(|| read(sound, name, &path, &bytes)));
    let time = clock.elapsed();
    let kind = outcome.kinds.entry(name).or_default();
    kind.tried += 1;
    kind.most_time = kind.most_time.max(time);
    if !matches!(read, Ok(true)) {
        kind.refused += 1;
        kind.most_bytes = kind.most_bytes.max(memory.peak);
    }
    let wrong = match read {
        Err(panic) => Some(panic),
        Ok(_) if time > MOST_TIME => Some(format!("{time:?}")),
        Ok(false) if memory.peak > MOST_BYTES => Some(format!("{} MB for what is refused", memory.peak >> 20)),
        Ok(_) => None,
    };
    outcome.wrong.extend(wrong.map(|wrong| format!("seed {seed} ({name}): {wrong}")));
}

/// What a file of that kind is called, and one of the sound ones with changes.
fn changed(sound: &Sound, kind: u64, bits: &mut Bits) -> (&'static str, Vec<u8>) {
    match kind {
        0 => (".keras", archive(bits.one_of(&sound.models).clone(), bits)),
        1 => (".weights.h5", hdf5(bits.one_of(&sound.weights).clone(), bits)),
        2 => (".npz", if bits.below(2) == 0 { raw(bits.one_of(&sound.npz).clone(), bits) } else { arrays(bits) }),
        3 => (".csv", text(bits.one_of(&tables::TABLES).as_bytes().to_vec(), bits)),
        5 => tables::changed(bits),
        _ => match text(bits.one_of(&sound.json).clone(), bits) {
            // A text alone makes a model as large as it says, which is a long time for large numbers; in a file there
            // is no room.
            bytes if has_large_numbers(&bytes) => {
                let members = [("config.json", bytes), ("model.weights.h5", sound.weights[0].clone())];
                (".keras", zipped(&members, false))
            }
            bytes => (".json", bytes),
        },
    }
}

/// The result of `work`, or the message of its panic, which is not printed.
fn without_hook<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(work));
    std::panic::set_hook(hook);
    result.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap_or_default(),
    })
}

/// Whether a text has whole numbers that could be sizes, and large ones.
fn has_large_numbers(text: &[u8]) -> bool {
    let numbers = text.split(|byte| !byte.is_ascii_digit());
    numbers.filter(|digits| (5..18).contains(&digits.len())).any(|digits| digits[0] != b'0')
}

/// Whether a file is read; then all that is in it is used.
fn read(sound: &mut Sound, name: &str, path: &Path, bytes: &[u8]) -> bool {
    match name {
        ".keras" => load_model_with(path, Load::new()).is_ok_and(|loaded| predicts(&loaded.model)),
        ".json" => String::from_utf8(bytes.to_vec())
            .is_ok_and(|text| Sequential::from_json(&text).is_ok_and(|model| model.to_json().is_ok())),
        name if name.starts_with(".csv") => tables::read(name, bytes),
        ".npz" => Npz::read(bytes)
            .is_ok_and(|npz| npz.names().map(|name| npz.array(name).is_ok()).collect::<Vec<_>>().iter().all(|&ok| ok)),
        _ => {
            let read = sound.model.load_weights(path).is_ok();
            assert!(read || sound.model.weights() == sound.values, "a refused file changed a weight");
            if read {
                sound.model.set_weights(&sound.values).expect("its own weights");
            }
            read
        }
    }
}

/// Whether a model that was loaded can be written again; and it predicts.
fn predicts(model: &Model) -> bool {
    let shape: Option<Vec<usize>> = model
        .input_shape()
        .and_then(|shape| shape[1..].iter().copied().collect())
        .map(|sizes: Vec<usize>| [vec![1], sizes].concat());
    let small = shape.filter(|shape| {
        shape.iter().try_fold(1usize, |all, &size| all.checked_mul(size)).is_some_and(|all| all < 10_000)
    });
    if let Some(shape) = small {
        let _ = model.predict_with(&ArrayD::<f32>::zeros(IxDyn(&shape)), Predict::new().verbose(0));
    }
    model.to_json().is_ok()
}

/// Some bytes changed, moved, left out or doubled, wherever they are.
pub(crate) fn raw(mut bytes: Vec<u8>, bits: &mut Bits) -> Vec<u8> {
    for _ in 0..=bits.below(3) {
        let at = bits.below(bytes.len());
        let end = (at + 1 + bits.below(16)).min(bytes.len());
        match bits.below(8) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << bits.below(8),
            2 if !bytes.is_empty() => bytes[at..end].fill(0xff),
            3 if !bytes.is_empty() => bytes[at..end].fill(0),
            4 if !bytes.is_empty() => bytes[at..end].iter_mut().for_each(|byte| *byte = bits.word() as u8),
            5 if !bytes.is_empty() => bytes.copy_within(at..end, bits.below(at + 1)),
            6 if !bytes.is_empty() => drop(bytes.drain(at..end)),
            _ => {
                let part = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

/// A model with a member changed, in an archive that is sound; or the archive itself changed.
fn archive(bytes: Vec<u8>, bits: &mut Bits) -> Vec<u8> {
    let which = bits.below(5);
    if which == 0 {
        return raw(bytes, bits);
    }
    let names = ["metadata.json", "config.json", "model.weights.h5"];
    let changed = match which {
        1 => names[0],
        2 | 3 => names[1],
        _ => names[2],
    };
    let members = names.map(|name| {
        let old = member(&bytes, name);
        let new = match name {
            _ if name != changed => old,
            "model.weights.h5" => hdf5(old, bits),
            _ => text(old, bits),
        };
        (name, new)
    });
    zipped(&members, bits.below(2) == 0)
}

/// An archive of an array whose header was changed.
fn arrays(bits: &mut Bits) -> Vec<u8> {
    let array = npy::to_bytes(&Array::new([3, 5], (0..15i32).collect()).expect("an array"));
    let (head, rest) = array.split_at(10);
    let (header, data) = rest.split_at(118);
    let header = text(header.to_vec(), bits);
    let length = (header.len() as u16).to_le_bytes();
    zipped(&[("a.npy", [&head[..8], &length, &header, data].concat())], bits.below(2) == 0)
}

/// What a text is given in the place of something else.
const WORDS: [&str; 30] = [
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "-1e-999",
    "18446744073709551615",
    "9223372036854775808",
    "4294967296",
    "1e308",
    "[]",
    "{}",
    "\"\"",
    "[null, 4294967296, 4294967296]",
    "0.5",
    "\"relu\"",
    "\"Dense\"",
    "\"Flatten\"",
    "\"Dropout\"",
    "\"float64\"",
    "{\"class_name\": \"L2\", \"config\": {}}",
    ",",
    ":",
    "\"",
    "\n",
    "{",
    "}",
    "\\u0000",
    "ß",
    "[[[[[[[[",
];

/// A text with words put in the places of others, or some bytes changed.
pub(crate) fn text(mut bytes: Vec<u8>, bits: &mut Bits) -> Vec<u8> {
    for _ in 0..=bits.below(3) {
        if bits.below(4) == 0 || bytes.is_empty() {
            bytes = raw(bytes, bits);
            continue;
        }
        // A value stands between two marks of punctuation.
        let marks: Vec<usize> = (0..bytes.len()).filter(|&at| b",:[]{}()\n".contains(&bytes[at])).collect();
        let place = bits.below(marks.len());
        let (Some(&from), word) = (marks.get(place), bits.one_of(&WORDS)) else { continue };
        let to = marks.get(place + 1).copied().unwrap_or(bytes.len());
        match bits.below(3) {
            0 => drop(bytes.splice(from + 1..to, word.bytes())),
            1 => drop(bytes.splice(from + 1..from + 1, word.bytes())),
            _ => {
                let part = bytes[from..to].to_vec();
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

/// An HDF5 file with addresses, lengths and other numbers changed, and checksums that are right again.
fn hdf5(mut bytes: Vec<u8>, bits: &mut Bits) -> Vec<u8> {
    if bits.below(4) == 0 {
        bytes = raw(bytes, bits);
    }
    let marks = signatures(&bytes);
    for _ in 0..bits.below(4) {
        let anywhere = bits.below(3) == 0 || marks.is_empty();
        let around = if anywhere { bits.below(bytes.len()) } else { *bits.one_of(&marks) };
        renumbered(&mut bytes, around + bits.below(400), bits);
    }
    mend(&mut bytes);
    bytes
}

/// Structure is around signatures; elsewhere are the numbers of weights.
fn signatures(bytes: &[u8]) -> Vec<usize> {
    const SIGNATURES: [&[u8]; 6] = [b"TREE", b"SNOD", b"HEAP", b"OHDR", b"GCOL", b"\x89HDF"];
    let starts = |at: &usize| SIGNATURES.iter().any(|signature| bytes[*at..].starts_with(signature));
    (0..bytes.len().saturating_sub(8)).filter(starts).collect()
}

/// Puts a number of eight, two or one bytes to a place, or what stands elsewhere.
fn renumbered(bytes: &mut [u8], at: usize, bits: &mut Bits) {
    let (size, last) = (bytes.len() as u64, bytes.len().saturating_sub(8));
    let (at, from, other) = (at.min(last), bits.below(last), bits.below(bytes.len()) as u64);
    let small = [0, 1, 2, 255, size, size.saturating_sub(8), other, other & !7];
    let number = if bits.below(3) > 0 {
        *bits.one_of(&small)
    } else {
        *bits.one_of(&[u64::MAX, u64::MAX - 7, 1 << 63, 1 << 32])
    };
    match bits.below(4) {
        0 if last > 0 => bytes[at..at + 8].copy_from_slice(&number.to_le_bytes()),
        1 if last > 0 => bytes[at..at + 2].copy_from_slice(&(number as u16).to_le_bytes()),
        2 if last > 0 => bytes.copy_within(from..from + 8, at),
        _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = number as u8),
    }
}

/// Puts the checksums of headers and of the superblock right.
pub(crate) fn mend(bytes: &mut [u8]) {
    let sum = |bytes: &mut [u8], from: usize, to: usize| {
        if to + 4 <= bytes.len() && from < to {
            let sum = checksum::checksum(&bytes[from..to]);
            bytes[to..to + 4].copy_from_slice(&sum.to_le_bytes());
        }
    };
    if bytes.get(8).is_some_and(|version| [2, 3].contains(version)) {
        sum(bytes, 0, 44);
    }
    for at in 0..bytes.len().saturating_sub(16) {
        if bytes[at..].starts_with(b"OHDR") && bytes[at + 4] == 2 {
            let flags = bytes[at + 5];
            let start = at + 6 + if flags & 0x20 == 0 { 0 } else { 16 } + if flags & 0x10 == 0 { 0 } else { 4 };
            let width = 1 << (flags & 3);
            let length = bytes
                .get(start..start + width)
                .map(|length| length.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b)));
            let end = length.and_then(|length| (start + width).checked_add(usize::try_from(length).ok()?));
            if let Some(end) = end.filter(|&end| end < bytes.len()) {
                sum(bytes, at, end);
            }
        }
    }
}

pub(crate) fn member(archive: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("a sound archive");
    let mut bytes = Vec::new();
    archive.by_name(name).expect("a member").read_to_end(&mut bytes).expect("its bytes");
    bytes
}

pub(crate) fn zipped(members: &[(&str, Vec<u8>)], deflate: bool) -> Vec<u8> {
    let method = if deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("a free name");
        writer.write_all(bytes).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}
