//! Bits against those of TensorFlow, glibc and the Philox paper.

use cornu_testkit::golden::{Report, json};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::libm::{logf, sincosf};
use super::*;

/// The numbers of a JSON list. Floats have nine digits, enough to give back the same `f32`.
fn list<T>(value: &Value, number: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    value.as_array().into_iter().flatten().map(|item| number(item).expect("a number")).collect()
}

fn u32s<const N: usize>(value: &Value) -> [u32; N] {
    list(value, |v| v.as_u64()?.try_into().ok()).try_into().expect("the right number of words")
}

fn f32s(value: &Value) -> Vec<f32> {
    list(value, |v| v.to_string().parse().ok())
}

fn seed_pair(value: &Value) -> [i64; 2] {
    list(value, Value::as_i64).try_into().expect("two seeds")
}

fn sha256<const N: usize>(bytes: impl Iterator<Item = [u8; N]>) -> String {
    let bytes: Vec<u8> = bytes.flatten().collect();
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256_f32(values: &[f32]) -> String {
    sha256(values.iter().map(|value| value.to_le_bytes()))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "calls read better with plain values")]
fn expect<T: PartialEq + std::fmt::Debug>(got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("needed {wanted:?}, got {got:?}")) }
}

#[test]
fn blocks_are_philox() {
    let golden = json("random", "philox.json");
    let mut report = Report::default();
    for case in golden["blocks"].as_array().expect("blocks") {
        let stream = Stream { key: u32s(&case["key"]), counter: u32s(&case["counter"]) };
        report.case(&format!("{stream:?}"), expect(stream.block(0), u32s(&case["out"])));
    }
    let carry = &golden["carry"];
    let mut stream = Stream { key: u32s(&carry["key"]), counter: [0; 4] };
    stream.advance(carry["counter"].as_u64().expect("a counter").into());
    let wanted: Vec<u32> = list(&carry["words"], |v| v.as_u64()?.try_into().ok());
    let mut words = vec![0; wanted.len().max(8)];
    super::words(stream, 0, &mut words);
    report.case("carry", expect(&words[..wanted.len()], &wanted[..]));
    let mut generator = Philox::new(stream);
    generator.skip(1);
    report.case("second block", expect(&generator.block()[..], &words[4..8]));
    stream.advance(2);
    report.case("where the generator is", expect(generator.stream(), stream));
    report.finish();
}

#[test]
fn stateless_seeds_are_scrambled() {
    let golden = json("random", "philox.json");
    let mut report = Report::default();
    for case in golden["scramble"].as_array().expect("cases") {
        let stream = Stream::stateless(seed_pair(&case["seed"]));
        let id = case["seed"].to_string();
        report.case(&id, expect((stream.key, stream.counter), (u32s(&case["key"]), u32s(&case["counter"]))));
        let wanted: Vec<u32> = list(&case["words"], |v| v.as_u64()?.try_into().ok());
        let mut words = vec![0; wanted.len()];
        super::words(stream, 0, &mut words);
        report.case(&id, expect(words, wanted));
    }
    report.finish();
}

#[test]
fn streams_can_be_packed() {
    let stream = Stream::stateful(0x1234_5678_9ABC_DEF0, 7 << 32 | 5);
    assert_eq!(stream.pack(), [0x9ABC_DEF0, 0x1234_5678, 0, 0, 5, 7]);
    assert_eq!(Stream::unpack(stream.pack()), stream);
}

#[test]
fn logarithm_sine_and_cosine_are_glibcs() {
    let golden = json("random", "libm.json");
    let mut report = Report::default();
    let unit = |m: u32| m as f32 / 8_388_608.0;
    let angle = |m: u32| (std::f64::consts::TAU * f64::from(unit(m))) as f32;
    let log = |m: u32| logf(unit(m).max(1e-7));
    let samples: [(&str, &dyn Fn(u32) -> f32); 4] =
        [("v1", &angle), ("logf", &log), ("sinf", &|m| sincosf(angle(m)).0), ("cosf", &|m| sincosf(angle(m)).1)];
    let arguments = list(&golden["m"], |v| v.as_u64()?.try_into().ok());
    for (name, function) in samples {
        for (&m, wanted) in arguments.iter().zip(f32s(&golden[name])) {
            report.case(&format!("{name} at {m}"), expect(function(m).to_bits(), wanted.to_bits()));
        }
        if let Some(hash) = golden[format!("sha256_{name}")].as_str() {
            let all = sha256((0..1 << 23).map(|m| function(m).to_le_bytes()));
            report.case(&format!("{name} over its domain"), expect(all.as_str(), hash));
        }
    }
    report.finish();
}

/// What a golden entry says of an array: its hash, and either all of its values or the first and the last.
fn check_f32(report: &mut Report, id: &str, got: &[f32], wanted: &Value) {
    report.case(id, expect(sha256_f32(got).as_str(), wanted["sha256_f32le"].as_str().expect("a hash")));
    let (all, first, last) = (f32s(&wanted["values"]), f32s(&wanted["first"]), f32s(&wanted["last"]));
    let whole = if all.is_empty() { 0 } else { got.len() };
    report.case(id, expect(bits(&got[..whole]), bits(&all)));
    report.case(id, expect(bits(&got[..first.len()]), bits(&first)));
    report.case(id, expect(bits(&got[got.len() - last.len()..]), bits(&last)));
}

