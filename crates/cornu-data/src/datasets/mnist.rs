//! Handwritten digits: 60,000 images to train on and 10,000 to test, 28 by 28 grey pixels each, and the digit written.
//! LeCun et al., "Gradient-based learning applied to document recognition" (1998).

use cornu_array::{Array, Context, Error, Result};
use cornu_files::npy::Npz;
use ndarray::{Array1, Array3};

use crate::get_file::{Places, Remote, check_hash, sha256};

/// Where the arrays are published.
pub const URL: &str = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz";

/// The SHA-256 of the file published.
const SHA256: &str = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1";

/// The arrays in the file and the SHA-256 of their bytes, by which the same arrays in another archive are known.
const ARRAYS: [(&str, &str); 4] = [
    ("x_train", "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"),
    ("y_train", "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    ("x_test", "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
    ("y_test", "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
];

/// Images `[n, 28, 28]`, from 0 (paper) to 255 (ink), and their digits `[n]`.
pub type Digits = (Array3<u8>, Array1<u8>);

/// The images to train on and those to test with: `(x_train, y_train), (x_test, y_test)`.
///
/// # Errors
/// There must be a copy of `mnist.npz` (in the folder that the environment variable `CORNU_DATASETS` names, or in
/// Keras's cache) or a connection, and it must be the right one.
pub fn load_data() -> Result<(Digits, Digits)> {
    let remote = Remote { url: URL, names: &["mnist.npz"], subfolder: "" };
    Ok(Places::from_environment().fetch(&remote, read)?.1)
}

fn read(bytes: &[u8]) -> Result<(Digits, Digits)> {
    let as_published = sha256(bytes) == SHA256;
    let file = Npz::read(bytes)?;
    let array = |(name, hash): (&str, &str)| {
        let array = file.array(name)?;
        let bytes = array.as_slice::<u8>().ok_or_else(|| wrong(&array)).context(format!("`{name}`"))?;
        if !as_published {
            check_hash(bytes, hash).context(format!("`{name}`"))?;
        }
        Ok(bytes.to_vec())
    };
    let [x_train, y_train, x_test, y_test] = ARRAYS;
    Ok((digits(array(x_train)?, array(y_train)?)?, digits(array(x_test)?, array(y_test)?)?))
}

fn digits(x: Vec<u8>, y: Vec<u8>) -> Result<Digits> {
    let x = Array3::from_shape_vec((x.len() / (28 * 28), 28, 28), x);
    Ok((x.map_err(|error| Error::data(error.to_string()).caused_by(error))?, Array1::from(y)))
}

fn wrong(array: &Array) -> Error {
    Error::data(format!("needs u8 elements, got {}", array.ty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_archives_are_refused() {
        let pixels = Array::new([1, 28, 28], vec![7u8; 28 * 28]).unwrap();
        let bytes = cornu_files::npy::npz_to_bytes([("x_train", &pixels)], true).unwrap();
        let error = read(&bytes).unwrap_err();
        assert!(error.message().starts_with("`x_train`: the file needs the SHA-256 741c"), "{error}");
        let bytes = cornu_files::npy::npz_to_bytes([("x_train", &pixels.cast(cornu_array::DType::F32))], true).unwrap();
        assert_eq!(read(&bytes).unwrap_err().message(), "`x_train`: needs u8 elements, got f32[1,28,28]");
        assert!(read(b"no archive").is_err());
    }

    #[test]
    fn the_digits_are_all_there() {
        // The file may not be here, and no test goes to the net for it.
        if std::env::var_os("CORNU_DATASETS").is_none() {
            println!("skipped: CORNU_DATASETS names no folder with mnist.npz");
            return;
        }
        let ((x_train, y_train), (x_test, y_test)) = load_data().unwrap();
        assert_eq!((x_train.dim(), y_train.dim()), ((60_000, 28, 28), 60_000));
        assert_eq!((x_test.dim(), y_test.dim()), ((10_000, 28, 28), 10_000));
        assert_eq!(y_train.iter().take(5).copied().collect::<Vec<_>>(), [5, 0, 4, 1, 9]);
        assert_eq!((y_test[0], x_test[[0, 7, 7]]), (7, 185));
    }
}
