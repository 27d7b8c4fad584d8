"""Arrays that end right before an unreadable page, or begin right behind one."""

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)


def pages_of(size):
    return -(-max(size, 1) // PAGE)


def forbid(address):
    """Let nobody read or write the page at an address."""
    assert _libc.mprotect(ctypes.c_void_p(address), PAGE, 0) == 0


def room_of(size):
    """Return so many bytes of fresh memory, of whole pages, and its address."""
    room = mmap.mmap(-1, size)
    return room, ctypes.addressof(ctypes.c_char.from_buffer(room))


def fenced(array, before=False):
    """Return a copy that ends right before an unreadable page, or begins right behind one."""
    array = np.asarray(array)
    pages = pages_of(array.nbytes)
    room, start = room_of((pages + 1) * PAGE)
    forbid(start if before else start + pages * PAGE)
    offset = PAGE if before else pages * PAGE - array.nbytes
    view = np.ndarray(array.shape, array.dtype, room, offset)
    view[...] = array
    return view
