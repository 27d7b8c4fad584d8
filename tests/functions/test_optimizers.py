"""Fifty steps of each optimiser against torch.optim, and coefficients that no division changes."""

import numpy as np
import pytest
from networks import TWINS

from fastmlp.functions import OPTIMIZERS
from fastmlp.functions.coefficients import OWN
from fastmlp.functions.optimizers import coefficients_for, form_for

# Least squares with two weights and a bias: the mean over five samples of (x w + b - y)^2
X = np.array([[1.0, 2.0], [-1.0, 0.5], [0.5, -1.5], [2.0, 1.0], [-0.5, -1.0]])
Y = np.array([[3.0], [-1.0], [0.5], [2.0], [-2.0]])
W, B = np.array([[0.3], [-0.8]]), np.array([0.1])
STEPS, RATES = 50, 0.05 * (1 - np.arange(50) / 100)
TRIALS = {
    trial: (name, settings)
    for name, row in OPTIMIZERS.items()
    for trial, settings in row.trials().items()
} | {
    "momentum, clipped": ("momentum", {"weight_decay": 0.1, "clip_value": 0.9, "clip_norm": 1.0}),
    "adam, clipped": ("adam", {"clip_norm": 0.2, "weight_decay": 0.01}),
}
# w and b after fifty steps, as `steps_of_torch` returns them with torch 2.13.0 on a CPU, and
# `steps_of_lion` for Lion
RECORDED = {
    "sgd": (1.1360844577826257, 0.6005994085532442, -0.058066495641879455),
    "sgd, other settings": (1.1314608699858226, 0.6003769544177102, -0.056364907200462104),
    "momentum": (1.1951341672199827, 0.6541199815900787, -0.05597832357455569),
    "momentum, other settings": (1.1418681444185634, 0.6001378132927389, -0.07645497078499396),
    "nesterov": (1.1487950209616324, 0.5998300039743848, -0.07894264043449568),
    "nesterov, other settings": (1.1416560302181746, 0.6002190338714142, -0.07623003626022065),
    "rmsprop": (1.1482320039654315, 0.599216299076092, -0.07917457752022741),
    "rmsprop, other settings": (1.186791047752425, 0.549771911495101, -0.0854863219164097),
    "rmsprop_centered": (1.1481155185723513, 0.5993302037402237, -0.07914689305609576),
    "rmsprop_centered, other settings": (
        1.1551614916081687,
        0.5886481095400107,
        -0.08066846437013,
    ),
    "adagrad": (0.7577223801751456, -0.3229753289840628, 0.3023256872651651),
    "adagrad, other settings": (0.5584066048786465, -0.5358119531373137, 0.2981114669620644),
    "adam": (1.3362971688583503, 0.5070902137190834, -0.1822286308773223),
    "adam, other settings": (1.2302687505395784, 0.5067918705068772, -0.09621747008408396),
    "adamw": (1.3260186397204639, 0.5078956672357944, -0.17786126485400755),
    "adamw, other settings": (1.1905208372321958, 0.515775934943027, -0.07910492274283391),
    "nadam": (1.2595192336018521, 0.36488385988216476, -0.0701354089952492),
    "nadam, other settings": (1.234832373178097, 0.4716382276754039, -0.08561962833234744),
    "momentum, clipped": (1.1161461338257797, 0.5902010109175113, -0.07276142135068764),
    "adam, clipped": (1.0986735333557254, 0.6155237946969776, -0.05494488904331407),
    "lion": (1.5095000000000003, 1.0875, -0.32849999999999996),
    "lion, other settings": (1.009019539263773, 0.6799007676052252, -0.015500000000000055),
}


