//! Arrays as NumPy prints them, with its default options: 8 digits, lines of 75, the corners of anything above 1,000.

use cornu_array::pad::{left, right};
use cornu_array::{DType, Element, F16};
use ndarray::{ArrayView, ArrayViewD, Axis, Dimension};

use super::numbers::{even, general, repr, repr16, repr32};

/// The most digits after the point.
const PRECISION: usize = 8;
/// The longest line.
const LINE: usize = 75;
/// An array of more elements is shown by its corners.
const THRESHOLD: usize = 1000;
/// How far the corners reach along each axis.
const EDGE: usize = 3;

/// The text `print` gives of a NumPy array, as [NumPy 2] prints it.
///
/// ```
/// use cornu_display::numpy;
/// let predictions = ndarray::array![[0.87694836_f32], [7.3388085e-04]];
/// assert_eq!(numpy(predictions.view()), "[[8.7694836e-01]\n [7.3388085e-04]]");
/// ```
///
/// [NumPy 2]: https://numpy.org/doc/stable/reference/generated/numpy.set_printoptions.html
pub fn numpy<T: Element, D: Dimension>(array: ArrayView<'_, T, D>) -> String {
    let array = array.into_dyn();
    if let (0, Some(&value)) = (array.ndim(), array.first()) {
        return scalar(value);
    }
    if array.is_empty() {
        return "[]".to_owned();
    }
    let cut = array.len() > THRESHOLD;
    let mut shown = Vec::new();
    collect(&array, cut, &mut shown);
    let words = words(&shown);
    rows(&array, cut, &mut words.iter(), 0, LINE)
}

/// A single number, as it prints outside an array.
fn scalar<T: Element>(value: T) -> String {
    match T::DTYPE {
        // As ml_dtypes prints it.
        DType::Bf16 => general(value.to_f64(), 6),
        DType::F16 => repr16(F16::from_f64(value.to_f64())),
        DType::F32 => repr32(value.to_f64() as f32),
        DType::F64 => repr(value.to_f64()),
        DType::Bool => if value.to_f64() == 0.0 { "False" } else { "True" }.to_owned(),
        _ => format!("{value:?}"),
    }
}

/// Which places along an axis are shown; `None` stands for the dots.
fn places(len: usize, cut: bool) -> impl Iterator<Item = Option<usize>> {
    let edge = if cut && len > 2 * EDGE { EDGE } else { len };
    let tail = if edge < len { len - EDGE..len } else { len..len };
    let dots = (edge < len).then_some(None);
    (0..edge).map(Some).chain(dots).chain(tail.map(Some))
}

/// The elements that are shown, in order.
fn collect<T: Element>(array: &ArrayViewD<'_, T>, cut: bool, shown: &mut Vec<T>) {
    if array.ndim() == 0 {
        shown.extend(array.iter());
        return;
    }
    for place in places(array.len_of(Axis(0)), cut).flatten() {
        collect(&array.index_axis(Axis(0), place), cut, shown);
    }
}

/// The shown elements as text, all of one width.
fn words<T: Element>(shown: &[T]) -> Vec<String> {
    if matches!(T::DTYPE, DType::F16 | DType::F32 | DType::F64) {
        return floats(shown);
    }
    let words: Vec<String> = shown.iter().map(|&value| scalar(value)).collect();
    if T::DTYPE == DType::Bf16 {
        return words;
    }
    let least = if T::DTYPE == DType::Bool { "False".len() } else { 0 };
    let width = words.iter().map(String::len).fold(least, usize::max);
    words.iter().map(|word| right(word, width)).collect()
}

