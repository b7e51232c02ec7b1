//! Splits and grids of settings by name.

use cornu_array::{Error, Result};
use cornu_testkit::lists::items;
use serde_json::{Value as Json, json};

use super::{Call, Case, Data, flag, label, number, unknown, value};
use crate::model_selection::*;

/// Each kind of split and grid by its name.
pub(super) const CALLS: &[(&str, Call)] = &[
    ("KFold", |case| splits(case, |case| fold(case, KFold::new, KFold::shuffle, KFold::random_state))),
    ("StratifiedKFold", |case| {
        splits(case, |case| fold(case, StratifiedKFold::new, StratifiedKFold::shuffle, StratifiedKFold::random_state))
    }),
    ("GroupKFold", |case| {
        splits(case, |case| fold(case, GroupKFold::new, GroupKFold::shuffle, GroupKFold::random_state))
    }),
    ("StratifiedGroupKFold", |case| {
        type Kind = StratifiedGroupKFold;
        splits(case, |case| fold(case, Kind::new, Kind::shuffle, Kind::random_state))
    }),
    ("RepeatedKFold", |case| splits(case, |case| repeated(case, RepeatedKFold::new, RepeatedKFold::random_state))),
    ("RepeatedStratifiedKFold", |case| {
        splits(case, |case| repeated(case, RepeatedStratifiedKFold::new, RepeatedStratifiedKFold::random_state))
    }),
    ("ShuffleSplit", |case| splits(case, shuffle_split)),
    ("StratifiedShuffleSplit", |case| splits(case, stratified_shuffle_split)),
    ("TimeSeriesSplit", |case| splits(case, series)),
    ("LeaveOneOut", |case| splits(case, |_| Ok(Box::new(LeaveOneOut)))),
    ("train_test_split", parted),
    ("ParameterGrid", |case| combinations(grid(case)?.iter()?)),
    ("ParameterSampler", sampled),
];

type Splitter = Result<Box<dyn CrossValidator>>;

/// The rows of each split, in the form of the case.
fn splits(case: &Case<'_>, splitter: fn(&Case<'_>) -> Splitter) -> Result<Json> {
    let rows = number(&case.json["rows"]) as usize;
    let labels = |name: &str| match case.look_up(&case.json[name]) {
        Json::Null => Ok(None),
        json => crate::ToLabels::to_labels(&Data::of(json)?).map(Some),
    };
    let (labels, groups) = (labels("y")?, labels("groups")?);
    let given = Given { rows, labels: labels.as_ref(), classify: false, groups: groups.as_ref() };
    let parts = splitter(case)?.splits(&given)?;
    if case.json["expect"]["tests"].is_null() {
        return Ok(json!({"parts": parts}));
    }
    for (train, test) in &parts {
        let mut all = [&train[..], test].concat();
        all.sort_unstable();
        if !train.is_sorted() || all != (0..rows).collect::<Vec<_>>() {
            return Err(Error::data(format!("all others must be trained on, got {train:?}")));
        }
    }
    Ok(json!({"tests": parts.into_iter().map(|(_, test)| test).collect::<Vec<_>>()}))
}

/// The value of a setting that must be there.
fn count(case: &Case<'_>, name: &str) -> Result<usize> {
    case.setting(name).as_u64().map(|count| count as usize).ok_or_else(|| unknown("count", &json!(name)))
}

fn only(case: &Case<'_>, known: &[&str]) -> Result<()> {
    match case.settings().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(unknown("setting", &json!(name))),
        None => Ok(()),
    }
}

fn seed(case: &Case<'_>) -> Option<u32> {
    case.setting("random_state").as_u64().map(|seed| seed as u32)
}

fn size(json: &Json) -> Option<Size> {
    json.as_i64().map(Size::Rows).or_else(|| json.as_f64().map(Size::Fraction))
}

fn seeded<F: CrossValidator + 'static>(folds: F, case: &Case<'_>, random_state: fn(F, u32) -> F) -> Splitter {
    Ok(match seed(case) {
        Some(seed) => Box::new(random_state(folds, seed)),
        None => Box::new(folds),
    })
}

