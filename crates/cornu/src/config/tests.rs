//! Configurations to JSON and back.
#![allow(unreachable_pub, dead_code)]

use cornu_testkit::golden::Report;

use super::*;
use crate::activations::Activation;
use crate::choice::family;
use crate::constraints::Constraint;
use crate::flavor::Flavor;
use crate::initializers::Initializer;
use crate::layers::Layer;
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::optimizers::Optimizer;
use crate::random::tests::turn;
use crate::registry::Family;
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

/// What the family under test can do.
pub trait Switch: Config {}

crate::config! {
    /// Nothing to set.
    "test" pub struct Off {}
}

crate::config! {
    /// Something to set.
    "test" pub struct On {
        /// The seed.
        seed: Option<i64> = None => SEED,
        /// How much.
        level: f64 = 1.0,
        /// Known in part.
        axis: Option<i64> = None => HIDE_NULL,
    }
}

impl Switch for Off {}
impl Switch for On {}

family! {
    "choice" in choices: dyn Switch = [
        Off = "off";
        On = "on" | "ON" | "loud" { "level": 2.0 };
    ]
}

type Choice = crate::choice::Choice<dyn Switch>;

fn read_plain(json: &Value) -> Result<Plain> {
    Plain::from_json(json.as_object().expect("an object"))
}

crate::config! {
    /// Settings that are called as some with marks, and have none.
    "test" pub struct Unmarked {
        /// No seed.
        seed: Option<i64> = None,
        /// No axes.
        main_axes: Option<i64> = None,
    }
}

#[test]
fn what_a_setting_is_called_means_nothing() {
    let all = Unmarked::new();
    assert_eq!(seeds_drawn(&all.settings()), 0);
    assert_eq!(json!(Config::to_json(&all)), json!({ "seed": null, "main_axes": null }));
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
    let on = Choice::from(On::new().level(2));
    assert_eq!(Choice::from_json(&json!("ON")).expect("an alias"), On::new().into());
    assert_eq!(
        [Choice::from_json(&on.to_json()).expect("its own json"), Choice::from("loud")],
        [on.clone(), on.clone()]
    );
    let drawn = |choice: &Choice| seeds_drawn(&[Setting { name: "on", marks: &[], value: choice }]);
    assert_eq!([drawn(&on), drawn(&"off".into()), drawn(&On::new().seed(1).into())], [1, 0, 0]);
    assert_eq!(on.to_json()["config"], json!({ "seed": null, "level": 2.0 }));
    let error = Choice::from("onn").check().expect_err("an unknown name");
    assert_eq!(error.to_string(), "unknown choice `onn`; there are `off`, `on`, `loud`\n  help: did you mean `on`?");
    let error = Choice::from_json(&json!({ "class_name": "On", "config": { "levl": 1 } })).expect_err("a key");
    assert_eq!(error.message(), "On: unknown key `levl`; there are `seed`, `level`, `axis`");
}

#[test]
fn numbers_that_no_file_can_hold_are_refused() {
    let message = |checked: Result<()>| checked.expect_err("not finite").to_string();
    assert_eq!(message(Plain::new(3).rate(f64::NAN).check()), "Plain.rate: needs a finite number, got NaN");
    assert_eq!(
        message(Field::check(&Choice::from(On::new().level(f64::INFINITY)))),
        "On.level: needs a finite number, got inf"
    );
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
    let plain =
        json!([true, 3, 0.25, "relu", "l2", "he_normal", "max_norm", "sum", "channels_first", "float64", "fan_out"]);
    let objects = ["SGD", "L1"].map(|class| json!({ "class_name": class, "config": {} }));
    let layers = ["GRU", "GRUCell"].map(|class| json!({ "class_name": class, "config": { "units": 2 } }));
    let lists = json!([[null, 5], [3], ["x"], objects[0], objects[1], layers[0], layers[1]]);
    [plain, lists].iter().flat_map(|values| values.as_array().cloned().unwrap_or_default()).collect()
}

/// Reads settings; gives them as they would be written, and all there is of the object.
type Reader<'a> = dyn Fn(&Map<String, Value>) -> Result<(Value, String)> + 'a;

