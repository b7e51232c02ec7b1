//! Keras's callbacks: one file each.

mod monitor;

use cornu_graph::Result;

use super::Control;

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
