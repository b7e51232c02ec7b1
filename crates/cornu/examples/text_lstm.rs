//! Is it praise? Made-up sentences of different lengths, in which `not` turns what follows around: the order of the words
//! counts. An embedding and an LSTM, 6 epochs.
//! `cargo run --release --example text_lstm`

use cornu::prelude::*;

const WORDS: [&str; 15] = [
    "the", "film", "book", "was", "and", "very", "not", "good", "great", "fine", "lovely", "bad", "dull", "poor",
    "awful",
];
const LONGEST: usize = 9;

/// Its words; none fill it up, which the mask hides.
type Sentence = [&'static str; LONGEST];

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n) as usize
    }
}

/// A sentence, and whether it is praise: `the film was not very good`.
fn sentence(numbers: &mut Numbers) -> (Sentence, bool) {
    let (praise, turned) = (numbers.below(2) == 1, numbers.below(2) == 1);
    let mut words = vec!["the", ["film", "book"][numbers.below(2)], "was"];
    words.extend(turned.then_some("not"));
    words.extend((0..numbers.below(3)).map(|_| "very"));
    let word = |numbers: &mut Numbers| WORDS[if praise { 7 } else { 11 } + numbers.below(4)];
    words.push(word(numbers));
    if numbers.below(2) == 1 {
        words.extend(["and", word(numbers)]);
    }
    words.resize(LONGEST, "");
    (std::array::from_fn(|at| words[at]), praise != turned)
}

fn sentences(count: usize, numbers: &mut Numbers) -> (Vec<Sentence>, Vec<f32>) {
    (0..count).map(|_| sentence(numbers)).map(|(words, praise)| (words, f32::from(praise))).unzip()
}

fn main() -> cornu::Result<()> {
    let numbers = &mut Numbers(7);
    let ((x_train, y_train), (x_test, y_test)) = (sentences(4_000, numbers), sentences(1_000, numbers));

    set_random_seed(42);
    let mut model = sequential![
        Input::new([LONGEST]).dtype("string"),
        StringLookup::new().vocabulary(WORDS).mask_token("").num_oov_indices(0),
        Embedding::new(WORDS.len() + 1, 8).mask_zero(true),
        LSTM::new(16),
        Dense::new(1).activation("sigmoid"),
    ];
    model.compile(Compile::new().optimizer(Adam::from(0.01)).loss("binary_crossentropy").metrics(["accuracy"]))?;
    model.print_summary()?;
    model.fit(&x_train, &y_train, Fit::new().epochs(6))?;
    let scores = model.evaluate_with(&x_test, &y_test, Evaluate::new().verbose(2))?;
    println!("Test accuracy: {:?}", scores["accuracy"]);

    let predictions = model.predict_with(&x_test[..5], Predict::new().verbose(0))?;
    for (words, prediction) in x_test.iter().zip(predictions.iter()) {
        println!("{prediction:.3}  {}", words.join(" "));
    }
    Ok(())
}
