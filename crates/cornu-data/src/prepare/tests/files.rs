//! Files of transformers: what is kept, and what becomes of files that are damaged, changed, or of others.

use std::fs;

use cornu_array::Array;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::Report;

use super::*;
use crate::{Estimator, Stored};

/// Every class at once, fitted on columns of every kind.
fn everything() -> Pipeline {
    let numbers = Pipeline::new()
        .step("fill", SimpleImputer::new().add_indicator(true))
        .step("standard", StandardScaler::new())
        .step("robust", RobustScaler::new().quantile_range(10.0, 90.0).expect("a range"))
        .step("range", MinMaxScaler::new().feature_range(-1.0, 1.0).expect("a range").clip(true))
        .step("greatest", MaxAbsScaler::new());
    let text = Pipeline::new()
        .step("fill", SimpleImputer::new().strategy(Strategy::Constant).fill_value("none"))
        .step("hot", OneHotEncoder::new().drop(DropCategory::First).handle_unknown(HandleUnknown::Ignore));
    let columns = ColumnTransformer::new()
        .transformer("num", numbers, make_column_selector("number"))
        .transformer("cat", text, ["port"])
        .transformer("ord", OrdinalEncoder::new().min_frequency(2), ["sex"])
        .remainder(Branch::Passthrough);
    let mut all = Pipeline::new()
        .step("columns", columns)
        .step("products", PolynomialFeatures::new().interaction_only(true))
        .step("length", Normalizer::new().norm(Norm::L1))
        .step("ones", Binarizer::new().threshold(0.01));
    all.fit(people()).expect("fits");
    all
}

fn people() -> Table {
    let csv = "age,port,sex,fare,alone\n22,S,m,7.25,True\n,C,f,71.2833,False\n38,,f,8.05,True\n26,S,f,-0.0,False\n";
    Table::from_csv_str(csv).expect("a table")
}

#[test]
fn what_is_loaded_does_the_same() {
    let folder = Folder::new("prepare-files");
    let (all, path) = (everything(), folder.join("all.json"));
    all.save(&path).unwrap();
    let again = Pipeline::<()>::load(&path).unwrap();
    assert_eq!(again.transform(people()).unwrap(), all.transform(people()).unwrap());
    assert_eq!(again.get_feature_names_out().unwrap(), all.get_feature_names_out().unwrap());
    let text = fs::read_to_string(&path).unwrap();
    again.save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "what was read is written again");
    let any = load_transformer(&path).unwrap();
    assert_eq!(any.transform(&people()).unwrap(), all.transform(people()).unwrap());
    assert_eq!(folder.names(), ["all.json"]);
}

#[test]
fn a_file_is_for_people() {
    let folder = Folder::new("prepare-readable");
    let mut scaler = MinMaxScaler::new();
    scaler.fit(Table::new([("a", vec![0.1, 0.3]), ("b", vec![-0.0, f64::NAN])]).unwrap()).unwrap();
    scaler.save(folder.join("s.json")).unwrap();
    let wanted = r#"{
  "format": "cornu transformer",
  "version": 1,
  "class_name": "MinMaxScaler",
  "config": {
    "feature_range": [0.0, 1.0],
    "clip": false,
    "learnt": {
      "seen": {
        "columns": 2,
        "names": ["a", "b"]
      },
      "data_min": [0.1, -0.0],
      "data_max": [0.3, -0.0],
      "scale": [5.0, 1.0],
      "min": [-0.5, 0.0]
    }
  }
}
"#;
    assert_eq!(fs::read_to_string(folder.join("s.json")).unwrap(), wanted);
    assert_eq!(MinMaxScaler::load(folder.join("s.json")).unwrap(), scaler);
    let mut labels = LabelEncoder::new();
    labels.fit(&["b", "ä"]).unwrap();
    labels.save(folder.join("l.json")).unwrap();
    assert_eq!(LabelEncoder::load(folder.join("l.json")).unwrap(), labels);
}

