//! The names of Keras 2.13 and Keras 3, known here or not: what is missing is told apart from what nobody has.

/// What messages call a family, and Keras's names in it: classes, and short names that are no class's.
const KERAS: &[(&str, &str)] = &[
    (
        "activation",
        "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear \
         log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus \
         sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold",
    ),
    ("constraint", "MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm"),
    (
        "initializer",
        "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform \
         normal one Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer \
         TruncatedNormal uniform VarianceScaling zero Zeros",
    ),
    (
        "layer class",
        "AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D \
         AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add \
         AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D \
         AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization Bidirectional CategoryEncoding CenterCrop \
         Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose \
         Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D \
         Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CutMix Dense \
         DenseFeatures DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout EinsumDense ELU Embedding \
         Equalization Flatten FlaxLayer Functional GaussianDropout GaussianNoise GlobalAveragePooling1D \
         GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D \
         GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D \
         GroupNormalization GroupQueryAttention GRU GRUCell HashedCrossing Hashing Identity InputLayer IntegerLookup \
         JaxLayer Lambda LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D LSTM LSTMCell Masking \
         Maximum MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D \
         MelSpectrogram Minimum MixUp Model MultiHeadAttention Multiply Normalization Permute Pipeline PReLU \
         RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop \
         RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue \
         RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness \
         RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape Resizing \
         ReversibleEmbedding RMSNormalization RNN SeparableConv1D SeparableConv2D SeparableConvolution1D \
         SeparableConvolution2D Sequential SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D \
         SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells STFTSpectrogram StringLookup \
         Subtract TextVectorization TFSMLayer ThresholdedReLU TimeDistributed TorchModuleWrapper UnitNormalization \
         UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    ),
    (
        "loss",
        "BCE BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy \
         CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity CTC Dice Hinge Huber KLD \
         KLDivergence kullback_leibler_divergence LogCosh MAE MAPE MeanAbsoluteError MeanAbsolutePercentageError \
         MeanSquaredError MeanSquaredLogarithmicError MSE MSLE Poisson SparseCategoricalCrossentropy SquaredHinge \
         Tversky",
    ),
    (
        "metric",
        "Accuracy AUC BCE BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy CategoricalCrossentropy \
         CategoricalHinge ConcordanceCorrelation cosine_proximity CosineSimilarity F1Score FalseNegatives \
         FalsePositives FBetaScore Hinge IoU KLD KLDivergence kullback_leibler_divergence logcosh LogCoshError MAE \
         MAPE Mean MeanAbsoluteError MeanAbsolutePercentageError MeanIoU MeanRelativeError MeanSquaredError \
         MeanSquaredLogarithmicError MeanTensor MSE MSLE OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson Precision \
         PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity \
         SparseCategoricalAccuracy SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy \
         SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives TruePositives",
    ),
    (
        "optimizer",
        "Adadelta Adafactor Adagrad Adam Adamax AdamW Ftrl Lamb Lion LossScaleOptimizer Muon Nadam RMSprop \
         ScheduleFreeAdamW SGD",
    ),
    ("regularizer", "L1 L1L2 L2 OrthogonalRegularizer"),
    (
        "schedule",
        "CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay",
    ),
];

/// Whether Keras has a class or a short name like that (`f1_score` is `F1Score`) that is not among `known`.
pub(crate) fn only_keras_has(what: &str, name: &str, known: &[&str]) -> bool {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let same = |other: &&str| plain(other) == plain(name);
    let mut names = KERAS.iter().filter(|(family, _)| *family == what).flat_map(|(_, names)| names.split(' '));
    names.any(|other| same(&other)) && !known.iter().any(same)
}
