"""Spaces for the peers that are built on ConfigSpace."""


def translate(space, seed):
    from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

    axes, configs = [], ConfigurationSpace(seed=seed)
    for p in space:
        if p.choices:
            axes.append(Categorical(p.name, list(p.choices), ordered=p.kind == "ordinal"))
        elif p.kind == "int":
            axes.append(Integer(p.name, (int(p.low), int(p.high)), log=p.log))
        else:
            axes.append(Float(p.name, (p.low, p.high), log=p.log))
    configs.add(axes)
    return configs


def plain(config):
    """A configuration as a dict of Python's own types."""
    return {k: (v.item() if hasattr(v, "item") else v) for k, v in dict(config).items()}
