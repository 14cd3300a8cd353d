#!/usr/bin/env python3
"""pip installs the package from the repository; it has the version of the program, and needs pyzmq only."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("pip", "python3-pip")
support.need("setuptools", "python3-setuptools")
support.need("wheel", "python3-wheel")


class Package(unittest.TestCase):
    def test_installs_and_imports(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "source"), pathlib.Path(folder, "target")
            shutil.copytree(support.CLIENT, source)  # building leaves files behind
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
                       "--no-index", "--target", target, source]
            done = subprocess.run(install, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            code = ("import betatune, importlib.metadata as m\n"
                    "print(betatune.__file__, m.version('betatune'), m.requires('betatune'))")
            said = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(target)}, cwd=folder,
                                  capture_output=True, text=True, check=True).stdout

        version = re.search(r"project\(betatune VERSION (\S+)", (support.ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(said, f"{target}/betatune/__init__.py {version} ['pyzmq']\n")


if __name__ == "__main__":
    unittest.main()
