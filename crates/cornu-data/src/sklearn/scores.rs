//! Scores by name.

use cornu_array::Result;
use serde_json::{Value as Json, json};

use super::{Call, Case, Data, flag, label, list, number, shown, unknown};
use crate::*;

/// Each score by its name.
pub(super) const CALLS: &[(&str, Call)] = &[
    ("accuracy_score", |case| class(case, |o, t, p| o.accuracy_score(t, p))),
    ("balanced_accuracy_score", |case| class(case, |o, t, p| o.balanced_accuracy_score(t, p))),
    ("matthews_corrcoef", |case| class(case, |o, t, p| o.matthews_corrcoef(t, p))),
    ("cohen_kappa_score", |case| class(case, |o, t, p| o.cohen_kappa_score(t, p))),
    ("hamming_loss", |case| class(case, |o, t, p| o.hamming_loss(t, p))),
    ("zero_one_loss", |case| class(case, |o, t, p| o.zero_one_loss(t, p))),
    ("precision_score", |case| averaged(case, |o, t, p| o.precision_score(t, p), |o, t, p| o.precision_scores(t, p))),
    ("recall_score", |case| averaged(case, |o, t, p| o.recall_score(t, p), |o, t, p| o.recall_scores(t, p))),
    ("f1_score", |case| averaged(case, |o, t, p| o.f1_score(t, p), |o, t, p| o.f1_scores(t, p))),
    ("jaccard_score", |case| averaged(case, |o, t, p| o.jaccard_score(t, p), |o, t, p| o.jaccard_scores(t, p))),
    ("fbeta_score", fbeta),
    ("precision_recall_fscore_support", support),
    ("confusion_matrix", confusion),
    ("classification_report", report),
    ("roc_auc_score", |case| ranked(case, |o, t, s| o.roc_auc_score(t, s), |o, t, s| o.roc_auc_scores(t, s))),
    ("average_precision_score", |case| {
        ranked(case, |o, t, s| o.average_precision_score(t, s), |o, t, s| o.average_precision_scores(t, s))
    }),
    ("top_k_accuracy_score", |case| {
        ranked(case, |o, t, s| o.top_k_accuracy_score(t, s), |_, _, _| unreachable!("it has no average"))
    }),
    ("roc_curve", |case| {
        let curve = ranking(case)?.roc_curve(case.arg(0)?, case.arg(1)?)?;
        Ok(json!([list(&curve.fpr), list(&curve.tpr), list(&curve.thresholds)]))
    }),
    ("precision_recall_curve", |case| {
        let curve = ranking(case)?.precision_recall_curve(case.arg(0)?, case.arg(1)?)?;
        Ok(json!([list(&curve.precision), list(&curve.recall), list(&curve.thresholds)]))
    }),
    ("auc", |case| auc(case.arg(0)?, case.arg(1)?).map(shown)),
    ("log_loss", |case| probabilities(case)?.log_loss(case.arg(0)?, case.arg(1)?).map(shown)),
    ("brier_score_loss", |case| probabilities(case)?.brier_score_loss(case.arg(0)?, case.arg(1)?).map(shown)),
    ("mean_squared_error", |case| {
        regression(case, |o, t, p| o.mean_squared_error(t, p), |o, t, p| o.mean_squared_errors(t, p))
    }),
    ("root_mean_squared_error", |case| {
        regression(case, |o, t, p| o.root_mean_squared_error(t, p), |o, t, p| o.root_mean_squared_errors(t, p))
    }),
    ("mean_absolute_error", |case| {
        regression(case, |o, t, p| o.mean_absolute_error(t, p), |o, t, p| o.mean_absolute_errors(t, p))
    }),
    ("median_absolute_error", |case| {
        regression(case, |o, t, p| o.median_absolute_error(t, p), |o, t, p| o.median_absolute_errors(t, p))
    }),
    ("mean_squared_log_error", |case| {
        regression(case, |o, t, p| o.mean_squared_log_error(t, p), |o, t, p| o.mean_squared_log_errors(t, p))
    }),
    ("root_mean_squared_log_error", |case| {
        regression(case, |o, t, p| o.root_mean_squared_log_error(t, p), |o, t, p| o.root_mean_squared_log_errors(t, p))
    }),
    ("mean_absolute_percentage_error", |case| {
        regression(
            case,
            |o, t, p| o.mean_absolute_percentage_error(t, p),
            |o, t, p| o.mean_absolute_percentage_errors(t, p),
        )
    }),
    ("r2_score", |case| regression(case, |o, t, p| o.r2_score(t, p), |o, t, p| o.r2_scores(t, p))),
    ("explained_variance_score", |case| {
        regression(case, |o, t, p| o.explained_variance_score(t, p), |o, t, p| o.explained_variance_scores(t, p))
    }),
    ("max_error", |case| regression(case, |o, t, p| o.max_error(t, p), |_, _, _| unreachable!("it has one output"))),
];

