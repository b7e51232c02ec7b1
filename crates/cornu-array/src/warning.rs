//! Warnings: what Keras lets pass in silence and is probably a mistake. The one list of their codes, and how much is
//! said.

use std::fmt;
use std::io::Write;

use crate::Printable;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// What a warning is about. `docs/warnings.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code itself: `CN001`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }
        }
    };
}

codes! {
    /// A softmax over one output is always 1.
    SoftmaxOverOne = "CN001";
    /// Binary cross-entropy of outputs that are not probabilities.
    BinaryOnLinear = "CN002";
    /// Categorical cross-entropy of outputs that are not probabilities.
    CategoricalOnLinear = "CN003";
    /// `from_logits` said of outputs that are probabilities.
    LogitsOfProbabilities = "CN004";
    /// Categorical cross-entropy of a single output is always 0.
    CategoricalOverOne = "CN005";
    /// A class without a weight.
    ClassWithoutWeight = "CN006";
    /// Labels in order, of which a validation split takes the last ones.
    SortedLabels = "CN007";
    /// `Accuracy` counts predictions equal to the label, which probabilities hardly are.
    AccuracyOfProbabilities = "CN008";
    /// An epoch that ends before `steps_per_epoch`, for want of rows.
    TooFewRows = "CN009";
    /// A file whose training settings are not all known here: the model was loaded without those.
    LoadedUncompiled = "CN010";
    /// A file whose optimizer has other variables than its settings ask for: the optimizer starts anew.
    OptimizerNotRestored = "CN011";
    /// Training settings that no file can hold, such as a loss made of a closure: the model was saved without them.
    SavedUncompiled = "CN012";
    /// A loss that is infinite or not a number: the weights are lost.
    LossNotFinite = "CN013";
    /// A weight for a class that is not among the labels.
    WeightWithoutClass = "CN014";
    /// A name that Keras refuses on TensorFlow, and with it the file.
    NameKerasRefuses = "CN015";
    /// An accuracy of labels that are numbers, not classes.
    AccuracyOfNumbers = "CN016";
    /// Targets that the last activation cannot give.
    TargetsOutOfReach = "CN017";
    /// Cross-entropy after a function that does not give probabilities.
    NoProbabilities = "CN018";
    /// Features so large that a network learns badly from them.
    UnscaledFeatures = "CN019";
    /// Labels that are all of one class.
    OneClass = "CN020";
    /// A table whose column names are numbers: its first line looks like data.
    HeaderOfNumbers = "CN021";
    /// A class with fewer rows than there are folds, or too few for each part of a split.
    SmallClass = "CN022";
    /// A table whose values are not separated by commas.
    SeparatorFound = "CN023";
    /// Lines of a table with too many fields.
    LinesLeftOut = "CN024";
    /// A column of whole numbers of more than 64 bits, read as text.
    NumbersAsText = "CN025";
    /// A column that has no values, and is left out where gaps are filled.
    ColumnLeftOut = "CN026";
    /// Categories that were not there at the fit, and become zeros or the infrequent category.
    UnknownCategories = "CN027";
    /// A layer that does not know what to do with a mask, and loses it.
    MaskLost = "CN028";
    /// A callback that watches a figure which is not there.
    NoSuchFigure = "CN029";
    /// A training that was ended because its loss is no number: what is the first to be none.
    NotFinite = "CN030";
}

/// Something that works, but is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub code: Code,
    /// What was seen, and how to mend it.
    pub message: String,
}

impl Warning {
    /// A warning of that kind.
    pub fn new(code: Code, message: impl Into<String>) -> Warning {
        Warning { code, message: message.into() }
    }
}

/// One line: `warning CN001: …`
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning {}: {}", self.code.as_str(), Printable(&self.message))
    }
}

/// How much is printed: Keras's `verbose`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verbose {
    /// `"auto"`: as [`Verbose::Bar`].
    #[default]
    Auto,
    /// `0`: nothing.
    Silent,
    /// `1`: a bar, live on a terminal; elsewhere one line per epoch.
    Bar,
    /// `2`: one line per epoch, without a bar.
    Line,
}

impl From<u8> for Verbose {
    /// Keras's numbers: 0, 1, and 2 for anything above.
    fn from(level: u8) -> Verbose {
        match level {
            0 => Verbose::Silent,
            1 => Verbose::Bar,
            _ => Verbose::Line,
        }
    }
}

/// A line on the standard error; where that takes nothing (closed, full, or a pipe that nobody reads) it is lost, while
/// `eprintln!` would panic.
pub fn tell(line: impl fmt::Display) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[test]
fn every_code_is_explained() {
    let text = include_str!("../../../docs/warnings.md");
    for code in Code::ALL {
        assert!(text.contains(&format!("## {} ", code.as_str())), "docs/warnings.md lacks {}", code.as_str());
    }
}
