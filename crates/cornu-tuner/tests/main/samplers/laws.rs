//! What every sampler holds to, whatever it is told.

use cornu_tuner::sampler::{Axis, GaussianProcess, Kind, Outcome, Point, Random, Sampler, Told, Tpe, When};

use super::functions::{axis, functions};

fn all(seed: u64) -> [Box<dyn Sampler>; 3] {
    [Box::new(Random::new(seed)), Box::new(Tpe::new(seed)), Box::new(GaussianProcess::new(seed))]
}

type Score<'a> = &'a dyn Fn(usize, &Point) -> Outcome;

/// What is told of trials at random with these scores.
fn history(axes: &[Axis], score: impl Fn(usize, &Point) -> Outcome, count: usize) -> Vec<Told> {
    let points = Random::new(9).ask(axes, &[], 0, count).into_iter().enumerate();
    points.map(|(i, point)| Told { outcome: score(i, &point), point }).collect()
}

/// Whether there is a coordinate that fits on each axis that exists, and none on the others.
fn fits(axes: &[Axis], point: &Point) -> bool {
    let exists = |axis: &Axis| {
        axis.when.iter().all(|when| point[when.axis].is_some_and(|at| when.among.contains(&(at as usize))))
    };
    let fits = |axis: &Axis, at: f64| match axis.kind {
        Kind::Real => (0.0..=1.0).contains(&at),
        Kind::Steps(count) | Kind::Choices(count) => at.fract() == 0.0 && (0.0..count as f64).contains(&at),
    };
    point.len() == axes.len()
        && axes.iter().zip(point).all(|(axis, at)| at.map_or(!exists(axis), |at| exists(axis) && fits(axis, at)))
}

#[test]
fn points_fit_the_space_and_sixteen_at_once_differ() {
    for function in functions() {
        let told = history(&function.axes, |_, point| Outcome::Score(function.at(point)), 30);
        for mut sampler in all(3) {
            let points = sampler.ask(&function.axes, &told, 30, 16);
            assert_eq!(points.len(), 16);
            assert!(points.iter().all(|point| fits(&function.axes, point)), "{}: {points:?}", function.name);
            let same = |a: usize| (0..a).any(|b| points[a] == points[b]);
            assert!((0..16).filter(|&a| same(a)).count() == 0, "{}: {points:?}", function.name);
        }
    }
}

#[test]
fn a_sampler_made_anew_answers_as_the_one_that_lived() {
    let mixed = functions().pop().unwrap();
    for which in 0..3 {
        let mut lived = all(4).into_iter().nth(which).unwrap();
        let mut told: Vec<Told> = Vec::new();
        for first in (0..40).step_by(4) {
            let points = lived.ask(&mixed.axes, &told, first, 4);
            assert_eq!(all(4)[which].ask(&mixed.axes, &told, first, 4), points);
            told.extend(points.into_iter().enumerate().map(|(i, point)| {
                let outcome = if i == 3 { Outcome::Running } else { Outcome::Score(mixed.at(&point)) };
                Told { point, outcome }
            }));
            // What was under way ends later.
            let earlier = told.iter_mut().rev().skip(4).find(|told| told.outcome == Outcome::Running);
            earlier.into_iter().for_each(|told| told.outcome = Outcome::Score(mixed.at(&told.point)));
        }
        assert_ne!(all(5)[which].ask(&mixed.axes, &told, 40, 4), lived.ask(&mixed.axes, &told, 40, 4));
    }
}

#[test]
fn the_order_of_axes_does_not_matter() {
    let mixed = functions().pop().unwrap();
    let last = mixed.axes.len() - 1;
    let mut turned: Vec<Axis> = mixed.axes.iter().rev().cloned().collect();
    turned.iter_mut().flat_map(|axis| &mut axis.when).for_each(|when| when.axis = last - when.axis);
    let told = history(&mixed.axes, |_, point| Outcome::Score(mixed.at(point)), 40);
    let turn = |point: &Point| point.iter().rev().copied().collect::<Point>();
    let back: Vec<Told> = told.iter().map(|told| Told { point: turn(&told.point), ..told.clone() }).collect();
    for (mut straight, mut other) in all(6).into_iter().zip(all(6)) {
        let points = straight.ask(&mixed.axes, &told, 40, 5);
        assert_eq!(other.ask(&turned, &back, 40, 5).iter().map(turn).collect::<Vec<_>>(), points);
    }
}

