"""Puts the apollo binary into the wheel, whose name says the platform.

APOLLO_BINARY is the binary, APOLLO_WHEEL_PLATFORM the platform's tag. Without a
binary the wheel is pure Python and finds apollo on the PATH.
"""

import os
import stat
import sysconfig
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
        build_data["tag"] = "py3-none-" + (os.environ.get("APOLLO_WHEEL_PLATFORM") or platform())


def platform() -> str:
    """The tag of this platform. The binary is static: any Linux since 2014 runs it."""
    name = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return name.replace("linux_", "manylinux_2_17_", 1) if name.startswith("linux_") else name
