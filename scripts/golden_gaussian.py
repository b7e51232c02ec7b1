"""What a Gaussian process of Optuna makes of fixed points: testdata/samplers/gaussian.json.

`pip install optuna==5.0.0 torch scipy`, then `python scripts/golden_gaussian.py`. Scores are to be made small there, values
to be made large in Optuna: they are turned round. Nothing is added to the noise, as Optuna's sampler would do."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from optuna._gp import acqf, gp, prior, search_space
from optuna.distributions import CategoricalDistribution, FloatDistribution

CHOICE = np.array([False, True, False])
SPACE = search_space.SearchSpace(
    {"a": FloatDistribution(0, 1), "b": CategoricalDistribution([0, 1, 2]), "c": FloatDistribution(0, 1)}
)


def unlikelihood(process):
    return float(-process.marginal_log_likelihood() - prior.default_log_prior(process))


def main():
    at = lambda i: i * 0.618034 % 1.0
    places = np.array([[at(i), i % 3, at(7 * i + 1)] for i in range(14)])
    raw = np.array([math.sin(5 * a) + 0.4 * b + 3 * (c - 0.3) ** 2 for a, b, c in places])
    scores = (raw - raw.mean()) / raw.std()
    told = {"X": places, "Y": -scores, "is_categorical": CHOICE}

    logs = [1.0, -0.5, 0.3, 0.2, -5.0]
    settings = torch.tensor(logs, dtype=torch.float64).exp()
    tensors = [torch.from_numpy(array) for array in (CHOICE, places, -scores)]
    process = gp.GPRegressor(*tensors, settings[:3], settings[3], settings[4])
    unlikely = unlikelihood(process)
    process._cache_matrix()
    elsewhere = np.array([[0.1, 0, 0.9], [0.5, 1, 0.5], [0.95, 2, 0.05], [0.33, 2, 0.66], [0.72, 0, 0.31]])
    mean, variance = process.posterior(torch.from_numpy(elsewhere))
    hope = acqf.LogEI(process, SPACE, threshold=-scores.min(), stabilizing_noise=0.0)

    fitted = gp.fit_kernel_params(
        **told, log_prior=prior.default_log_prior, minimum_noise=0.0, deterministic_objective=False, gtol=1e-6
    )
    parts = [fitted.inverse_squared_lengthscales.numpy(), [fitted.kernel_scale.item(), fitted.noise_var.item()]]
    golden = {
        "raw": raw.tolist(),
        "places": places.tolist(),
        "scores": scores.tolist(),
        "logs": logs,
        "unlikelihood": unlikely,
        "elsewhere": elsewhere.tolist(),
        "mean": (-mean).tolist(),
        "variance": variance.tolist(),
        "log_improvement": hope.eval_acqf_no_grad(elsewhere).tolist(),
        "fitted_unlikelihood": unlikelihood(fitted),
        "fitted_logs": np.log(np.concatenate(parts)).tolist(),
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items())
    Path(__file__).parent.parent.joinpath("testdata/samplers/gaussian.json").write_text(f"{{\n{lines}\n}}\n")


main()
