"""The command line in this process: what it prints and its exit code are the same, and it is loaded once."""

import io
import os
import signal
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from unittest import mock

from recovery.cli import main
from tests.acceptance.scene import Done, Scene


def cli(scene: Scene, *arguments: str) -> Done:
    """Runs `prisma-recovery` in the project's folder, and nobody can be asked."""
    out, err = io.StringIO(), io.StringIO()
    terminate = signal.getsignal(signal.SIGTERM)
    with (
        chdir(scene.folder),
        mock.patch.dict(os.environ, scene.environment(), clear=True),
        mock.patch.object(sys, "argv", ["prisma-recovery", *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        else:
            code = 0
        finally:
            signal.signal(signal.SIGTERM, terminate)
    return Done(code, out.getvalue(), err.getvalue())
