"""Three layers into one `Settings`: defaults.toml < one file < environment."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from msgspec import inspect

from waypost.config.errors import ConfigFileError, InvalidSettings, InvalidValue, Problem, UnknownKey
from waypost.config.settings import Settings
from waypost.config.values import Parsed, Secret

PREFIX = "WAYPOST_"
# Options of the command line, not settings: where to find the settings and the data.
OPTION_VARIABLES = frozenset({"WAYPOST_CONFIG", "WAYPOST_DATA"})
DEFAULT_ORIGIN = "default"

_SECTIONS: dict[str, type[msgspec.Struct]] = {
    field.name: field.type for field in msgspec.structs.fields(Settings) if field.name != "data"
}
_TYPES: dict[str, Any] = {
    f"{section}.{field.name}": field.type
    for section, struct in _SECTIONS.items()
    for field in msgspec.structs.fields(struct)
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value and the place it comes from."""

    key: str
    """section.name"""
    value: Any
    origin: str
    """"default", the path of the file, or the name of the environment variable."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A value as one source has it. An environment variable's is text, whatever the setting's type."""

    key: str
    value: object
    origin: str
    name: str
    """The key as the source spells it."""

    @property
    def from_environment(self) -> bool:
        return self.origin == self.name


def load(path: Path | None, environ: Mapping[str, str], data: Path) -> Settings:
    """The settings of one process.

    Args:
        path: the settings file, if there is one.
        environ: variables; those named WAYPOST_SECTION__NAME override, other WAYPOST_ names are refused.
        data: the data directory.

    Raises:
        ConfigFileError: the file cannot be read, or is not TOML.
        InvalidSettings: a key is unknown or a value wrong; lists all of them.
    """
    sections: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for setting in effective(path, environ):
        section, _, name = setting.key.partition(".")
        sections[section][name] = setting.value
    built: dict[str, Any] = {name: _SECTIONS[name](**values) for name, values in sections.items()}
    return Settings(data=data, **built)


def defaults_toml() -> str:
    """The file of the defaults, whose comments explain every setting."""
    return resources.files("waypost.config").joinpath("defaults.toml").read_text("utf-8")


def effective(path: Path | None, environ: Mapping[str, str]) -> list[Setting]:
    """Every setting with its origin, in the order of defaults.toml. Raises as `load` does."""
    written = _from_toml(tomllib.loads(defaults_toml()), DEFAULT_ORIGIN)
    if path is not None:
        written += _from_toml(_read_file(path), str(path))
    written += _from_environ(environ)

    settings: dict[str, Setting] = {}
    problems: list[Problem] = []
    for item in written:
        match _checked(item):
            case Setting() as setting:
                settings[item.key] = setting
            case problem:
                problems.append(problem)
    if problems:
        raise InvalidSettings(tuple(problems))
    return list(settings.values())


def variable(key: str) -> str:
    """The environment variable that sets `section.name`."""
    return PREFIX + key.replace(".", "__").upper()


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigFileError(path, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigFileError(path, f"is not TOML: {error}") from error


def _from_toml(document: dict[str, Any], origin: str) -> list[_Written]:
    written = []
    for section, values in document.items():
        if section in _SECTIONS and isinstance(values, dict):
            written += [
                _Written(f"{section}.{name}", value, origin, f"{section}.{name}") for name, value in values.items()
            ]
        else:
            written.append(_Written(section, values, origin, section))
    return written


def _from_environ(environ: Mapping[str, str]) -> list[_Written]:
    return [
        _Written(name.removeprefix(PREFIX).lower().replace("__", ".", 1), text, name, name)
        for name, text in environ.items()
        if name.startswith(PREFIX) and name not in OPTION_VARIABLES
    ]


def _checked(item: _Written) -> Setting | Problem:
    if item.key in _SECTIONS:
        # It is not repeated: who writes the URL of a database here writes its password.
        return InvalidValue(item.origin, item.key, f"a section, [{item.key}]", "a value")
    if item.key not in _TYPES:
        return _unknown(item)
    wanted = _TYPES[item.key]
    try:
        value = _converted(item.value, wanted, from_text=item.from_environment)
    except ValueError:
        secret = isinstance(wanted, type) and issubclass(wanted, Secret)
        found = "what is written there" if secret else repr(item.value)
        return InvalidValue(item.origin, item.key, _expected(wanted), found)
    return Setting(item.key, value, item.origin)


def _converted(value: object, wanted: Any, *, from_text: bool) -> object:  # noqa: ANN401 -- an annotation, not a value
    """The value as the type wanted. Raises ValueError, of which msgspec.ValidationError is one."""
    if isinstance(wanted, type) and issubclass(wanted, Parsed):
        return wanted.parse(msgspec.convert(value, str))
    if from_text and get_origin(wanted) is tuple:
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    if (item := _parsed_item(wanted)) is not None:
        return tuple(item.parse(text) for text in msgspec.convert(value, list[str]))
    converted: object = msgspec.convert(value, wanted, strict=not from_text)
    if converted != converted:  # noqa: PLR0124 -- msgspec lets nan pass every range
        raise ValueError(value)
    return converted


def _unknown(item: _Written) -> UnknownKey:
    known = [variable(key) for key in _TYPES] if item.from_environment else [*_TYPES, *_SECTIONS]
    elsewhere = [key for key in known if key.endswith("." + item.name)]
    close = elsewhere or difflib.get_close_matches(item.name, known, n=1)
    return UnknownKey(item.origin, item.name, close[0] if close else None)


def _plain(wanted: object) -> inspect.Type:
    info = inspect.type_info(wanted)
    return info.type if isinstance(info, inspect.Metadata) else info


def _parsed_item(wanted: object) -> type[Parsed] | None:
    """The type of the items, when `wanted` is a tuple of values written as text."""
    item = get_args(wanted)[0] if get_origin(wanted) is tuple else None
    return item if isinstance(item, type) and issubclass(item, Parsed) else None


def _expected(wanted: object) -> str:
    item = _parsed_item(wanted)
    parsed = item or wanted
    if isinstance(parsed, type) and issubclass(parsed, Parsed):
        return f"a list, each {parsed.EXPECTED}" if item else parsed.EXPECTED
    info = inspect.type_info(wanted)
    unit = (info.extra or {}).get("unit", "") if isinstance(info, inspect.Metadata) else ""
    match _plain(wanted):
        case inspect.IntType(ge=low, le=high):
            return f"a whole number {f'of {unit} ' if unit else ''}from {low} to {high}"
        case inspect.FloatType(ge=low, le=high):
            return f"a number of {unit} from {low:g} to {high:g}"
        case inspect.EnumType(cls=choices):
            return "one of " + ", ".join(f'"{choice.value}"' for choice in choices)
        case inspect.VarTupleType(item_type=inspect.Metadata(extra=extra)):
            return f"a list, each {(extra or {}).get('unit')}"
        case _:
            return unit or "text"