type Of<O, T> = fn(&O, Data, Data) -> Result<T>;

fn average(json: &Json) -> Result<Average> {
    match json.as_str() {
        Some("binary") => Ok(Average::Binary),
        Some("micro") => Ok(Average::Micro),
        Some("macro") => Ok(Average::Macro),
        Some("weighted") => Ok(Average::Weighted),
        _ => Err(unknown("average", json)),
    }
}

/// The options of a case, but for those that `own` lists.
fn classification(case: &Case<'_>, own: &[&str]) -> Result<Classification> {
    let mut options = Classification::new();
    for (name, json) in case.settings().filter(|(name, _)| !own.contains(name)) {
        options = match name {
            "average" if json.is_null() => options,
            "average" => options.average(average(json)?),
            "pos_label" => options.pos_label(label(json)?),
            "labels" => options.labels(Data::of(json)?),
            "zero_division" => options.zero_division(number(json)),
            "sample_weight" => options.sample_weight(Data::of(json)?),
            "normalize" => options.normalize(flag(json)?),
            "adjusted" => options.adjusted(flag(json)?),
            "beta" => options.beta(number(json)),
            "weights" if json == "linear" => options.weights(Disagreement::Linear),
            "weights" if json == "quadratic" => options.weights(Disagreement::Quadratic),
            "replace_undefined_by" => options.replace_undefined_by(number(json)),
            _ => return Err(unknown("option", &json!([name, json]))),
        };
    }
    Ok(options)
}

fn class(case: &Case<'_>, score: Of<Classification, f64>) -> Result<Json> {
    score(&classification(case, &[])?, case.arg(0)?, case.arg(1)?).map(shown)
}

/// Whether an average of `None` is asked for.
fn apart(case: &Case<'_>) -> bool {
    case.settings().any(|(name, json)| name == "average" && json.is_null())
}

fn averaged(case: &Case<'_>, one: Of<Classification, f64>, each: Of<Classification, Vec<f64>>) -> Result<Json> {
    match apart(case) {
        true => each(&classification(case, &[])?, case.arg(0)?, case.arg(1)?).map(|scores| list(&scores)),
        false => class(case, one),
    }
}

fn fbeta(case: &Case<'_>) -> Result<Json> {
    let (options, beta) = (classification(case, &["beta"])?, number(case.setting("beta")));
    match apart(case) {
        true => options.fbeta_scores(case.arg(0)?, case.arg(1)?, beta).map(|scores| list(&scores)),
        false => options.fbeta_score(case.arg(0)?, case.arg(1)?, beta).map(shown),
    }
}

fn support(case: &Case<'_>) -> Result<Json> {
    let scores = classification(case, &[])?.precision_recall_fscore_support(case.arg(0)?, case.arg(1)?)?;
    let PrecisionRecallFscoreSupport { precision, recall, fscore, support } = scores;
    Ok(match support {
        Some(support) => json!([list(&precision), list(&recall), list(&fscore), list(&support)]),
        None => json!([shown(precision[0]), shown(recall[0]), shown(fscore[0]), null]),
    })
}

fn confusion(case: &Case<'_>) -> Result<Json> {
    let normalize = match case.setting("normalize").as_str() {
        None => None,
        Some("true") => Some(Normalize::True),
        Some("pred") => Some(Normalize::Pred),
        Some("all") => Some(Normalize::All),
        Some(other) => return Err(unknown("normalization", &json!(other))),
    };
    let matrix = classification(case, &["normalize"])?.confusion_matrix(case.arg(0)?, case.arg(1)?)?;
    let matrix = normalize.map_or_else(|| matrix.clone(), |normalize| matrix.clone().normalize(normalize));
    if case.settings().next().is_none() {
        let counts = confusion_matrix(case.arg(0)?, case.arg(1)?)?;
        assert_eq!(counts.mapv(|count| count as f64), *matrix);
    }
    Ok(matrix.rows().into_iter().map(|row| list(&row.to_vec())).collect())
}

