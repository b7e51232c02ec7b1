//! Memory: in proportion to what is given, and an error where there is not enough.

use cornu::data::{
    Average, Table, ToArray, accuracy_score, classification_report, confusion_matrix, f1_score, precision_score,
    recall_score, to_categorical_with,
};
use cornu::display::{Progress, SummaryOptions, Terminal, Verbose, numbers};
use cornu::model_selection::KFold;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_testkit::alloc::used;
#[cfg(target_os = "linux")]
use cornu_testkit::process;
use ndarray::Array2;

use crate::seeds::seeded;

const MB: usize = 1 << 20;

/// Work of twice the size asks for no more than a little over twice the memory, as bytes and as blocks.
fn assert_linear<T>(what: &str, size: usize, work: impl Fn(usize) -> T) {
    let (_, once) = used(|| work(size));
    let (_, twice) = used(|| work(2 * size));
    let within = |one: usize, two: usize| two as f64 <= 2.3 * one as f64 + 64.0;
    assert!(within(once.bytes, twice.bytes) && within(once.count, twice.count), "{what}: {once:?}, then {twice:?}");
}

#[test]
fn scores_of_many_classes_take_memory_for_the_labels_alone() {
    let labels: Vec<i64> = (0..30_000).collect();
    let shifted: Vec<i64> = labels.iter().map(|label| (label + 1) % 30_000).collect();
    let scores = || -> cornu::Result<Vec<f64>> {
        let report = classification_report(&labels, &labels)?;
        assert!(report.warnings().is_empty());
        Ok(vec![
            accuracy_score(&labels, &labels)?,
            precision_score(&labels, &labels, Average::Macro)?,
            recall_score(&labels, &labels, Average::Weighted)?,
            f1_score(&labels, &labels, Average::Micro)?,
            report.accuracy(),
            report.macro_avg().f1_score,
            1.0 - accuracy_score(&labels, &shifted)?,
        ])
    };
    let (scores, memory) = used(scores);
    assert_eq!(scores.expect("scores"), [1.0; 7]);
    assert!(memory.peak < 8 * MB, "{memory:?}");
    assert_linear("a report of many classes", 2000, |classes| {
        let labels: Vec<i64> = (0..classes).map(|class| class as i64).collect();
        classification_report(&labels, &labels).expect("a report").to_string()
    });
}

#[test]
fn squares_that_do_not_fit_are_errors() {
    let labels: Vec<i64> = (0..2_000_000).collect();
    let error = confusion_matrix(&labels, &labels).expect_err("32 TB");
    assert_eq!(error.message(), "`confusion_matrix` has no room for 2000000 by 2000000 classes");
    let none = Vec::<i32>::new();
    for width in [usize::MAX, usize::MAX / 2 + 1] {
        let error = to_categorical_with(&none, width).expect_err("too wide");
        assert_eq!(error.message(), format!("`to_categorical` has no room for 0 rows of {width} classes"));
    }
    assert_eq!(to_categorical_with(&none, 3).expect("no rows").shape(), [0, 3]);
}

#[test]
fn more_rows_than_memory_has_are_not_split() {
    for rows in [usize::MAX, 1 << 56] {
        for error in [
            Split::test_size(0.5).random_state(1).indices(rows).expect_err("no room"),
            Split::test_size(0.5).shuffle(false).indices(rows).expect_err("no room"),
            KFold::new(2).split(rows).expect_err("no room"),
            KFold::new(2).shuffle(true).random_state(1).split(rows).expect_err("no room"),
            KFold::new(1 << 30).split(1 << 30).expect_err("no room"),
        ] {
            assert_eq!(error.kind(), cornu::ErrorKind::Memory, "{error}");
        }
    }
    assert_eq!(KFold::new(3).split(3).expect("folds").len(), 3);
}

#[test]
fn lines_of_many_metrics_are_drawn_in_proportion() {
    let terminal = Terminal { is_tty: true, columns: 80, color: true };
    for (style, verbose) in
        [(Flavor::Keras2, Verbose::Bar), (Flavor::Keras3, Verbose::Bar), (Flavor::Keras3, Verbose::Line)]
    {
        let names: Vec<String> = (0..2000).map(|i| format!("metric_{i}")).collect();
        let logs: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 0.5)).collect();
        assert_linear("a line of metrics", 1000, |count| {
            let mut progress = Progress::new(std::io::sink(), terminal, style, verbose);
            progress.epoch_begin(0.0, 0, 1);
            progress.step(0.5, 1, Some(2), &logs[..count]);
            progress.epoch_end(1.0, &logs[..count]);
        });
    }
}

