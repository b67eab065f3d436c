"""Puts the apollo binary into the wheel, whose name says the platform.

APOLLO_BINARY is the binary: what it was built for is the wheel's platform, wherever the
wheel is built. Without a binary the wheel is pure Python and finds apollo on the PATH.
"""

import os
import stat
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BinaryHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        binary = os.environ.get("APOLLO_BINARY")
        if self.target_name != "wheel" or version == "editable" or not binary:
            return
        if not os.stat(binary).st_mode & stat.S_IXUSR:
            raise ValueError(f"{binary} cannot be executed")
        build_data["force_include"][os.path.abspath(binary)] = "apollo/_bin/apollo"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + platform(binary)


def platform(binary: str) -> str:
    """The tag of what a binary was built for.

    On Linux it is static: any one since 2014 runs it, with glibc or musl. On macOS Go wants version 12.
    """
    with open(binary, "rb") as f:
        head = f.read(32)
    machine = None
    if head[:4] == b"\x7fELF":
        machine = {62: "x86_64", 183: "aarch64"}.get(int.from_bytes(head[18:20], "little"))
        tag = f"manylinux_2_17_{machine}.musllinux_1_1_{machine}"
    elif head[:4] == b"\xcf\xfa\xed\xfe":
        machine = {0x01000007: "x86_64", 0x0100000C: "arm64"}.get(int.from_bytes(head[4:8], "little"))
        tag = f"macosx_12_0_{machine}"
    if machine is None:
        raise ValueError(f"{binary} is no program for Linux or macOS on x86-64 or ARM64")
    return tag
