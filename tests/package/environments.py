"""Fresh environments, and what is run in them."""

import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO_SECONDS = 60


def run(*command, **env):
    """Run a command to its end; its output."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(python, *wanted):
    run(python, "-m", "pip", "install", "--quiet", *wanted)


def venv(interpreter, folder):
    """The interpreter of a fresh environment."""
    run(interpreter, "-m", "venv", folder)
    return folder / "bin" / "python"


def demo(*command, **env):
    """Run the demo until it has shown its turn; all it printed."""
    process = subprocess.Popen(
        [*map(str, command), "demo", "--port", "0"],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C ends it"):
                process.send_signal(signal.SIGINT)
        assert process.wait(DEMO_SECONDS) == 0, "".join(lines)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
    return "".join(lines)
