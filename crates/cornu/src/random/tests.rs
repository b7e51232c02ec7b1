//! Generators, seeds, orders and masks against those of Python, NumPy and Keras.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cornu_graph::random::uniform01;
use cornu_testkit::golden::{Report, json};
use cornu_testkit::lists::{check_order, expect, f64s, indices, integers, items};
use serde_json::Value;

use super::*;

static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread may use the state of the process.
    static MAY: Cell<bool> = const { Cell::new(false) };
}

/// The right to use the state of the process, which is one for all tests.
pub(crate) struct Turn {
    _lock: MutexGuard<'static, ()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        MAY.set(false);
    }
}

/// Waits for the state of the process, and begins it anew. A test that uses that state without this fails.
pub(crate) fn turn(flavor: Flavor) -> Turn {
    let lock = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    MAY.set(true);
    with_seeds(|seeds| *seeds = Seeds::unseeded());
    set_flavor(flavor);
    Turn { _lock: lock }
}

pub(crate) fn assert_turn() {
    assert!(MAY.get(), "a test that uses the seeds of the process begins with `let _turn = turn(..)`");
}

#[test]
fn the_state_of_the_process_is_not_used_out_of_turn() {
    assert!(std::thread::spawn(keras_seed).join().is_err());
    let _turn = turn(Flavor::Keras3);
    assert_eq!(flavor(), Flavor::Keras3);
}

/// The entries of a golden file by key, without its note.
fn entries(golden: &Value) -> impl Iterator<Item = (&String, &Value)> {
    golden.as_object().expect("entries").iter().filter(|(key, _)| *key != "note")
}

#[test]
fn python_draws_alike() {
    let mut report = Report::default();
    for (seed, case) in entries(&json("random", "python_random.json")) {
        let random = || PyRandom::new(seed.parse().expect("a seed"));
        let times = |n: usize, mut draw: Box<dyn FnMut() -> i64>| -> Vec<i64> { (0..n).map(|_| draw()).collect() };
        let (mut words, mut seeds, mut ops, mut floats) = (random(), random(), random(), random());
        report.case(seed, expect(times(8, Box::new(move || words.bits(32) as i64)), integers(&case["words"])));
        let drawn = times(16, Box::new(move || 1 + seeds.below(1_000_000_000) as i64));
        report.case(seed, expect(drawn, integers(&case["keras_seeds"])));
        report.case(seed, expect(times(8, Box::new(move || ops.below(1 << 31) as i64)), integers(&case["op_seeds"])));
        let drawn: Vec<f64> = (0..4).map(|_| floats.random()).collect();
        report.case(seed, expect(drawn, f64s(&case["floats"])));
    }
    report.finish();
}

/// `random.seed(42)`, five `randint(1, 10**9)`, three `random()`, then a shuffle, as CPython prints them.
#[test]
fn python_shuffles_alike() {
    let mut random = PyRandom::new(42);
    let seeds = [0; 5].map(|_| 1 + random.below(1_000_000_000));
    assert_eq!(seeds, [686579304, 119540832, 26855093, 796233791, 295310486]);
    assert_eq!([0; 3].map(|_| random.random()), [0.24489185380347622, 0.1395379285251439, 0.1024951761715075]);
    let mut order: Vec<usize> = (0..10).collect();
    random.shuffle(&mut order);
    assert_eq!(order, [3, 2, 4, 9, 5, 7, 0, 6, 1, 8]);
    assert_eq!((random.below(0), random.bits(0)), (0, 0));
}

