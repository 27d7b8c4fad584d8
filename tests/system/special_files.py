"""Pipes, sockets, links and folders: files that are not regular."""

import os
import socket


def special_files():
    """Make files that are not regular, and return their names."""
    os.mkfifo("pipe")
    os.mkdir("folder")
    os.symlink("pipe", "to-pipe")
    os.symlink("/dev/null", "to-null")
    os.symlink("circle", "circle")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return ["pipe", "folder", "to-pipe", "to-null", "circle", "socket", "/dev/null", "/dev/full"]
