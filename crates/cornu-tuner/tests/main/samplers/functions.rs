//! Functions to be made small, which samplers are compared by.

use std::f64::consts::{E, PI, TAU};

use cornu_tuner::sampler::{Axis, Kind, Point, When};

/// A space and a function of its points.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) axes: Vec<Axis>,
    of: fn(&[f64]) -> f64,
    bounds: (f64, f64),
}

impl Function {
    pub(super) fn at(&self, point: &Point) -> f64 {
        if self.name == "mixed" {
            return mixed(point);
        }
        let (low, high) = self.bounds;
        (self.of)(&point.iter().map(|at| low + (high - low) * at.unwrap()).collect::<Vec<_>>())
    }
}

/// All of them.
pub(super) fn functions() -> Vec<Function> {
    let of = |name, of, count: usize, bounds| {
        let axes = (0..count).map(|i| axis(&format!("x{i}"), Kind::Real, &[])).collect();
        Function { name, axes, of, bounds }
    };
    let kinds = axis("kind", Kind::Choices(3), &[]);
    let under = |kind, name, of| axis(name, of, &[(0, kind)]);
    let axes = vec![
        kinds,
        under(0, "alpha", Kind::Real),
        under(1, "depth", Kind::Steps(16)),
        under(1, "subsample", Kind::Real),
        under(2, "rate", Kind::Real),
        under(2, "layers", Kind::Steps(8)),
        under(2, "dropout", Kind::Real),
    ];
    vec![
        of("branin", branin, 2, (0.0, 1.0)),
        of("hartmann3", hartmann3, 3, (0.0, 1.0)),
        of("hartmann6", hartmann6, 6, (0.0, 1.0)),
        of("rosenbrock4", rosenbrock, 4, (-2.048, 2.048)),
        of("ackley5", ackley, 5, (-15.0, 30.0)),
        of("levy4", levy, 4, (-10.0, 10.0)),
        Function { name: "mixed", axes, of: |_| 0.0, bounds: (0.0, 1.0) },
    ]
}

/// An axis that exists where others have one coordinate each.
pub(crate) fn axis(name: &str, kind: Kind, when: &[(usize, usize)]) -> Axis {
    let when = when.iter().map(|&(axis, among)| When { axis, among: vec![among] }).collect();
    Axis { name: name.to_owned(), kind, when }
}

/// Over -5 to 10 and 0 to 15.
fn branin(x: &[f64]) -> f64 {
    let (a, b) = (15.0 * x[0] - 5.0, 15.0 * x[1]);
    (b - 5.1 / (4.0 * PI * PI) * a * a + 5.0 / PI * a - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * a.cos() + 10.0
}

/// The heights, the widths and the places of four hills.
fn hartmann<const N: usize>(x: &[f64], widths: [[f64; N]; 4], places: [[f64; N]; 4]) -> f64 {
    let hills = [1.0, 1.2, 3.0, 3.2].into_iter().zip(widths).zip(places);
    -hills
        .map(|((height, widths), places)| {
            let far: f64 = (0..N).map(|i| widths[i] * (x[i] - 1e-4 * places[i]).powi(2)).sum();
            height * (-far).exp()
        })
        .sum::<f64>()
}

fn hartmann3(x: &[f64]) -> f64 {
    let widths = [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]];
    let places =
        [[3689.0, 1170.0, 2673.0], [4699.0, 4387.0, 7470.0], [1091.0, 8732.0, 5547.0], [381.0, 5743.0, 8828.0]];
    hartmann(x, widths, places)
}

fn hartmann6(x: &[f64]) -> f64 {
    let widths = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    let places = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    hartmann(x, widths, places)
}

fn rosenbrock(x: &[f64]) -> f64 {
    x.windows(2).map(|x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)).sum()
}

fn ackley(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let far = (x.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
    -20.0 * (-0.2 * far).exp() - (x.iter().map(|x| (TAU * x).cos()).sum::<f64>() / n).exp() + 20.0 + E
}

fn levy(x: &[f64]) -> f64 {
    let w: Vec<f64> = x.iter().map(|x| 1.0 + (x - 1.0) / 4.0).collect();
    let ([first, ..], [rest @ .., last]) = (&w[..], &w[..]) else { return 0.0 };
    let between = rest.iter().map(|w| (w - 1.0).powi(2) * (1.0 + 10.0 * (PI * w + 1.0).sin().powi(2)));
    (PI * first).sin().powi(2) + (last - 1.0).powi(2) * (1.0 + (TAU * last).sin().powi(2)) + between.sum::<f64>()
}

/// Three kinds of models; the best, the third, is the hardest to see.
fn mixed(point: &Point) -> f64 {
    let at = |i: usize| point[i].unwrap();
    match at(0) as usize {
        0 => 1.0 + 0.3 * (7.0 * at(1) - 4.0).powi(2),
        1 => 0.5 + 0.05 * (at(2) - 6.0).powi(2) + 2.0 * (0.9 * at(3) - 0.5).powi(2),
        _ => {
            let far =
                0.5 * (6.0 * at(4) - 3.0).powi(2) + 0.2 * (at(5) - 2.0).powi(2) + 4.0 * (0.9 * at(6) - 0.2).powi(2);
            far.min(3.0)
        }
    }
}

#[test]
fn the_least_values_are_those_of_the_definitions() {
    let best = [
        vec![(PI + 5.0) / 15.0, 2.275 / 15.0],
        vec![0.114614, 0.555649, 0.852547],
        vec![0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573],
        vec![3.048 / 4.096; 4],
        vec![15.0 / 45.0; 5],
        vec![11.0 / 20.0; 4],
    ];
    let least = [0.397_887, -3.862_782, -3.322_368, 0.0, 0.0, 0.0];
    for ((function, best), least) in functions().iter().zip(best).zip(least) {
        let value = function.at(&best.into_iter().map(Some).collect());
        assert!((value - least).abs() < 1e-5, "{}: {value}", function.name);
    }
    let mixed = functions().pop().unwrap();
    assert_eq!(mixed.at(&vec![Some(0.0), Some(5.0 / 7.0), None, None, None, None, None]), 1.3);
    assert_eq!(mixed.at(&vec![Some(1.0), None, Some(6.0), Some(0.5 / 0.9), None, None, None]), 0.5);
    assert!(mixed.at(&vec![Some(2.0), None, None, None, Some(0.5), Some(2.0), Some(0.2 / 0.9)]) < 1e-12);
}
