//! Where images have their channels.

use std::ops::Range;

use cornu_graph::{Error, Result, Tensor};

/// Where images, rows of numbers and spaces have their channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataFormat {
    /// `[batch, …, channels]`.
    ChannelsLast,
    /// `[batch, channels, …]`.
    ChannelsFirst,
}

impl DataFormat {
    /// The one of that name, in whatever letters.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of(name: &str) -> Result<DataFormat> {
        match &*name.to_lowercase() {
            "channels_last" => Ok(DataFormat::ChannelsLast),
            "channels_first" => Ok(DataFormat::ChannelsFirst),
            _ => Err(Error::usage(format!("`data_format` is `channels_last` or `channels_first`, got `{name}`"))),
        }
    }

    /// Looks at whether an input has so many axes.
    ///
    /// # Errors
    /// It has others.
    pub(crate) fn check(class: &str, x: &Tensor, axes: usize) -> Result<()> {
        match x.rank() == axes {
            true => Ok(()),
            false => Err(Error::graph(format!("`{class}` needs an input of {axes} axes, got {}", x.ty()))),
        }
    }

    /// The axes of places, of as many as `rank` axes: all but those of the batch and of the channels.
    pub(crate) fn places(self, rank: usize) -> Range<usize> {
        match self {
            DataFormat::ChannelsLast => 1..rank.saturating_sub(1),
            DataFormat::ChannelsFirst => 2..rank,
        }
    }

    /// Images with the channels last, of such as these are.
    #[track_caller]
    pub(crate) fn to_last(self, x: &Tensor) -> Tensor {
        let places = self.places(x.rank());
        self.turned(x, &Vec::from_iter([0].into_iter().chain(places).chain([1])))
    }

    /// Such images as these are, of those with the channels last.
    #[track_caller]
    pub(crate) fn of_last(self, x: &Tensor) -> Tensor {
        let last = x.rank().saturating_sub(1);
        self.turned(x, &Vec::from_iter([0, last].into_iter().chain(1..last)))
    }

    #[track_caller]
    fn turned(self, x: &Tensor, order: &[usize]) -> Tensor {
        if self == DataFormat::ChannelsLast { x.clone() } else { x.transpose(order) }
    }
}