def steps_of_torch(name, settings):
    """Return w and b after the steps of torch.optim; weight decay is for w alone, as it is here."""
    torch = pytest.importorskip("torch")
    kinds = {
        **dict.fromkeys(("sgd", "momentum", "nesterov"), torch.optim.SGD),
        **dict.fromkeys(("rmsprop", "rmsprop_centered"), torch.optim.RMSprop),
        "adagrad": torch.optim.Adagrad,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "nadam": torch.optim.NAdam,
    }
    own = OPTIMIZERS[name].complete(settings)
    decay = own.pop("weight_decay")
    most, norm = (own.pop(limit, np.inf) for limit in ("clip_value", "clip_norm"))
    names = {"epsilon": "eps", "rate_decay": "lr_decay"}
    own = {names.get(setting, setting): value for setting, value in own.items()}
    if "beta_1" in own:
        own["betas"] = own.pop("beta_1"), own.pop("beta_2")
    if name == "nesterov":
        own["nesterov"] = True
    if name == "rmsprop_centered":
        own["centered"] = True
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in which NAdam holds its product of mu
    x, y = torch.tensor(X), torch.tensor(Y)
    w, b = (torch.tensor(p, requires_grad=True) for p in (W, B))
    groups = [{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}]
    optimizer = kinds[name](groups, lr=0.05, **own)
    for rate in RATES:
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        optimizer.zero_grad()
        ((x @ w + b - y) ** 2).mean().backward()
        torch.nn.utils.clip_grad_value_([w, b], most)
        torch.nn.utils.clip_grad_norm_([w, b], norm)
        optimizer.step()
    torch.set_default_dtype(before)
    return [*w.detach().numpy()[:, 0], *b.detach().numpy()]


def steps_of_lion(settings):
    """Return w and b after the steps of algorithm 2 of Chen et al. (2023), number by number."""
    beta_1, beta_2 = settings.get("beta_1", 0.9), settings.get("beta_2", 0.99)
    decays = [settings.get("weight_decay", 0.0)] * 2 + [0.0]
    p, means = [*W[:, 0], *B], [0.0] * 3
    for rate in RATES:
        errors = [x @ p[:2] + p[2] - y for x, (y,) in zip(X, Y, strict=True)]
        inputs = [*X.T, np.ones(len(X))]
        gradients = [sum(2 * e * i for e, i in zip(errors, x, strict=True)) / 5 for x in inputs]
        for k, g in enumerate(gradients):
            direction = np.sign(beta_1 * means[k] + (1 - beta_1) * g)
            p[k] -= rate * (direction + decays[k] * p[k])
            means[k] = beta_2 * means[k] + (1 - beta_2) * g
    return p


def steps_of_limited_sgd(decay, l1, most):
    """Return w and b after gradient descent with L1 and limits of gradients, number by number."""
    p, decays, l1s = [*W[:, 0], *B], [decay] * 2 + [0.0], [l1] * 2 + [0.0]
    for rate in RATES:
        errors = [x @ p[:2] + p[2] - y for x, (y,) in zip(X, Y, strict=True)]
        inputs = [*X.T, np.ones(len(X))]
        for k, x in enumerate(inputs):
            g = sum(2 * e * i for e, i in zip(errors, x, strict=True)) / 5
            g = min(max(g, -most), most)
            p[k] -= rate * (g + l1s[k] * np.sign(p[k]) + decays[k] * p[k])
    return p


def near(found, wanted):
    """Demand what float64 can give: a step hands on the rounding errors of those before."""
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("module", TWINS)
@pytest.mark.parametrize("trial", TRIALS)
def test_fifty_steps_are_those_that_were_recorded(trial, module):
    engine = module.Engine([W], [B], ("identity",), "squared_error", len(X), *TRIALS[trial])
    order = np.tile(np.arange(len(X)), STEPS)
    for first in (0, 1, 20):  # in three calls
        last = {0: 1, 1: 20, 20: STEPS}[first]
        part = order[first * len(X) : last * len(X)]
        engine.train(X, Y, part, RATES[first:last], first_step=first)
    w, b = np.empty_like(W), np.empty_like(B)
    engine.read([w], [b])
    near([*w[:, 0], *b], RECORDED[trial])


