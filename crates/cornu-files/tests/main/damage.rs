//! Damaged files: never a panic, never more memory than the file is worth.

use cornu_array::Array;
use cornu_files::h5::H5;
use cornu_files::keras::Archive;
use cornu_files::npy;
use cornu_testkit::bits::Bits;
use cornu_testkit::golden;

/// The bytes with one thing wrong: cut short, a bit or some bytes changed, a length made huge, a part copied elsewhere.
fn damaged(bytes: &[u8], bits: &mut Bits) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = bits.below(bytes.len());
    let end = (at + 1 + bits.below(16)).min(bytes.len());
    match bits.below(6) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << bits.below(8),
        2 => bytes[at..end].fill(0xff),
        3 => bytes[at..end].fill(0),
        4 => bytes[at..end].iter_mut().for_each(|byte| *byte = bits.word() as u8),
        _ => bytes.copy_within(at..end, bits.below(at + 1)),
    }
    bytes
}

/// Reads everything there is, as a user would.
fn read_tree(bytes: Vec<u8>) -> bool {
    let Ok(tree) = H5::read(bytes) else { return false };
    let datasets = tree.datasets().iter().map(|entry| entry.path.as_str());
    let read: Vec<bool> = datasets
        .map(|path| {
            let attributes = tree.attributes(path).is_ok();
            (tree.dataset(path).is_ok() || tree.strings(path).is_ok()) && attributes
        })
        .collect();
    let attributes: Vec<bool> = tree.groups().iter().map(|path| tree.attributes(path).is_ok()).collect();
    read.into_iter().chain(attributes).all(|good| good)
}

/// The most address space the process has had, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[test]
fn three_thousand_damaged_files_are_read_or_refused() {
    let model = std::fs::read(golden::own("models").join("files/k3__deferred_sequential.keras")).unwrap();
    let weights = Archive::read(&model).unwrap().weights;
    assert!(read_tree(weights.clone()));
    let array = Array::new([3, 5], (0..15i32).collect()).unwrap();
    let npz = npy::npz_to_bytes([("a", &array), ("b", &array)], true).unwrap();
    let before = peak_memory();
    let mut refused = [0; 3];
    for seed in 0..1000 {
        let mut bits = Bits(seed);
        let archive = Archive::read(&damaged(&model, &mut bits));
        let whole = archive.is_ok_and(|archive| read_tree(archive.weights));
        refused[0] += usize::from(!whole);
        refused[1] += usize::from(!read_tree(damaged(&weights, &mut bits)));
        let arrays = npy::Npz::read(&damaged(&npz, &mut bits));
        let whole = arrays.is_ok_and(|npz| npz.names().map(|name| npz.array(name)).all(|array| array.is_ok()));
        refused[2] += usize::from(!whole);
    }
    // Checksums find almost all damage in an archive; in bare HDF5 most bytes are numbers, of which any will do.
    assert!(refused[0] > 800 && refused[1] > 150 && refused[2] > 800, "{refused:?}");
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < 1 << 30, "{} MiB more than before were taken", (after - before) >> 20);
    }
}

#[test]
fn a_shape_larger_than_the_file_is_refused_before_memory_is_taken() {
    let model = Archive::open(golden::own("models").join("files/k3__deferred_sequential.keras")).unwrap();
    // The kernel of the first layer is [5,6]; Keras's files keep shapes as eight-byte numbers, without a checksum.
    let shape = [5u64.to_le_bytes(), 6u64.to_le_bytes()].concat();
    let mut bytes = model.weights;
    while let Some(at) = bytes.windows(16).position(|window| window == shape) {
        bytes[at..at + 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    }
    let error = H5::read(bytes).unwrap().dataset("layers/dense/vars/0").unwrap_err().to_string();
    assert!(error.contains("the shape [1099511627776,6] needs 26388279066624 bytes, but 120 are stored"), "{error}");
}

#[test]
fn links_that_go_in_circles_are_refused() {
    let model = Archive::open(golden::own("models").join("files/k3__deferred_sequential.keras")).unwrap();
    let mut bytes = model.weights;
    // Byte 64 of Keras's files holds the address of the root group. The table of its children starts with `SNOD`, and
    // gives, from byte 16 on and every 40 bytes, the address of a child: each is made the root itself.
    let root: [u8; 8] = bytes[64..72].try_into().unwrap();
    let table = bytes.windows(4).position(|window| window == b"SNOD").unwrap();
    let children = usize::from(u16::from_le_bytes([bytes[table + 6], bytes[table + 7]]));
    for child in 0..children {
        let at = table + 16 + 40 * child;
        bytes[at..at + 8].copy_from_slice(&root);
    }
    let error = H5::read(bytes).unwrap_err().to_string();
    assert!(error.contains("go in circles"), "{error}");
}