#[test]
fn wide_and_long_tables_are_read_in_proportion() {
    const ROWS: usize = 1 << 15;
    const LONG: usize = 1 << 17;
    // A column takes up to 500 bytes beside its values.
    let lines_of_names = [
        ("columns of one name", format!("{}a\n", "a,".repeat(LONG))),
        ("different columns", (0..LONG / 8).map(|i| format!("{i},")).collect::<String>() + "x\n"),
        ("columns with a value", format!("{}x\n{0}1\n", (0..LONG / 8).map(|i| format!("{i},")).collect::<String>())),
    ];
    let rows = [
        ("commas alone", ",".repeat(LONG)),
        ("columns without a name", format!("{}\n{0}\n", ",".repeat(LONG))),
        ("numbers", format!("a\n{}", "1\n".repeat(ROWS))),
        ("fractions", format!("a\n{}", ".5\n".repeat(ROWS))),
        ("words", format!("a\n{}", "abcd\n".repeat(ROWS))),
        ("missing values", format!("a,b\n{}", ",\n".repeat(ROWS))),
        ("empty lines", format!("a\n{}1\n", "\n".repeat(LONG))),
        ("nothing but empty lines", "\r\n".repeat(LONG)),
        ("one line", format!("{}\n", "a".repeat(LONG))),
        ("one cell", format!("a\n\"{}\"\n", "x\n\"\"".repeat(LONG / 4))),
        ("quotation marks", "\"".repeat(LONG + 1)),
        ("zero bytes", format!("a\n{}\n", "\0".repeat(LONG))),
    ];
    let mut report = cornu_testkit::golden::Report::default();
    for (most, (what, text)) in rows.map(|text| (20.0, text)).into_iter().chain(lines_of_names.map(|text| (90.0, text)))
    {
        let (_, memory) = used(|| Table::from_csv_str(&text));
        let factor = memory.peak as f64 / text.len() as f64;
        report.case(what, if factor <= most { Ok(()) } else { Err(format!("{factor:.1} times the text")) });
    }
    let bytes = [b"a\n".as_slice(), &[0xff; LONG]].concat();
    let (table, memory) = used(|| Table::from_csv_reader(&bytes[..]));
    assert_eq!(table.expect_err("no text").message(), "line 2, field 1 needs UTF-8 text, got other bytes");
    assert!(memory.peak < 20 * bytes.len());
    report.finish();
}

/// Models come and go, alone or over a layer that stays.
#[test]
fn models_that_are_dropped_leave_nothing() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let x = Array2::<f32>::ones((9, 6));
    let shared = Dense::new(6).input_shape([6]).shared();
    let life = |alone: bool| -> cornu::Result<()> {
        let mut model = if alone { sequential![Dense::new(6).input_shape([6])] } else { sequential![&shared] };
        model.run_on(cornu::Cpu::new().threads(1))?;
        model.add(Dense::new(1));
        model.compile(Compile::new().loss("mse").optimizer("adam").metrics(["mae"]))?;
        model.fit(&x, &[0.5f32; 9], Fit::new().batch_size(4).verbose(0))?;
        model.predict(&x).map(drop)
    };
    for alone in [true, false] {
        let lives = |count: usize| used(|| (0..count).try_for_each(|_| life(alone)));
        lives(3).0?;
        let ((few, once), (many, often)) = (lives(10), lives(200));
        few.and(many)?;
        assert!(often.peak as f64 <= once.peak as f64 * 1.05 + 256.0, "{once:?}, then {often:?}, alone: {alone}");
    }
    Ok(())
}

