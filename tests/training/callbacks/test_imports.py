from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = ("lightning", "transformers", "accelerate")
CALLBACKS = {
    "lightning": "LightningCallback",
    "transformers": "HuggingFaceCallback",
    "accelerate": "AccelerateTrial",
}


def test_the_tools_import_no_framework() -> None:
    program = (
        "import sys, danlu.training, danlu.training.callbacks\n"
        "from danlu.training import Probe\n"
        "from danlu.training.callbacks import SharedTrial\n"
        "print(*sys.modules)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert set() == set(FRAMEWORKS).intersection(ended.stdout.split())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_to_install_is_said(framework: str) -> None:
    program = (
        f"import sys; sys.modules[{framework!r}] = None\n"
        f"from danlu.training.callbacks import {CALLBACKS[framework]}"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert f"pip install 'danlu[{framework}]'" in ended.stderr
