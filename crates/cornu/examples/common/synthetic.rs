//! Made-up data of the shapes of well-known sets, for examples that run where there is neither a copy nor a connection.
//! Always the same, and easy to learn.
#![allow(dead_code)] // Each example takes what it needs.

use cornu::data::{Table, Values};
use cornu::datasets::mnist::Digits;
use ndarray::{Array1, Array3};

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, 2014).
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// From 0 to below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// About normal: the sum of twelve uniform numbers has variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| (self.bits() >> 11) as f64 / (1u64 << 53) as f64).sum::<f64>() - 6.0
    }
}

/// 768 rows as of the Pima women: eight normal columns `0` to `7` and a label `8`, 1 in about a third of them, that
/// depends mostly on columns `1` and `5`.
pub(crate) fn pima() -> Table {
    const ROWS: usize = 768;
    let mut numbers = Numbers(1);
    let columns: Vec<Vec<f64>> = (0..8).map(|_| (0..ROWS).map(|_| numbers.normal()).collect()).collect();
    let score = |row: usize| 1.5 * columns[1][row] + columns[5][row] + 0.5 * columns[7][row] - 0.8;
    let labels: Vec<i64> = (0..ROWS).map(|row| i64::from(score(row) + 0.8 * numbers.normal() > 0.0)).collect();
    let values = columns.into_iter().map(Values::from).chain([labels.into()]);
    Table::new(values.enumerate().map(|(i, values)| (i.to_string(), values))).expect("columns of equal length")
}

/// As many images to train on and to test with as asked for, shaped as those of MNIST: digits as on a pocket
/// calculator, shifted and with noise.
pub(crate) fn mnist(train: usize, test: usize) -> (Digits, Digits) {
    let mut numbers = Numbers(2);
    (digits(&mut numbers, train), digits(&mut numbers, test))
}

fn digits(numbers: &mut Numbers, count: usize) -> Digits {
    let mut x = Array3::zeros((count, 28, 28));
    let mut y = Array1::zeros(count);
    for (mut image, label) in x.outer_iter_mut().zip(&mut y) {
        let (digit, top, left) = (numbers.below(10) as usize, numbers.below(7) as usize, numbers.below(11) as usize);
        *label = digit as u8;
        for (row, column) in strokes(digit) {
            image[[top + 2 + row, left + 2 + column]] = 255 - numbers.below(80) as u8;
        }
        for _ in 0..20 {
            image[[numbers.below(28) as usize, numbers.below(28) as usize]] = numbers.below(200) as u8;
        }
    }
    (x, y)
}

/// The pixels of a digit of seven segments, 19 rows high and 10 columns wide.
fn strokes(digit: usize) -> impl Iterator<Item = (usize, usize)> {
    /// Which segments are lit: top, middle, bottom, upper left, upper right, lower left, lower right.
    const LIT: [&[u8; 7]; 10] = [
        b"1011111", b"0000101", b"1110110", b"1110101", b"0101101", b"1111001", b"1111011", b"1000101", b"1111111",
        b"1111101",
    ];
    const ACROSS: [(usize, usize); 3] = [(0, 0), (9, 0), (18, 0)];
    const DOWN: [(usize, usize); 4] = [(0, 0), (0, 9), (9, 0), (9, 9)];
    let lit = |segment: &usize| LIT[digit][*segment] == b'1';
    let across = (0..3).filter(lit).flat_map(|i| (0..10).map(move |step| (ACROSS[i].0, step)));
    let down = (3..7).filter(lit).flat_map(|i| (0..10).map(move |step| (DOWN[i - 3].0 + step, DOWN[i - 3].1)));
    across.chain(down).collect::<Vec<_>>().into_iter()
}
