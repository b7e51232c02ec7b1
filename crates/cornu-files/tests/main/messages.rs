//! What a user is told about a file that is not what it should be.

use std::io::{Cursor, Write};

use cornu_array::Array;
use cornu_files::h5::{Attribute, Builder, H5};
use cornu_files::keras::Archive;
use cornu_files::npy::{self, Npz};
use zip::write::SimpleFileOptions;

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(*name, stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_file_that_is_no_model_is_named_for_what_it_is() {
    let array = Array::scalar(1.0f32);
    let h5 = Builder::new().finish().unwrap();
    let mut builder = Builder::new();
    builder.attribute("", "model_config", Attribute::Text("{}".into())).unwrap();
    let whole_h5 = builder.finish().unwrap();
    let npz = npy::npz_to_bytes([("x", &array)], false).unwrap();
    let whole = zipped(&[("config.json", b"{}"), ("model.weights.h5", &h5)]);
    let cases: &[(&[u8], &str, &str)] = &[
        (b"", "the file is empty", "did not finish"),
        (b"just text", "it is no zip archive", "download it again"),
        (b"\n<!DOCTYPE html><html>", "a web page, not a model", "what the server said"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS", "git lfs pull"),
        (b"{\"class_name\": \"Sequential\"}", "a JSON text", "has no weights"),
        (&h5, "an HDF5 file, not a zip archive", "call `load_weights` with this path"),
        (&whole_h5, "an HDF5 file, not a zip archive", "`keras.models.load_model(\"model.h5\").save(\"model.keras\")`"),
        (&npz, "it has no `config.json`", "an `.npz` file of arrays"),
        (&zipped(&[("saved_model.pb", b"")]), "it has no `config.json`", "SavedModel"),
        (&zipped(&[("m/config.json", b"{}")]), "it has no `config.json`", "was a folder zipped"),
        (&zipped(&[("config.json", b"{}")]), "it has no `model.weights.h5`", "zip archive of"),
        (&zipped(&[("config.json", b"{'a': 1}")]), "`config.json` is not JSON", "edited by hand"),
        (&zipped(&[("config.json", b"{\"a\": -Infinity}")]), "`config.json` is not JSON", "which only Python reads"),
        (&whole[..whole.len() / 2], "cut short or damaged", "download it again"),
        (&zipped(&[("../config.json", b"{}")]), "the odd name \"../config.json\"", "Keras and NumPy write no such"),
        (&zipped(&[("/config.json", b"{}")]), "the odd name", "Keras and NumPy write no such"),
        (&zipped(&[("C:\\config.json", b"{}")]), "the odd name", "Keras and NumPy write no such"),
    ];
    for (bytes, problem, help) in cases {
        let error = Archive::read(bytes).unwrap_err().to_string();
        let told = error.split_once("\n  help: ").is_some_and(|(e, h)| e.contains(problem) && h.contains(help));
        assert!(told, "{error}\nshould say: {problem}; {help}");
    }
    assert!(Archive::read(&whole).is_ok());
}

/// Parsed, a text takes far more memory than its bytes: what shrinks too well is not parsed.
#[test]
fn a_text_larger_than_its_archive_is_refused() {
    let deflated = |name: &str, text: &[u8]| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (member, bytes) in [(name, text), ("model.weights.h5", &[0; 100])] {
            writer.start_file(member, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let text = [b"[".as_slice(), &b"0,".repeat(3 << 20), b"0]"].concat();
    for name in ["config.json", "metadata.json"] {
        let error = Archive::read(&deflated(name, &text)).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` has 6291459 bytes, in an archive of ")), "{error}");
    }
    let error = Archive::read(&zipped(&[("config.json", &text), ("model.weights.h5", &[])])).unwrap_err().to_string();
    assert!(error.contains("`config.json` has 3145729 values, in an archive of "), "{error}");
    let long = [b"[\"".as_slice(), &b"word ".repeat(1 << 20), b"\"]"].concat();
    assert!(Archive::read(&zipped(&[("config.json", &long), ("model.weights.h5", &[])])).is_ok());
    assert!(
        Archive::read(&deflated("config.json", &text[text.len() - 2..])).is_err_and(|e| !e.message().contains("has 2"))
    );
    assert!(
        Archive::read(&deflated("assets/words.txt", &text)).is_err_and(|e| e.message().contains("no `config.json`"))
    );
}

#[test]
fn codes_that_would_change_the_terminal_are_spelt_out() {
    let error = Archive::read(&zipped(&[("a\u{1b}[31mred", b""), ("config.json", b"{}")])).unwrap_err().to_string();
    assert!(!error.contains('\u{1b}'), "{error:?}");
    let error = cornu_array::Error::file("layer `\u{1b}[2J`: unknown\nhere").to_string();
    assert_eq!(error, "layer `\\u{1b}[2J`: unknown\nhere");
}

#[test]
fn a_member_that_claims_more_than_is_stored_is_refused() {
    let mut bytes = zipped(&[("config.json", b"{}"), ("model.weights.h5", &[0; 100])]);
    // The size of a member stands before its name, in its own header and in the directory at the end.
    let claimed = 100u32.to_le_bytes();
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 4] == claimed && bytes[at - 4..at] == claimed {
            bytes[at..at + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        }
    }
    let error = Archive::read(&bytes).unwrap_err().to_string();
    assert!(error.contains("claims 2147483647 bytes, but only 100 are stored"), "{error}");
}

#[test]
fn two_members_of_one_name_are_refused() {
    let mut bytes = zipped(&[("config.json", b"{}"), ("konfig.json", b"{}")]);
    while let Some(at) = bytes.windows(11).position(|window| window == b"konfig.json") {
        bytes[at] = b'c';
    }
    let error = Archive::read(&bytes).unwrap_err().to_string();
    assert!(error.contains("two members of the archive have the same name"), "{error}");
}

#[test]
fn a_missing_file_or_array_is_named() {
    let error = Archive::open("no/such/model.keras").unwrap_err().to_string();
    assert!(error.starts_with("`no/such/model.keras`: there is no such file\n  help: check the path"), "{error}");
    let error = H5::open("nosuch.h5").unwrap_err().to_string();
    assert!(error.starts_with("`nosuch.h5`: there is no such file"), "{error}");
    let array = Array::scalar(1.0f32);
    let npz = Npz::read(&npy::npz_to_bytes([("x_train", &array)], false).unwrap()).unwrap();
    let error = npz.array("x_trian").unwrap_err().to_string();
    assert!(error.contains("no array `x_trian`\n  help: the nearest name is `x_train`"), "{error}");
}

/// A device may give bytes without end.
#[cfg(unix)]
#[test]
fn a_device_is_not_read() {
    for device in ["/dev/null", "/dev/zero"] {
        let errors = [Archive::open(device).err(), H5::open(device).err(), Npz::open(device).err()];
        for error in errors.into_iter().chain([npy::open(device).err()]) {
            let error = error.expect("a device").to_string();
            assert_eq!(error, format!("`{device}`: it cannot be read: this is a device, not a file"));
        }
    }
}

#[test]
fn nothing_can_be_written_over_or_into_a_dataset() {
    let array = Array::scalar(1.0f32);
    let mut builder = Builder::new();
    builder.dataset("a/b", &array).unwrap();
    for path in ["a/b", "a/b/c", "a//c", "/a", "a/"] {
        assert!(builder.dataset(path, &array).is_err(), "{path}");
    }
    assert!(builder.dataset("a", &array).is_err(), "a group is there");
    assert!(builder.group("a").is_ok(), "a group may be asked for twice");
}