#[test]
fn numpy_draws_alike() {
    let mut report = Report::default();
    for (seed, case) in entries(&json("random", "numpy_legacy.json")) {
        let random = || LegacyRandomState::new(seed.parse().expect("a seed"));
        let (mut words, mut samples, mut normals, mut whole) = (random(), random(), random(), random());
        let drawn: Vec<i64> = (0..8).map(|_| words.randint(0, 1 << 32).expect("a range")).collect();
        report.case(seed, expect(drawn, integers(&case["randint_2_32"])));
        let drawn: Vec<f64> = (0..6).map(|_| samples.random_sample()).collect();
        report.case(seed, expect(drawn, f64s(&case["random_sample"])));
        // The logarithm is the platform's.
        for (value, wanted) in f64s(&case["randn"]).into_iter().map(|wanted| (normals.randn(), wanted)) {
            report.case(seed, expect((value - wanted).abs() <= 1e-15 * wanted.abs().max(1.0), true));
        }
        let drawn: Vec<i64> = (0..12).map(|_| whole.randint(0, 100).expect("a range")).collect();
        report.case(seed, expect(drawn, integers(&case["randint_0_100"])));
        for (n, wanted) in entries(&case["permutation"]) {
            let n = n.parse().expect("a size");
            check_order(&mut report, &format!("seed {seed}, permutation of {n}"), &random().permutation(n), wanted);
            let chosen = random().choice(n, n.min(3)).expect("few enough");
            report.case(seed, expect(&chosen[..], &random().permutation(n)[..n.min(3)]));
        }
    }
    report.finish();
}

/// `RandomState(12345)`: `permutation(50)`, then five each of the other kinds, as NumPy prints them.
#[test]
fn numpy_draws_alike_in_sequence() {
    let mut random = LegacyRandomState::new(12345);
    assert_eq!(random.permutation(50)[..6], [8, 30, 38, 42, 22, 33]);
    let samples =
        [0.49174731844588593, 0.5262551673498579, 0.5963660104193805, 0.05195754510253359, 0.8950895280539212];
    assert_eq!(samples.map(|_| random.random_sample()), samples);
    assert_eq!([0; 5].map(|_| random.randint(0, 100).expect("a range")), [22, 12, 62, 41, 18]);
    for wanted in [-0.7135439850963832, -0.831153538853914, -2.3702316539567447, -1.8607607885507347] {
        assert!((random.randn() - wanted).abs() < 1e-14);
    }
}

#[test]
fn impossible_draws_are_refused() {
    let mut random = LegacyRandomState::new(1);
    let before = random.clone();
    let error = random.randint(5, 5).expect_err("an empty range");
    assert_eq!(error.message(), "`randint` needs `low` below `high`, got 5 and 5");
    let error = random.choice(2, 3).expect_err("too many");
    assert_eq!(error.message(), "`choice` without replacement needs at most 2 items, got 3");
    assert_eq!(random.randint(7, 8).expect("one number"), 7);
    assert_eq!(random, before, "nothing of this draws a word");
    assert!(random.randint(i64::MIN, i64::MAX).is_ok());
}

