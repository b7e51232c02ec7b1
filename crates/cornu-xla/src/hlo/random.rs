//! Random streams: Philox 4x32-10 on vectors of words, to the bits of `cornu_graph::random`.

use cornu_graph::ops::Random;
use cornu_graph::{DType, Number, Type};

use super::{Val, Writer};

/// The multipliers of a round.
const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key between rounds.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// The key that scrambles stateless seeds.
const SCRAMBLE: [u32; 2] = [0x3EC8_F720, 0x0246_1E29];
/// Words of a block.
const WORDS: usize = 4;

fn words(dtype: DType, count: usize) -> Type {
    Type::new(dtype, [count])
}

impl Writer {
    pub(super) fn random(&mut self, op: &Random, x: &Val, ty: &Type) -> Val {
        match op {
            Random::Uniform(_) => self.uniform(x, ty),
            Random::Advance(blocks) => {
                let steps = self.word_pair(*blocks);
                let (key, counter) = self.stream(x, 1);
                let counter = self.counted_on(&counter, &steps);
                self.concatenate(&[&key[..], &counter].concat(), 0, ty)
            }
            Random::Stateless(modulus) => {
                let number = self.splat(Number::Whole((*modulus).into()), &x.ty);
                let seeds = self.binary("remainder", x, &number);
                let zero = self.splat(Number::Whole(0), &words(DType::U32, 1));
                let [low, high] = [0, 1].map(|i| self.slice(&seeds, &[(i, i + 1, 1)], &[1]));
                let key = SCRAMBLE.map(|word| self.splat(Number::Whole(word.into()), &zero.ty));
                let [k0, k1, c2, c3] = self.cipher(key, [low, zero.clone(), high, zero.clone()]);
                self.concatenate(&[k0, k1, zero.clone(), zero, c2, c3], 0, ty)
            }
        }
    }

    /// Two vectors of one word: the lower and the upper half.
    fn word_pair(&mut self, number: u64) -> [Val; 2] {
        let halves = [number & u64::from(u32::MAX), number >> 32];
        halves.map(|half| self.splat(Number::Whole(half.into()), &words(DType::U32, 1)))
    }

    /// Key and counter of a stream, each word as often as there are blocks.
    fn stream(&mut self, x: &Val, blocks: usize) -> ([Val; 2], [Val; 4]) {
        let mut word = |i: usize| {
            let one = self.slice(x, &[(i, i + 1, 1)], &[1]);
            let one = self.reshape(&one, &[]);
            self.broadcast(&one, &[blocks], &[])
        };
        ([0, 1].map(&mut word), [2, 3, 4, 5].map(word))
    }

    /// A counter of 128 bits plus a number of 64, with carries.
    fn counted_on(&mut self, counter: &[Val; 4], steps: &[Val; 2]) -> [Val; 4] {
        let mut carry = self.splat(Number::Whole(0), &counter[0].ty);
        let mut sums = Vec::new();
        for (i, word) in counter.iter().enumerate() {
            let sum = match steps.get(i) {
                Some(step) => self.binary("add", word, step),
                None => word.clone(),
            };
            let over = self.compare("LT", &sum, word);
            let total = self.binary("add", &sum, &carry);
            let over_again = self.compare("LT", &total, &sum);
            let over = self.or(&over, &over_again);
            carry = self.convert(&over, DType::U32);
            sums.push(total);
        }
        sums.try_into().unwrap_or_else(|_| unreachable!("as many sums as words"))
    }

    /// Ten rounds: each multiplies two words, exchanges halves and adds the key; the key changes between rounds.
    fn cipher(&mut self, mut key: [Val; 2], mut counter: [Val; 4]) -> [Val; 4] {
        for round in 0..10 {
            if round > 0 {
                key = std::array::from_fn(|i| {
                    let step = self.splat(Number::Whole(WEYL[i].into()), &key[i].ty);
                    self.binary("add", &key[i], &step)
                });
            }
            let [c0, c1, c2, c3] = &counter;
            let [(high0, low0), (high1, low1)] = [self.product(0, c0), self.product(1, c2)];
            let (a, b) = (self.binary("xor", &high1, c1), self.binary("xor", &high0, c3));
            counter = [self.binary("xor", &a, &key[0]), low1, self.binary("xor", &b, &key[1]), low0];
        }
        counter
    }

    /// The upper and the lower word of a product.
    fn product(&mut self, multiplier: usize, x: &Val) -> (Val, Val) {
        let wide = self.convert(x, DType::U64);
        let by = self.splat(Number::Whole(MULTIPLIER[multiplier].into()), &wide.ty);
        let all = self.binary("multiply", &wide, &by);
        let shift = self.splat(Number::Whole(32), &wide.ty);
        let high = self.binary("shift_right_logical", &all, &shift);
        (self.convert(&high, DType::U32), self.convert(&all, DType::U32))
    }

    /// The words of so many blocks from the place of a stream, one column for each word of a block.
    fn blocks(&mut self, x: &Val, count: usize) -> [Val; 4] {
        let (key, counter) = self.stream(x, count);
        let numbers = self.iota(&words(DType::U64, count), 0);
        let low = self.convert(&numbers, DType::U32);
        let shift = self.splat(Number::Whole(32), &numbers.ty);
        let high = self.binary("shift_right_logical", &numbers, &shift);
        let high = self.convert(&high, DType::U32);
        let counter = self.counted_on(&counter, &[low, high]);
        self.cipher(key, counter)
    }

    /// Numbers in `[0, 1)`: the low bits of a word, or of two, as the mantissa of a number in `[1, 2)`, minus one.
    fn uniform(&mut self, x: &Val, ty: &Type) -> Val {
        let size = ty.size();
        if size == 0 {
            return self.splat(Number::Whole(0), ty);
        }
        let double = ty.dtype == DType::F64;
        let each = if double { WORDS / 2 } else { WORDS };
        let blocks = size.div_ceil(each);
        let drawn = self.blocks(x, blocks);
        let drawn: Vec<Val> = match double {
            false => drawn.into(),
            true => drawn.chunks_exact(2).map(|pair| self.joined(&pair[0], &pair[1])).collect(),
        };
        let columns: Vec<Val> = drawn.iter().map(|word| self.reshape(word, &[blocks, 1])).collect();
        let table = self.concatenate(&columns, 1, &Type::new(columns[0].ty.dtype, [blocks, each]));
        let row = self.reshape(&table, &[blocks * each]);
        let row = if row.ty.size() == size { row } else { self.slice(&row, &[(0, size, 1)], &[size]) };
        let (mask, one) = match double {
            false => (0x7F_FFFF, 0x3F80_0000),
            true => (0xF_FFFF_FFFF_FFFF, 0x3FF0_0000_0000_0000),
        };
        let [mask, exponent] = [mask, one].map(|bits: i128| self.splat(Number::Whole(bits), &row.ty));
        let mantissa = self.and(&row, &mask);
        let bits = self.or(&mantissa, &exponent);
        let above = self.bits(&bits, ty.dtype);
        let one = self.splat(Number::Whole(1), &above.ty);
        let below = self.binary("subtract", &above, &one);
        self.reshape(&below, &ty.shape)
    }

    /// The first word above the second.
    fn joined(&mut self, high: &Val, low: &Val) -> Val {
        let [high, low] = [high, low].map(|word| self.convert(word, DType::U64));
        let shift = self.splat(Number::Whole(32), &high.ty);
        let high = self.binary("shift_left", &high, &shift);
        self.or(&high, &low)
    }
}
