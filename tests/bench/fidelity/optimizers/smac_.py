import tempfile
import warnings

from . import Job
from .configspace_ import plain, translate


class Smac:
    """SMAC3's multi-fidelity facade: a random forest with Hyperband. One job at a time: its ask waits for nothing,
    and gives more jobs of a rung than the rung has if results are out."""

    def __init__(self, space, seed, min_step, max_step, budget_epochs, **_):
        from importlib.metadata import version

        from smac import MultiFidelityFacade, Scenario

        warnings.simplefilter("ignore")
        self.version, self.space = version("smac"), space
        self.folder = tempfile.TemporaryDirectory(prefix="smac-bench-")
        scenario = Scenario(translate(space, seed), output_directory=self.folder.name, n_trials=budget_epochs,
                            seed=seed, deterministic=True, min_budget=min_step, max_budget=max_step)
        self.facade = MultiFidelityFacade(scenario, lambda config, seed=0, budget=0: 0.0, overwrite=True,
                                          logging_level=False)

    def ask(self):
        info = self.facade.ask()
        return Job(plain(info.config), round(info.budget), key=info)

    def report(self, job, step, loss):
        return True

    def done(self, job, loss):
        from smac.runhistory import TrialValue

        self.facade.tell(job.key, TrialValue(cost=loss), save=False)

    def recommend(self):
        best = self.facade.intensifier.get_incumbents()
        return plain(best[0]) if best else None

    def close(self):
        self.folder.cleanup()
