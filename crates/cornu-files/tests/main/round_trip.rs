//! What is written here is read back the same.

use cornu_array::{Array, DType, Type};
use cornu_files::h5::{Attribute, Builder, H5};
use cornu_files::keras::{Archive, Extra};
use cornu_files::npy::{self, Npz};
use cornu_testkit::folder::Folder;

/// Arrays of every element type in several shapes, with the extreme values of each type.
fn arrays() -> Vec<(String, Array)> {
    let shapes: [&[usize]; 5] = [&[], &[3], &[2, 3], &[2, 1, 4], &[0, 5]];
    let mut arrays = vec![
        ("nan".into(), Array::vector(vec![f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 2.0, -0.0])),
        ("long".into(), Array::vector(vec![i64::MIN, i64::MAX, -1])),
        ("double".into(), Array::vector(vec![f64::MIN, f64::EPSILON, 5e-324])),
        ("unsigned".into(), Array::vector(vec![u32::MAX, 0])),
        ("long unsigned".into(), Array::vector(vec![u64::MAX, (1 << 53) + 1])),
        ("short".into(), Array::vector(vec![i16::MIN, i16::MAX])),
        ("byte".into(), Array::vector(vec![i8::MIN, i8::MAX])),
    ];
    for dtype in DType::ALL {
        for (index, shape) in shapes.into_iter().enumerate() {
            let array = Array::from_fn(&Type::new(dtype, shape), |i| {
                (i * 7 % 5) as f64 - if dtype.is_float() { 2.5 } else { 0.0 }
            });
            arrays.push((format!("{dtype}/{index}"), array));
        }
    }
    arrays
}

/// Equal to the last bit, which `==` is not for NaN.
fn same(a: &Array, b: &Array) -> bool {
    let bits = |array: &Array| (0..array.len()).map(|i| array.get(i).to_bits()).collect::<Vec<_>>();
    a.ty() == b.ty() && bits(a) == bits(b) && (a.dtype().is_float() || a == b)
}

#[test]
fn every_element_type_survives_npy() {
    let arrays = arrays();
    for (name, array) in &arrays {
        assert!(same(&npy::read(&npy::to_bytes(array)).unwrap(), array), "{name}");
    }
    for compress in [false, true] {
        let bytes = npy::npz_to_bytes(arrays.iter().map(|(name, array)| (name.as_str(), array)), compress).unwrap();
        let npz = Npz::read(&bytes).unwrap();
        assert!(npz.names().eq(arrays.iter().map(|(name, _)| name.as_str())));
        for (name, array) in &arrays {
            assert!(same(&npz.array(name).unwrap(), array), "{name}");
        }
    }
}

#[test]
fn every_element_type_survives_hdf5() {
    let arrays = arrays();
    let mut builder = Builder::new();
    for (name, array) in &arrays {
        builder.dataset(name, array).unwrap();
    }
    let tree = H5::read(builder.finish().unwrap()).unwrap();
    assert_eq!(tree.datasets().len(), arrays.len());
    for (name, array) in &arrays {
        assert!(same(&tree.dataset(name).unwrap(), array), "{name}");
    }
}

#[test]
fn attributes_and_empty_groups_survive() {
    let long = "x".repeat(200_000);
    let attributes = [
        ("", "keras_version", Attribute::Text("3.15.1".into())),
        ("", "model_config", Attribute::Text(long)),
        ("", "empty", Attribute::Text(String::new())),
        ("layers/dense/vars", "name", Attribute::Text("dense".into())),
        ("layers", "names", Attribute::Texts(vec!["dense".into(), "dense_1".into()])),
        ("layers", "umlauts", Attribute::Texts(vec!["größe".into(), "ü".into()])),
        ("layers/x", "ints", Attribute::Ints(vec![1, -2, i64::MAX])),
        ("layers/x", "floats", Attribute::Floats(vec![0.1])),
    ];
    let mut builder = Builder::new();
    builder.group("vars").unwrap();
    builder.dataset("layers/x", &Array::scalar(1.0f32)).unwrap();
    for (path, name, value) in &attributes {
        builder.attribute(path, name, value.clone()).unwrap();
    }
    let tree = H5::read(builder.finish().unwrap()).unwrap();
    assert_eq!(tree.groups(), ["layers", "layers/dense", "layers/dense/vars", "vars"]);
    for (path, name, value) in &attributes {
        assert_eq!(tree.attributes(path).unwrap().get(*name), Some(value), "{path} {name}");
    }
}

#[test]
fn a_hundred_variables_in_one_group_are_listed_in_order() {
    let mut builder = Builder::new();
    for index in 0..100 {
        builder.dataset(&format!("optimizer/vars/{index}"), &Array::scalar(index)).unwrap();
    }
    let tree = H5::read(builder.finish().unwrap()).unwrap();
    let values: Vec<i32> = tree.datasets().iter().map(|entry| tree.dataset(&entry.path).unwrap().to_vec()[0]).collect();
    assert!(values.into_iter().eq(0..100));
}

#[test]
fn an_archive_is_saved_and_opened_as_file_and_as_folder() {
    let mut builder = Builder::new();
    builder.dataset("layers/dense/vars/0", &Array::vector(vec![1.0f32, 2.0])).unwrap();
    let archive = Archive {
        metadata: serde_json::json!({"keras_version": "3.15.1", "date_saved": "2026-11-23@14:13:13"}),
        config: serde_json::json!({"module": "keras", "class_name": "Sequential", "config": {"name": "größe"}}),
        weights: builder.finish().unwrap(),
        extra: vec![Extra::new("assets/layers/lookup/vocabulary.txt", b"the\ncat\n".to_vec())],
    };
    let folder = Folder::new("archive");
    std::fs::create_dir_all(folder.join("model/assets/layers/lookup")).unwrap();
    let file = folder.join("model.keras");
    archive.save(&file).unwrap();
    let opened = Archive::open(&file);
    let members = [
        ("metadata.json", archive.metadata.to_string().into_bytes()),
        ("config.json", archive.config.to_string().into_bytes()),
        ("model.weights.h5", archive.weights.clone()),
        ("assets/layers/lookup/vocabulary.txt", archive.extra[0].bytes().unwrap()),
    ];
    for (name, bytes) in members {
        std::fs::write(folder.join("model").join(name), bytes).unwrap();
    }
    let from_folder = Archive::open(folder.join("model"));
    assert_eq!(opened.unwrap(), archive);
    assert_eq!(from_folder.unwrap(), archive);
}
