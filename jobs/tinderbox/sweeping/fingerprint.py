"""What a function does, as one digest: the same for the same source, wherever and whenever it is read.

The pickle that travels will not do: it holds file names and line numbers, sets in the order of the day, and for each
class an identity that is new in every session. So the function is taken apart here: its bytecode and constants, its
defaults, what it closes over, and the globals that it uses, functions and classes of its own module included. What
belongs to another module counts by its name.
"""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_NOT_SOURCE = (
    *("__dict__", "__weakref__", "__module__", "__annotations__", "__abstractmethods__"),
    *("__firstlineno__", "__static_attributes__"),
)
"""What Python adds to a class, or keeps there by itself."""


def fingerprint(function: Callable[..., Any]) -> str:
    """Return the SHA-256, in hexadecimal, of what a function is made of."""
    innermost = function
    while isinstance(innermost, partial):
        innermost = innermost.func
    taken = _Parts({"__main__", getattr(innermost, "__module__", None)})
    taken.add(function)
    return taken.digest


class _Parts:
    """Adds up what objects are made of; those of the modules `own`, and nameless ones, are looked into."""

    def __init__(self, own: set[str | None], met: dict[int, object] | None = None) -> None:
        self._own, self._hash = own, hashlib.sha256()
        self._met = met or {}  # holds the objects too, or another one could get their place in memory

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def add(self, thing: object) -> None:
        if id(thing) in self._met:
            self._note("again", _name(thing))
            return
        self._met[id(thing)] = thing
        self._note(type(thing).__qualname__)
        self._add_parts(thing)
        if not isinstance(thing, FunctionType | type):  # whether equal values are one object may change
            del self._met[id(thing)]

    def _add_parts(self, thing: object) -> None:
        match thing:
            case None | bool() | int() | float() | complex() | str() | bytes():
                self._note(thing if isinstance(thing, bytes) else repr(thing))
            case CodeType():
                self._add_code(thing)
            case FunctionType() if self._is_own(thing):
                self._add_function(thing)
            case type() if self._is_own(thing):
                self._note(thing.__qualname__)
                self._add_all(thing.__bases__)
                self._add_pairs((name, part) for name, part in vars(thing).items() if name not in _NOT_SOURCE)
            case FunctionType() | BuiltinFunctionType() | type() | ModuleType():
                self._note(_name(thing))
            case set() | frozenset():
                self._note(*sorted(self._digest_of(part) for part in thing))
            case dict():
                self._add_pairs(thing.items())
            case _:
                self._add_all(_parts_of(thing))

    def _add_function(self, function: FunctionType) -> None:
        self._note(function.__qualname__)
        self._add_all((function.__code__, function.__defaults__, function.__kwdefaults__, function.__closure__))
        self._add_pairs(function.__dict__.items())
        names = sorted(set(_globals_of(function.__code__)) & function.__globals__.keys())
        self._add_pairs((name, function.__globals__[name]) for name in names)

    def _add_code(self, code: CodeType) -> None:
        """Take what runs; where it was written is left out."""
        self._note(code.co_code, code.co_exceptiontable)
        self._add_all((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_consts))
        self._add_all((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags))

    def _add_all(self, things: Iterable[object]) -> None:
        for thing in things or ():
            self.add(thing)
        self._note("end")

    def _add_pairs(self, pairs: Iterable[tuple[object, object]]) -> None:
        for pair in pairs:
            self._add_all(pair)
        self._note("end")

    def _digest_of(self, thing: object) -> str:
        one = _Parts(self._own, dict(self._met))
        one.add(thing)
        return one.digest

    def _is_own(self, thing: FunctionType | type) -> bool:
        return thing.__module__ in self._own or "<locals>" in thing.__qualname__

    def _note(self, *words: str | bytes) -> None:
        for word in words:
            block = word if isinstance(word, bytes) else word.encode(errors="surrogatepass")
            self._hash.update(b"%d:%b" % (len(block), block))


def _name(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', getattr(thing, '__name__', ''))}"


def _globals_of(code: CodeType) -> Iterator[str]:
    """Return the names that code, or code inside it, looks up among globals."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)


def _parts_of(thing: object) -> Iterable[object]:
    match thing:
        case list() | tuple():
            return thing
        case MethodType():
            return thing.__func__, thing.__self__
        case staticmethod() | classmethod():
            return (thing.__func__,)
        case property():
            return thing.fget, thing.fset, thing.fdel
        case CellType():
            return _content(thing)
    return _taken_apart(thing)


def _content(cell: CellType) -> Iterable[object]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # it is still empty
        return ()


def _taken_apart(thing: Any) -> Iterable[object]:
    """Return what an object would be pickled as, in parts; of one that cannot be pickled its type has to do.

    What Keras pickles is dated, and what TensorFlow does has the traces of its calls: configuration and function do.
    """
    wrapped = getattr(thing, "__dict__", {}).get("__wrapped__")
    if wrapped is not None:
        return (wrapped,)
    try:
        reduced = (type(thing), thing.get_config()) if hasattr(type(thing), "get_config") else thing.__reduce_ex__(4)
    except Exception:
        return ()
    if isinstance(reduced, str):
        return (reduced,)
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]
