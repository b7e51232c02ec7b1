//! Times of real networks, as programs of other frameworks print them: `cargo bench -p cornu --bench nets -- NETWORK
//! [train|infer]`. Made-up data of the right shapes; Adam with Keras's settings; singles; all cores unless
//! `CORNU_THREADS` says otherwise.
//!
//! `train` gives the median over five blocks of the time of a step (forwards, backwards, Adam, its batch taken from arrays in
//! memory), and the time from a built model to the end of its first step; `infer` that of a call on 1 and on 32 samples.

use std::time::Instant;

use cornu::layers::{
    Add, BatchNormalization, Concatenate, Conv2D, Embedding, GRU, GlobalAveragePooling1D, GlobalAveragePooling2D, LSTM,
    LayerNormalization, MaxPooling2D, MultiHeadAttention, ReLU,
};
use cornu::prelude::*;

type Result<T> = cornu::Result<T>;

/// What goes into a network: floats of that shape, or numbers below the first of that shape.
#[derive(Clone, Copy)]
enum Fed {
    Floats(&'static [usize]),
    Below(usize, &'static [usize]),
}

/// What comes out, and what is asked of it.
#[derive(Clone, Copy)]
enum Asked {
    /// One of so many classes, as logits.
    Class(usize),
    /// Whether.
    Truth,
    /// So many numbers.
    Numbers(usize),
}

struct Network {
    name: &'static str,
    batch: usize,
    inputs: &'static [Fed],
    asked: Asked,
    /// Steps of which the time is taken together.
    block: usize,
    layers: fn(&[Symbol]) -> Result<Symbol>,
}

use Asked::{Class, Numbers, Truth};
use Fed::{Below, Floats};

const NETWORKS: [Network; 8] = [
    Network { name: "mlp", batch: 256, inputs: &[Floats(&[1024])], asked: Class(10), block: 40, layers: mlp },
    Network {
        name: "autoencoder",
        batch: 256,
        inputs: &[Floats(&[784])],
        asked: Numbers(784),
        block: 40,
        layers: autoencoder,
    },
    Network {
        name: "convnet",
        batch: 128,
        inputs: &[Floats(&[28, 28, 1])],
        asked: Class(10),
        block: 8,
        layers: convnet,
    },
    Network {
        name: "resnet20",
        batch: 64,
        inputs: &[Floats(&[32, 32, 3])],
        asked: Class(10),
        block: 2,
        layers: resnet20,
    },
    Network { name: "lstm", batch: 32, inputs: &[Below(20_000, &[100])], asked: Truth, block: 4, layers: lstm },
    Network { name: "gru", batch: 32, inputs: &[Floats(&[200, 32])], asked: Truth, block: 4, layers: gru },
    Network {
        name: "transformer",
        batch: 32,
        inputs: &[Below(20_000, &[128])],
        asked: Class(2),
        block: 2,
        layers: transformer,
    },
    Network {
        name: "recommender",
        batch: 1024,
        inputs: &[Below(100_000, &[]), Below(100_000, &[])],
        asked: Truth,
        block: 20,
        layers: recommender,
    },
];

fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked = |network: &&Network| asked.iter().any(|name| name == network.name);
    let some: Vec<&Network> = NETWORKS.iter().filter(is_asked).collect();
    let some = if some.is_empty() { NETWORKS.iter().collect() } else { some };
    let infers = asked.iter().any(|word| word == "infer");
    some.into_iter().try_for_each(|network| if infers { infer(network) } else { train(network) })
}

/// A compiled network.
fn model(network: &Network) -> Result<Model> {
    let input = |fed: &Fed| match *fed {
        Floats(shape) => Input::new(shape).symbol(),
        Below(_, shape) => Input::new(shape).dtype("int32").symbol(),
    };
    let inputs = network.inputs.iter().map(input).collect::<Result<Vec<Symbol>>>()?;
    let output = (network.layers)(&inputs)?;
    let mut model = Model::new(&inputs, [output])?;
    let compile = Compile::new().optimizer("adam");
    model.compile(match network.asked {
        Class(_) => compile.loss(SparseCategoricalCrossentropy::new().from_logits(true)),
        Truth => compile.loss("binary_crossentropy"),
        Numbers(_) => compile.loss("mse"),
    })?;
    Ok(model)
}

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn floats(state: &mut u64, shape: &[usize]) -> Array {
    Array::from_fn(&Type::f32(shape), |_| (random(state) >> 40) as f64 / (1 << 24) as f64)
}

fn below(state: &mut u64, n: usize, shape: &[usize]) -> Array {
    Array::from_fn(&Type::new(DType::I32, shape), |_| (random(state) % n as u64) as f64)
}

/// Inputs and what is to come out, of so many samples.
fn data(network: &Network, samples: usize) -> (Vec<Array>, Array) {
    let mut state = samples as u64;
    let of = |shape: &[usize]| [&[samples], shape].concat();
    let inputs = network.inputs.iter().map(|fed| match *fed {
        Floats(shape) => floats(&mut state, &of(shape)),
        Below(n, shape) => below(&mut state, n, &of(shape)),
    });
    let inputs = inputs.collect();
    let y = match network.asked {
        Class(n) => below(&mut state, n, &of(&[])),
        Truth => below(&mut state, 2, &of(&[1])).cast(DType::F32),
        Numbers(n) => floats(&mut state, &of(&[n])),
    };
    (inputs, y)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The most memory this process had, in megabytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
}

fn train(network: &Network) -> Result<()> {
    let mut model = model(network)?;
    let (x, y) = data(network, network.batch);
    let begun = Instant::now();
    model.train_on_batch(&x[..], &y)?;
    let first = begun.elapsed().as_secs_f64() * 1e3;
    let (x, y) = data(network, network.batch * network.block);
    let mut times = Vec::new();
    for _ in 0..6 {
        let fit = Fit::new().batch_size(network.batch).epochs(1).shuffle(false).verbose(0);
        let begun = Instant::now();
        model.fit(&x[..], &y, fit)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3 / network.block as f64);
    }
    let step = median(times.split_off(1));
    println!("cornu {} train step_ms {step:.4} first_ms {first:.1} peak_mb {:.0}", network.name, peak());
    Ok(())
}