/// Floats with their points below one another.
fn floats<T: Element>(shown: &[T]) -> Vec<String> {
    let exponents = need_exponents(shown);
    let parts: Vec<Result<Parts, String>> = shown.iter().map(|&value| Parts::of(value, exponents)).collect();
    let widest = |length: fn(&Parts) -> usize| parts.iter().flatten().map(length).max().unwrap_or(0);
    let (whole, fraction) = (widest(|part| part.whole.len()), widest(|part| part.fraction.len()));
    // A letter, a sign and at least two digits.
    let exponent = widest(|part| part.exponent.map_or(0, |e| 2 + e.unsigned_abs().to_string().len().max(2)));
    // What is not finite ends where the others end.
    let named = parts.iter().filter_map(|part| part.as_ref().err()).map(String::len).max().unwrap_or(0);
    let width = (whole + 1 + fraction + exponent).max(named);
    let whole = width - (1 + fraction + exponent);
    let text = |(part, &value): (&Result<Parts, String>, &T)| match part {
        Err(name) => right(name, width),
        Ok(Parts { whole: w, fraction: f, exponent: None }) => format!("{}.{}", right(w, whole), left(f, fraction)),
        Ok(Parts { .. }) => {
            // Numbers with fewer digits than another are not filled with zeros: they get more digits of their own.
            let Parts { whole: w, fraction: f, exponent: e } = Parts::cut(&format!("{:.fraction$e}", value.to_f64()));
            let (e, digits) = (e.unwrap_or_default(), exponent - 1);
            format!("{}.{f}e{e:+0digits$}", right(&w, whole))
        }
    };
    parts.iter().zip(shown).map(text).collect()
}

/// Whether floats are shown with exponents: if one is at least 1e8 (1e6 in single precision, 1e3 in half) or below 1e-4, or if two
/// lie more than a factor of 1,000 apart.
fn need_exponents<T: Element>(shown: &[T]) -> bool {
    let nearest = |value: f64| T::from_f64(value).to_f64();
    let sizes = shown.iter().map(|value| value.to_f64().abs()).filter(|&size| size != 0.0 && size.is_finite());
    let (least, most) = sizes.fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), x| (least.min(x), most.max(x)));
    let large = match T::DTYPE {
        DType::F16 => 1e3,
        DType::F32 => 1e6,
        _ => 1e8,
    };
    most > 0.0 && (most >= large || least < nearest(1e-4) || nearest(most / least) > 1000.0)
}

/// A finite number cut at its point and its exponent.
struct Parts {
    whole: String,
    fraction: String,
    exponent: Option<i32>,
}

impl Parts {
    /// The shortest digits that tell the number from its neighbours, rounded if there are more than `PRECISION` of
    /// them behind the point; the name of what is not finite.
    fn of<T: Element>(value: T, exponents: bool) -> Result<Parts, String> {
        let value = value.to_f64();
        if !value.is_finite() {
            return Err(repr(value));
        }
        let half = F16::from_f64(value).shortest();
        let shortest = match (T::DTYPE, exponents) {
            (DType::F16, true) => format!("{half:e}"),
            (DType::F16, false) => format!("{half}"),
            (DType::F32, true) => even(value, &format!("{:e}", value as f32)),
            (DType::F32, false) => even(value, &format!("{}", value as f32)),
            (_, true) => even(value, &format!("{value:e}")),
            (_, false) => even(value, &format!("{value}")),
        };
        let mut parts = Parts::cut(&shortest);
        if parts.fraction.len() > PRECISION {
            let rounded = if exponents { format!("{value:.PRECISION$e}") } else { format!("{value:.PRECISION$}") };
            parts = Parts::cut(&rounded);
            parts.fraction.truncate(parts.fraction.trim_end_matches('0').len());
        }
        Ok(parts)
    }

    fn cut(text: &str) -> Parts {
        let (digits, exponent) = text.split_once('e').map_or((text, None), |(digits, e)| (digits, Some(e)));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = exponent.and_then(|exponent| exponent.parse().ok());
        Parts { whole: whole.to_owned(), fraction: fraction.to_owned(), exponent }
    }
}

