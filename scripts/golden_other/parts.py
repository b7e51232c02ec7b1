"""One layer, function, loss, metric or optimizer at a time."""

import keras
import numpy as np
import tensorflow as tf

from group import Group, grad, layers, losses, metrics, normal, optimizers, plain, random


def make_layers():
    group = Group("layers")
    cases = [
        ("wide", layers.Dense(7, activation="relu", name="mix"), (4, 3)),
        ("rows_of_rows", layers.Dense(2, activation="tanh", use_bias=False), (2, 3, 5)),
        (
            "held",
            layers.Dense(
                3,
                kernel_regularizer=keras.regularizers.L1L2(0.02, 0.03),
                bias_regularizer="l2",
                kernel_constraint="unit_norm",
            ),
            (6, 4),
        ),
        (
            "probabilities",
            layers.Dense(9, activation="softmax", kernel_initializer="he_normal", bias_initializer="ones"),
            (5, 2),
        ),
        ("gelu", layers.Dense(2, activation="gelu"), (3, 4)),
        ("low_rank", layers.Dense(6, lora_rank=3), (3, 4)),
        ("doubles", layers.Dense(3, activation="selu", dtype="float64"), (2, 4)),
        ("flat", layers.Flatten(name="all"), (3, 2, 5)),
        ("flat_already", layers.Flatten(), (4, 6)),
        ("scaled", layers.Rescaling(1 / 7, offset=0.5), (2, 3)),
        ("scaled_apart", layers.Rescaling([0.5, 2.0, -1.0], offset=[0.0, 1.0, 2.0]), (2, 4, 3)),
        ("kept", layers.Dropout(0.35, seed=3), (4, 5)),
        *[
            (f"function_{name}", layers.Activation(name), (3, 7))
            for name in ["linear", "relu", "sigmoid", "softmax", "tanh", "elu"]
        ],
    ]
    for id, layer, shape in cases:
        x = normal(*shape).astype(layer.dtype)
        layer(x)
        for weight in layer.weights:
            weight.assign(normal(*weight.shape))
        cotangent = normal(*layer(x).shape)
        y, (dx, *dw) = grad(lambda x, *_: layer(x), [x, *layer.trainable_weights], cotangent.astype(layer.dtype))
        put = lambda key, value: group.put(f"{id}/{key}", value)
        weights = [{"path": w.path, "trainable": w.trainable, **put(f"w{i}", w)} for i, w in enumerate(layer.weights)]
        slopes = [
            {"path": w.path, "grad": put(f"dw{i}", g)} for i, (w, g) in enumerate(zip(layer.trainable_weights, dw))
        ]
        group.add(
            {
                "id": id,
                "class": type(layer).__name__,
                "config": plain(layer),
                "output_shape_none_batch": list(layer.compute_output_shape((None, *shape[1:]))),
                "call": {"args": [put("x", x)], "kwargs": {}},
                "weights": weights,
                "outputs": put("y", y),
                **({"losses": [put(f"loss{i}", loss) for i, loss in enumerate(layer.losses)]} if layer.losses else {}),
                "grads": {
                    "cotangents": [put("cot", cotangent)],
                    "inputs": {"args.0": put("dx", dx)},
                    "weights": slopes,
                },
            }
        )
    group.cases.append(
        {
            "id": "named",
            "class": "InputLayer",
            "config": plain(layers.InputLayer(batch_shape=(None, 6, 2), name="left")),
            "config_only": True,
        }
    )
    group.write()


def make_activations():
    group = Group("activations")
    for name in ["linear", "relu", "sigmoid", "softmax", "tanh", "softplus"]:
        f, x = getattr(keras.activations, name), normal(5, 4)
        cotangent = normal(5, 4)
        y, (dx,) = grad(f, [x], cotangent)
        parts = {"x": x, "y": y, "cotangent": cotangent, "dx": dx}
        point = {key: group.put(f"{name}/{key}", value) for key, value in parts.items()}
        group.add({"id": f"the_{name}", "function": name, "kwargs": {}, "points": [point]})
    group.write()


