"""Made-up collisions in the spirit of the HIGGS data (Baldi et al. 2014, arXiv:1402.4735): a new Higgs boson that
decays in steps against pairs of top quarks, which leave the same particles.

signal      gg -> H0 (425 GeV) -> W H+ (325 GeV), H+ -> W h (125 GeV), h -> b b
background  gg -> t t, t -> W b

One W decays to lepton and neutrino, the other to two jets. 21 features as a detector would see them (momenta smeared,
b jets tagged with errors) and the 7 masses that physicists compute of them. Decays are isotropic in the rest frame of
the parent and relativistic, production is a toy: a falling spectrum of mass and of momentum.
"""

import numpy as np

W, TOP, B = (80.4, 2.1), (172.5, 1.4), 4.7  # mass and width, GeV


def mass(fourvector):
    """Of (..., 4) with the energy first."""
    return np.sqrt(np.maximum(fourvector[..., 0] ** 2 - (fourvector[..., 1:] ** 2).sum(-1), 0.0))


def resonance(rng, count, line):
    centre, width = line
    return np.clip(centre + 0.5 * width * rng.standard_cauchy(count), centre - 5 * width, centre + 5 * width)


def directions(rng, count):
    drawn = rng.standard_normal((count, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def boost(particle, parent):
    """From the rest frame of `parent` to the frame in which it has that momentum."""
    beta = parent[:, 1:] / parent[:, :1]
    square = (beta**2).sum(1, keepdims=True)
    gamma = 1.0 / np.sqrt(1.0 - square)
    along = (beta * particle[:, 1:]).sum(1, keepdims=True)
    energy = gamma * (particle[:, :1] + along)
    moved = particle[:, 1:] + beta * ((gamma - 1.0) * along / np.maximum(square, 1e-12) + gamma * particle[:, :1])
    return np.concatenate([energy, moved], axis=1)


def decay(rng, parent, first, second):
    """Two-body decay into particles of these masses."""
    m = np.maximum(mass(parent), first + second + 1e-3)
    p = np.sqrt((m**2 - (first + second) ** 2) * (m**2 - (first - second) ** 2)) / (2.0 * m)
    moved = p[:, None] * directions(rng, len(parent))
    one = np.concatenate([np.sqrt(first**2 + p**2)[:, None], moved], axis=1)
    two = np.concatenate([np.sqrt(second**2 + p**2)[:, None], -moved], axis=1)
    return boost(one, parent), boost(two, parent)


def produced(rng, masses):
    count = len(masses)
    pt, angle, pz = rng.exponential(40.0, count), rng.uniform(-np.pi, np.pi, count), rng.normal(0.0, 250.0, count)
    momentum = np.stack([pt * np.cos(angle), pt * np.sin(angle), pz], axis=1)
    return np.concatenate([np.sqrt(masses**2 + (momentum**2).sum(1))[:, None], momentum], axis=1)


def final_state(rng, count, signal):
    """Two W and two b."""
    w1, w2, bottom = resonance(rng, count, W), resonance(rng, count, W), np.full(count, B)
    if signal:
        charged, light = resonance(rng, count, (325.0, 3.0)), resonance(rng, count, (125.0, 0.1))
        first, other = decay(rng, produced(rng, resonance(rng, count, (425.0, 2.0))), w1, charged)
        second, higgs = decay(rng, other, w2, light)
        return (first, second, *decay(rng, higgs, bottom, bottom))
    tops = resonance(rng, count, TOP), resonance(rng, count, TOP)
    pair = produced(rng, sum(tops) + rng.exponential(120.0, count))
    one, two = decay(rng, pair, *tops)
    (first, b1), (second, b2) = decay(rng, one, w1, bottom), decay(rng, two, w2, bottom)
    return first, second, b1, b2


def seen(rng, particle, resolution):
    """As the detector measures it: its energy smeared, its direction nearly right."""
    out = particle * (1.0 + resolution * rng.standard_normal(len(particle)))[:, None]
    out[:, 1:] += 0.01 * np.abs(out[:, :1]) * rng.standard_normal((len(particle), 3))
    return out


def kinematics(particle):
    pt = np.hypot(particle[:, 1], particle[:, 2])
    return pt, np.arcsinh(particle[:, 3] / np.maximum(pt, 1e-6)), np.arctan2(particle[:, 2], particle[:, 1])


def events(rng, count, signal):
    """(count, 28) features."""
    first, second, b1, b2 = final_state(rng, count, signal)
    none = np.zeros(count)
    lepton, neutrino = decay(rng, first, none, none)
    lepton = seen(rng, lepton, 0.02)
    jets = np.stack([seen(rng, each, 0.2) for each in (b1, b2, *decay(rng, second, none, none))], axis=1)
    tags = (rng.uniform(size=(count, 4)) < np.array([0.7, 0.7, 0.1, 0.1])).astype(float)
    missing = neutrino[:, 1:3] + rng.normal(0.0, 20.0, (count, 2))
    order = np.argsort(-np.hypot(jets[..., 1], jets[..., 2]), axis=1)
    jets, tags = np.take_along_axis(jets, order[..., None], 1), np.take_along_axis(tags, order, 1)
    features = [*kinematics(lepton), np.hypot(*missing.T), np.arctan2(missing[:, 1], missing[:, 0])]
    for j in range(4):
        features += [*kinematics(jets[:, j]), tags[:, j]]
    # The two likeliest b first, then the others; the neutrino flies along the lepton, for want of better.
    likely = np.take_along_axis(jets, np.argsort(-tags, axis=1, kind="stable")[..., None], 1)
    slope = lepton[:, 3] / np.maximum(np.hypot(lepton[:, 1], lepton[:, 2]), 1e-6)
    size = np.hypot(*missing.T)
    guess = np.stack([size * np.sqrt(1 + slope**2), *missing.T, size * slope], axis=1)
    bb, jj, lv = likely[:, 0] + likely[:, 1], likely[:, 2] + likely[:, 3], lepton + guess
    masses = [jj, jj + likely[:, 0], lv, lv + likely[:, 1], bb, jj + bb, jj + bb + lv]
    return np.stack([*features, *map(mass, masses)], axis=1)


def sample(rng, count):
    """Features, scaled as physicists do (momenta and masses by logarithm, then standardized), and labels."""
    features = np.concatenate([events(rng, count // 2, True), events(rng, count - count // 2, False)])
    labels = np.arange(count) < count // 2
    heavy = [0, 3, *range(5, 21, 4), *range(21, 28)]
    features[:, heavy] = np.log(features[:, heavy] + 1.0)
    order = rng.permutation(count)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    return features[order], labels[order].astype(int)