#[test]
fn sizes_that_cannot_be_counted_are_errors() {
    let _turn = seeded(Flavor::Keras2, 1);
    let huge = 1usize << 32;
    let model = sequential![Flatten::new().input_shape([huge, huge]), Dense::new(2)];
    let message = |error: cornu::Error| error.message().to_owned();
    let needed = "inputs of shape (None, 4294967296, 4294967296) fit no memory";
    let got = model.ready().map(drop).map_err(message).expect_err("2^64 numbers");
    assert!(got.ends_with(needed), "{got}");
    let json = r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Flatten",
        "config": {"batch_input_shape": [null, 4294967296, 4294967296]}}]}}"#;
    let got = Sequential::from_json(json).map(drop).map_err(message).expect_err("2^64 numbers");
    assert!(got.ends_with(needed), "{got}");
    let model = sequential![Dense::new(huge).use_bias(false).input_shape([huge])];
    let got = model.ready().map(drop).map_err(message).expect_err("2^64 numbers");
    assert!(got.ends_with("a weight of shape [4294967296,4294967296] is too large"), "{got}");
}

#[test]
fn texts_of_any_width_are_printed() {
    const WIDE: usize = 70_000;
    let table = |text: String| Table::from_csv_str(&text).expect("a table");
    // As pandas prints them.
    let text = table(format!("{},b\n1,2\n", "h".repeat(WIDE))).to_string();
    assert_eq!(text, format!("   {}  b\n0{}1{}2", "h".repeat(WIDE), " ".repeat(50), " ".repeat(WIDE - 47)));
    let text = format!("{:#}", table(format!("a,b\n{},2\n", "t".repeat(WIDE))));
    assert_eq!(text, format!("{}a  b\n0  {}  2", " ".repeat(WIDE + 2), "t".repeat(WIDE)));
    let report = || classification_report(&[0, 1], &[1, 1]).expect("a report");
    let text = report().digits(WIDE).to_string();
    let row = text.lines().nth(3).expect("class 1");
    assert_eq!(row.split_whitespace().nth(1), Some(&*format!("0.5{}", "0".repeat(WIDE - 1))));
    let text = report().target_names(["n".repeat(WIDE), "b".into()]).expect("two names").to_string();
    let row = |name: &str, rest: &str| format!("{}{name}  {rest}", " ".repeat(WIDE - name.len()));
    assert_eq!(text.lines().nth(3), Some(&*row("b", "     0.50      1.00      0.67         1")));
    for decimals in [1074, WIDE] {
        let (half, zeros) = (5e-324, decimals - 1074);
        assert!(numbers::fixed(half, decimals).ends_with(&format!("625{}", "0".repeat(zeros))));
        assert_eq!(numbers::fixed(half, decimals).len(), decimals + 2);
        assert_eq!(numbers::scientific(-1.5, decimals), format!("-1.5{}e+00", "0".repeat(decimals - 1)));
    }
    assert_eq!(numbers::general(0.5, WIDE), "0.5");
    assert_eq!(numbers::fixed(0.5, usize::MAX).len(), 2 + (1 << 20));
    assert_eq!(numbers::scientific(0.5, usize::MAX).len(), 6 + (1 << 20));
    assert!(report().digits(usize::MAX).to_string().len() > 1 << 20);
    assert_eq!(numbers::fixed(f64::NAN, WIDE), "nan");
    assert_eq!(numbers::scientific(f64::INFINITY, WIDE), "inf");
}

#[test]
fn summaries_are_as_wide_as_asked_for_within_reason() {
    let _turn = seeded(Flavor::Keras2, 1);
    let summary = sequential![Dense::new(1).input_shape([1])].summary();
    let text = |line_length: usize| {
        let options = SummaryOptions { line_length: Some(line_length), ..SummaryOptions::default() };
        summary.text(&options, Terminal { columns: line_length, ..Terminal::PLAIN })
    };
    let wide = text(70_000).expect("a table");
    assert!(wide.lines().skip(1).take(5).all(|line| line.chars().count() == 70_000));
    let error = text(usize::MAX).expect_err("too wide");
    assert_eq!(error.message(), format!("summary: `line_length` needs at most 100000 columns, got {}", usize::MAX));
}

