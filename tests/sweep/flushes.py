"""Sees what SQLite has written and not yet flushed to the disk, through its own interface to the operating system."""

import _sqlite3  # the library that the module `sqlite3` works with
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """The beginning of `sqlite3_vfs`."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("path_length", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", _OPEN),
    )


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        ("others", ctypes.c_void_p * 13),
    )


class _File(ctypes.Structure):
    """`sqlite3_file`."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


@contextmanager
def unflushed() -> Iterator[set[str]]:
    """Names of the files that were changed since they were last flushed; of those opened within the block."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None).contents
    original = _OPEN(ctypes.cast(vfs.open, ctypes.c_void_p).value or 0)
    changed: set[str] = set()
    kept: list[object] = []

    def watch(file: ctypes.c_void_p, name: str) -> None:
        opened = ctypes.cast(file, ctypes.POINTER(_File)).contents
        before = _Methods.from_buffer_copy(opened.methods.contents)
        after = _Methods.from_buffer_copy(before)

        def write(*arguments: int) -> int:
            changed.add(name)
            return int(before.write(*arguments))

        def truncate(*arguments: int) -> int:
            changed.add(name)
            return int(before.truncate(*arguments))

        def sync(*arguments: int) -> int:
            done = int(before.sync(*arguments))
            if done == 0:
                changed.discard(name)
            return done

        after.write, after.truncate, after.sync = _WRITE(write), _TRUNCATE(truncate), _SYNC(sync)
        kept.append(after)
        opened.methods = ctypes.pointer(after)

    def opening(this: int, name: int | None, file: ctypes.c_void_p, flags: int, out: int) -> int:
        done = int(original(this, name, file, flags, out))
        if done == 0 and name is not None:
            watch(file, Path(ctypes.string_at(name).decode()).name)
        return done

    replaced = _OPEN(opening)
    vfs.open = replaced
    try:
        yield changed
    finally:
        vfs.open = original
        _KEPT.extend((kept, replaced))


#: A file that is still open goes on calling these.
_KEPT: list[object] = []
