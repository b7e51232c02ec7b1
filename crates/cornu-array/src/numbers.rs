//! Numbers as Python prints them: `repr`, and the `%f`, `%e` and `%g` of its format strings.

use crate::F16;
pub use crate::bytes;

/// Python's `repr` of a float: the fewest digits that read back as the same number, always with a point or an exponent.
///
/// ```
/// use cornu_array::numbers::repr;
/// assert_eq!([repr(100.0), repr(0.1 + 0.2), repr(1e-5)], ["100.0", "0.30000000000000004", "1e-05"]);
/// ```
pub fn repr(value: f64) -> String {
    positional(&even(value, &format!("{value:e}")))
}

/// A single-precision number as NumPy 2 prints it, with the fewest digits that tell it from its neighbours, and with an
/// exponent from a million on and below 1e-4 (which the single next to 1e-4 is).
///
/// ```
/// use cornu_array::numbers::{repr, repr32};
/// assert_eq!([repr32(0.1), repr(0.1_f32.into())], ["0.1", "0.10000000149011612"]);
/// assert_eq!([repr32(999_999.0), repr32(1e6), repr32(1e-4)], ["999999.0", "1e+06", "1e-04"]);
/// ```
pub fn repr32(value: f32) -> String {
    short(&even(value.into(), &format!("{value:e}")), value.into(), 1e6)
}

/// A half-precision number as NumPy 2 prints it, as [`repr32`] but with an exponent from a thousand on.
///
/// ```
/// use cornu_array::{F16, numbers::repr16};
/// assert_eq!([0.1, 999.0, 2048.0].map(F16::from_f64).map(repr16), ["0.1", "999.0", "2.048e+03"]);
/// ```
pub fn repr16(value: F16) -> String {
    short(&format!("{:e}", value.shortest()), value.to_f64(), 1e3)
}

/// The shortest digits of a number in exponent form, which stays below 1e-4 and from `large` on.
fn short(text: &str, value: f64, large: f64) -> String {
    match text.split_once('e') {
        Some((digits, exponent)) if value != 0.0 && !(1e-4..large).contains(&value.abs()) => {
            with_exponent(digits, exponent.parse().unwrap_or_default())
        }
        _ => positional(text),
    }
}

/// The shortest digits of a number, in plain or in exponent form. If two such are equally near to it, Rust takes the
/// larger; Python and NumPy take the one that ends in an even digit.
pub fn even(value: f64, shortest: &str) -> String {
    let (digits, exponent) = shortest.split_once('e').map_or((shortest, None), |(digits, e)| (digits, Some(e)));
    let Some((_, fraction)) = digits.split_once('.') else { return shortest.to_owned() };
    let decimals = fraction.len();
    if exponent.is_some() { format!("{value:.decimals$e}") } else { format!("{value:.decimals$}") }
}

/// Rewrites the shortest digits in exponent form (`1.5e-7`) by Python's rule: an exponent below -4 or above 15 stays.
fn positional(scientific: &str) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else { return named(scientific) };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        return with_exponent(digits, exponent);
    }
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut digits = digits.replace('.', "");
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let point = exponent as usize + 1;
    while digits.len() <= point {
        digits.push('0');
    }
    digits.insert(point, '.');
    format!("{sign}{digits}")
}

/// No double has more decimals, nor more digits in exponent form: those behind are zeros. (`format!` panics from 65,536 on.)
const DECIMALS: usize = 1074;
/// No more decimals are printed than this.
pub const MOST_DECIMALS: usize = 1 << 20;

/// Python's `%.{decimals}f`; of more than 1,048,576 decimals, that many.
pub fn fixed(value: f64, decimals: usize) -> String {
    let decimals = decimals.min(MOST_DECIMALS);
    let exact = decimals.min(DECIMALS);
    let zeros = if value.is_finite() { decimals - exact } else { 0 };
    format!("{}{}", named(&format!("{value:.exact$}")), "0".repeat(zeros))
}

/// Python's `%.{decimals}e`: an exponent of a sign and at least two digits; of more than 1,048,576 decimals, that many.
pub fn scientific(value: f64, decimals: usize) -> String {
    let decimals = decimals.min(MOST_DECIMALS);
    let exact = decimals.min(DECIMALS);
    let text = format!("{value:.exact$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let digits = format!("{digits}{}", "0".repeat(decimals - exact));
            with_exponent(&digits, exponent.parse().unwrap_or_default())
        }
        None => named(&text),
    }
}

