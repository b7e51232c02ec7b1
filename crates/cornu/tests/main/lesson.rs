//! The data of the lesson. They are not in this repository: tests that need them pass, and say so, where they are not.

use std::path::PathBuf;
use std::sync::OnceLock;

use cornu::data::Table;
use cornu::prelude::*;
use cornu_graph::Array;

/// Features and labels to train on, and those to test with.
pub(crate) type Data = ((Array, Array), (Array, Array));

fn place(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CORNU_DATASETS").map(PathBuf::from);
    let file = folder.map(|folder| folder.join(name)).filter(|file| file.is_file());
    if file.is_none() {
        println!("skipped: CORNU_DATASETS names no folder with {name}");
    }
    file
}

/// The rows of the first half.
pub(crate) fn pima() -> Option<Data> {
    let read = |file: PathBuf| -> cornu::Result<Data> {
        let table = Table::read_csv(file.to_str().expect("a plain path"))?;
        let (x, y) = (table.drop(["8"])?.to_array()?, table.column("8")?.to_array()?);
        let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, Split::test_size(0.2).random_state(42))?;
        Ok(((x_train, y_train), (x_test, y_test)))
    };
    Some(read(place("pima-indians-diabetes.csv")?).expect("the published table"))
}

/// The images of the second half, their ink divided by 255.
pub(crate) fn mnist() -> Option<&'static Data> {
    static DIGITS: OnceLock<Data> = OnceLock::new();
    place("mnist.npz")?;
    let read = || {
        // As the lesson does it: divided in doubles, then rounded.
        let inks: Vec<f32> = (0..=255).map(|ink| (f64::from(ink) / 255.0) as f32).collect();
        let half = |(x, y): datasets::mnist::Digits| {
            let ink = x.iter().map(|&ink| inks[usize::from(ink)]).collect::<Vec<f32>>();
            (Array::new([x.dim().0, 28, 28], ink).expect("a number for each pixel"), Array::vector(y.to_vec()))
        };
        let (train, test) = datasets::mnist::load_data().expect("the published digits");
        (half(train), half(test))
    };
    Some(DIGITS.get_or_init(read))
}
