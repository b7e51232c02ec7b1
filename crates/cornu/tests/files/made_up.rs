//! Files that were made to use up memory or time.

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::OnceLock;

use cornu::prelude::*;
use cornu_files::h5::{Attribute, Builder, H5};
use cornu_files::npy::{self, Npz};
use cornu_graph::Array;
use cornu_testkit::alloc::used;
use cornu_testkit::folder::Folder;
use cornu_testkit::process;
use zip::write::SimpleFileOptions;

use crate::mutate::{MOST_BYTES, mend, zipped};

/// Nor is what is said of a file any longer than a message.
fn load(path: &Path) -> bool {
    let loaded = load_model_with(path, Load::new()).map(|loaded| loaded.warnings);
    let text = loaded.as_ref().map_or_else(ToString::to_string, |warnings| format!("{warnings:?}"));
    assert!(text.len() < 2000, "{} bytes", text.len());
    loaded.is_ok()
}

fn load_weights(path: &Path) -> bool {
    sequential![Dense::new(4).input_shape([3])].load_weights(path).is_ok()
}

fn every_array(path: &Path) -> bool {
    H5::open(path).is_ok_and(|file| file.datasets().iter().all(|entry| file.dataset(&entry.path).is_ok()))
}

fn npy_array(path: &Path) -> bool {
    npy::open(path).is_ok()
}

fn npz_array(path: &Path) -> bool {
    Npz::open(path).is_ok_and(|npz| npz.array("a").is_ok())
}

fn from_json(path: &Path) -> bool {
    Sequential::from_json(&std::fs::read_to_string(path).expect("a text")).is_ok()
}

/// An archive of these members, and of one of 80 MB of zeros, which takes 80 KB.
fn zeros(name: &str, others: &[(&str, Vec<u8>)]) -> Vec<u8> {
    static ZEROS: OnceLock<Vec<u8>> = OnceLock::new();
    let zeros = ZEROS.get_or_init(|| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("zeros", SimpleFileOptions::default()).expect("a free name");
        (0..80).for_each(|_| writer.write_all(&[0; 1 << 20]).expect("memory"));
        writer.finish().expect("memory").into_inner()
    });
    let mut zeros = zip::ZipArchive::new(Cursor::new(zeros)).expect("a sound archive");
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in others {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a free name");
        writer.write_all(bytes).expect("memory");
    }
    writer.raw_copy_file_rename(zeros.by_index(0).expect("a member"), name).expect("a free name");
    writer.finish().expect("memory").into_inner()
}

/// A model of these layers and training settings, as JSON.
fn model(layers: &str, compiled: &str) -> String {
    format!(
        r#"{{"class_name":"Sequential","config":{{"name":"s","layers":[{{"class_name":"InputLayer","config":{{"batch_input_shape":[null,3]}}}},{layers}]}}{compiled}}}"#
    )
}

fn dense(more: &str) -> String {
    format!(r#"{{"class_name":"Dense","config":{{"name":"dense","units":4{more}}}}}"#)
}

fn sound_weights() -> Vec<u8> {
    let mut builder = Builder::new();
    builder.group("vars").expect("a free place");
    builder.dataset("layers/dense/vars/0", &Array::zeros(&Type::f32([3, 4]))).expect("a free place");
    builder.dataset("layers/dense/vars/1", &Array::zeros(&Type::f32([4]))).expect("a free place");
    builder.finish().expect("a sound file")
}

fn keras(config: String) -> Vec<u8> {
    zipped(&[("config.json", config.into_bytes()), ("model.weights.h5", sound_weights())], true)
}

/// Lets links lead where others do: each of the first names where the second one of its pair leads.
fn relinked(mut bytes: Vec<u8>, pairs: &[(&str, &str)]) -> Vec<u8> {
    let names: HashSet<&[u8]> = pairs.iter().flat_map(|(a, b)| [a.as_bytes(), b.as_bytes()]).collect();
    let lengths: HashSet<usize> = names.iter().map(|name| name.len()).collect();
    // Of each name, where the address stands that follows it.
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for length in lengths {
        let found = bytes.windows(length).enumerate().filter(|(_, window)| names.contains(window));
        places.extend(found.map(|(at, name)| (name.to_vec(), at + length)));
    }
    for (name, target) in pairs {
        let (at, to) = (places[name.as_bytes()], places[target.as_bytes()]);
        bytes.copy_within(to..to + 8, at);
    }
    mend(&mut bytes);
    bytes
}

/// A group that holds itself under a long name.
fn in_itself(length: usize) -> Vec<u8> {
    let long = "x".repeat(length);
    let mut builder = Builder::new();
    builder.group(&format!("loop/{long}")).expect("a free place");
    relinked(builder.finish().expect("a file"), &[(&long, "loop")])
}

/// Groups that each hold the next one twice.
fn diamond() -> Vec<u8> {
    let names: Vec<[String; 2]> =
        (0..20).map(|i| ["a", "b"].map(|which| format!("{which}{i:02}{}", which.repeat(300)))).collect();
    let mut builder = Builder::new();
    for (i, [a, b]) in names.iter().enumerate() {
        builder.group(&format!("d{i:02}end/{a}")).expect("a free place");
        builder.group(&format!("d{i:02}end/{b}")).expect("a free place");
    }
    builder.group("d20end").expect("a free place");
    let next: Vec<String> = (1..=20).map(|i| format!("d{i:02}end")).collect();
    let pairs = names.iter().zip(&next).flat_map(|([a, b], next)| [(a.as_str(), next.as_str()), (b, next)]);
    relinked(builder.finish().expect("a file"), &pairs.collect::<Vec<_>>())
}

/// Many names of one dataset with a large header.
fn crowd() -> Vec<u8> {
    let mut builder = Builder::new();
    let names: Vec<String> = (0..2000).map(|i| format!("n{i:04}end")).collect();
    for name in names.iter().map(String::as_str).chain(["large"]) {
        builder.dataset(&format!("layers/{name}"), &Array::scalar(1.0f32)).expect("a free place");
    }
    for i in 0..7 {
        builder.attribute("layers/large", &format!("a{i}"), Attribute::Ints(vec![1; 8000])).expect("a free place");
    }
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "large")).collect();
    relinked(builder.finish().expect("a file"), &pairs)
}

