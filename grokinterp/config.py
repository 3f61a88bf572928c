"""The base of every configuration: frozen, no unknown keys, and one clear line when a value does not fit."""

import difflib
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import GrokinterpError

_NEEDS = {
    "greater_than_equal": "≥ {ge}",
    "greater_than": "> {gt}",
    "less_than_equal": "≤ {le}",
    "less_than": "< {lt}",
    "literal_error": "one of {expected}",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}


class Config(BaseModel):
    """A frozen pydantic model whose validation errors are one `GrokinterpError` that names the user's own input.

    `section` is the name under which the command line knows the model (``--set SECTION.KEY=VALUE``).

    >>> class Cake(Config):
    ...     section = "cake"
    ...     eggs: int = 3
    >>> Cake(egs=2)
    Traceback (most recent call last):
    grokinterp.errors.GrokinterpError: cake.egs: unknown key; did you mean cake.eggs? Known keys: eggs
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    section: ClassVar[str] = ""

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise GrokinterpError(self._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        first = error.errors()[0]
        name = ".".join(str(part) for part in (cls.section, *first["loc"]) if part != "")
        if first["type"] == "extra_forbidden":
            key = str(first["loc"][-1])
            close = difflib.get_close_matches(key, cls.model_fields, n=1)
            hint = f" did you mean {name.removesuffix(key)}{close[0]}?" if close else ""
            return f"{name}: unknown key;{hint} Known keys: {', '.join(cls.model_fields)}"
        if first["type"] == "value_error":
            return str(first.get("ctx", {}).get("error", first["msg"]))
        if first["type"] == "missing":
            return f"{name}: missing; it needs a value"
        needs = _NEEDS.get(first["type"])
        wanted = f"needs {needs.format(**first.get('ctx', {}))}" if needs else first["msg"]
        return f"{name} = {shortened(first['input'])}: {wanted}"


def shortened(value: Any) -> str:
    """A value as Python writes it, its end left out where it is long.

    >>> shortened("a" * 100)[-10:]
    'aaaaaaa...'
    """
    given = repr(value)
    return given if len(given) <= 80 else given[:77] + "..."
