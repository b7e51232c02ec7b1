//! Settings by the methods of each class are those of its file; mistakes are told as such.

use super::*;

/// A transformer, and in what its configuration differs from the default one.
type Changed = (Box<dyn Transformer>, &'static str);

fn check(cases: &[Changed]) {
    let mut report = Report::default();
    for (made, changes) in cases {
        let mut wanted = defaults(made.class()).expect("a class");
        let changes: Map<String, Json> = serde_json::from_str(changes).expect("JSON");
        changes.iter().for_each(|(key, value)| wanted[key] = value.clone());
        let got = made.config();
        let outcome = if got == wanted { Ok(()) } else { Err(format!("needs {wanted}, got {got}")) };
        report.case(made.class(), outcome);
    }
    report.finish();
}

#[test]
fn methods_of_scalers_set_what_scikit_learn_calls_so() {
    check(&[
        (MinMaxScaler::new().feature_range(-1.0, 2.0).unwrap().boxed(), r#"{"feature_range": [-1.0, 2.0]}"#),
        (MinMaxScaler::new().clip(true).boxed(), r#"{"clip": true}"#),
        (MaxAbsScaler::new().clip(true).boxed(), r#"{"clip": true}"#),
        (StandardScaler::new().with_mean(false).boxed(), r#"{"with_mean": false}"#),
        (StandardScaler::new().with_std(false).boxed(), r#"{"with_std": false}"#),
        (RobustScaler::new().with_centering(false).boxed(), r#"{"with_centering": false}"#),
        (RobustScaler::new().with_scaling(false).boxed(), r#"{"with_scaling": false}"#),
        (RobustScaler::new().quantile_range(5.0, 95.0).unwrap().boxed(), r#"{"quantile_range": [5.0, 95.0]}"#),
        (RobustScaler::new().unit_variance(true).boxed(), r#"{"unit_variance": true}"#),
        (Normalizer::new().norm(Norm::Max).boxed(), r#"{"norm": "max"}"#),
        (Binarizer::new().threshold(0.5).boxed(), r#"{"threshold": 0.5}"#),
        (PolynomialFeatures::new().degree(3).boxed(), r#"{"degree": [0, 3]}"#),
        (PolynomialFeatures::new().degree_range(2, 3).boxed(), r#"{"degree": [2, 3]}"#),
        (PolynomialFeatures::new().interaction_only(true).boxed(), r#"{"interaction_only": true}"#),
        (PolynomialFeatures::new().include_bias(false).boxed(), r#"{"include_bias": false}"#),
        (SimpleImputer::new().strategy(Strategy::Median).boxed(), r#"{"strategy": "median"}"#),
        (SimpleImputer::new().fill_value("x").boxed(), r#"{"fill_value": "x"}"#),
        (SimpleImputer::new().missing_values(-1).boxed(), r#"{"missing_values": -1}"#),
        (SimpleImputer::new().add_indicator(true).boxed(), r#"{"add_indicator": true}"#),
        (SimpleImputer::new().keep_empty_features(true).boxed(), r#"{"keep_empty_features": true}"#),
    ]);
}

#[test]
fn methods_of_encoders_set_what_scikit_learn_calls_so() {
    let words = |words: [&str; 2]| Values::from(words.to_vec());
    check(&[
        (OrdinalEncoder::new().categories([words(["b", "a"])]).boxed(), r#"{"categories": [{"str": ["b", "a"]}]}"#),
        (
            OrdinalEncoder::new().handle_unknown(Unknown::UseEncodedValue).unknown_value(-1.0).boxed(),
            r#"{"handle_unknown": "use_encoded_value", "unknown_value": -1.0}"#,
        ),
        (OrdinalEncoder::new().encoded_missing_value(-2.0).boxed(), r#"{"encoded_missing_value": -2.0}"#),
        (
            OrdinalEncoder::new().min_frequency(0.25).max_categories(3).boxed(),
            r#"{"min_frequency": 0.25, "max_categories": 3}"#,
        ),
        (OneHotEncoder::new().categories([words(["b", "a"])]).boxed(), r#"{"categories": [{"str": ["b", "a"]}]}"#),
        (OneHotEncoder::new().drop(DropCategory::IfBinary).boxed(), r#"{"drop": "if_binary"}"#),
        (OneHotEncoder::new().drop(DropCategory::These(vec!["b".into()])).boxed(), r#"{"drop": ["b"]}"#),
        (OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore).boxed(), r#"{"handle_unknown": "ignore"}"#),
        (
            OneHotEncoder::new().min_frequency(2).max_categories(3).boxed(),
            r#"{"min_frequency": 2, "max_categories": 3}"#,
        ),
        (ColumnTransformer::new().verbose_feature_names_out(false).boxed(), r#"{"verbose_feature_names_out": false}"#),
        (
            ColumnTransformer::new().transformer("a", Branch::Drop, -1).remainder(Branch::Passthrough).boxed(),
            r#"{"transformers": [{"name": "a", "branch": "drop", "columns": [-1]}], "remainder": "passthrough"}"#,
        ),
    ]);
}

#[test]
fn columns_are_named_in_many_ways() {
    let names = Columns::Names(vec!["a".into(), "b".into()]);
    assert_eq!(Columns::from("a"), Columns::Names(vec!["a".into()]));
    assert_eq!(
        [Columns::from(["a", "b"]), vec!["a", "b"].into(), ["a".to_owned(), "b".into()].into()],
        [(); 3].map(|()| names.clone())
    );
    assert_eq!(
        [Columns::from(0..2), [0, 1].into(), vec![0usize, 1].into()],
        [(); 3].map(|()| Columns::Places(vec![0, 1]))
    );
    let without = make_column_selector_without(["str", "bool"]);
    let table = Table::from_csv_str("a,b,c,d\n1,x,True,0.5\n").unwrap();
    let places = |columns: &Columns| columns.places(&(&table).into()).unwrap();
    assert_eq!((places(&without), places(&make_column_selector(["number"]))), (vec![0, 3], vec![0, 3]));
    assert_eq!(places(&make_column_selector("str")), [1]);
    assert_eq!(places(&make_column_selector(["bool", "int64"])), [0, 2]);
}

const ENCODE: &str = "help: turn text into numbers first, by `OneHotEncoder` or `OrdinalEncoder`";
const FIT: [(&str, &str); 6] = [
    ("scale", "column `port` needs numbers, got the text `S` on line 2"),
    (
        "length",
        "`Normalizer` needs finite numbers, got NaN in row 1 of column `age`\n  help: fill what is missing first, by `SimpleImputer`",
    ),
    (
        "fill",
        "`SimpleImputer` by mean: column `port` needs numbers, got the text `S` on line 2\n  help: text is filled in by `Strategy::MostFrequent` or `Strategy::Constant`",
    ),
    (
        "columns",
        "`ColumnTransformer`: `num`: no column `prot`; the table has `age`, `port`\n  help: did you mean `port`?",
    ),
    ("pipeline", "`Pipeline`: `scale`: column `port` needs numbers, got the text `S` on line 2"),
    ("order", "`OrdinalEncoder` needs at least one row and one column, got [0,2]"),
];

/// What is wrong is said in words that name the place and the way out.
#[test]
fn mistakes_of_a_fit_are_told() {
    let table = Table::from_csv_str("age,port\n20,S\n,C\n").unwrap();
    for (name, wanted) in FIT {
        let got = match name {
            "scale" => StandardScaler::new().fit(&table),
            "length" => Normalizer::new().fit(table.select("age").unwrap()),
            "fill" => SimpleImputer::new().fit(&table),
            "columns" => ColumnTransformer::new().transformer("num", StandardScaler::new(), ["prot"]).fit(&table),
            "pipeline" => Pipeline::new().step("scale", StandardScaler::new()).fit(&table),
            _ => OrdinalEncoder::new().fit(table.head(0)),
        };
        let got = got.unwrap_err().to_string();
        let got = got.strip_suffix(&format!("\n  {ENCODE}")).unwrap_or(&got);
        assert_eq!(got, wanted);
    }
}

#[test]
fn mistakes_of_a_transform_are_told() {
    let error = StandardScaler::new().transform([[1.0]]).unwrap_err().to_string();
    assert_eq!(error, "this `StandardScaler` has learnt nothing yet\n  help: call `fit` first");
    let mut encoder = OneHotEncoder::new();
    encoder.fit(Table::new([("port", vec!["S", "C"])]).unwrap()).unwrap();
    let other = Table::new([("port", vec!["S", "X"])]).unwrap();
    let error = encoder.transform(&other).unwrap_err();
    assert_eq!(error.message(), "unknown category 'X' in column `port` during transform");
    let error = encoder.transform(other.with_names(["harbour"]).unwrap()).unwrap_err();
    let wanted = "`OneHotEncoder` needs the columns it was fitted on in their order, got `harbour` where `port` was";
    assert_eq!(error.message(), wanted);
}

/// A function is a step like another, and its inverse the way back.
#[test]
fn functions_are_steps() {
    let doubled = |by: f64| {
        move |table: &Table| -> Result<Table> {
            let x = table.to_ndarray::<f64>()? * by;
            Table::from(x).with_names(table.names())
        }
    };
    let function = FunctionTransformer::new(doubled(2.0)).inverse_func(doubled(0.5));
    let mut steps = Pipeline::new().step("double", function).step("range", MaxAbsScaler::new());
    let out = steps.fit_transform([[1.0, -4.0], [2.0, 2.0]]).unwrap();
    assert_eq!(out, ndarray::array![[0.5, -1.0], [1.0, 0.5]]);
    assert_eq!(steps.inverse_transform(&out).unwrap(), ndarray::array![[1.0, -4.0], [2.0, 2.0]]);
    assert_eq!(steps.get_feature_names_out().unwrap(), ["x0", "x1"]);
    assert!(FunctionTransformer::new(|table: &Table| Ok(table.clone())).undo(Frame::from(&people_table())).is_err());
}

fn people_table() -> Table {
    Table::from_csv_str("age\n20\n30\n").unwrap()
}

/// A pipeline of no steps hands on what it is given.
#[test]
fn no_steps_change_nothing() {
    let table = people_table();
    assert_eq!(Pipeline::new().fit_transform(&table).unwrap(), table);
    let error = Pipeline::new().step("a", MaxAbsScaler::new()).step("a", MaxAbsScaler::new()).fit(&table).unwrap_err();
    assert_eq!(error.message(), "steps need different names, got `a` twice");
}