fn fold<F: CrossValidator + 'static>(
    case: &Case<'_>,
    new: fn(usize) -> F,
    shuffle: fn(F, bool) -> F,
    random_state: fn(F, u32) -> F,
) -> Splitter {
    only(case, &["n_splits", "shuffle", "random_state"])?;
    let folds = shuffle(new(count(case, "n_splits")?), *case.setting("shuffle") == true);
    seeded(folds, case, random_state)
}

fn repeated<F: CrossValidator + 'static>(
    case: &Case<'_>,
    new: fn(usize, usize) -> F,
    random_state: fn(F, u32) -> F,
) -> Splitter {
    only(case, &["n_splits", "n_repeats", "random_state"])?;
    seeded(new(count(case, "n_splits")?, count(case, "n_repeats")?), case, random_state)
}

fn shuffle_split(case: &Case<'_>) -> Splitter {
    only(case, &["n_splits", "test_size", "train_size", "random_state"])?;
    let mut split = ShuffleSplit::new(count(case, "n_splits")?);
    split = size(case.setting("test_size")).map_or(split, |size| split.test_size(size));
    split = size(case.setting("train_size")).map_or(split, |size| split.train_size(size));
    seeded(split, case, ShuffleSplit::random_state)
}

fn stratified_shuffle_split(case: &Case<'_>) -> Splitter {
    only(case, &["n_splits", "test_size", "train_size", "random_state"])?;
    let mut split = StratifiedShuffleSplit::new(count(case, "n_splits")?);
    split = size(case.setting("test_size")).map_or(split, |size| split.test_size(size));
    split = size(case.setting("train_size")).map_or(split, |size| split.train_size(size));
    seeded(split, case, StratifiedShuffleSplit::random_state)
}

fn series(case: &Case<'_>) -> Splitter {
    let mut split = TimeSeriesSplit::new(count(case, "n_splits")?);
    for (name, _) in case.settings() {
        split = match name {
            "n_splits" => split,
            "max_train_size" => split.max_train_size(count(case, name)?),
            "test_size" => split.test_size(count(case, name)?),
            "gap" => split.gap(count(case, name)?),
            _ => return Err(unknown("setting", &json!(name))),
        };
    }
    Ok(Box::new(split))
}

fn parted(case: &Case<'_>) -> Result<Json> {
    let mut split = size(case.setting("test_size")).map_or_else(Split::new, Split::test_size).verbose(0);
    for (name, json) in case.settings() {
        split = match name {
            "test_size" => split,
            "train_size" => size(json).map_or(split.clone(), |size| split.train_size(size)),
            "random_state" => split.random_state(seed(case).expect("a seed")),
            "shuffle" => split.shuffle(flag(json)?),
            _ => return Err(unknown("setting", &json!(name))),
        };
    }
    if !case.json["y"].is_null() {
        split = split.stratify(Data::of(case.look_up(&case.json["y"]))?);
    }
    let rows: Vec<usize> = (0..number(&case.json["rows"]) as usize).collect();
    let ((train, test), (again, _)) = train_test_splits((&rows, &rows[..]), &split)?;
    assert_eq!(train, again);
    Ok(json!([train, test]))
}

fn grid(case: &Case<'_>) -> Result<ParameterGrid> {
    let mut all: Option<ParameterGrid> = None;
    for json in items(&case.json["args"]) {
        let mut grid = ParameterGrid::new();
        for (name, values) in json.as_object().into_iter().flatten() {
            let values = case.look_up(values);
            let values: Result<Vec<crate::Scalar>> = items(values).iter().map(label).collect();
            grid = grid.with(name, values?);
        }
        all = Some(match all {
            Some(before) => before.or(grid),
            None => grid,
        });
    }
    all.ok_or_else(|| unknown("grid", case.json))
}

fn combinations(all: impl Iterator<Item = Parameters>) -> Result<Json> {
    let one = |parameters: Parameters| -> Json {
        let settings = parameters.settings().iter();
        Json::Object(settings.map(|(name, setting)| (name.clone(), value(setting.as_value()))).collect())
    };
    Ok(all.map(one).collect())
}

fn sampled(case: &Case<'_>) -> Result<Json> {
    only(case, &["n_iter", "random_state"])?;
    let sampler = ParameterSampler::new(grid(case)?, count(case, "n_iter")?);
    let sampler = seed(case).map_or(sampler.clone(), |seed| sampler.random_state(seed));
    combinations(sampler.draw()?.into_iter())
}