def make_choices():
    for name, cases in {
        "regularizers": [
            keras.regularizers.L1(0.3),
            keras.regularizers.L2(0.7),
            keras.regularizers.L1L2(0.1, 0.2),
            keras.regularizers.OrthogonalRegularizer(0.05),
        ],
        "constraints": [
            keras.constraints.MaxNorm(1.1, axis=1),
            keras.constraints.MinMaxNorm(0.4, 0.9, rate=0.7),
            keras.constraints.NonNeg(),
            keras.constraints.UnitNorm(axis=[0, 1]),
        ],
    }.items():
        group = Group(name)
        for f in cases:
            x = normal(6, 5)
            value, (slope,) = grad(f, [x])
            case = {"id": f"my_{type(f).__name__}", "class": type(f).__name__, "config": plain(f)}
            parts = {"x": x, "value": value, "grad": slope} if name == "regularizers" else {"x": x, "value": value}
            group.add({**case, **{key: group.put(f"{case['id']}/{key}", part) for key, part in parts.items()}})
        group.write()
    group = Group("initializers")
    of = keras.initializers
    cases = [
        (of.Zeros(), {}),
        (of.Ones(), {}),
        (of.Constant(-0.3), {"value": -0.3}),
        (of.Identity(1.5), {"gain": 1.5}),
        (of.Orthogonal(0.5, seed=8), {"gain": 0.5, "seed": 8}),
    ]
    names = [
        "GlorotUniform",
        "GlorotNormal",
        "HeUniform",
        "HeNormal",
        "LecunUniform",
        "LecunNormal",
        "RandomUniform",
        "RandomNormal",
        "TruncatedNormal",
        "VarianceScaling",
    ]
    cases += [(getattr(of, name)(seed=77 + i), {"seed": 77 + i}) for i, name in enumerate(names)]
    for f, kwargs in cases:
        id = f"of_{type(f).__name__}"
        value = group.put(f"{id}/value", f((7, 3)))
        group.add(
            {"id": id, "class": type(f).__name__, "kwargs": kwargs, "config": plain(f), "shape": [7, 3], "value": value}
        )
    group.write()


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def make_losses():
    group = Group("losses")
    one_hot, probabilities = np.eye(5, dtype="float32")[[0, 3, 1, 4, 4, 2]], softmax(normal(6, 5))
    classes, bits = np.array([0, 3, 1, 4, 4, 2]), (normal(6, 2) > 0).astype("float32")
    ends = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.25]], "float32")
    cases = [
        ("MeanSquaredError", {}, normal(3, 2, 4), normal(3, 2, 4)),
        ("MeanAbsoluteError", {}, normal(8, 1), normal(8, 1)),
        ("BinaryCrossentropy", {"label_smoothing": 0.05}, bits, 1 / (1 + np.exp(-normal(6, 2)))),
        ("BinaryCrossentropy", {"from_logits": True}, bits, normal(6, 2)),
        ("BinaryCrossentropy", {}, ends[:, ::-1].copy(), ends),
        ("CategoricalCrossentropy", {"label_smoothing": 0.3}, one_hot, probabilities),
        ("CategoricalCrossentropy", {"from_logits": True}, one_hot, normal(6, 5)),
        ("SparseCategoricalCrossentropy", {}, classes, probabilities),
        ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 4}, classes, normal(6, 5)),
    ]
    for i, (name, kwargs, y, p) in enumerate(cases):
        id, values = f"case{i}_{name}", []
        weights = {"none": None, "rows": np.abs(normal(*p.shape[:-1]))}
        for kind, weight in weights.items():
            for reduction in ["none", "sum", "sum_over_batch_size", "mean_with_sample_weight"]:
                loss = getattr(losses, name)(**kwargs, reduction=reduction)
                value, (slope,) = grad(lambda p: loss(y, p, sample_weight=weight), [p])
                key, ends_here = f"{id}/{kind}.{reduction}", len(y) == 3 and name.startswith("Bin")
                case = {
                    "sample_weight": weight if weight is None else group.put(f"{id}/{kind}", weight),
                    "reduction": reduction,
                    "value": group.put(key, value),
                }
                values.append(
                    case
                    if reduction == "none" or ends_here
                    else {**case, "grad_y_pred": group.put(f"{key}.grad", slope)}
                )
        group.add(
            {
                "id": id,
                "class": name,
                "kwargs": kwargs,
                "y_true": group.put(f"{id}/y", y),
                "y_pred": group.put(f"{id}/p", p),
                "values": values,
            }
        )
    group.write()