/// Runs `work` with no more than `bytes` of further address space; gives the message of its error.
#[cfg(target_os = "linux")]
fn short_of<T>(bytes: usize, work: impl FnOnce() -> cornu::Result<T>) -> String {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let status = std::fs::read_to_string("/proc/self/status").expect("what the process takes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("its address space");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    let before = getrlimit(Resource::As);
    let limit = rustix::process::Rlimit { current: Some((kilobytes << 10) + bytes as u64), ..before };
    setrlimit(Resource::As, limit).expect("a limit");
    let result = work();
    setrlimit(Resource::As, before).expect("the limit from before");
    result.map_or_else(|error| error.message().to_owned(), |_| "there was enough".into())
}

/// A limit is for a whole process, so this runs in one of its own: this test, started once more.
#[cfg(target_os = "linux")]
#[test]
fn where_memory_is_short_data_are_refused() {
    if process::word().is_none() {
        let mut again = process::again("memory::where_memory_is_short_data_are_refused", "", "");
        // Large blocks come from the address space alone, and what is given back leaves it at once.
        again.envs([("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_ARENA_MAX", "1")]);
        return process::assert_passed(&again.output().expect("a process"));
    }
    predictions_and_rows();
    tables();
}

/// As many rows as take 16 MB in single precision.
#[cfg(target_os = "linux")]
const ROWS: usize = 1 << 22;

#[cfg(target_os = "linux")]
fn needs(what: &str, size: &str) -> String {
    format!("{what} needs {size} of memory, more than there is")
}

#[cfg(target_os = "linux")]
fn predictions_and_rows() {
    let _turn = seeded(Flavor::Keras2, 1);
    let x = Array2::<f32>::zeros((ROWS / 32, 1));
    let model = sequential![Dense::new(256).use_bias(false).input_shape([1])];
    model.predict(&x.slice(ndarray::s![..64, ..])).expect("room for 64 rows");
    let predicted = |size| needs("the array of predictions", size);
    assert_eq!(short_of(100 * MB, || model.predict(&x)), predicted("128.00 MB"));
    // There is no copy of it, unless it is of another type.
    assert_eq!(short_of(200 * MB, || model.predict(&x)), "there was enough");
    assert_eq!(short_of(300 * MB, || model.predict_as::<f64>(&x, Predict::new())), predicted("256.00 MB"));

    let (x, y) = (Array2::<f32>::zeros((ROWS, 1)), Array2::<f32>::zeros((ROWS, 1)));
    let mut model = sequential![Dense::new(1).input_shape([1])];
    model.compile(Compile::new().loss("mse")).expect("settings");
    // There is no copy of what is given, unless it is of another type or order.
    assert_eq!(short_of(8 * MB, || model.predict(&x)), needs("the order of the rows", "16.00 MB"));
    let (backwards, doubles) = (x.slice(ndarray::s![..;-1, ..]), x.mapv(f64::from));
    assert_eq!(short_of(8 * MB, || model.predict(&backwards)), needs("an array", "16.00 MB"));
    assert_eq!(short_of(8 * MB, || model.predict(&doubles)), needs("an array", "16.00 MB"));
    assert_eq!(short_of(8 * MB, || model.evaluate(&x, &y)), needs("the order of the rows", "16.00 MB"));
    let whole = short_of(8 * MB, || model.fit(&x, &y, Fit::new().verbose(0)));
    assert_eq!(whole, needs("the order of the rows", "16.00 MB"));
    let mut split = |mb| short_of(mb * MB, || model.fit(&x, &y, Fit::new().validation_split(0.5).verbose(0)));
    assert_eq!(split(8), needs("the order of the rows", "32.00 MB"));
    assert_eq!(split(38), needs("the split of the rows", "8.00 MB"));
}

#[cfg(target_os = "linux")]
fn tables() {
    let table = Table::new([("a", vec![0i64; ROWS])]).expect("a table");
    let (column, room) = (table.column("a").expect("a column"), needs("an array", "32.00 MB"));
    assert_eq!(short_of(20 * MB, || table.to_array()), room);
    assert_eq!(short_of(50 * MB, || table.to_ndarray::<i64>()), room);
    assert_eq!(short_of(20 * MB, || column.to_array()), room);
    assert_eq!(short_of(50 * MB, || column.to_ndarray::<f64>()), room);
    let rows = vec![[0i64; 8]; ROWS / 8];
    assert_eq!(short_of(20 * MB, || rows.to_array()), room);
    let text = format!("a\n{}", "1\n".repeat(ROWS / 4));
    assert_eq!(short_of(5 * MB, || Table::from_csv_str(&text)), needs("column `a`: reading it", "8.00 MB"));
}
