//! Tables as text: changed, packed, and read by options of all kinds.

use cornu::data::Csv;
use cornu_testkit::bits::Bits;

use crate::mutate::{raw, text, zipped};

/// Sound tables, with what is odd in tables: quotes, gaps, dates, decimal commas, remarks, encodings, ragged lines.
pub(crate) const TABLES: [&str; 12] = [
    "a,b,c\n1,2.5,x\n3,-1e5,\"y, z\"\n,0,\n",
    "\u{feff}n\r\n1\r\n2\r\n",
    "t,u\ntrue,1\nfalse,\n",
    "# made by x\na;b;a\n1,5;2;x\n3,25;4;\"y\n\"\"z\"\"\"\n",
    "id,day,when\n7,2024-05-31,1/2/2024 10:30\n8,NA,3/4/2024 00:00\n",
    "a\tb\n1\t2\n\n  \n3\t\n",
    "6,148,72\n1,85,66\n9223372036854775808,inf,-0\n",
    "  a b  c\n1 2 3\n4  5 6\n",
    "who,n\nKöln,1\nZürich,1.234\n\"o''k\",NULL\nTotal,3\n",
    "a,b\n1,2,3\n4,5,6\n7\n",
    "a|b\n1|x\\|y\n2|'q'\n",
    "a,a,,\n1,2,3,4\r5,6,7,8\r",
];

/// A table that was changed, and its name; some are packed, before they are changed or after.
pub(crate) fn changed(bits: &mut Bits) -> (&'static str, Vec<u8>) {
    let sound = bits.one_of(&TABLES).as_bytes().to_vec();
    match bits.below(6) {
        0 => (".csv.gz", gzip(&text(sound, bits))),
        1 => (".csv.gz", raw(gzip(&sound), bits)),
        2 => (".csv.zip", zipped(&[("t.csv", text(sound, bits))], bits.below(2) == 0)),
        3 => (".csv.zip", raw(zipped(&[("t.csv", sound)], bits.below(2) == 0), bits)),
        // More than a block, so that what comes late changes what was early.
        4 if bits.below(20) == 0 => {
            let (names, rows) = sound.split_at(sound.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1));
            (
                ".csv options",
                [names, &rows.repeat(1 + (300 << 10) / rows.len().max(1)), &text(sound.clone(), bits)].concat(),
            )
        }
        _ => (".csv options", text(sound, bits)),
    }
}

/// Options, of which some fit and some do not.
fn options(bits: &mut Bits) -> Csv {
    let mut csv = Csv::new().verbose(0);
    for _ in 0..bits.below(5) {
        let mark = *bits.one_of(&[',', ';', '\t', '|', '.', '\'', '"', '#', '\\', ' ', 'e', '1', 'é']);
        let column = *bits.one_of(&["a", "b", "id", "day", "who", "t"]);
        let dtype = *bits.one_of(&["int64", "float64", "float32", "bool", "str", "category", "int8"]);
        let encoding = *bits.one_of(&["utf-8", "latin-1", "cp1252", "utf-16", "utf-16-be", "koi8-r"]);
        let (count, truth) = (bits.below(5), bits.below(2) == 0);
        csv = match bits.below(28) {
            0 => csv.sep(mark),
            1 => csv.sep(r"\s+"),
            2 => csv.header(None),
            3 => csv.header(count),
            4 => csv.names(["x", "y", "z"]),
            5 => csv.index_col(count),
            6 => csv.index_col(false),
            7 => csv.usecols([count, count + 1]),
            8 => csv.usecols([column]),
            9 => csv.dtype(dtype),
            10 => csv.dtype_of(column, dtype),
            11 => csv.nrows(count),
            12 => csv.skiprows(count),
            13 => csv.skiprows([1, count as u64]),
            14 => csv.skipfooter(count),
            15 => csv.comment(mark),
            16 => csv.na_values(["x", "1", ""]),
            17 => csv.na_values_of(column, ["2"]).keep_default_na(truth),
            18 => csv.decimal(mark),
            19 => csv.thousands(mark),
            20 => csv.encoding(encoding),
            21 => csv.quotechar(mark).doublequote(truth),
            22 => csv.escapechar(mark).skipinitialspace(truth),
            23 => csv.true_values(["x"]).false_values(["1"]),
            24 => csv.parse_dates([column]).dayfirst(truth),
            25 => csv.parse_dates(truth).index_col(count).date_format("%d/%m/%Y"),
            26 => csv.on_bad_lines(*bits.one_of(&["skip", "warn", "error", "no"])),
            _ => csv.skip_blank_lines(truth).compression(*bits.one_of(&[Some("gzip"), Some("zip"), None])),
        };
    }
    csv
}

/// Whether a table is read; then it is printed.
pub(crate) fn read(name: &str, bytes: &[u8]) -> bool {
    let seed = bytes.iter().fold(bytes.len() as u64, |seed, &byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let csv = if name == ".csv" { Csv::new().verbose(0) } else { options(&mut Bits(seed)) };
    csv.from_reader(bytes).is_ok_and(|table| {
        assert!(table.columns().iter().all(|column| column.len() == table.rows()));
        table.head(20).to_string().len() > 1
    })
}

/// A gzip file that holds these bytes as they are.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let part = |byte: u32| (0..8).fold(byte, |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 });
    let sum = !bytes.iter().fold(!0u32, |sum, &byte| sum >> 8 ^ part((sum ^ u32::from(byte)) & 0xff));
    let length = bytes.len() as u16;
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    let sizes = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    [&head[..], &sizes, bytes, &sum.to_le_bytes(), &u32::from(length).to_le_bytes()].concat()
}
