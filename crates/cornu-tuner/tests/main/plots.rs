//! What is drawn of a search.

use cornu_tuner::plot::{Parameter, Search, State, Trial, Value, html, importance, svg};
use cornu_tuner::sampler::{Kind, Outcome, Random, Sampler, Told, Tpe};

use crate::samplers::axis;

/// A search of trials at random for parameters within 0 to 1.
fn search(names: &[&str], count: usize, score: fn(&[f64]) -> f64) -> Search {
    let axes: Vec<_> = names.iter().map(|name| axis(name, Kind::Real, &[])).collect();
    let points = Random::new(2).ask(&axes, &[], 0, count);
    let trial = |(number, point): (u64, Vec<Option<f64>>)| {
        let at: Vec<f64> = point.into_iter().flatten().collect();
        let values = at.iter().map(|&at| Some(Value::Number(at))).collect();
        Trial { number, values, score: Some(score(&at)), ..Trial::default() }
    };
    let parameters = names.iter().map(|name| Parameter { name: (*name).to_owned(), log: false }).collect();
    Search { parameters, trials: (0..).zip(points).map(trial).collect(), ..Search::default() }
}

/// What a small net might reach.
fn accuracy(point: &[Option<f64>]) -> f64 {
    let at = |i: usize| point[i].unwrap_or(0.5);
    let (units, rate, dropout) = ((at(0) - 9.0).abs(), (at(1) - 0.55).powi(2), at(4).powi(2));
    0.79 - 0.5 * rate - 0.0006 * units - 0.03 * dropout - 0.02 * f64::from(at(2) != 0.0) - 0.01 * (at(3) - 0.6).abs()
}

/// The search of a small net, as it might be: choices, conditions, steps, failures.
fn pima() -> Search {
    let axes = [
        axis("units", Kind::Steps(16), &[]),
        axis("learning_rate", Kind::Real, &[]),
        axis("optimizer", Kind::Choices(3), &[]),
        axis("momentum", Kind::Real, &[(2, 2)]),
        axis("dropout", Kind::Real, &[]),
    ];
    let names = ["adam", "rmsprop", "sgd"];
    let mut sampler = Tpe::new(3);
    let (mut told, mut trials) = (Vec::new(), Vec::new());
    for number in 0..120 {
        let point = sampler.ask(&axes, &told, number, 1).remove(0);
        let score = accuracy(&point);
        let failed = number % 29 == 7;
        let value = |i: usize| {
            point[i].map(|at| match i {
                0 => Value::Number(4.0 * at + 4.0),
                1 => Value::Number(10f64.powf(5.0 * at - 5.0)),
                2 => Value::Text(names[at as usize].to_owned()),
                _ => Value::Number(0.9 * at),
            })
        };
        let state = if failed { State::Failed } else { State::Completed };
        trials.push(Trial {
            number,
            values: (0..5).map(value).collect(),
            score: Some(score).filter(|_| !failed),
            state,
        });
        let outcome = if failed { Outcome::Failed } else { Outcome::Score(-score) };
        told.push(Told { point, outcome });
    }
    let parameters = axes.iter().map(|axis| Parameter { name: axis.name.clone(), log: axis.name == "learning_rate" });
    Search {
        title: "Pima: a small net".to_owned(),
        objective: "val_accuracy".to_owned(),
        maximize: true,
        parameters: parameters.collect(),
        trials,
    }
}

/// The shares by name.
fn shares(search: &Search, names: &[&str]) -> Vec<f64> {
    let all = importance(search);
    names.iter().map(|name| all.iter().find(|share| share.0 == *name).unwrap().1).collect()
}

#[test]
fn importance_is_the_share_in_the_variance() {
    // Of a sum, variances are those of the terms: 9 to 1 to 0.
    let linear = search(&["a", "b", "c"], 400, |x| 3.0 * x[0] + x[1]);
    let [a, b, c] = shares(&linear, &["a", "b", "c"])[..] else { panic!() };
    assert!((a - 0.9).abs() < 0.03 && (b - 0.1).abs() < 0.03 && c < 0.02, "{a} {b} {c}");
    // A square of -1 to 1 has a variance of 4/45, a line of that slope over 0 to 1 one of 1/12.
    let curved = search(&["a", "b"], 400, |x| (2.0 * x[0] - 1.0).powi(2) - x[1]);
    let [a, b] = shares(&curved, &["a", "b"])[..] else { panic!() };
    assert!((a - 16.0 / 31.0).abs() < 0.06 && (a + b - 1.0).abs() < 1e-12, "{a} {b}");
    assert_eq!(importance(&curved), importance(&curved.clone()));
}

