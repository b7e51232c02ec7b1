//! Configurations to JSON and back.
#![allow(unreachable_pub)]

use cornu_testkit::golden::Report;

use super::*;
use crate::choice::Family;
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::optimizers::Optimizer;
use crate::regularizers::Regularizer;

crate::config! {
    /// A struct under test.
    "test" pub struct Plain {
        /// Without a default.
        units: usize,
        /// With one.
        rate: f64 = 0.5,
        /// May be missing.
        seed: Option<i64> = None,
    }
}

crate::one_of! {
    /// A choice under test.
    "test" "choice" pub enum Choice {
        /// Nothing to set.
        Off = "off",
        /// Something to set.
        On = "on" | "ON" { seed: Option<i64> = None => SEED, level: f64 = 1.0, axis: Option<i64> = None => HIDE_NULL },
    }
}

fn read_plain(json: &Value) -> Result<Plain> {
    Plain::from_json(json.as_object().expect("an object"))
}

crate::one_of! {
    /// Settings that are called as some with marks, and have none.
    "test" "choice" pub enum Unmarked {
        /// All of them.
        All = "all" { seed: Option<i64> = None, main_axes: Option<i64> = None },
    }
}

#[test]
fn what_a_setting_is_called_means_nothing() {
    let all = Unmarked::from("all");
    assert_eq!(all.draws(), 0);
    assert_eq!(all.to_json()["config"], json!({ "seed": null, "main_axes": null }));
}

