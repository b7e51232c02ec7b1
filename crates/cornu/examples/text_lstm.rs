//! Is it praise? Made-up sentences of different lengths, in which `not` turns what follows around: the order of the words
//! counts. An embedding and an LSTM, 6 epochs.
//! `cargo run --release --example text_lstm`

use cornu::prelude::*;
use ndarray::Array2;

/// Word 0 is none: it fills sentences up, and the mask hides it.
const WORDS: [&str; 16] = [
    "", "the", "film", "book", "was", "and", "very", "not", "good", "great", "fine", "lovely", "bad", "dull", "poor",
    "awful",
];
const LONGEST: usize = 9;

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
fn sentence(numbers: &mut Numbers) -> (Vec<usize>, bool) {
    let (praise, turned) = (numbers.below(2) == 1, numbers.below(2) == 1);
    let mut words = vec![1, 2 + numbers.below(2), 4];
    words.extend(turned.then_some(7));
    words.extend((0..numbers.below(3)).map(|_| 6));
    let word = |numbers: &mut Numbers| if praise { 8 + numbers.below(4) } else { 12 + numbers.below(4) };
    words.push(word(numbers));
    if numbers.below(2) == 1 {
        words.extend([5, word(numbers)]);
    }
    (words, praise != turned)
}

fn sentences(count: usize, numbers: &mut Numbers) -> (Array2<i32>, Array2<f32>) {
    let (mut x, mut y) = (Array2::zeros((count, LONGEST)), Array2::zeros((count, 1)));
    for (mut row, label) in x.outer_iter_mut().zip(&mut y) {
        let (words, praise) = sentence(numbers);
        words.iter().enumerate().for_each(|(at, &word)| row[at] = word as i32);
        *label = f32::from(u8::from(praise));
    }
    (x, y)
}

fn main() -> cornu::Result<()> {
    let numbers = &mut Numbers(7);
    let ((x_train, y_train), (x_test, y_test)) = (sentences(4_000, numbers), sentences(1_000, numbers));

    set_random_seed(42);
    let mut model = sequential![
        Input::new([LONGEST]).dtype("int32"),
        Embedding::new(WORDS.len(), 8).mask_zero(true),
        LSTM::new(16),
        Dense::new(1).activation("sigmoid"),
    ];
    model.compile(Compile::new().optimizer(Adam::from(0.01)).loss("binary_crossentropy").metrics(["accuracy"]))?;
    model.print_summary()?;
    model.fit(&x_train, &y_train, Fit::new().epochs(6))?;
    let scores = model.evaluate_with(&x_test, &y_test, Evaluate::new().verbose(2))?;
    println!("Test accuracy: {:?}", scores["accuracy"]);

    let predictions = model.predict_with(&x_test.slice(ndarray::s![..5, ..]), Predict::new().verbose(0))?;
    for (row, prediction) in x_test.outer_iter().zip(predictions.iter()) {
        let text: Vec<&str> = row.iter().filter(|&&word| word > 0).map(|&word| WORDS[word as usize]).collect();
        println!("{prediction:.3}  {}", text.join(" "));
    }
    Ok(())
}
