//! Configurations to JSON and back.
#![allow(unreachable_pub)]

use super::*;

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
    assert_eq!(message(json!({ "units": 3, "rat": 1 })), "Plain: unknown key `rat`\n  help: did you mean `rate`?");
}

#[test]
fn a_choice_is_a_name_or_an_object() {
    let on = Choice::On { seed: None, level: 2.0, axis: None };
    assert_eq!(Choice::from_json(&json!("ON")).expect("an alias"), Choice::On { seed: None, level: 1.0, axis: None });
    assert_eq!(Choice::from_json(&on.to_json()).expect("its own json"), on);
    assert_eq!((on.draws(), Choice::Off.draws()), (1, 0));
    assert_eq!(on.to_json()["config"], json!({ "seed": null, "level": 2.0 }));
    let error = Choice::from("onn").check().expect_err("an unknown name");
    assert_eq!(error.to_string(), "unknown choice `onn`\n  help: did you mean `on`?");
    let error = Choice::from_json(&json!({ "class_name": "On", "config": { "levl": 1 } })).expect_err("a key");
    assert_eq!(error.message(), "On: unknown key `levl`");
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
