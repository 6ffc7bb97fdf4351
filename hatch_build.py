"""Compiles the modules that pyproject.toml names, when asked to: docs/adr/0019-compiled-edge.md.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip install '.[edge]'

needs a C compiler and the headers of Python. Without the variable the wheel is pure Python, and works the same.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Compiled(BuildHookInterface):
    """The build hook `custom` of hatchling."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the compiled modules into the wheel, beside their sources."""
        if version == "editable":
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        self._made = tempfile.TemporaryDirectory()
        build = Path(self._made.name)
        for made in compile_modules(Path(self.root) / "src", self.config["modules"], build):
            build_data["force_include"][str(made)] = str(made.relative_to(build))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 -- the hook's signature
        """They are in the wheel now."""
        if version != "editable":
            self._made.cleanup()


def compile_modules(source: Path, modules: list[str], build: Path) -> list[Path]:
    """Compile with mypyc; the files made, where a wheel has them.

    Args:
        source: the folder that `waypost` is in.
        modules: their paths from there.
        build: for what is made.
    """
    # Not there yet when hatchling loads this file to ask what it needs.
    from mypyc.build import mypycify  # noqa: PLC0415
    from setuptools import Distribution  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(source)  # a module's name is its path from here
        try:
            extensions = mypycify(
                [f"--config-file={source.parent / 'pyproject.toml'}", *modules], opt_level="3", target_dir=scratch
            )
            command = build_ext(Distribution({"name": "waypost", "ext_modules": extensions}))
            command.build_lib, command.build_temp = str(build), scratch
            command.finalize_options()
            command.run()
            return [Path(name) for name in command.get_outputs()]
        finally:
            os.chdir(before)
