"""Writes a folder of the form of `testdata/golden` with other models, sizes, names and data, to run the suites on.

usage: golden_other FOLDER
Run it once with Keras 3, which makes everything but what is of Keras 2, and then once with Keras 2.13, which adds that.
"""

import keras
import parts
import seeded
import tools
import trainings
from group import KERAS2

made = [trainings.make_models, seeded.make_random, tools.make_tools]
if not KERAS2:
    choices = [parts.make_layers, parts.make_activations, parts.make_choices, parts.make_losses]
    made = [*choices, parts.make_metrics, parts.make_optimizers, trainings.make_training, *made, parts.make_schedules]
for make in made:
    keras.utils.set_random_seed(12)
    make()
