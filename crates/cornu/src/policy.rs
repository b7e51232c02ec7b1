//! Dtype policies: the type that a layer computes in, and the type of its weights.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use cornu_graph::{DType, Error, Result, list};

/// The types of a layer's numbers, by one of Keras's names: `float32`, `mixed_bfloat16`, `mixed_float16`, `bfloat16`,
/// `float16`, `float64`.
///
/// ```
/// use cornu::prelude::*;
///
/// let model = sequential![
///     Dense::new(8).dtype("mixed_bfloat16").activation("relu").input_shape([3]),
///     Dense::new(1).activation("sigmoid"),
/// ];
/// assert_eq!(model.weights()[0].dim()[0], 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DTypePolicy {
    /// In which it computes: weights and inputs of floats are cast to it.
    pub compute_dtype: DType,
    /// Of its weights.
    pub variable_dtype: DType,
}

const fn policy(compute_dtype: DType, variable_dtype: DType) -> DTypePolicy {
    DTypePolicy { compute_dtype, variable_dtype }
}

const POLICIES: [(&str, DTypePolicy); 6] = [
    ("float32", policy(DType::F32, DType::F32)),
    ("mixed_bfloat16", policy(DType::Bf16, DType::F32)),
    ("mixed_float16", policy(DType::F16, DType::F32)),
    ("bfloat16", policy(DType::Bf16, DType::Bf16)),
    ("float16", policy(DType::F16, DType::F16)),
    ("float64", policy(DType::F64, DType::F64)),
];

/// The place of the policy of new layers.
static OF_NEW_LAYERS: AtomicUsize = AtomicUsize::new(0);

impl DTypePolicy {
    /// The policy of that name.
    ///
    /// # Errors
    /// A name that is none.
    pub fn new(name: &str) -> Result<DTypePolicy> {
        POLICIES.iter().find(|(known, _)| *known == name).map(|(_, policy)| *policy).ok_or_else(|| {
            let names = list(&POLICIES.map(|(name, _)| name));
            Error::unsupported(format!("the element type `{name}` is not supported in layers, only {names}"))
                .help("use `float32`")
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        POLICIES.iter().find(|(_, known)| *known == self).map_or("float32", |(name, _)| name)
    }

    /// The type of an input whose type is not told: doubles where layers compute in them, else singles, which Keras makes
    /// of all data.
    pub(crate) fn input_dtype(self) -> DType {
        if self.compute_dtype == DType::F64 { DType::F64 } else { DType::F32 }
    }
}

impl fmt::Display for DTypePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<DTypePolicy> for String {
    fn from(policy: DTypePolicy) -> String {
        policy.name().into()
    }
}

/// Chooses the policy of layers that are made from now on and name none, as Keras's function of that name (in Keras 2,
/// `mixed_precision.set_global_policy`). Layers that there are keep theirs.
///
/// # Errors
/// A name that is none.
pub fn set_dtype_policy(name: &str) -> Result<()> {
    let chosen = DTypePolicy::new(name)?;
    let place = POLICIES.iter().position(|(_, policy)| *policy == chosen);
    OF_NEW_LAYERS.store(place.unwrap_or_default(), Ordering::SeqCst);
    Ok(())
}

/// The policy of new layers that name none.
pub fn dtype_policy() -> DTypePolicy {
    POLICIES[OF_NEW_LAYERS.load(Ordering::SeqCst)].1
}