/// What lies in a file once is there once, under however many names.
#[test]
fn numbers_under_many_names_are_counted_once() {
    let _turn = crate::alone();
    let mut builder = Builder::new();
    let names: Vec<String> = (0..500).map(|i| format!("n{i:04}end")).collect();
    builder.dataset("large", &Array::zeros(&Type::f32([5000]))).expect("a free place");
    for name in &names {
        builder.dataset(name, &Array::scalar(1.0f32)).expect("a free place");
    }
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "large")).collect();
    let bytes = relinked(builder.finish().expect("a file"), &pairs);
    let (size, file) = (bytes.len(), H5::read(bytes).expect("a sound file"));
    assert_eq!(file.datasets().iter().map(|entry| entry.shape.size()).sum::<usize>(), 501 * 5000);
    assert!((5000..size / 4).contains(&file.numbers_held()), "{} of {size} bytes", file.numbers_held());
}

/// A file of `h5py` whose dataset in chunks says that it is far larger.
fn chunks(dims: [u64; 3]) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/files/h5py-earliest.h5");
    let mut bytes = std::fs::read(path).expect("the file");
    let old = [7u64, 5, 3].map(u64::to_le_bytes).concat();
    let places: Vec<usize> = (0..bytes.len() - 24).filter(|&at| bytes[at..].starts_with(&old)).collect();
    assert!(places.len() >= 3, "three datasets");
    places.iter().for_each(|&at| bytes[at..at + 24].copy_from_slice(&dims.map(u64::to_le_bytes).concat()));
    bytes
}

fn npy_of(shape: &str, data: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': {shape}, }}\n");
    let length = (header.len() as u32).to_le_bytes();
    [b"\x93NUMPY\x02\x00", &length[..], header.as_bytes(), &vec![0; data]].concat()
}

/// More members than any model has.
fn many_members() -> Vec<u8> {
    let names: Vec<String> = (0..30_000).map(|i| format!("assets/{i}")).collect();
    zipped(&names.iter().map(|name| (name.as_str(), Vec::new())).collect::<Vec<_>>(), false)
}

