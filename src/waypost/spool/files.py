"""The one module that touches the file system: the seam where tests put a full or failing disk."""

import errno
import fcntl
import mmap
import os
from pathlib import Path

PAGE_BYTES = 4096


def files_in(directory: Path, suffix: str) -> list[Path]:
    """Files whose names end so, by name; none where there is no such directory yet.

    Raises:
        OSError: it cannot be listed.
    """
    return [directory / entry.name for entry in _entries(directory) if entry.name.endswith(suffix)]


def directories_in(directory: Path) -> list[Path]:
    """As `files_in`: the directories, but for the one that a file system keeps for itself where it is mounted."""
    return [directory / entry.name for entry in _entries(directory) if entry.is_dir() and entry.name != "lost+found"]


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    """By name. `Path.glob` hides that a directory may not be listed and, since Python 3.12, that the disk fails."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


class Files:
    """System calls the spool needs, one method each; every method may raise OSError."""

    def make_directory(self, path: Path) -> None:
        """Create a directory and its parents, for the owner only: hits are personal data. Its name is on the disk.

        And its parent's: what is synced in a directory is lost with the name of one above it. Each time, because others
        make the parent as well, and one that is there may not be on the disk yet.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for parent in path.absolute().parents[:2]:
            self.sync_directory(parent)

    def lock(self, path: Path) -> int:
        """Take an exclusive lock that ends with the process; BlockingIOError when another process has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def create(self, path: Path) -> int:
        """A new file, open for appending; fails when it exists."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def open(self, path: Path) -> int:
        """An existing file, open for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def write(self, descriptor: int, data: bytes) -> int:
        """Append. Returns how many bytes were taken, perhaps not all, as the system call may."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """The data, and the size needed to read it, are on the disk."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file to `length` bytes."""
        os.ftruncate(descriptor, length)

    def close(self, descriptor: int) -> None:
        """Let go of a descriptor."""
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Atomically, within one directory."""
        old.rename(new)

    def sync_directory(self, path: Path) -> None:
        """Names created, renamed and removed in a directory are on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def read(self, path: Path) -> bytes:
        """A whole file."""
        return path.read_bytes()

    def size(self, path: Path) -> int:
        """In bytes."""
        return path.stat().st_size

    def names(self, directory: Path, suffix: str) -> list[Path]:
        """Files of a directory with that suffix, by name."""
        return files_in(directory, suffix)

    def read_page(self, path: Path) -> bytes:
        """PAGE_BYTES of a file, zero where there is less, or no file."""
        try:
            with path.open("rb") as file:
                return file.read(PAGE_BYTES).ljust(PAGE_BYTES, b"\0")
        except FileNotFoundError:
            return bytes(PAGE_BYTES)

    def write_page(self, path: Path, page: bytes) -> None:
        """Over what is in a file, which is created when it is missing."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.pwrite(descriptor, page, 0) < len(page):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        finally:
            os.close(descriptor)

    def map_page(self, path: Path) -> mmap.mmap:
        """Map a file of PAGE_BYTES, created in full if it is missing or short.

        Written out rather than left sparse: on a full disk, touching a page without a block kills the process.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            return _map(descriptor, path)
        finally:
            os.close(descriptor)

    def map_shared(self, path: Path) -> mmap.mmap:
        """As `map_page`, in a directory where everybody may make files; PermissionError when it is another's."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(errno.EACCES, "another user's file, to be deleted", str(path))
            return _map(descriptor, path)
        finally:
            os.close(descriptor)


def _map(descriptor: int, path: Path) -> mmap.mmap:
    size = os.fstat(descriptor).st_size
    if size < PAGE_BYTES:
        os.pwrite(descriptor, bytes(PAGE_BYTES - size), size)
        os.fsync(descriptor)
    if os.fstat(descriptor).st_size < PAGE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return mmap.mmap(descriptor, PAGE_BYTES)