/// Python's `%.{digits}g`: that many digits, without the zeros that end them, in whichever form is shorter.
pub fn general(value: f64, digits: usize) -> String {
    let decimals = digits.clamp(1, DECIMALS) - 1;
    let text = format!("{value:.decimals$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return named(&text) };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < -4 || exponent > decimals as i32 {
        return with_exponent(without_zeros(mantissa), exponent);
    }
    let decimals = (decimals as i32 - exponent) as usize;
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

/// Python's text of a list of floats: `[0.5, 1e-05]`.
pub fn list(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|&value| repr(value)).collect();
    format!("[{}]", values.join(", "))
}

/// A count with commas between thousands: `12,560`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A metric as Keras's progress bar shows it: four decimals, or four and an exponent where those would show little.
pub fn metric(value: f64) -> String {
    if value.abs() > 1e-3 { fixed(value, 4) } else { scientific(value, 4) }
}

/// `1.5` and -7 to `1.5e-07`.
fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Cuts the zeros that end a fraction, and the point if nothing is left behind it.
fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// Python writes `nan` where Rust writes `NaN`; both write `inf`.
fn named(text: &str) -> String {
    text.replace("NaN", "nan")
}

#[cfg(test)]
mod tests {
    use cornu_testkit::golden::{Report, json};
    use serde_json::Value;

    use super::*;

    /// JSON has no name for what is not finite.
    fn number(value: &Value) -> f64 {
        value.as_f64().unwrap_or_else(|| value.as_str().and_then(|name| name.parse().ok()).expect("a number"))
    }

    fn numbers(values: &Value) -> Vec<f64> {
        values.as_array().expect("numbers").iter().map(number).collect()
    }

    #[test]
    fn numbers_print_as_in_python() {
        let manifest = json("datasets-and-tools", "manifest.json");
        let mut report = Report::default();
        let cases = manifest["cases"].as_array().expect("cases").iter().filter(|case| case["kind"] == "python print");
        for case in cases {
            let id = case["id"].as_str().expect("id");
            let mut check = |name: &str, values: &[f64], print: &dyn Fn(f64) -> String| {
                let got: Vec<Value> = values.iter().map(|&value| print(value).into()).collect();
                let outcome = if case[name] == Value::Array(got.clone()) { Ok(()) } else { Err(format!("{got:?}")) };
                report.case(&format!("{id} {name}"), outcome);
            };
            if case["values"].is_array() {
                let values = numbers(&case["values"]);
                check("repr", &values, &repr);
                check("percent_2f", &values, &|value| fixed(value, 2));
                check("percent_4f", &values, &|value| fixed(value, 4));
                check("percent_4e", &values, &|value| scientific(value, 4));
                check("percent_g", &values, &|value| general(value, 6));
            } else if let Some(text) = case["tolist"].as_str() {
                let values: Vec<f64> =
                    text.trim_matches(['[', ']']).split(", ").filter_map(|v| v.parse().ok()).collect();
                check("as_python_float", &values, &repr);
                // Before NumPy 2, exponents began at other sizes.
                if case["numpy"].as_str().is_none_or(|version| !version.starts_with("1.")) {
                    check("str_each", &values, &|value| repr32(value as f32));
                }
                check("format_4f", &values, &|value| fixed(value, 4));
                report.case(&format!("{id} tolist"), if list(&values) == text { Ok(()) } else { Err(list(&values)) });
            } else {
                let text = case["str"].as_str().expect("a text");
                let shown = |(name, values): (&String, &Value)| format!("'{name}': {}", list(&numbers(values)));
                let history: Vec<String> = case["history"].as_object().expect("history").iter().map(shown).collect();
                let got = format!("{{{}}}", history.join(", "));
                report.case(id, if got == text { Ok(()) } else { Err(got) });
            }
        }
        report.finish();
    }

    #[test]
    fn edges_of_the_rules() {
        assert_eq!(
            [repr(1e-4), repr(9.9e-5), repr(1e15), repr(-1.5e16)],
            ["0.0001", "9.9e-05", "1000000000000000.0", "-1.5e+16"]
        );
        assert_eq!([general(0.0001, 6), general(999_999.5, 6), general(100.0, 3)], ["0.0001", "1e+06", "100"]);
        assert_eq!(
            [metric(1e-3), metric(0.0010001), metric(-0.5), metric(0.0)],
            ["1.0000e-03", "0.0010", "-0.5000", "0.0000e+00"]
        );
        assert_eq!(
            [thousands(0), thousands(999), thousands(1000), thousands(20_037_642)],
            ["0", "999", "1,000", "20,037,642"]
        );
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1024), bytes(u64::MAX)],
            ["0.00 B", "1023.00 B", "1.00 KB", "16384.00 PB"]
        );
    }
}