/// Made-up files by name.
fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let long = "k".repeat(3_900_000);
    let many = vec![r#"{"class_name":"Dropout","config":{"rate":0}}"#; 80_000].join(",");
    let metrics: Vec<String> =
        (0..40_000).map(|i| format!(r#"{{"class_name":"MeanSquaredError","config":{{"name":"m{i}"}}}}"#)).collect();
    let compiled =
        |metrics: &str| format!(r#","compile_config":{{"optimizer":"adam","loss":"mse","metrics":[{metrics}]}}"#);
    let sound = [("config.json", model(&dense(""), "").into_bytes()), ("model.weights.h5", sound_weights())];
    let deep = ["[".repeat(1 << 20), "]".repeat(1 << 20)].concat();
    let units = model(r#"{"class_name":"Dense","config":{"name":"dense","units":200000000}}"#, "");
    let flat = r#"{"class_name":"Flatten","config":{"batch_input_shape":[null,4294967296,4294967296]}}"#;
    let flat = format!(r#"{{"class_name":"Sequential","config":{{"name":"s","layers":[{flat}]}}}}"#);
    vec![
        ("member.keras", zeros("assets/x", &sound)),
        ("weights.keras", zeros("model.weights.h5", &sound[..1])),
        ("text.keras", zeros("config.json", &sound[1..])),
        ("key.keras", keras(model(&dense(&format!(r#","{long}":1"#)), ""))),
        ("metric.keras", keras(model(&dense(""), &compiled(&format!("\"{long}\""))))),
        ("metrics.keras", keras(model(&dense(""), &compiled(&metrics.join(","))))),
        ("layers.keras", keras(model(&many, ""))),
        ("units.keras", keras(units)),
        ("deep.keras", keras(deep.clone())),
        ("flat.keras", keras(flat.clone())),
        ("members.keras", many_members()),
        ("deep.json", deep.into_bytes()),
        ("flat.json", flat.into_bytes()),
        ("loop.weights.h5", in_itself(60_000)),
        ("longer.weights.h5", in_itself(65_000)),
        ("diamond.weights.h5", diamond()),
        ("crowd.weights.h5", crowd()),
        ("chunks.h5", chunks([1 << 14, 1 << 14, 3])),
        ("huge.h5", chunks([1 << 62, 5, 3])),
        ("shape.npy", npy_of("(1000000000,)", 100)),
        ("axes.npy", npy_of(&format!("({})", "1,".repeat(30_000)), 4)),
        ("header.npy", npy_of(&format!("({})", "9,".repeat(3_000_000)), 4)),
        ("shape.npz", zipped(&[("a.npy", npy_of("(1000000000,)", 100))], true)),
        ("zeros.npz", zeros("a.npy", &[])),
    ]
}

/// How a file of that name is read.
fn reader(name: &str) -> fn(&Path) -> bool {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("keras") => load,
        Some("json") => from_json,
        Some("npy") => npy_array,
        Some("npz") => npz_array,
        _ if name.ends_with(".weights.h5") => load_weights,
        _ => every_array,
    }
}

/// Reads every made-up file of a folder; gives what did not go as it should.
fn read_all(folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (given, memory) = used(|| reader(&name)(&path));
        // A member that is not needed and a metric that is not known do no harm.
        if given != ["member.keras", "metric.keras"].contains(&name.as_str()) || memory.peak > MOST_BYTES {
            wrong.push(format!("{name}: given {given}, {} MB", memory.peak >> 20));
        }
    }
    wrong
}

/// The model is there, and every other file of the folder is none of its business.
#[test]
fn of_a_folder_only_the_members_of_a_model_are_read() {
    let _turn = crate::alone();
    let folder = Folder::new("folder");
    std::fs::create_dir_all(folder.join("films")).expect("a folder");
    for place in ["films/film.bin", "film.bin"] {
        let film = std::fs::File::create(folder.join(place)).expect("a file");
        film.set_len(500 << 20).expect("room that is not used");
    }
    let (given, memory) = used(|| load(&folder));
    assert!(!given && memory.peak < MOST_BYTES, "{given}, {} MB", memory.peak >> 20);
    std::fs::write(folder.join("config.json"), model(&dense(""), "")).expect("a file");
    std::fs::write(folder.join("model.weights.h5"), sound_weights()).expect("a file");
    let (given, memory) = used(|| load(&folder));
    assert!(given && memory.peak < MOST_BYTES, "{given}, {} MB", memory.peak >> 20);
}

#[test]
fn what_is_refused_asks_for_little_and_nothing_aborts() {
    let _turn = crate::alone();
    if let Some(folder) = process::word() {
        return with_little_memory(Path::new(&folder));
    }
    let folder = Folder::new("made-up");
    for (name, bytes) in cases() {
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
    assert_eq!(read_all(&folder), Vec::<String>::new());
    if cfg!(target_os = "linux") {
        again_with_little_memory(&folder);
    }
}

/// This test in a process of its own, with 512 MB of addresses.
fn again_with_little_memory(folder: &Path) {
    let test = "made_up::what_is_refused_asks_for_little_and_nothing_aborts";
    let mut again = process::again(test, "ulimit -v 524288 &&", folder);
    // Each thread would reserve 64 MB of addresses for its heap.
    again.envs([("MALLOC_ARENA_MAX", "1"), ("CORNU_THREADS", "1")]);
    process::assert_passed(&again.output().expect("a process"));
}

/// Files and models that need more than there is: errors, where an abort would be.
fn with_little_memory(folder: &Path) {
    assert_eq!(read_all(folder), Vec::<String>::new());
    let before = std::fs::read_dir(folder).expect("a folder").count();
    // 100 MB of weights are 200 MB in a file, which is put together in memory.
    let mut model = sequential![Dense::new(5000).input_shape([5000]).kernel_initializer("zeros")];
    model.compile(Compile::new().loss("mse").optimizer("adam")).expect("sound settings");
    let needed = "of memory, more than there is";
    let error = model.save(folder.join("large.keras")).expect_err("no memory for that").to_string();
    assert!(error.contains(needed), "{error}");
    let error = model.save_weights(folder.join("large.weights.h5")).expect_err("no memory for that").to_string();
    assert!(error.contains(needed), "{error}");
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), before, "nothing is left");
}
