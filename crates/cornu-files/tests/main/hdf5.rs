//! HDF5 as `h5py` writes it, old and new, and what is wrong with a structure.

use cornu_array::{Array, F16, Type};
use cornu_files::h5::{Attribute, Builder, H5};
use cornu_files::keras::Archive;
use cornu_testkit::golden;

fn fixture(version: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/files");
    std::fs::read(format!("{folder}/h5py-{version}.h5")).unwrap()
}

#[test]
fn what_h5py_writes_is_read() {
    for version in ["earliest", "v108", "latest"] {
        let file = H5::read(fixture(version)).unwrap();
        for i in 0..60i64 {
            assert_eq!(file.dataset(&format!("many/{i}")).unwrap(), Array::scalar(i), "{version}");
        }
        let counted = Array::new([7, 5, 3], (0..105).map(|i| i as f32).collect()).unwrap();
        let chunked: &[&str] = if version == "latest" { &["whole"] } else { &["whole", "chunks", "deflated"] };
        for name in chunked {
            assert_eq!(file.dataset(&format!("d/{name}")).unwrap(), counted, "{version} {name}");
        }
        let doubles = Array::new([2, 3], vec![0.0f64, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(file.dataset("d/big_endian").unwrap(), doubles);
        assert_eq!(file.dataset("d/half").unwrap(), Array::vector((0..6).map(|i| F16::from_f64(i.into())).collect()));
        assert_eq!(file.dataset("d/bool").unwrap(), Array::vector(vec![true, false]));
        assert_eq!(file.dataset("d/empty").unwrap(), Array::zeros(&Type::f32([0, 3])));
        assert_eq!(file.strings("d/texts").unwrap(), ["a".to_owned(), "größe".into(), "x".repeat(50)]);
        assert_eq!(file.strings("d/fixed").unwrap(), ["ab", "cde"]);
        let attributes = file.attributes("").unwrap();
        assert_eq!(attributes["text"], Attribute::Text("größe".into()));
        assert_eq!(attributes["names"], Attribute::Texts(vec!["dense".into(), "dense_1".into()]));
        assert_eq!(attributes["float"], Attribute::Floats(vec![0.5]));
        assert_eq!(attributes["ints"], Attribute::Ints(vec![0, 1, 2]));
        assert_eq!(attributes["flag"], Attribute::Ints(vec![1]));
        assert!(file.has_group("twin0") && file.numbers_held() > 60 + 105);
    }
}

/// The bytes with each occurrence of some replaced by as many others.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|&at| bytes[at..at + to.len()].copy_from_slice(to));
    bytes
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let error = H5::read(replaced(fixture("earliest"), b"twin1", b"twin0")).unwrap_err().to_string();
    assert!(error.contains("the name `twin0` is there twice"), "{error}");
    let mut builder = Builder::new();
    builder.dataset("layers/a", &Array::scalar(1.0f32)).unwrap();
    builder.dataset("layers\\a", &Array::scalar(2.0f32)).unwrap();
    let error = H5::read(builder.finish().unwrap()).unwrap_err().to_string();
    assert!(error.contains("the name `layers/a` is there twice"), "{error}");
}

#[test]
fn names_with_backslashes_are_paths() {
    let mut builder = Builder::new();
    builder.dataset("layers\\dense/vars/0", &Array::scalar(1.0f32)).unwrap();
    builder.dataset("layers\\dense_1/vars/0", &Array::scalar(2.0f32)).unwrap();
    builder.attribute("layers\\dense", "name", Attribute::Text("dense".into())).unwrap();
    let file = H5::read(builder.finish().unwrap()).unwrap();
    let groups = ["layers", "layers/dense", "layers/dense/vars", "layers/dense_1", "layers/dense_1/vars"];
    assert_eq!(file.groups(), groups);
    assert_eq!(file.dataset("layers/dense_1/vars/0").unwrap(), Array::scalar(2.0f32));
    assert_eq!(file.attributes("layers").unwrap().len() + file.attributes("layers/dense").unwrap().len(), 1);
}

/// The superblock says how long the file is: where bytes are missing, everything behind them is something else.
#[test]
fn a_file_that_was_cut_is_refused_wherever_it_was() {
    let keras = Archive::open(golden::own("models").join("files/k3__pima_mlp.keras")).unwrap().weights;
    let mut builder = Builder::new();
    builder.dataset("layers/dense/vars/0", &Array::zeros(&Type::f32([4, 4]))).unwrap();
    for whole in [keras, builder.finish().unwrap()] {
        for at in (0..whole.len() - 8).step_by(16) {
            let mut bytes = whole.clone();
            bytes.drain(at..at + 8);
            let error = H5::read(bytes).unwrap_err();
            assert!(at < 64 || error.message().contains("the file is cut short: it needs"), "{at}: {error}");
        }
    }
}

#[test]
fn chunks_that_are_missing_twice_there_or_outside_are_refused() {
    let bytes = fixture("earliest");
    // In the tree each chunk stands with its length, no mask, and where it belongs: here [3,2,2].
    let key = |at: [u64; 3]| [&48u64.to_le_bytes()[..], &at.map(u64::to_le_bytes).concat()].concat();
    let cases = [
        ([3, 2, 0], "or one of them twice"),
        ([3, 2, 1], "a chunk lies outside its shape"),
        ([1 << 60, 2, 2], "a chunk lies outside its shape"),
        ([u64::MAX, u64::MAX, u64::MAX], "a chunk lies outside its shape"),
    ];
    for (at, expected) in cases {
        let file = H5::read(replaced(bytes.clone(), &key([3, 2, 2]), &key(at))).unwrap();
        let error = file.dataset("d/chunks").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let tree = bytes.windows(8).position(|window| window == b"TREE\x01\x00\x12\x00").expect("a tree of 18 chunks");
    let mut fewer = bytes;
    fewer[tree + 6] = 17;
    let file = H5::read(fewer).unwrap();
    let errors = ["d/chunks", "d/deflated"].map(|path| file.dataset(path).err().map(|error| error.to_string()));
    assert!(errors.iter().flatten().any(|error| error.contains("it needs 18 chunks, but has 17")), "{errors:?}");
}