fn flavors() -> [(Flavor, &'static str); 2] {
    [(Flavor::Keras2, "keras213"), (Flavor::Keras3, "keras3")]
}

fn wide(rows: &[u32]) -> Vec<usize> {
    rows.iter().map(|&row| row as usize).collect()
}

#[test]
fn epochs_are_in_keras_order() {
    let mut report = Report::default();
    for (flavor, file) in flavors() {
        for (id, case) in entries(&json("random", &format!("{file}_shuffle.json"))).filter(|(_, case)| case.is_object())
        {
            let seed = case["seed"].as_u64().expect("a seed") as u32;
            let mut shuffle = Shuffle::new(flavor, &Seeds::new(seed), case["n"].as_u64().expect("a size") as usize);
            for (epoch, wanted) in items(&case["epochs"]).iter().enumerate() {
                check_order(&mut report, &format!("{file}, {id}, epoch {epoch}"), &wide(shuffle.next_order()), wanted);
            }
        }
    }
    report.finish();
}

/// The number after a word of a call, such as `epochs=`.
pub(crate) fn setting<T: std::str::FromStr>(call: &str, word: &str) -> Option<T> {
    let (_, rest) = call.split_once(word)?;
    rest.split([',', ')', ' ']).next()?.parse().ok()
}

/// Fits after another under one seed: each entry tells its call and the rows of its batches, from which the rest follows.
#[test]
fn every_fit_starts_anew_and_batches_carry_over() {
    let mut report = Report::default();
    for (flavor, file) in flavors() {
        let golden = json("random", &format!("{file}_shuffle.json"));
        for (name, fits) in entries(&golden).filter(|(_, fits)| fits.is_array()) {
            let seeds = Seeds::new(setting(name, "set_random_seed(").expect("a seed"));
            let all: usize = setting(name, "), ").expect("a number of rows");
            for fit in items(fits) {
                let wanted: Vec<Vec<usize>> = items(&fit["batches"]).iter().map(indices).collect();
                let call = fit["call"].as_str().expect("a call");
                let split = call.contains("validation_split");
                let rows = if split { wanted.iter().flatten().max().expect("a row") + 1 } else { all };
                let size = wanted.iter().map(Vec::len).max().expect("a batch");
                let mut shuffle = Shuffle::new(flavor, &seeds, rows);
                // Keras 2 takes the rows that an epoch of few steps left; in Keras 3 such an epoch ends with the rows.
                let got: Vec<Vec<usize>> = wanted.iter().map(|_| wide(shuffle.next_batch(size))).collect();
                report.case(&format!("{file}, {call}, {rows} rows in batches of {size}"), expect(got, wanted));
            }
        }
    }
    report.finish();
}

#[test]
fn unseeded_orders_differ() {
    for (flavor, _) in flavors() {
        let seeds = Seeds::unseeded();
        let mut shuffle = Shuffle::new(flavor, &seeds, 100);
        let first = shuffle.next_order().to_vec();
        assert_ne!(first, shuffle.next_order());
        assert_ne!(first, Shuffle::new(flavor, &seeds, 100).next_order());
        assert_eq!(Shuffle::new(flavor, &seeds, 0).next_batch(4), [] as [u32; 0]);
    }
}

/// The seed of a golden file, if its note tells another than 42.
pub(crate) fn seed_of(golden: &Value) -> u32 {
    golden["note"].as_str().and_then(|note| setting(note, "set_random_seed(")).unwrap_or(42)
}

fn mask(stream: Stream, size: usize, rate: f32) -> String {
    let mut values = vec![0.0; size];
    uniform01(stream, 0, &mut values);
    values.iter().map(|&value| if value >= rate { '1' } else { '0' }).collect()
}

#[test]
fn dropout_masks_come_from_the_streams() {
    let mut report = Report::default();
    for (flavor, file) in flavors() {
        let golden = json("random", &format!("{file}_dropout.json"));
        for (id, case) in entries(&golden).filter(|(_, case)| case.is_object()) {
            let mut seeds = Seeds::new(seed_of(&golden));
            let rates: Vec<f32> = id.split(' ').filter_map(|rate| rate.split_once('=')?.1.parse().ok()).collect();
            let mut streams: Vec<_> = (0..rates.len()).map(|q| seeds.stateful(q as u64)).collect();
            let mut generators: Vec<_> = rates.iter().map(|_| SeedGenerator::new(seeds.keras_seed(flavor))).collect();
            for layer in 0..rates.len() {
                for wanted in items(&case[format!("dropout{}", layer + 1)]) {
                    let wanted = wanted.as_str().expect("a mask");
                    let stream = match flavor {
                        Flavor::Keras2 => streams[layer],
                        Flavor::Keras3 => flavor.stateless(generators[layer].next_pair()),
                    };
                    streams[layer].advance(256 * wanted.len() as u128);
                    report.case(
                        &format!("{file}, {id}, layer {layer}"),
                        expect(&*mask(stream, wanted.len(), rates[layer]), wanted),
                    );
                }
            }
        }
    }
    report.finish();
}

#[test]
fn dropout_called_directly_draws_a_seed_each_time() {
    let mut report = Report::default();
    for (flavor, file) in flavors() {
        let golden = json("random", &format!("{file}_dropout.json"));
        let mut seeds = Seeds::new(seed_of(&golden));
        let mut unseeded = SeedGenerator::new(seeds.keras_seed(flavor));
        for (call, masks) in entries(&golden).filter(|(_, masks)| masks.is_array()) {
            let fixed: Option<u64> = setting(call, "seed=");
            let mut generator = fixed.map(|seed| SeedGenerator::new(seed as i64));
            for (place, wanted) in items(masks).iter().enumerate() {
                let stream = match flavor {
                    Flavor::Keras2 => {
                        let op_seed = fixed.map_or_else(|| seeds.op_seed(), |seed| seed + place as u64);
                        seeds.stateful(op_seed)
                    }
                    Flavor::Keras3 => flavor.stateless(generator.as_mut().unwrap_or(&mut unseeded).next_pair()),
                };
                let (wanted, rate) = (wanted.as_str().expect("a mask"), setting(call, "Dropout(").unwrap_or(0.5));
                report.case(&format!("{file}, {call}, {place}"), expect(&*mask(stream, wanted.len(), rate), wanted));
            }
        }
    }
    report.finish();
}

#[test]
fn setting_a_seed_rewinds_everything() {
    let mut seeds = Seeds::unseeded();
    assert_eq!((seeds.global_seed(), seeds.generation()), (None, 0));
    assert_ne!(seeds.stateful(0), seeds.stateful(0));
    let draw = |seeds: &mut Seeds| {
        (seeds.keras_seed(Flavor::Keras2), seeds.op_seed(), seeds.python().random(), seeds.shared_pair())
    };
    seeds.set_random_seed(42);
    let first = draw(&mut seeds);
    assert_eq!((first.0, first.1, first.2), (686579304, 478163327, 0.6394267984578837));
    assert_ne!(draw(&mut seeds), first);
    seeds.set_random_seed(42);
    assert_eq!(draw(&mut seeds), first);
    assert_eq!((seeds.global_seed(), seeds.generation()), (Some(42), 2));
}

/// In Keras 2 the seeds of layers come from a private generator; in Keras 3 user code can disturb them.
#[test]
fn only_keras_3_shares_pythons_generator() {
    for (flavor, second) in [(Flavor::Keras2, 686579304), (Flavor::Keras3, 119540832)] {
        let mut seeds = Seeds::new(42);
        seeds.python().bits(30);
        assert_eq!(seeds.keras_seed(flavor), second);
    }
}

#[test]
fn the_process_has_one_state() {
    let _turn = turn(Flavor::Keras3);
    set_random_seed(7);
    assert_eq!((flavor(), global_seed()), (Flavor::Keras3, Some(7)));
    let elsewhere = |work: fn() -> i64| {
        std::thread::spawn(move || {
            MAY.set(true);
            work()
        })
    };
    assert_eq!(elsewhere(keras_seed).join().expect("a seed"), 347712783);
    assert_eq!((keras_seed(), op_seed(), generation()), (161973070, 1390851128, 1));
    assert!(elsewhere(|| with_seeds(|_| panic!("on purpose"))).join().is_err());
    assert_eq!(keras_seed(), 423938500);
}

/// Within a scope the seeds are the scope's, on this thread alone; what is around it is as it was, after a panic as well.
#[test]
fn scopes_have_seeds_of_their_own() {
    let _turn = turn(Flavor::Keras2);
    set_random_seed(5);
    let outer = [keras_seed(), keras_seed()];
    set_random_seed(5);
    let drawn = || [keras_seed(), keras_seed()];
    let first = keras_seed();
    let scoped_first = scoped(Seeds::new(42), || {
        let inner = scoped(Seeds::new(5), drawn);
        assert_eq!((inner, global_seed()), (outer, Some(42)));
        set_random_seed(42);
        drawn()
    });
    assert_eq!(scoped_first, [686_579_304, 119_540_832]);
    assert_eq!([first, keras_seed()], outer);
    assert!(std::panic::catch_unwind(|| scoped(Seeds::new(1), || panic!("within"))).is_err());
    assert_eq!((global_seed(), scope()), (Some(5), [0, 0]));
    // Other threads need no turn at the seeds of the process: they are not asked.
    let others = [1, 2].map(|seed| std::thread::spawn(move || scoped(Seeds::new(seed), keras_seed)));
    let others = others.map(|thread| thread.join().expect("a seed"));
    assert_eq!(others, [1, 2].map(|seed| Seeds::new(seed).keras_seed(Flavor::Keras2)));
}