/// The rows of an array in their brackets; `indent` spaces stand before every line but the first, and `room` is the
/// place left of the brackets still to be closed.
fn rows<'w>(
    array: &ArrayViewD<'_, impl Element>,
    cut: bool,
    words: &mut impl Iterator<Item = &'w String>,
    indent: usize,
    room: usize,
) -> String {
    let places = places(array.len_of(Axis(0)), cut);
    let indent = indent + 1;
    let inner = if array.ndim() == 1 {
        let items = places.map(|place| place.and_then(|_| words.next()).map_or("...", String::as_str));
        wrap(items, indent, room - 1)
    } else {
        let row = |place: Option<usize>| match place {
            Some(place) => rows(&array.index_axis(Axis(0), place), cut, words, indent, room - 1),
            None => "...".to_owned(),
        };
        let blank = "\n".repeat(array.ndim() - 1);
        places.map(row).collect::<Vec<_>>().join(&format!("{blank}{}", " ".repeat(indent)))
    };
    format!("[{inner}]")
}

/// Words with spaces between them, in lines of at most `room` columns that start with `indent` spaces.
fn wrap<'w>(words: impl Iterator<Item = &'w str>, indent: usize, room: usize) -> String {
    let mut text = String::new();
    let mut column = indent;
    for word in words {
        if column > indent {
            if column + 1 + word.len() > room {
                text.truncate(text.trim_end().len());
                text.push('\n');
                text.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                text.push(' ');
                column += 1;
            }
        }
        text.push_str(word);
        column += word.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use cornu_array::{Bf16, Buffer};
    use cornu_testkit::golden::{Case, Report, json};
    use ndarray::{Array, Array1, Array2, ArrayD};

    use super::*;

    fn printed(array: &cornu_array::Array) -> String {
        fn shaped<T: Element>(shape: &[usize], data: &[T]) -> String {
            numpy(ArrayD::from_shape_vec(shape, data.to_vec()).expect("a shape").view())
        }
        match array.buffer() {
            Buffer::F32(data) => shaped(array.shape(), data),
            Buffer::F64(data) => shaped(array.shape(), data),
            Buffer::I64(data) => shaped(array.shape(), data),
            Buffer::I32(data) => shaped(array.shape(), data),
            Buffer::U32(data) => shaped(array.shape(), data),
            Buffer::U64(data) => shaped(array.shape(), data),
            Buffer::U8(data) => shaped(array.shape(), data),
            Buffer::Bool(data) => shaped(array.shape(), data),
            _ => format!("no way to print {}", array.ty()),
        }
    }

    #[test]
    fn arrays_print_as_in_numpy() {
        let manifest = json("datasets-and-tools", "manifest.json");
        let mut report = Report::default();
        let cases = manifest["cases"].as_array().expect("cases").iter().filter(|case| case["kind"] == "numpy print");
        for json in cases {
            let (case, want) = (Case::open("datasets-and-tools", json), json["str"].as_str().expect("str"));
            let got = printed(&case.array(&json["array"]).expect("an array"));
            report.case(case.id, if got == want { Ok(()) } else { Err(format!("\n{got}\nwant\n{want}")) });
        }
        report.finish();
    }

    #[test]
    fn edges_of_the_rules() {
        let print = |values: &[f64]| numpy(Array1::from_vec(values.to_vec()).view());
        let print32 = |values: &[f32]| numpy(Array1::from_vec(values.to_vec()).view());
        assert_eq!(print(&[1.0 / 3.0, 2.0 / 3.0, -1e-3]), "[ 0.33333333  0.66666667 -0.001     ]");
        assert_eq!(print(&[1e-5, 1.0 / 3.0, 1e5]), "[1.00000000e-05 3.33333333e-01 1.00000000e+05]");
        assert_eq!(print(&[1e-100, 1e5]), "[1.e-100 1.e+005]");
        assert_eq!(print32(&[1e6, 1e5]), "[1.e+06 1.e+05]");
        assert_eq!(print32(&[0.962_613_9, 1.480_572_5e-4]), "[9.6261388e-01 1.4805725e-04]");
        assert_eq!(print32(&[-7.604_405_7e-6, 3.448_961e-11]), "[-7.6044057e-06  3.4489609e-11]");
        assert_eq!(print(&[1e6, 1e5]), "[1000000.  100000.]");
        assert_eq!([print32(&[1e-4, 0.05]), print32(&[1e-4, 0.1])], ["[0.0001 0.05  ]", "[1.e-04 1.e-01]"]);
        assert_eq!(print(&[f64::NAN, -1e-7, f64::INFINITY]), "[    nan -1.e-07     inf]");
        assert_eq!(print(&[f64::NAN, f64::NEG_INFINITY]), "[ nan -inf]");
        assert_eq!(print(&[]), "[]");
        assert_eq!(numpy(Array1::from_vec(vec![true, true]).view()), "[ True  True]");
        let print16 = |values: &[f64]| numpy(values.iter().map(|&x| F16::from_f64(x)).collect::<Array1<_>>().view());
        assert_eq!(print16(&[0.1, 1.0]), "[0.1 1. ]");
        assert_eq!(print16(&[1.0, 2048.0]), "[1.000e+00 2.048e+03]");
        assert_eq!(print16(&[0.1, 0.25, 100.0]), "[  0.1    0.25 100.  ]");
        assert_eq!(print16(&[1.0 / 3.0, 2.0 / 3.0, 1.125]), "[0.3333 0.6665 1.125 ]");
        assert_eq!(print16(&[6e4, 6e-8]), "[6.e+04 6.e-08]");
        let brains = [[0.1, 1.0], [250.0, 3e-5]].map(|row| row.map(Bf16::from_f64));
        assert_eq!(numpy(ndarray::arr2(&brains).view()), "[[0.100098 1]\n [250 3.00407e-05]]");
        assert_eq!(numpy(ndarray::arr0(1.5_f32).view()), "1.5");
        assert_eq!(numpy(ndarray::arr0(4_535_264.0_f32).view()), "4.535264e+06");
        assert_eq!(print32(&[302_339.63, 302_339.38, 183_736.13]), "[302339.62 302339.38 183736.12]");
        assert_eq!(numpy(ndarray::arr0(302_339.63_f32).view()), "302339.62");
        assert_eq!(numpy(ndarray::arr0(4_535_264.0_f64).view()), "4535264.0");
        assert_eq!(numpy(Array2::<f32>::zeros((0, 3)).view()), "[]");
        assert_eq!(numpy(Array1::from_vec(vec![i64::MAX, -1]).view()), "[9223372036854775807                  -1]");
    }

    #[test]
    fn long_arrays_are_wrapped_and_large_ones_cut() {
        let counted = |shape: [usize; 3]| {
            let values = (0..shape.iter().product::<usize>() as i64).collect();
            numpy(Array::from_shape_vec(shape, values).expect("a shape").view())
        };
        assert_eq!(counted([2, 1, 3]), "[[[0 1 2]]\n\n [[3 4 5]]]");
        let text = counted([2, 40, 30]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 15);
        assert_eq!(lines[..2], ["[[[   0    1    2 ...   27   28   29]", "  [  30   31   32 ...   57   58   59]"]);
        assert_eq!(lines[3..5], ["  ...", "  [1110 1111 1112 ... 1137 1138 1139]"]);
        assert_eq!(lines[7..9], ["", " [[1200 1201 1202 ... 1227 1228 1229]"]);
        let sevenths = numpy(Array1::range(0.0_f32, 14.0, 1.0).mapv(|n| n / 7.0).view());
        let rows = [
            "[0.         0.14285715 0.2857143  0.42857143 0.5714286  0.71428573",
            " 0.85714287 1.         1.1428572  1.2857143  1.4285715  1.5714285",
            " 1.7142857  1.8571428 ]",
        ];
        assert_eq!(sevenths, rows.join("\n"));
    }
}
