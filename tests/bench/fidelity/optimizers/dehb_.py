import logging
import tempfile

from . import Job
from .configspace_ import plain, translate


class Dehb:
    """DEHB by its ask and tell: with several jobs out it begins brackets ahead, as its own workers make it do.
    A promoted configuration comes back as it was, and the benchmark goes on with its training."""

    def __init__(self, space, seed, min_step, max_step, **_):
        from importlib.metadata import version

        from loguru import logger

        logger.remove()
        logging.getLogger("dehb").setLevel(logging.ERROR)
        from dehb import DEHB

        self.version = version("dehb")
        self.folder = tempfile.TemporaryDirectory(prefix="dehb-bench-")
        self.dehb = DEHB(cs=translate(space, seed), dimensions=len(space), min_fidelity=min_step,
                         max_fidelity=max_step, eta=3, seed=seed, n_workers=1, save_freq="end",
                         output_path=self.folder.name, log_level="ERROR")
        self.started = {}
        logger.remove()

    def ask(self):
        info = self.dehb.ask()
        return Job(plain(info["config"]), round(float(info["fidelity"])), key=info)

    def report(self, job, step, loss):
        return True

    def done(self, job, loss):
        self.dehb.tell(job.key, {"fitness": float(loss), "cost": float(job.until)})

    def recommend(self):
        config, _ = self.dehb.get_incumbents() if self.dehb.inc_config is not None else (None, None)
        return plain(config) if config is not None else None

    def close(self):
        self.folder.cleanup()