def make_metrics():
    group = Group("metrics")
    bits = lambda n: ((normal(n, 3) > 0).astype("float32"), 1 / (1 + np.exp(-normal(n, 3))))
    classes = lambda n: (random.randint(0, 6, n), softmax(normal(n, 6)))
    one_hot = lambda n: (np.eye(4, dtype="float32")[random.randint(0, 4, n)], softmax(normal(n, 4)))
    equal = lambda n: (random.randint(0, 2, (n, 1)).astype("float32"), random.randint(0, 2, (n, 1)).astype("float32"))
    cases = [
        ("Mean", {}, lambda n: (normal(n), None)),
        ("Accuracy", {}, equal),
        ("BinaryAccuracy", {"threshold": 0.3}, bits),
        ("CategoricalAccuracy", {}, one_hot),
        ("SparseCategoricalAccuracy", {}, classes),
        ("MeanSquaredError", {}, bits),
        ("MeanAbsoluteError", {}, bits),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}, bits),
        ("CategoricalCrossentropy", {}, one_hot),
        ("SparseCategoricalCrossentropy", {}, classes),
        ("AUC", {"num_thresholds": 30, "curve": "PR"}, bits),
        ("Precision", {"thresholds": 0.6}, bits),
        ("Recall", {"top_k": 2, "class_id": 3}, one_hot),
    ]
    for name, kwargs, make in cases:
        id, sizes, runs = f"some_{name}", [4, 9], []
        data = [make(n) for n in sizes]
        for weights in [None, [np.abs(normal(n)) for n in sizes]]:
            metric, results, variables = getattr(metrics, name)(**kwargs), [], []
            for i, (y, p) in enumerate(data):
                weight = weights and weights[i]
                metric.update_state(y, sample_weight=weight) if p is None else metric.update_state(
                    y, p, sample_weight=weight
                )
                results.append(group.put("", np.float32(metric.result())))
                variables.append([np.asarray(v) for v in metric.variables])
            stacked = [
                group.put(f"{id}/{weights is None}.{v}", np.stack(values)) for v, values in enumerate(zip(*variables))
            ]
            told = weights and [group.put(f"{id}/weights{i}", weight) for i, weight in enumerate(weights)]
            runs.append(
                {
                    "sample_weight": told,
                    "results": results,
                    "variables": stacked,
                    "variable_paths": [v.path for v in metric.variables],
                }
            )
        batches = [
            {"y_true": group.put(f"{id}/y{i}", y), "y_pred": p if p is None else group.put(f"{id}/p{i}", p)}
            for i, (y, p) in enumerate(data)
        ]
        group.add(
            {"id": id, "class": name, "kwargs": kwargs, "config": plain(metric), "batches": batches, "runs": runs},
            outputs=2e-5,
        )
    group.write()


def make_optimizers():
    group, names, steps = Group("optimizers"), ["alpha", "beta", "gamma"], 6
    of = optimizers
    cases = [
        of.SGD(0.2),
        of.SGD(0.02, momentum=0.8, nesterov=True, clipnorm=0.6),
        of.RMSprop(0.004, rho=0.7, centered=True, momentum=0.3),
        of.Adam(0.03, beta_1=0.7, amsgrad=True, clipvalue=0.4),
        of.Adam(use_ema=True),
        of.Adagrad(),
        of.AdamW(0.02, weight_decay=0.1, gradient_accumulation_steps=2),
        of.Nadam(of.schedules.CosineDecay(0.05, 4, alpha=0.2), use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=2),
    ]
    for n, optimizer in enumerate(cases):
        id, shapes = f"run{n}", [(2, 5), (5,), (1, 3, 2)]
        variables = [keras.Variable(normal(*shape), name=name) for shape, name in zip(shapes, names)]
        start = [group.put(f"{id}/init{i}", v.numpy()) for i, v in enumerate(variables)]
        grads = [normal(steps, *shape) for shape in shapes]
        optimizer.build(variables)
        after, states = [], []
        for step in range(steps):
            optimizer.apply([tf.constant(g[step]) for g in grads], variables)
            after.append([v.numpy() for v in variables])
            states.append([v.numpy() for v in optimizer.variables])
        stack = lambda what, lists: [
            group.put(f"{id}/{what}{i}", np.stack(values)) for i, values in enumerate(zip(*lists))
        ]
        group.add(
            {
                "id": id,
                "class": type(optimizer).__name__,
                "config": plain(optimizer),
                "names": names,
                "init": start,
                "grads": [group.put(f"{id}/grad{i}", g) for i, g in enumerate(grads)],
                "variables_after_step": stack("var", after),
                "state_paths": [v.path for v in optimizer.variables],
                "state_after_step": stack("state", states),
            }
        )
    group.write()


def make_schedules():
    group, of = Group("schedules"), optimizers.schedules
    steps = np.array([0, 1, 2, 3, 5, 6, 7, 11, 12, 100], "int64")
    cases = [
        of.CosineDecay(0.3, 7, alpha=0.3, warmup_target=0.9, warmup_steps=3),
        of.ExponentialDecay(0.7, 3, 0.6, staircase=True),
        of.InverseTimeDecay(0.4, 2, 0.7),
        of.PiecewiseConstantDecay([2, 6], [0.9, 0.4, 0.2]),
        of.PolynomialDecay(0.8, 5, 0.1, power=3.0, cycle=True),
    ]
    for schedule in cases:
        values = np.array([np.float32(schedule(step)) for step in steps], "float32")
        case = {"id": f"some_{type(schedule).__name__}", "class": type(schedule).__name__, "config": plain(schedule)}
        group.add(case | {"steps": group.put("steps", steps), "values": group.put(case["id"], values)})
    group.write()
