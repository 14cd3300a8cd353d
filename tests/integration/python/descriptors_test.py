#!/usr/bin/env python3
"""More connections than the optimizer has descriptors for: the study goes on, and who was turned away may come later."""

import pathlib
import resource
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
import betatune  # noqa: E402
import zmq  # noqa: E402

STUDY = """\
parameters: {x: {type: float, min: 0, max: 1}}
algorithm: {name: random, scheduler: fifo}
stopping: {trials: 60}
trainer: {external: true}
server: {bind: "%s"}
"""
FEW = 64


class Descriptors(unittest.TestCase):
    def test_running_out_of_them_ends_no_study(self):
        if support.is_sanitized():
            self.skipTest("sanitizers bring an accept4() of their own")
        for bind in ("ipc://auto", "tcp://127.0.0.1:*"):
            with self.subTest(bind), support.StudyProcess(STUDY % bind) as study:
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                address = study.start(few_descriptors=FEW)
                self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (soft, hard))
                begun, flooded = threading.Event(), threading.Event()

                def train(trial):
                    begun.set()
                    flooded.wait(support.LONGEST_S)
                    time.sleep(0.02)
                    return trial.params["x"]

                token = study.folder / "runs/demo/token"
                options = {"token_file": token} if token.exists() else {}
                trainer = threading.Thread(target=lambda: betatune.Trainer(address, isolation="thread", **options).run(train))
                trainer.start()
                self.assertTrue(begun.wait(support.LONGEST_S))
                context = zmq.Context()
                sockets = []
                for _ in range(3 * FEW):
                    socket = context.socket(zmq.DEALER)
                    socket.linger = 0
                    socket.connect(address)
                    socket.send_multipart([b"BTP1", b"READY", b'{"credit":1}'])
                    sockets.append(socket)
                poller = zmq.Poller()
                for socket in sockets:
                    poller.register(socket, zmq.POLLIN)
                support.eventually(lambda: len(poller.poll(100)) > FEW // 4, "answers for those who got in")
                flooded.set()

                trainer.join(support.LONGEST_S)
                self.assertEqual(study.wait(), 0, study.output.read_text())
                study.check_log(60)
                context.destroy(linger=0)


if __name__ == "__main__":
    unittest.main()