#[test]
fn importance_of_choices_logarithms_and_absent_parameters() {
    let mut of = search(&["kind", "rate", "noise"], 300, |_| 0.0);
    for trial in &mut of.trials {
        let at: Vec<f64> =
            trial.values.iter().map(|v| if let Some(Value::Number(at)) = v { *at } else { 0.0 }).collect();
        let kind = (at[0] * 4.0) as usize;
        // Each of the four choices has its own level; of the rate only the decade counts.
        trial.score = Some([0.0, 3.0, 1.0, 2.0][kind] + 2.0 * f64::from(at[1] < 0.5));
        trial.values[0] = Some(Value::Text(["u", "v", "w", "x"][kind].to_owned()));
        trial.values[1] = Some(Value::Number(10f64.powf(-6.0 * at[1])));
        if kind == 0 {
            trial.values[2] = None;
        }
    }
    of.parameters[1].log = true;
    // Variances 1.25 and 1.
    let [kind, rate, noise] = shares(&of, &["kind", "rate", "noise"])[..] else { panic!() };
    assert!(
        (kind - 5.0 / 9.0).abs() < 0.08 && (rate - 4.0 / 9.0).abs() < 0.08 && noise < 0.05,
        "{kind} {rate} {noise}"
    );
}

#[test]
fn nothing_is_said_where_there_is_nothing_to_say() {
    let same = search(&["a", "b"], 50, |_| 0.1);
    assert_eq!(importance(&same), [("a".to_owned(), 0.0), ("b".to_owned(), 0.0)]);
    assert_eq!(importance(&Search { trials: Vec::new(), ..same.clone() }).len(), 2);
    let mut strange = search(&["a", "b"], 12, |x| x[0]);
    let scores = [f64::MAX, f64::MIN, f64::INFINITY, f64::NAN, 0.0, 1e-320];
    strange.trials.iter_mut().zip(scores).for_each(|(trial, score)| trial.score = Some(score));
    strange.trials[7].values = vec![Some(Value::Number(f64::NAN))];
    strange.trials[8].values = vec![Some(Value::Text("two".to_owned())), None];
    for search in [same, strange, Search::default(), search(&["a"], 1, |x| x[0])] {
        for text in [svg(&search), html(&search)] {
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
    }
}

#[test]
fn names_cannot_end_the_document_and_nothing_is_fetched() {
    let mut search = pima();
    search.title = "<script>&\"\u{1}".to_owned();
    search.parameters[0].name = "</text><b>".to_owned();
    let page = html(&search);
    assert!(page.contains("&lt;script&gt;&amp;&quot;") && !page.contains("<script") && !page.contains("<b>"));
    assert!(
        !page.contains('\u{1}') && page.matches("http").count() == page.matches("http://www.w3.org/2000/svg").count()
    );
    for tag in ["svg", "text", "path", "circle", "style", "title", "table"] {
        let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
        let alone = page.split(&opened).skip(1).filter(|rest| rest.split('>').next().unwrap().ends_with('/')).count();
        assert_eq!(page.matches(&opened).count(), page.matches(&closed).count() + alone, "{tag}");
    }
}

#[test]
fn a_search_is_drawn() {
    let (search, drawn) = (pima(), svg(&pima()));
    for name in
        ["Pima: a small net", "val_accuracy", "learning_rate", "sgd", "best so far: 0.7", "4 failed", "trial 3: "]
    {
        assert!(drawn.contains(name), "{name}");
    }
    let scored = search.trials.iter().filter(|trial| trial.score.is_some()).count();
    assert_eq!(drawn.matches("<circle class=\"d\"").count() + drawn.matches("<circle class=\"o\"").count(), scored);
    assert_eq!(drawn.matches("<path class=\"l\"").count(), scored);
    if let Some(folder) = std::env::var_os("CORNU_PLOTS") {
        std::fs::write(std::path::Path::new(&folder).join("search.svg"), drawn).unwrap();
        std::fs::write(std::path::Path::new(&folder).join("search.html"), html(&search)).unwrap();
    }
}
