"""What a wheel says of its platform, and what the package says where it cannot run."""

import importlib.metadata
import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"


@pytest.mark.parametrize(
    ("head", "tag"),
    [
        (ELF + struct.pack("<H", 62), "manylinux_2_17_x86_64.musllinux_1_1_x86_64"),
        (ELF + struct.pack("<H", 183), "manylinux_2_17_aarch64.musllinux_1_1_aarch64"),
        (struct.pack("<II", 0xFEEDFACF, 0x01000007), "macosx_12_0_x86_64"),
        (struct.pack("<II", 0xFEEDFACF, 0x0100000C), "macosx_12_0_arm64"),
        (ELF + struct.pack("<H", 243), None),
        (b"MZ\x90\x00", None),
        (b"", None),
    ],
)
def test_the_tag_is_that_of_the_binary(tmp_path, head, tag):
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", Path(__file__).parents[1] / "hatch_build.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    binary = tmp_path / "apollo"
    binary.write_bytes(head + bytes(12 if head else 0))
    if tag:
        assert hook.platform(str(binary)) == tag
        return
    with pytest.raises(ValueError, match="is no program for Linux or macOS"):
        hook.platform(str(binary))


def test_the_wheel_has_the_licence():
    try:
        wheel = importlib.metadata.distribution("apollo")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert "Apache License" in wheel.read_text("licenses/LICENSE")


def test_windows_is_told_at_the_import():
    said = subprocess.run([sys.executable, "-c", "import sys; sys.platform = 'win32'; import apollo"], capture_output=True, text=True)
    assert said.returncode == 1 and "use it in WSL" in said.stderr
