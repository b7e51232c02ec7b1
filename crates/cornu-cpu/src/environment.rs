//! What the environment asks of this processor: the only place that reads it.

use std::ffi::OsString;

use cornu_graph::{Error, Result, nearest};

use crate::kernels::simd::Level;

/// Variables that cap the number of threads besides `CORNU_THREADS`: those that TensorFlow's users know. They may hold
/// what others understand and we do not.
const CAPS: [&str; 2] = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"];

/// The variables, read.
#[derive(Debug, PartialEq)]
pub(crate) struct Environment {
    /// The most threads.
    pub(crate) threads: usize,
    /// The widest vectors.
    pub(crate) level: Level,
    /// How many passes run.
    pub(crate) passes: usize,
}

impl Environment {
    /// # Errors
    /// A variable of ours that cannot be read. One that is empty counts as not set.
    pub(crate) fn read() -> Result<Environment> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::from(cores, &Level::all(), |name| std::env::var_os(name))
    }

    /// For a machine of that many cores and these levels.
    fn from(cores: usize, levels: &[Level], variable: impl Fn(&str) -> Option<OsString>) -> Result<Environment> {
        let text = |name| variable(name).map(|text| text.to_string_lossy().trim().to_owned());
        let text = |name| text(name).filter(|text| !text.is_empty());
        let needs = |name: &str, what: &str, got: &str| Error::usage(format!("`{name}` needs {what}, got `{got}`"));
        let number = |name, least, what| {
            let read = |text: String| match text.parse() {
                Ok(number) if number >= least => Ok(number),
                _ => Err(needs(name, what, &text).help(format!("`unset {name}` takes the default"))),
            };
            text(name).map(read).transpose()
        };
        let own = number("CORNU_THREADS", 1, "a whole number from 1")?;
        let caps = CAPS.iter().filter_map(|name| text(name)?.parse().ok()).filter(|&cap: &usize| cap > 0);
        let passes = number("CORNU_PASSES", 0, "a whole number")?.unwrap_or(usize::MAX);
        let wanted = match text("CORNU_SIMD") {
            None => Level::NAMES.len() - 1,
            Some(text) => Level::NAMES.iter().position(|name| *name == text).ok_or_else(|| {
                let near = nearest(&text, Level::NAMES).map(|name| format!("did you mean `{name}`?"));
                let help = near.unwrap_or_else(|| "`unset CORNU_SIMD` takes the widest there is".into());
                needs("CORNU_SIMD", "`portable`, `avx2` or `avx512`", &text).help(help)
            })?,
        };
        // The machine may have less.
        let level = levels.iter().rev().find(|level| Level::NAMES[..=wanted].contains(&level.name()));
        let threads = own.into_iter().chain(caps).fold(cores, usize::min);
        Ok(Environment { threads, level: level.copied().unwrap_or(Level::Portable), passes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Result<Environment> {
        let variable = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Environment::from(8, &Level::all(), variable)
    }

    #[test]
    fn variables_cap_the_threads() {
        let threads =
            |set| with(set).map(|environment| environment.threads).map_err(|error| error.message().to_owned());
        assert_eq!(threads(&[]), Ok(8));
        assert_eq!(threads(&[("CORNU_THREADS", "3")]), Ok(3));
        assert_eq!(threads(&[("CORNU_THREADS", "16")]), Ok(8));
        assert_eq!(threads(&[("CORNU_THREADS", "")]), Ok(8));
        assert_eq!(threads(&[("OMP_NUM_THREADS", " 2 "), ("TF_NUM_INTRAOP_THREADS", "4")]), Ok(2));
        assert_eq!(threads(&[("CORNU_THREADS", "5"), ("OMP_NUM_THREADS", "4,2")]), Ok(5));
        let message = "`CORNU_THREADS` needs a whole number from 1, got `4,2`";
        assert_eq!(threads(&[("CORNU_THREADS", "4,2")]), Err(message.into()));
    }

    #[test]
    fn a_level_that_the_machine_does_not_have_becomes_its_best() {
        let level = |levels: &[Level], text: &str| {
            let read = Environment::from(1, levels, |name| (name == "CORNU_SIMD").then(|| text.into()));
            read.expect("a level").level
        };
        for text in Level::NAMES {
            assert_eq!(level(&[Level::Portable], text), Level::Portable);
        }
        for found in Level::all() {
            assert_eq!(level(&Level::all(), found.name()), found);
        }
        let help = with(&[("CORNU_SIMD", "avx-512")]).expect_err("no level").to_string();
        assert!(help.ends_with("got `avx-512`\n  help: did you mean `avx512`?"), "{help}");
    }
}
