//! Orders of rows: by numbers that sort as the values do, never by comparing values.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::{NAT, Scalar, Value, Values};

/// The key of what is missing, before or behind all others. (No float has it, since NaN has no key of its own; whole
/// numbers at the very ends share it, and no column of whole numbers has gaps.)
const FIRST: u64 = 0;
const LAST: u64 = u64::MAX;

/// The rows in the order of their values, those with equal values in the order they came in. Missing values come last, or
/// first, whichever way the others are sorted.
pub(crate) fn argsort(values: &Values, descending: bool, na_first: bool) -> Vec<usize> {
    argsort_by(&[(values, descending)], na_first)
}

/// The rows in the order of the first of the columns, those with equal values in the order of the next, and so on.
pub(crate) fn argsort_by(columns: &[(&Values, bool)], na_first: bool) -> Vec<usize> {
    let rows = columns.first().map_or(0, |(values, _)| values.len());
    let mut order: Vec<usize> = Vec::new();
    for (values, descending) in columns.iter().rev() {
        let keys = keys(values, *descending, na_first);
        // The place so far in the lower half keeps equal keys in it.
        let pair = |(place, key): (usize, u64)| u128::from(key) << 64 | place as u128;
        if order.is_empty() {
            let sorted = sorted(keys.into_iter().enumerate().map(pair).collect());
            order = sorted.into_iter().map(|pair| pair as usize).collect();
        } else {
            let sorted = sorted(order.iter().map(|&row| keys[row]).enumerate().map(pair).collect());
            order = sorted.into_iter().map(|pair| order[pair as usize]).collect();
        }
    }
    if columns.is_empty() { (0..rows).collect() } else { order }
}

fn sorted(mut pairs: Vec<u128>) -> Vec<u128> {
    if !pairs.is_sorted() {
        pairs.sort_unstable();
    }
    pairs
}

/// Numbers that stand in the order of the values, equal where those are.
fn keys(values: &Values, descending: bool, na_first: bool) -> Vec<u64> {
    let missing = if na_first { FIRST } else { LAST };
    let turned = |key: u64| if descending { !key } else { key };
    let float = |value: f64| {
        let bits = (value + 0.0).to_bits();
        if value.is_nan() { missing } else { turned(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }) }
    };
    let whole = |value: i64| turned(value.cast_unsigned() ^ 1 << 63);
    match values {
        Values::Float(values) => values.iter().map(|&value| float(value)).collect(),
        Values::Float32(values) => values.iter().map(|&value| float(value.into())).collect(),
        Values::Int(values) => values.iter().map(|&value| whole(value)).collect(),
        Values::Bool(values) => values.iter().map(|&value| whole(value.into())).collect(),
        // The least number is not a time.
        Values::Date(values) => values.iter().map(|&value| if value == NAT { missing } else { whole(value) }).collect(),
        Values::Truth(values) => {
            values.iter().map(|value| value.map_or(missing, |value| whole(value.into()))).collect()
        }
        Values::Category(category) => {
            let code = |code: &Option<u32>| code.map_or(missing, |code| whole(code.into()));
            category.codes.iter().map(code).collect()
        }
        Values::Text(_) | Values::Object(_) => {
            let rank = ranks(values);
            rank.into_iter().map(|rank| rank.map_or(missing, |rank| whole(rank.into()))).collect()
        }
    }
}

/// The place of each value among the distinct ones in order.
fn ranks(values: &Values) -> Vec<Option<u32>> {
    let (codes, firsts) = numbered(values);
    let mut distinct: Vec<u32> =
        (0..firsts.len() as u32).filter(|&code| !values.get(firsts[code as usize]).is_missing()).collect();
    distinct.sort_by(|&a, &b| compared(values.get(firsts[a as usize]), values.get(firsts[b as usize])));
    let mut rank = vec![None; firsts.len()];
    distinct.iter().enumerate().for_each(|(place, &code)| rank[code as usize] = Some(place as u32));
    codes.into_iter().map(|code| rank[code as usize]).collect()
}

/// Numbers before dates before texts; within a kind by value.
fn compared(a: Value<'_>, b: Value<'_>) -> std::cmp::Ordering {
    let kind = |value: Value<'_>| match value {
        Value::Date(_) => 1,
        Value::Text(_) => 2,
        _ => 0,
    };
    crate::compute::ordered(a, b).unwrap_or_else(|| kind(a).cmp(&kind(b)))
}