#[test]
fn a_struct_goes_to_json_and_back() {
    let plain = Plain::new(3).rate(1).seed(7);
    let json = Value::Object(Config::to_json(&plain));
    assert_eq!(json.to_string(), r#"{"units":3,"rate":1.0,"seed":7}"#);
    assert_eq!(read_plain(&json).expect("its own json"), plain);
    assert_eq!(read_plain(&json!({ "units": 3 })).expect("defaults"), Plain::new(3));
}

#[test]
fn mistakes_are_named() {
    let message = |json: Value| read_plain(&json).expect_err("a mistake").to_string();
    assert_eq!(message(json!({ "units": "many" })), r#"Plain.units: expected a whole number, got "many""#);
    assert_eq!(message(json!({})), "Plain: the key `units` is missing");
    assert_eq!(
        message(json!({ "units": 3, "rat": 1 })),
        "Plain: unknown key `rat`; there are `units`, `rate`, `seed`\n  help: did you mean `rate`?"
    );
}

#[test]
fn a_choice_is_a_name_or_an_object() {
    let on = Choice::On { seed: None, level: 2.0, axis: None };
    assert_eq!(Choice::from_json(&json!("ON")).expect("an alias"), Choice::On { seed: None, level: 1.0, axis: None });
    assert_eq!(Choice::from_json(&on.to_json()).expect("its own json"), on);
    assert_eq!((on.draws(), Choice::Off.draws()), (1, 0));
    assert_eq!(on.to_json()["config"], json!({ "seed": null, "level": 2.0 }));
    let error = Choice::from("onn").check().expect_err("an unknown name");
    assert_eq!(error.to_string(), "unknown choice `onn`; there are `off`, `on`\n  help: did you mean `on`?");
    let error = Choice::from_json(&json!({ "class_name": "On", "config": { "levl": 1 } })).expect_err("a key");
    assert_eq!(error.message(), "On: unknown key `levl`; there are `seed`, `level`, `axis`");
}

#[test]
fn numbers_that_no_file_can_hold_are_refused() {
    let message = |checked: Result<()>| checked.expect_err("not finite").to_string();
    assert_eq!(message(Plain::new(3).rate(f64::NAN).check()), "Plain.rate: needs a finite number, got NaN");
    let on = Choice::On { seed: None, level: f64::INFINITY, axis: None };
    assert_eq!(message(Field::check(&on)), "On.level: needs a finite number, got inf");
    assert_eq!(
        message(Field::check(&Some(OneOrMany::Many(vec![1.0, f64::INFINITY])))),
        "needs a finite number, got inf"
    );
}

#[test]
fn arrays_of_numpy_are_lists() {
    let array = json!({ "class_name": "__numpy__", "config": { "value": [0.5, 2.0], "dtype": "float64" } });
    assert_eq!(OneOrMany::from_json(&array).expect("an array"), OneOrMany::Many(vec![0.5, 2.0]));
    let error = OneOrMany::<f64>::from_json(&json!({ "class_name": "__numpy__" })).expect_err("nothing in it");
    assert_eq!(error.message(), "expected a number, got null");
}

/// Values of all kinds that settings may have.
fn values() -> Vec<Value> {
    let plain = json!([true, 3, 0.25, "relu", "l2", "ones", "max_norm", "sum", "channels_first", "float64", "fan_out"]);
    let lists = json!([[null, 5], [3], ["x"], { "class_name": "L1", "config": { "l1": 0.5 } }]);
    [plain, lists].iter().flat_map(|values| values.as_array().cloned().unwrap_or_default()).collect()
}

/// Reads settings; gives them as they would be written, and all there is of the object.
type Reader<'a> = dyn Fn(&Map<String, Value>) -> Result<(Value, String)> + 'a;

/// Every setting of a class is refused or makes another object, whatever the value; there must be a value that makes one
/// or every value must be refused.
fn nothing_is_dropped(report: &mut Report, class: &str, others: &[&str], read: &Reader) {
    // Settings without a default get the first value that fits.
    let mut start = Map::new();
    while let Some(key) = read(&start).err().and_then(|error| Some(error.message().split('`').nth(1)?.to_owned())) {
        let fits = |value: &Value| {
            start.insert(key.clone(), value.clone());
            read(&start).err().is_none_or(|error| error.message().split('`').nth(1).is_some_and(|next| next != key))
        };
        assert!(values().iter().any(fits), "{class}: nothing fits `{key}`");
    }
    let (written, before) = read(&start).expect("no setting is missing");
    let own = written.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    for key in own.chain(others.iter().copied()) {
        let dropped = values().into_iter().find(|value| {
            let mut settings = start.clone();
            settings.insert(key.into(), value.clone());
            let same = written[key] == *value || value.is_number() && written[key].as_f64() == value.as_f64();
            !same && read(&settings).is_ok_and(|(_, after)| after == before)
        });
        report.case(&format!("{class}.{key}"), dropped.map_or(Ok(()), |value| Err(format!("{value} is dropped"))));
    }
}

#[test]
fn no_setting_is_read_and_dropped() {
    let mut report = Report::default();
    for (class, read) in crate::layers::LAYERS {
        let keys: &[&str] = match *class {
            "InputLayer" => &["batch_shape", "optional"],
            _ => &crate::layers::KEYS,
        };
        nothing_is_dropped(&mut report, class, keys, &|settings| {
            read(settings).map(|layer| (layer.to_json().into(), format!("{layer:?}")))
        });
    }
    fn family<T: ?Sized + Family>(report: &mut Report) {
        for class in T::NAMES.iter().filter(|name| name.starts_with(char::is_uppercase)) {
            let read = |settings: &Map<String, Value>| {
                T::of_class(class, settings).map(|object| (object.to_json().into(), format!("{object:?}")))
            };
            if T::named(class).is_some_and(|object| object.class_name() == *class) {
                nothing_is_dropped(report, class, &[], &read);
            }
        }
    }
    family::<dyn Loss>(&mut report);
    family::<dyn Metric>(&mut report);
    family::<dyn Optimizer>(&mut report);
    fn choices<T: Field + fmt::Debug>(report: &mut Report, classes: &[&str]) {
        for class in classes {
            nothing_is_dropped(report, class, &[], &|settings| {
                let object = T::from_json(&json!({ "class_name": class, "config": settings }))?;
                Ok((object.to_json()["config"].clone(), format!("{object:?}")))
            });
        }
    }
    choices::<Initializer>(&mut report, Initializer::CLASSES);
    choices::<Regularizer>(&mut report, Regularizer::CLASSES);
    choices::<Constraint>(&mut report, Constraint::CLASSES);
    report.finish();
}

#[test]
fn a_mark_that_is_none_is_named() {
    let error = check_marked(&0.5, &["PRAT"]).expect_err("no such mark");
    assert_eq!(error.message(), "needs a mark that there is, got `PRAT`");
    assert!(check_marked(&0.5, &["SEED"]).is_ok() && check_marked(&1.5, &["PART"]).is_err());
}
