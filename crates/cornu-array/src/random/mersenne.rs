//! The Mersenne Twister (Matsumoto and Nishimura, 1998), and the two generators built on it: Python's `random.Random`
//! and NumPy's `RandomState`.

use std::fmt;

use crate::{Error, Result};

/// The words of the state, and how far apart the two are that make a new one.
const WORDS: usize = 624;
const DISTANCE: usize = 397;

/// The generator of 32-bit words, MT19937.
#[derive(Clone, PartialEq, Eq)]
pub struct Mersenne {
    state: [u32; WORDS],
    position: usize,
}

impl Mersenne {
    /// Seeded from one word, as NumPy does.
    pub fn new(seed: u32) -> Mersenne {
        let mut state = [seed; WORDS];
        for i in 1..WORDS {
            state[i] = 1_812_433_253u32.wrapping_mul(mix(state[i - 1])).wrapping_add(i as u32);
        }
        Mersenne { state, position: WORDS }
    }

    /// Seeded from a list of words, as Python does. An empty list counts as `[0]`.
    pub fn from_key(key: &[u32]) -> Mersenne {
        let key = if key.is_empty() { &[0] } else { key };
        let mut generator = Mersenne::new(19_650_218);
        let state = &mut generator.state;
        let mut i = 1;
        let mut step = |change: &dyn Fn(u32, u32, usize) -> u32| {
            state[i] = change(state[i], mix(state[i - 1]), i);
            i += 1;
            if i == WORDS {
                state[0] = state[WORDS - 1];
                i = 1;
            }
        };
        for j in (0..key.len()).cycle().take(WORDS.max(key.len())) {
            step(&|old, mixed, _| (old ^ mixed.wrapping_mul(1_664_525)).wrapping_add(key[j]).wrapping_add(j as u32));
        }
        for _ in 1..WORDS {
            step(&|old, mixed, i| (old ^ mixed.wrapping_mul(1_566_083_941)).wrapping_sub(i as u32));
        }
        generator.state[0] = 0x8000_0000;
        generator
    }

    /// The next word.
    pub fn word(&mut self) -> u32 {
        if self.position == WORDS {
            self.regenerate();
        }
        let mut y = self.state[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9D2C_5680;
        y ^= y << 15 & 0xEFC6_0000;
        y ^ y >> 18
    }

    /// A number in `[0, 1)` with 53 random bits, from two words.
    pub fn double(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    fn regenerate(&mut self) {
        for k in 0..WORDS {
            let y = self.state[k] & 0x8000_0000 | self.state[(k + 1) % WORDS] & 0x7FFF_FFFF;
            let twist = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[k] = self.state[(k + DISTANCE) % WORDS] ^ y >> 1 ^ twist;
        }
        self.position = 0;
    }
}

/// Without the 624 words.
impl fmt::Debug for Mersenne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mersenne").field("position", &self.position).finish_non_exhaustive()
    }
}

fn mix(word: u32) -> u32 {
    word ^ word >> 30
}

/// Python's `random.Random(seed)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PyRandom(Mersenne);

impl PyRandom {
    /// The generator `random.seed(seed)` sets; the sign is ignored, as Python does.
    pub fn new(seed: i64) -> PyRandom {
        let seed = seed.unsigned_abs();
        let key = [seed as u32, (seed >> 32) as u32];
        PyRandom(Mersenne::from_key(if key[1] == 0 { &key[..1] } else { &key }))
    }

    /// `getrandbits(count)`, for at most 64 bits.
    pub fn bits(&mut self, count: u32) -> u64 {
        match count {
            0 => 0,
            1..=32 => (self.0.word() >> (32 - count)).into(),
            _ => u64::from(self.0.word()) | self.bits(count.min(64) - 32) << 32,
        }
    }

    /// `randrange(n)`: a whole number from 0 to `n - 1`; 0 without a draw if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let bits = u64::BITS - n.leading_zeros();
        loop {
            let value = self.bits(bits);
            if value < n || n == 0 {
                return value;
            }
        }
    }

    /// `random()`: a number in `[0, 1)`.
    pub fn random(&mut self) -> f64 {
        self.0.double()
    }

    /// `shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// NumPy's `numpy.random.RandomState(seed)`: what scikit-learn's `random_state` and `numpy.random.seed` mean.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyRandomState {
    words: Mersenne,
    /// The second value of the last pair of normal values.
    spare: Option<f64>,
}

impl LegacyRandomState {
    /// The generator of that seed.
    pub fn new(seed: u32) -> LegacyRandomState {
        LegacyRandomState { words: Mersenne::new(seed), spare: None }
    }

    /// `random_sample()`: a number in `[0, 1)`.
    pub fn random_sample(&mut self) -> f64 {
        self.words.double()
    }

    /// `randn()`: a standard normal value, by Marsaglia's polar method.
    pub fn randn(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x1, x2) = (2.0 * self.random_sample() - 1.0, 2.0 * self.random_sample() - 1.0);
            let r2 = x1 * x1 + x2 * x2;
            if r2 < 1.0 && r2 != 0.0 {
                let scale = (-2.0 * r2.ln() / r2).sqrt();
                self.spare = Some(scale * x1);
                return scale * x2;
            }
        }
    }

    /// `randint(low, high)`: a whole number from `low` to `high - 1`.
    ///
    /// # Errors
    /// `low` must be below `high`.
    pub fn randint(&mut self, low: i64, high: i64) -> Result<i64> {
        if low >= high {
            return Err(Error::usage(format!("`randint` needs `low` below `high`, got {low} and {high}")));
        }
        Ok(low.wrapping_add_unsigned(self.up_to(high.abs_diff(low) - 1)))
    }

    /// `shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.up_to(i as u64) as usize);
        }
    }

    /// `permutation(n)`: the numbers from 0 to `n - 1` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// `choice(n, size, replace=False)`: `size` different numbers below `n`.
    ///
    /// # Errors
    /// `size` must not exceed `n`.
    pub fn choice(&mut self, n: usize, size: usize) -> Result<Vec<usize>> {
        if size > n {
            return Err(Error::usage(format!("`choice` without replacement needs at most {n} items, got {size}")));
        }
        let mut order = self.permutation(n);
        order.truncate(size);
        Ok(order)
    }

    /// A whole number from 0 to `most`: bits of the right count, drawn until they are not too large.
    fn up_to(&mut self, most: u64) -> u64 {
        let mask = u64::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
        loop {
            let value = match most {
                0 => return 0,
                1..=0xFFFF_FFFF => u64::from(self.words.word()),
                _ => u64::from(self.words.word()) << 32 | u64::from(self.words.word()),
            } & mask;
            if value <= most {
                return value;
            }
        }
    }
}