/// What is wrong with a file is said, with its place in it.
#[test]
fn files_that_are_none_are_refused() {
    let folder = Folder::new("prepare-refused");
    let path = folder.join("s.json");
    let file = |class: &str, config: &str| {
        format!(r#"{{"format": "cornu transformer", "version": 1, "class_name": "{class}", "config": {config}}}"#)
    };
    let unfitted = r#"{"clip": false, "learnt": null}"#;
    let learnt =
        r#"{"clip": false, "learnt": {"seen": {"columns": 2, "names": null}, "max_abs": [1, 2], "scale": [1]}}"#;
    let cases = [
        ("", "needs JSON, got something else: "),
        ("[]", "needs an object, got `[]`"),
        ("{}", "needs a file with the format `cornu transformer`, got another"),
        (r#"{"format": "cornu transformer"}"#, "needs `version`, which is not there"),
        (r#"{"format": "cornu transformer", "version": "x"}"#, "version: needs a whole number from 0 up, got `\"x\"`"),
        (r#"{"format": "cornu transformer", "version": 2}"#, "needs version 1 or below, got 2"),
        (&file("MinMaxScaler", "{}"), "needs a `MaxAbsScaler`, got a `MinMaxScaler`"),
        (&file("Squeezer", "{}"), "needs a `MaxAbsScaler`, got a `Squeezer`"),
        (&file("MaxAbsScaler", "{}"), "config: needs `clip`, which is not there"),
        (&file("MaxAbsScaler", r#"{"clip": 3}"#), "config: clip: needs true or false, got `3`"),
        (&file("MaxAbsScaler", &unfitted.replace("false", "true, \"x\": 1")), "config: `x` is not known; there are "),
        (&file("MaxAbsScaler", learnt), "config: learnt: needs 2 numbers, one for each column, got 1"),
    ];
    let mut report = Report::default();
    for (text, wanted) in cases {
        fs::write(&path, text).unwrap();
        let got = MaxAbsScaler::load(&path).map_or_else(|error| error.message().to_owned(), |_| "ok".into());
        let wanted = format!("`{}`: {wanted}", path.display());
        report.case(&wanted, if got.starts_with(&wanted) { Ok(()) } else { Err(format!("got `{got}`")) });
    }
    report.finish();
    let unknown = load_transformer(folder.join("none.json")).unwrap_err().to_string();
    assert!(unknown.contains("none.json`: it cannot be read: "), "{unknown}");
    fs::write(&path, file("MinMaxScalar", unfitted)).unwrap();
    let near = load_transformer(&path).unwrap_err().to_string();
    assert!(
        near.contains("the class `MinMaxScalar` is not known") && near.contains("did you mean `MinMaxScaler`?"),
        "{near}"
    );
    fs::write(&path, file("MaxAbsScaler", unfitted)).unwrap();
    assert_eq!(MaxAbsScaler::load(&path).unwrap(), MaxAbsScaler::new());
}

#[test]
fn functions_are_in_no_file() {
    let folder = Folder::new("prepare-function");
    let function = FunctionTransformer::new(|table: &Table| Ok(table.clone()));
    let columns = ColumnTransformer::new().transformer("same", function.clone(), ["a"]);
    let error = Pipeline::new().step("columns", columns).save(folder.join("p.json")).unwrap_err();
    let wanted = "`Pipeline`: `columns`: `ColumnTransformer`: `same`: a `FunctionTransformer` cannot be saved: \
                  no file holds a function";
    assert_eq!((error.message(), folder.names()), (wanted, Vec::new()));
    let inside = Pipeline::new().step("rest", ColumnTransformer::new().remainder(function));
    assert!(inside.save(folder.join("p.json")).is_err() && folder.names().is_empty());
}

/// Adds up what it is given, times what it learned: an estimator that is kept in a file of one number.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sums(f64);

impl Estimator for Sums {
    type Fit = ();

    fn fit(&mut self, x: &Array, y: &Array, (): ()) -> Result<()> {
        self.0 = y.to_vec::<f64>().iter().sum::<f64>() + x.len() as f64;
        Ok(())
    }

    fn predict(&mut self, x: &Array) -> Result<Array> {
        let width = x.shape().last().copied().unwrap_or(1);
        Ok(Array::vector(x.to_vec::<f64>().chunks(width).map(|row| row.iter().sum::<f64>() * self.0).collect()))
    }
}

impl Stored for Sums {
    const EXTENSION: &'static str = "sum";

    fn save(&self, place: &Path) -> Result<()> {
        atomic::write(place, self.0.to_string().as_bytes())
    }

    fn load(place: &Path) -> Result<Sums> {
        let text = fs::read_to_string(place).map_err(|error| Error::file(format!("`{}`: {error}", place.display())))?;
        text.parse().map(Sums).map_err(|error| Error::file(format!("needs a number: {error}")))
    }
}

#[test]
fn an_estimator_is_kept_beside_its_pipeline() {
    let folder = Folder::new("prepare-estimator");
    let path = folder.join("sums.json");
    let x = people().select(["age", "fare"]).unwrap();
    let steps = || Pipeline::new().step("fill", SimpleImputer::new()).step("scale", StandardScaler::new());
    let mut pipeline = steps().estimator("sums", Sums::default());
    pipeline.fit(&x, [1.0, 0.0, 1.0, 1.0]).unwrap();
    assert_eq!(pipeline.estimator_mut().0, 11.0);
    let predicted = pipeline.predict(&x).unwrap();
    pipeline.save(&path).unwrap();
    assert_eq!(folder.names(), ["sums.json", "sums.sum"]);
    let mut again = Pipeline::<Sums>::load(&path).unwrap();
    assert_eq!(again.predict(&x).unwrap(), predicted);
    let score = again.score(&x, [1.0, 0.0, 1.0, 1.0], |y, p| Ok(y.get(0) + p.get(0))).unwrap();
    assert_eq!(score, 1.0 + predicted.get(0));
    // Neither without its estimator, nor with that of another folder, nor where it has none.
    assert!(Pipeline::<()>::load(&path).unwrap_err().to_string().contains("`Pipeline::<Sequential>::load`"));
    assert!(load_transformer(&path).unwrap_err().to_string().contains("ends in the estimator `sums`"));
    let text = fs::read_to_string(&path).unwrap();
    for other in ["../sums.sum", "/tmp/sums.sum", "sums.keras", "", "..", "a/b.sum"] {
        fs::write(&path, text.replace("sums.sum", other)).unwrap();
        let error = Pipeline::<Sums>::load(&path).unwrap_err().to_string();
        assert!(error.contains("`file` needs the name of a file `.sum` beside this one"), "{other}: {error}");
    }
    let mut plain = steps();
    plain.fit(&x).unwrap();
    plain.save(&path).unwrap();
    assert!(Pipeline::<Sums>::load(&path).unwrap_err().to_string().contains("this pipeline has no estimator"));
    assert!(pipeline.save(folder.join("p.sum")).unwrap_err().to_string().contains("another ending than `.sum`"));
}

/// A number of the next of a row that looks random: xorshift.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as usize
}

/// A file changed in one place: a byte, a piece doubled or cut, a number or a word put for another.
fn changed(text: &[u8], state: &mut u64) -> Vec<u8> {
    const WORDS: [&str; 14] = [
        "null",
        "-1",
        "0",
        "1e999",
        "18446744073709551616",
        "\"nan\"",
        "[]",
        "{}",
        "true",
        "99999999",
        "\"\"",
        "[[1]]",
        "2.5",
        "1e-300",
    ];
    let mut text = text.to_vec();
    let at = next(state) % text.len();
    let end = (at + 1 + next(state) % 24).min(text.len());
    match next(state) % 12 {
        0 => text[at] = (next(state) % 256) as u8,
        1 => drop(text.drain(at..end)),
        2 => {
            let piece = text[at..end].to_vec();
            text.splice(at..at, piece);
        }
        3 => text.truncate(at),
        _ => {
            // One value, not the name before it.
            let starts = |byte: &u8| b" [".contains(byte);
            let start = text[at..].iter().position(starts).map_or(text.len(), |start| at + start + 1);
            let is_end = |byte: &u8| b",]}\n:".contains(byte);
            let stop = text[start..].iter().position(is_end).map_or(text.len(), |stop| start + stop);
            if text.get(stop) != Some(&b':') {
                text.splice(start..stop, WORDS[next(state) % WORDS.len()].bytes());
            }
        }
    }
    text
}

/// Whatever a file says, it is refused or does something: nothing panics.
#[test]
fn changed_files_do_no_harm() {
    let folder = Folder::new("prepare-changed");
    let (path, x) = (folder.join("changed.json"), people());
    let (mut state, mut loaded) = (0x9e37_79b9_7f4a_7c15, 0);
    for (transformer, count) in each() {
        save(&*transformer, &path).unwrap();
        let text = fs::read(&path).unwrap();
        for _ in 0..count {
            let json = serde_json::from_slice::<Json>(&changed(&text, &mut state));
            let read = json.map(|json| in_json(json).and_then(|json| Box::<dyn Transformer>::from_json(&json)));
            let Ok(Ok(read)) = read else { continue };
            loaded += 1;
            let _ = read.transform(&x).and_then(|out| read.inverse_transform(&out));
            let rows = Array::new([1, 2], vec![1.0, 2.0]).unwrap();
            let _ = read.apply(Frame::of_array("test", rows).unwrap()).and_then(|out| read.undo(out));
            let _ = (read.feature_names_out(None), read.config());
        }
    }
    assert!(loaded > 1000, "only {loaded} of the changed files were still files");
}

/// Classes one by one and all together, fitted, and how many files of each are changed: 10,000.
fn each() -> Vec<(Box<dyn Transformer>, usize)> {
    let numbers = [[1.0, 2.0], [3.0, -0.5], [0.0, 7.0]];
    let mut of_numbers: Vec<Box<dyn Transformer>> = vec![
        Box::new(MinMaxScaler::new().clip(true)),
        Box::new(MaxAbsScaler::new()),
        Box::new(StandardScaler::new()),
        Box::new(RobustScaler::new()),
        Box::new(PolynomialFeatures::new()),
        Box::new(SimpleImputer::new().add_indicator(true)),
    ];
    let frame = Frame::of_array("test", crate::ToArray::to_array(&numbers).unwrap()).unwrap();
    of_numbers.iter_mut().for_each(|made| made.learn(&frame).unwrap());
    let mut of_people: Vec<Box<dyn Transformer>> = vec![
        Box::new(OneHotEncoder::new().drop(DropCategory::First).handle_unknown(HandleUnknown::InfrequentIfExist)),
        Box::new(OrdinalEncoder::new().min_frequency(2)),
        Box::new(SimpleImputer::new().strategy(Strategy::MostFrequent).add_indicator(true)),
        Box::new(ColumnTransformer::new().transformer("a", StandardScaler::new(), [0, -2])),
    ];
    of_people.iter_mut().for_each(|made| made.fit(&people()).unwrap());
    let all: Box<dyn Transformer> = Box::new(everything());
    of_numbers.into_iter().chain(of_people).map(|made| (made, 950)).chain([(all, 500)]).collect()
}