/// Every setting of a class is refused or makes another object, whatever the value; there must be a value that makes one
/// or every value must be refused.
fn nothing_is_dropped(report: &mut Report, class: &str, others: &[&str], read: &Reader) {
    // Settings without a default get the first value that fits.
    let mut start = Map::new();
    let missing = |error: &Error| Some(error.message().strip_suffix("` is missing")?.rsplit('`').next()?.to_owned());
    while let Some(key) = read(&start).err().as_ref().and_then(missing) {
        let fits = |value: &Value| {
            start.insert(key.clone(), value.clone());
            read(&start).err().is_none_or(|error| missing(&error).is_some_and(|next| next != key))
        };
        assert!(values().iter().any(fits), "{class}: nothing fits `{key}`");
    }
    let (written, before) = read(&start).expect("no setting is missing");
    let own = written.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
    for key in own.chain(others.iter().copied()) {
        let dropped = values().into_iter().find(|value| {
            let mut settings = start.clone();
            settings.insert(key.into(), value.clone());
            let same = [Some(&written[key]), start.get(key)].contains(&Some(value))
                || value.is_number() && written[key].as_f64() == value.as_f64();
            !same && read(&settings).is_ok_and(|(_, after)| after == before)
        });
        report.case(&format!("{class}.{key}"), dropped.map_or(Ok(()), |value| Err(format!("{value} is dropped"))));
    }
}

#[test]
fn no_setting_is_read_and_dropped() {
    // Layers within others draw their seeds.
    let _turn = turn(Flavor::Keras3);
    let mut report = Report::default();
    fn family<T: ?Sized + Family>(report: &mut Report, others: fn(&str) -> &'static [&'static str]) {
        for class in T::registry().listed() {
            nothing_is_dropped(report, &class.id.name, others(&class.id.name), &|settings| {
                (class.read)(settings).map(|object| (object.to_json().into(), format!("{object:?}")))
            });
        }
    }
    family::<dyn Layer>(&mut report, |class| match class {
        "InputLayer" => &["batch_shape", "optional"],
        _ => &crate::layers::KEYS,
    });
    family::<dyn Loss>(&mut report, |_| &[]);
    family::<dyn Metric>(&mut report, |_| &[]);
    family::<dyn Optimizer>(&mut report, |_| &[]);
    family::<dyn Initializer>(&mut report, |_| &[]);
    family::<dyn Regularizer>(&mut report, |_| &[]);
    family::<dyn Constraint>(&mut report, |_| &[]);
    family::<dyn Activation>(&mut report, |_| &[]);
    report.finish();
}

/// Every class tells its fields as it writes them: names, defaults, kinds, and what each is for.
#[test]
fn fields_are_told_as_they_are_written() {
    fn family<T: ?Sized + Family>() {
        for class in T::registry().listed() {
            let required = class.fields.iter().filter(|field| field.default.is_none()).count();
            let read = (class.read)(&Map::new());
            assert_eq!(read.is_ok(), required == 0, "{}", class.id.name);
            let Ok(object) = read else { continue };
            let settings = object.settings();
            for (field, setting) in class.fields.iter().zip(&settings) {
                assert_eq!(field.name, setting.name, "{}", class.id.name);
                assert_eq!((&field.default, &field.marks[..]), (&Some(setting.value.to_json()), setting.marks));
                assert!(!field.doc.is_empty() && !field.kind.to_string().is_empty(), "{}", field.name);
            }
        }
    }
    family::<dyn Layer>();
    family::<dyn Loss>();
    family::<dyn Metric>();
    family::<dyn Optimizer>();
    family::<dyn Initializer>();
    family::<dyn Regularizer>();
    family::<dyn Constraint>();
    let dense = <dyn Layer>::registry().listed().iter().find(|class| class.id.name == "Dense").expect("a class");
    let told = |i: usize| (&*dense.fields[i].name, dense.fields[i].kind.to_string(), &*dense.fields[i].doc);
    assert_eq!(told(0), ("units", "a size".into(), "The number of outputs."));
    assert_eq!(told(1), ("activation", "the name or object of an activation".into(), "What is put after the sum."));
    assert_eq!(told(5).1, "the name or object of a regularizer, or nothing");
}

#[test]
fn a_mark_names_the_range_of_a_number() {
    let check = |value: f64, marks: &[Mark]| Setting { name: "a", marks, value: &value }.check();
    assert!(check(0.5, &[Mark::SEED]).is_ok() && check(1.5, &[Mark::PART]).is_err());
    assert!(check(-1.0, &[Mark::NOT_NEGATIVE]).is_err() && check(1.5, &[Mark::NOT_NEGATIVE]).is_ok());
}
