//! The weights of a model as bytes.

use cornu::graph::{Context, DType, into_ndarray};
use cornu::{Array, Error, Model, Result};
use cornu_files::npy::{Npz, npz_to_bytes};

/// The bytes of these weights, which are in a model's order.
pub(crate) fn to_bytes(weights: &[Array]) -> Result<Vec<u8>> {
    let names: Vec<String> = (0..weights.len()).map(|place| place.to_string()).collect();
    npz_to_bytes(names.iter().map(String::as_str).zip(weights), false)
}

/// Sets the weights of a model to what [`to_bytes`] was given.
pub(crate) fn set(model: &mut Model, bytes: &[u8]) -> Result<()> {
    let npz = Npz::read(bytes).context("the weights of a trial")?;
    let count = npz.names().count();
    let arrays = (0..count).map(|place| npz.array(&place.to_string())).collect::<Result<Vec<Array>>>()?;
    if arrays.iter().any(|array| array.dtype() == DType::I64) {
        return Err(Error::file("weights that are whole numbers of 64 bits are not kept"));
    }
    // Doubles hold all other types exactly.
    let doubles: Vec<_> = arrays.into_iter().map(|array| into_ndarray::<f64>(array.cast(DType::F64))).collect();
    model.set_weights_as(&doubles)
}