@pytest.mark.parametrize("module", TWINS)
@pytest.mark.parametrize(("l1", "most"), [(0.2, 0.5), (0.0, 0.5), (0.2, 1e9), (0.0, 1e9)])
def test_l1_and_limits_of_gradients_are_those_of_the_formula(l1, most, module):
    settings = {"weight_decay": 0.1, "l1": l1, "clip_value": most}
    engine = module.Engine([W], [B], ("identity",), "squared_error", len(X), "sgd", settings)
    engine.train(X, Y, np.tile(np.arange(len(X)), STEPS), RATES)
    w, b = np.empty_like(W), np.empty_like(B)
    engine.read([w], [b])
    near([*w[:, 0], *b], steps_of_limited_sgd(0.1, l1, most))


@pytest.mark.parametrize("module", TWINS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_limits_come_before_every_formula(name, module):
    """A limit that all gradients exceed leaves their signs alone: of a cost twice as steep, too."""
    found = []
    for steepness in (1, 2):
        settings = {"l1": 0.01, "clip_value": 1e-3}
        engine = module.Engine([W], [B], ("identity",), "squared_error", 5, name, settings)
        x, y = np.ones((5, 2)), np.full((5, 1), 100.0 * steepness)
        engine.train(x, y, np.tile(np.arange(5), 3), np.full(3, 1e-3))
        w, b = np.empty_like(W), np.empty_like(B)
        engine.read([w], [b])
        found.append([*w[:, 0], *b])
    near(*found)
    assert not np.allclose(found[0], [*W[:, 0], *B], rtol=1e-9, atol=0)


@pytest.mark.parametrize("trial", TRIALS)
def test_what_was_recorded_are_the_steps_of_torch(trial):
    name, settings = TRIALS[trial]
    steps = steps_of_lion(settings) if name == "lion" else steps_of_torch(name, settings)
    near(steps, RECORDED[trial])


@pytest.mark.parametrize("trial", TRIALS)
def test_coefficients_are_the_same_bits_for_every_division_into_calls(trial):
    name, settings = TRIALS[trial]
    rates = np.random.default_rng(0).uniform(0.01, 0.1, 700)
    for factors in (None, np.array([[0.5, 2.0], [0.0, 1.0]])):
        row, complete = form_for(name, settings, factors)
        whole = coefficients_for(row, complete, rates, 0, factors)
        assert whole.shape[:3] == (700, 1 if factors is None else 2, 2)
        for first, count in ((0, 1), (1, 3), (2, 77), (390, 8), (401, 299), (699, 1)):
            part = slice(first, first + count)
            found = coefficients_for(row, complete, rates[part], first, factors)
            assert found.tobytes() == whole[part].tobytes(), (first, count)


def test_the_steps_of_nadam_are_numbered_on_for_ever():
    row, first = OPTIMIZERS["nadam"], 10**7
    settings = row.complete({"beta_1": 0.0})
    for beta in (0.0, 0.9, 0.999):
        found = row.coefficients({**settings, "beta_1": beta}, np.ones(3), first)[:, 0]
        # both corrections are over, and mu is beta_1
        np.testing.assert_allclose(found[:, OWN + 1 : OWN + 3], [[beta, 1 - beta]] * 3, rtol=1e-12)


def test_a_factor_of_the_rate_is_another_rate():
    for name, row in OPTIMIZERS.items():
        factors, rates = np.array([[2.0, 0.5], [1.0, 0.0]]), np.array([0.1, 0.2])
        form, settings = form_for(name, {"weight_decay": 0.1}, factors)
        found = coefficients_for(form, settings, rates, 4, factors)
        for layer, kind in np.ndindex(2, 2):
            wanted = form.coefficients(settings, rates * factors[layer, kind], 4)[:, kind]
            np.testing.assert_array_equal(found[:, layer, kind], wanted)
        assert form_for(name, {}, None)[0] is row
