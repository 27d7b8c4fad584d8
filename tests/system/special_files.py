"""Pipes, sockets, links and folders: what is no regular file."""

import os
import socket


def special_files():
    """Make what is no regular file, and return their names."""
    os.mkfifo("pipe")
    os.mkdir("folder")
    os.symlink("pipe", "to-pipe")
    os.symlink("/dev/null", "to-null")
    os.symlink("circle", "circle")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return ["pipe", "folder", "to-pipe", "to-null", "circle", "socket", "/dev/null", "/dev/full"]