fn infer(network: &Network) -> Result<()> {
    let model = model(network)?;
    let time = |samples: usize| -> Result<f64> {
        let (x, _) = data(network, samples);
        (0..3).try_for_each(|_| model.predict_all(&x[..]).map(drop))?;
        let (mut times, end) = (Vec::new(), Instant::now());
        while times.len() < 200 && end.elapsed().as_secs_f64() < 2.0 {
            let begun = Instant::now();
            model.predict_all(&x[..])?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    };
    let (one, many) = (time(1)?, time(32)?);
    println!("cornu {} infer b1_ms {one:.4} b32_ms {many:.4} peak_mb {:.0}", network.name, peak());
    Ok(())
}

fn mlp(inputs: &[Symbol]) -> Result<Symbol> {
    let mut x = inputs[0].clone();
    for _ in 0..2 {
        x = Dense::new(1024).activation("relu").apply(&x)?;
    }
    Dense::new(10).apply(&x)
}

fn autoencoder(inputs: &[Symbol]) -> Result<Symbol> {
    let mut x = inputs[0].clone();
    for units in [128, 32, 128] {
        x = Dense::new(units).activation("relu").apply(&x)?;
    }
    Dense::new(784).activation("sigmoid").apply(&x)
}

fn convnet(inputs: &[Symbol]) -> Result<Symbol> {
    let mut x = inputs[0].clone();
    for channels in [32, 64] {
        x = MaxPooling2D::new().apply(&Conv2D::new(channels, 3).activation("relu").apply(&x)?)?;
    }
    Dense::new(10).apply(&Dropout::new(0.5).apply(&Flatten::new().apply(&x)?)?)
}

/// A convolution without bias, and what brings it to mean 0 and variance 1.
fn normalized(x: &Symbol, channels: usize, size: usize, stride: usize) -> Result<Symbol> {
    let conv = Conv2D::new(channels, size).strides(stride).padding("same").use_bias(false);
    BatchNormalization::new().apply(&conv.apply(x)?)
}

fn resnet20(inputs: &[Symbol]) -> Result<Symbol> {
    let mut x = ReLU::new().apply(&normalized(&inputs[0], 16, 3, 1)?)?;
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for unit in 0..3 {
            let stride = if stage > 0 && unit == 0 { 2 } else { 1 };
            let inner = ReLU::new().apply(&normalized(&x, channels, 3, stride)?)?;
            let inner = normalized(&inner, channels, 3, 1)?;
            let around = if stride > 1 { normalized(&x, channels, 1, stride)? } else { x };
            x = ReLU::new().apply(&Add::new().apply(&[around, inner])?)?;
        }
    }
    Dense::new(10).apply(&GlobalAveragePooling2D::new().apply(&x)?)
}

fn lstm(inputs: &[Symbol]) -> Result<Symbol> {
    let x = LSTM::new(128).apply(&Embedding::new(20_000, 128).apply(&inputs[0])?)?;
    Dense::new(1).activation("sigmoid").apply(&x)
}

fn gru(inputs: &[Symbol]) -> Result<Symbol> {
    Dense::new(1).activation("sigmoid").apply(&GRU::new(64).apply(&inputs[0])?)
}

fn transformer(inputs: &[Symbol]) -> Result<Symbol> {
    let mut x = Embedding::new(20_000, 128).apply(&inputs[0])?;
    for _ in 0..2 {
        let seen = MultiHeadAttention::new(4, 32).apply([&x, &x])?;
        x = LayerNormalization::new().apply(&Add::new().apply(&[x, seen])?)?;
        let wide = Dense::new(512).activation("gelu").apply(&x)?;
        x = LayerNormalization::new().apply(&Add::new().apply(&[x, Dense::new(128).apply(&wide)?])?)?;
    }
    Dense::new(2).apply(&GlobalAveragePooling1D::new().apply(&x)?)
}

fn recommender(inputs: &[Symbol]) -> Result<Symbol> {
    let tables = inputs.iter().map(|input| Embedding::new(100_000, 32).apply(input)).collect::<Result<Vec<_>>>()?;
    let x = Dense::new(64).activation("relu").apply(&Concatenate::new().apply(&tables)?)?;
    Dense::new(1).activation("sigmoid").apply(&x)
}