/// For each row the number of its value among the distinct ones, in the order of their first appearance; and the rows of
/// these. Missing values are one value.
pub(crate) fn numbered(values: &Values) -> (Vec<u32>, Vec<usize>) {
    if let Values::Category(category) = values {
        return numbered_by(category.codes.iter().copied());
    }
    match values {
        Values::Int(values) | Values::Date(values) => numbered_by(values.iter().copied()),
        Values::Bool(values) => numbered_by(values.iter().copied()),
        Values::Truth(values) => numbered_by(values.iter().copied()),
        Values::Text(texts) => numbered_by(texts.iter()),
        Values::Object(values) => numbered_by(values.iter().map(|value| (kind(value), value.as_value().key()))),
        _ => numbered_by(values.iter().map(Value::key)),
    }
}

/// What tells an object of one kind from one of another that is written in the same bits.
fn kind(value: &Scalar) -> u8 {
    match value {
        _ if value.is_missing() => 0,
        Scalar::Bool(_) => 1,
        Scalar::Int(_) => 2,
        Scalar::Float(_) => 3,
        Scalar::Date(_) => 4,
        Scalar::Text(_) | Scalar::Missing => 5,
    }
}

/// The numbers of rows of several columns: rows are equal where all their values are.
pub(crate) fn numbered_rows(columns: &[&Values], rows: usize) -> (Vec<u32>, Vec<usize>) {
    match columns {
        [] => numbered_by((0..rows).map(|_| ())),
        [values] => numbered(values),
        _ => numbered_by_hash(columns, rows).unwrap_or_else(|| {
            let first = numbered(columns[0]);
            let next =
                |(codes, _): (Vec<u32>, _), values: &&Values| numbered_by(codes.into_iter().zip(numbered(values).0));
            columns[1..].iter().fold(first, next)
        }),
    }
}

/// The same by one number for each row, mixed of its values; nothing if two rows that differ have the same.
fn numbered_by_hash(columns: &[&Values], rows: usize) -> Option<(Vec<u32>, Vec<usize>)> {
    if columns.iter().any(|values| matches!(values, Values::Object(_))) {
        return None;
    }
    let mut mixed: Vec<Mixer> = (0..rows).map(|_| Mixer(0)).collect();
    for values in columns {
        mixed.iter_mut().zip(values.iter()).for_each(|(mixer, value)| value.key().hash(mixer));
    }
    let (codes, firsts) = numbered_by(mixed.iter().map(|mixer| mixer.0));
    let same = |a: usize, b: usize| columns.iter().all(|values| values.get(a).key() == values.get(b).key());
    let equal = |(row, &code): (usize, &u32)| row == firsts[code as usize] || same(row, firsts[code as usize]);
    codes.iter().enumerate().all(equal).then_some((codes, firsts))
}

fn numbered_by<K: Hash + Eq>(keys: impl Iterator<Item = K>) -> (Vec<u32>, Vec<usize>) {
    let (mut seen, mut firsts) = (HashMap::<K, u32, BuildHasherDefault<Mixer>>::default(), Vec::new());
    let code = |(row, key)| {
        *seen.entry(key).or_insert_with(|| {
            firsts.push(row);
            firsts.len() as u32 - 1
        })
    };
    let codes = keys.enumerate().map(code).collect();
    (codes, firsts)
}

/// Hashes by multiplying and folding: values of a table are many and short.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0.rotate_left(29) ^ value ^ 0x2545_F491_4F6C_DD1D) * 0x9E37_79B9_7F4A_7C15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value.cast_unsigned());
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[test]
fn rows_come_in_the_order_of_their_values() {
    let floats = Values::Float(vec![2.0, f64::NAN, -0.0, f64::INFINITY, 0.0, f64::NEG_INFINITY, -1.5]);
    assert_eq!(argsort(&floats, false, false), [5, 6, 2, 4, 0, 3, 1]);
    assert_eq!(argsort(&floats, true, true), [1, 3, 0, 2, 4, 6, 5]);
    let texts = Values::from(vec![Some("b"), None, Some("a"), Some("b")]);
    assert_eq!(argsort(&texts, true, false), [0, 3, 2, 1]);
    let whole = Values::Int(vec![i64::MAX, i64::MIN, 0]);
    assert_eq!(argsort(&whole, false, true), [1, 2, 0]);
    let key = Values::Bool(vec![true, false, true, false]);
    assert_eq!(argsort_by(&[(&key, true), (&texts, false)], false), [2, 0, 3, 1]);
    assert_eq!(numbered_rows(&[&key, &texts], 4), (vec![0, 1, 2, 3], vec![0, 1, 2, 3]));
    assert_eq!(numbered_rows(&[&key, &key], 4), (vec![0, 1, 0, 1], vec![0, 1]));
}