fn report(case: &Case<'_>) -> Result<Json> {
    let own = ["digits", "target_names", "output_dict", "zero_division"];
    let mut report = classification(case, &own)?.classification_report(case.arg(0)?, case.arg(1)?)?;
    for (name, json) in case.settings() {
        report = match name {
            "digits" => report.digits(number(json) as usize),
            "target_names" => {
                report.target_names(json.as_array().into_iter().flatten().filter_map(Json::as_str).map(String::from))?
            }
            "zero_division" => report.zero_division(number(json)),
            _ => report,
        };
    }
    if *case.setting("output_dict") != true {
        return Ok(json!(report.to_string()));
    }
    let row = |scores: ClassScores| {
        let ClassScores { precision, recall, f1_score, support } = scores;
        json!({"precision": precision, "recall": recall, "f1-score": f1_score, "support": support})
    };
    let mut dict = serde_json::Map::new();
    let given = case.setting("target_names").as_array();
    for (place, (label, scores)) in report.classes().iter().zip(report.scores()).enumerate() {
        let name = given.and_then(|names| names[place].as_str()).map_or_else(|| print::label(label), String::from);
        dict.insert(name, row(scores));
    }
    match case.setting("labels").is_null() {
        true => dict.insert("accuracy".into(), json!(report.accuracy())),
        false => dict.insert("micro avg".into(), row(report.micro_avg())),
    };
    dict.insert("macro avg".into(), row(report.macro_avg()));
    dict.insert("weighted avg".into(), row(report.weighted_avg()));
    Ok(Json::Object(dict))
}

fn ranking(case: &Case<'_>) -> Result<Ranking> {
    let mut options = Ranking::new();
    for (name, json) in case.settings() {
        options = match name {
            "average" if json.is_null() => options,
            "average" => options.average(average(json)?),
            "pos_label" => options.pos_label(label(json)?),
            "labels" => options.labels(Data::of(json)?),
            "sample_weight" => options.sample_weight(Data::of(json)?),
            "max_fpr" => options.max_fpr(number(json)),
            "multi_class" if json == "ovr" => options.multi_class(MultiClass::Ovr),
            "multi_class" if json == "ovo" => options.multi_class(MultiClass::Ovo),
            "drop_intermediate" => options.drop_intermediate(flag(json)?),
            "k" => options.k(number(json) as usize),
            "normalize" => options.normalize(flag(json)?),
            _ => return Err(unknown("option", &json!([name, json]))),
        };
    }
    Ok(options)
}

fn ranked(case: &Case<'_>, one: Of<Ranking, f64>, each: Of<Ranking, Vec<f64>>) -> Result<Json> {
    let options = ranking(case)?;
    match apart(case) {
        true => each(&options, case.arg(0)?, case.arg(1)?).map(|scores| list(&scores)),
        false => one(&options, case.arg(0)?, case.arg(1)?).map(shown),
    }
}

fn probabilities(case: &Case<'_>) -> Result<Probabilities> {
    let mut options = Probabilities::new();
    for (name, json) in case.settings() {
        options = match name {
            "labels" => options.labels(Data::of(json)?),
            "pos_label" => options.pos_label(label(json)?),
            "sample_weight" => options.sample_weight(Data::of(json)?),
            "normalize" => options.normalize(flag(json)?),
            "scale_by_half" => options.scale_by_half(flag(json)?),
            _ => return Err(unknown("option", &json!([name, json]))),
        };
    }
    Ok(options)
}

fn regression(case: &Case<'_>, one: Of<Regression, f64>, each: Of<Regression, Vec<f64>>) -> Result<Json> {
    let mut options = Regression::new();
    for (name, json) in case.settings() {
        options = match name {
            "sample_weight" => options.sample_weight(Data::of(json)?),
            "force_finite" => options.force_finite(flag(json)?),
            "multioutput" if json == "raw_values" || json == "uniform_average" => options,
            "multioutput" if json == "variance_weighted" => options.multioutput(Multioutput::VarianceWeighted),
            "multioutput" => options.multioutput(Data::of(json)?.to_array()?.to_vec::<f64>()),
            _ => return Err(unknown("option", &json!([name, json]))),
        };
    }
    match case.setting("multioutput") == "raw_values" {
        true => each(&options, case.arg(0)?, case.arg(1)?).map(|scores| list(&scores)),
        false => one(&options, case.arg(0)?, case.arg(1)?).map(shown),
    }
}
