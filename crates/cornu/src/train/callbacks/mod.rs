//! Keras's callbacks: one file each.

mod monitor;

use cornu_graph::{Error, Result};

use super::{Control, Memory};

macro_rules! callbacks {
    ($($file:ident $class:ident;)*) => { $(
        mod $file;
        pub use $file::$class;
    )* };
}

callbacks! {
    backup_and_restore BackupAndRestore;
    csv_logger CSVLogger;
    early_stopping EarlyStopping;
    learning_rate_scheduler LearningRateScheduler;
    model_checkpoint ModelCheckpoint;
    reduce_lr_on_plateau ReduceLROnPlateau;
    terminate_on_nan TerminateOnNaN;
}

/// Adds the learning rate to the figures, under the name that it has in that Keras.
fn log_learning_rate(control: &mut Control) -> Result<()> {
    let rate = control.learning_rate()?;
    control.log(control.model.flavor().learning_rate_key(), rate)
}

/// Counts a batch, and says whether a file is due that is written after every so many. Where files are written after epochs,
/// batches need not be counted.
fn is_due(every: Option<usize>, batches: &mut usize, control: &mut Control) -> bool {
    let Some(every) = every else {
        control.unused();
        return false;
    };
    *batches += 1;
    let due = *batches >= every;
    if due {
        *batches = 0;
    }
    due
}

/// A memory of numbers; of those that may be missing, `known`, a pair each.
fn memory(class: &str, counts: &[usize], known: &[Option<f64>]) -> Memory {
    let known = known.iter().flat_map(|number| [f64::from(number.is_some()), number.unwrap_or_default()]);
    let numbers = counts.iter().map(|&count| count as f64).chain(known).collect();
    Memory { class: class.into(), numbers, arrays: Vec::new() }
}

/// The numbers of [`memory`].
///
/// # Errors
/// It has others.
fn recalled<const N: usize, const M: usize>(memory: &Memory) -> Result<([usize; N], [Option<f64>; M])> {
    let numbers = &memory.numbers;
    if numbers.len() != N + 2 * M {
        return Err(Error::file(format!("what `{}` had seen is damaged", memory.class)));
    }
    let known = |i: usize| (numbers[N + 2 * i] != 0.0).then_some(numbers[N + 2 * i + 1]);
    Ok((std::array::from_fn(|i| numbers[i] as usize), std::array::from_fn(known)))
}