fn check_i32(report: &mut Report, id: &str, (stream, size): (Stream, usize), bounds: (i32, i32), wanted: &Value) {
    let mut whole = vec![0; size];
    int32(stream, 0, bounds.0, bounds.1, &mut whole).expect("a range");
    let first: Vec<i32> = list(&wanted["first"], |v| v.as_i64()?.try_into().ok());
    report.case(id, expect(&whole[..first.len()], &first));
    let hash = sha256(whole.iter().map(|value| value.to_le_bytes()));
    report.case(id, expect(hash.as_str(), wanted["sha256_i32le"].as_str().expect("a hash")));
}

#[test]
fn distributions_are_tensorflows() {
    let mut report = Report::default();
    // What both versions draw alike is made once: some arrays are large.
    let mut cases: Vec<Value> = Vec::new();
    for file in ["keras213_stateless.json", "keras3_stateless.json"] {
        let more = json("random", file)["stateless"].take();
        let new = more.as_array().expect("cases").iter().filter(|case| !cases.contains(case)).cloned();
        let new: Vec<Value> = new.collect();
        cases.extend(new);
    }
    for case in &cases {
        let stream = Stream::stateless(seed_pair(&case["seed"]));
        let size: usize = list(&case["shape"], Value::as_u64).iter().product::<u64>() as usize;
        let id = |name: &str| format!("{name}, seed {}, shape {}", case["seed"], case["shape"]);
        let mut values = vec![0.0; size];
        uniform01(stream, 0, &mut values);
        check_f32(&mut report, &id("uniform"), &values, &case["uniform"]);
        normal(stream, 0, 0.0, 1.0, &mut values);
        check_f32(&mut report, &id("normal"), &values, &case["normal"]);
        truncated_normal(stream, 0, 0.0, 1.0, &mut values);
        check_f32(&mut report, &id("truncated_normal"), &values, &case["truncated_normal"]);
        for (name, wanted) in case.as_object().expect("a case") {
            let Some(bounds) = name.strip_prefix("int32_") else { continue };
            let bounds = bounds.split_once('_').and_then(|(low, high)| low.parse().ok().zip(high.parse().ok()));
            check_i32(&mut report, &id(name), (stream, size), bounds.expect("bounds"), wanted);
        }
    }
    report.finish();
}

/// The words of seed `[42, 0]` are 1218717381, 1019202592, 1901827109, 2650969595; the rest is arithmetic.
#[test]
fn doubles_and_wide_integers_use_two_words() {
    let stream = Stream::stateless([42, 0]);
    let mut values = [0.0; 2];
    uniform01_f64(stream, 0, &mut values);
    assert_eq!(values[0], 0.2594654438987689);
    normal_f64(stream, 0, 1.0, 2.0, &mut values);
    assert!((values[0] - (1.0 - 2.0 * 1.620209350905405)).abs() < 1e-14, "{values:?}");
    assert!((values[1] - (1.0 - 2.0 * 0.2705275550817895)).abs() < 1e-14, "{values:?}");
    let mut whole = [0; 2];
    int64(stream, 0, -5, 1000, &mut whole).expect("a range");
    let first: u64 = 1019202592 << 32 | 1218717381;
    assert_eq!(whole[0], (first % 1005) as i64 - 5);
}

#[test]
fn any_part_can_be_filled_alone() {
    fn check<T: Copy + Default + PartialEq + std::fmt::Debug>(fill: impl Fn(usize, &mut [T])) {
        let mut all = [T::default(); 23];
        fill(0, &mut all);
        for first in 0..all.len() {
            for end in first..=all.len() {
                let mut part = vec![T::default(); end - first];
                fill(first, &mut part);
                assert_eq!(part, all[first..end], "values {first} to {end}");
            }
        }
    }
    let stream = Stream::stateless([7, -1]);
    check(|first, out| words(stream, first, out));
    check(|first, out| uniform(stream, first, -1.0, 1.0, out));
    check(|first, out| normal(stream, first, 0.5, 2.0, out));
    check(|first, out| truncated_normal(stream, first, 0.5, 2.0, out));
    check(|first, out| uniform_f64(stream, first, -1.0, 1.0, out));
    check(|first, out| normal_f64(stream, first, 0.5, 2.0, out));
    check(|first, out| int64(stream, first, 0, 9, out).expect("a range"));
}

#[test]
fn integers_need_a_range() {
    let stream = Stream::stateless([0, 0]);
    let error = int32(stream, 0, 3, 3, &mut [0]).expect_err("an empty range");
    assert_eq!(error.message(), "random whole numbers need `low` below `high`, got 3 and 3");
    let mut extreme = [0; 8];
    int32(stream, 0, i32::MIN, i32::MAX, &mut extreme).expect("the widest range");
    assert!(extreme.iter().any(|&value| value < 0) && extreme.iter().any(|&value| value > 0));
    assert!(int64(stream, 0, 1, 0, &mut [0]).is_err());
}