#[test]
fn a_draw_does_not_depend_on_other_axes() {
    let one = [axis("rate", Kind::Real, &[])];
    let two = [axis("units", Kind::Steps(9), &[]), axis("rate", Kind::Real, &[])];
    let (alone, beside) = (Random::new(1).ask(&one, &[], 7, 3), Random::new(1).ask(&two, &[], 5, 5));
    assert!(alone.iter().zip(&beside[2..]).all(|(alone, beside)| alone[0] == beside[1]));
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn any_history_is_answered() {
    let same = |_: usize, _: &Point| Outcome::Score(0.25);
    let huge = |i: usize, _: &Point| Outcome::Score([1e308, -1e308, f64::MAX, 1e-300][i % 4]);
    let endless =
        |i: usize, _: &Point| Outcome::Score([f64::INFINITY, f64::NAN, f64::NEG_INFINITY, 1.0, f64::INFINITY][i % 5]);
    let failed = |_: usize, _: &Point| Outcome::Failed;
    let running = |i: usize, _: &Point| if i < 11 { Outcome::Score(i as f64) } else { Outcome::Running };
    let tiny = |i: usize, _: &Point| Outcome::Score(1.0 + (i % 3) as f64 * 1e-16);
    let scores: [Score; 6] = [&same, &huge, &endless, &failed, &running, &tiny];
    let one = vec![axis("only", Kind::Steps(1), &[])];
    let spaces = [functions().pop().unwrap().axes, functions().remove(0).axes, one, Vec::new()];
    for axes in &spaces {
        for score in scores {
            let told = history(axes, score, 25);
            for mut sampler in all(1) {
                let points = sampler.ask(axes, &told, 25, 3);
                assert!(points.len() == 3 && points.iter().all(|point| fits(axes, point)), "{points:?}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_the_space_is_passed_over() {
    let mut axes = vec![axis("kind", Kind::Choices(2), &[]), axis("rate", Kind::Real, &[(0, 1)])];
    let strange = [vec![], vec![Some(7.0)], vec![Some(f64::NAN), Some(2.0)], vec![Some(0.5), Some(-1.0), Some(3.0)]];
    let told: Vec<Told> =
        (0..40).map(|i| Told { point: strange[i % 4].clone(), outcome: Outcome::Score(i as f64) }).collect();
    for mut sampler in all(2) {
        assert!(sampler.ask(&axes, &told, 40, 4).iter().all(|point| fits(&axes, point)));
    }
    // Conditions in a circle, and on an axis that is not there.
    axes[0].when = vec![When { axis: 1, among: vec![0] }];
    axes.push(Axis { when: vec![When { axis: 9, among: vec![0] }], ..axes[1].clone() });
    axes.push(axis("none", Kind::Choices(0), &[]));
    for mut sampler in all(2) {
        assert!(sampler.ask(&axes, &told, 40, 4).iter().all(|point| point[..3] == [None, None, None]));
    }
}

#[test]
fn an_axis_that_was_declared_late_is_learned_as_well() {
    let axes = [axis("early", Kind::Real, &[]), axis("late", Kind::Real, &[])];
    let score =
        |point: &Point| (point[0].unwrap() - 0.2).abs() + (point.get(1).map_or(0.5, |at| at.unwrap()) - 0.8).abs();
    for mut sampler in all(8).into_iter().skip(1) {
        let mut told = history(&axes[..1], |_, point| Outcome::Score(score(point)), 20);
        for trial in 20..80 {
            let point = sampler.ask(&axes, &told, trial, 1).remove(0);
            told.push(Told { outcome: Outcome::Score(score(&point)), point });
        }
        let newest = told[60..].iter().map(|told| told.point[1].unwrap());
        assert!(newest.filter(|at| (at - 0.8).abs() < 0.25).count() >= 12);
    }
}
