from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

FRAMEWORKS = ("lightning", "transformers", "accelerate")


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


@pytest.mark.parametrize(
    ("module", "imported", "extra"),
    [
        ("callbacks.lightning_callback", "lightning.pytorch", "lightning"),
        ("callbacks.hugging_face", "transformers", "transformers"),
        ("callbacks.accelerate_loop", "accelerate", "accelerate"),
        ("from_lightning", "lightning.pytorch", "lightning"),
    ],
)
def test_what_to_install_is_said(
    module: str, imported: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, imported, None)  # as if it were not there
    monkeypatch.delitem(sys.modules, f"danlu.training.{module}", raising=False)

    with pytest.raises(ImportError, match=rf"pip install 'danlu\[{extra}\]'"):
        importlib.import_module(f"danlu.training.{module}")
