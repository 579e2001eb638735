"""SecretBox: encryption of stored credentials, with keys that can be changed."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.store.private_file import create_file, replace_file

KEY_FILE = "encryption.key"


class UnusableKey(Exception):
    """The encryption key is missing or wrong; the message shows none of it."""


class SecretBox:
    """Encrypts with the first of its keys, decrypts with any.

    With a key file, a change another process made to it (a rotation) counts from
    the next call on.
    """

    def __init__(self, keys: Sequence[str], *, file: Path | None = None) -> None:
        """Raises UnusableKey. For a data directory see `open`."""
        self.file = file
        self._seen: tuple[int, int] | None = None
        self._use(keys)

    @classmethod
    def open(cls, data_dir: Path, encryption_key: str = "") -> "SecretBox":
        """The box of a data directory.

        `encryption_key` (Fernet keys, separated by commas) goes before the key
        file, which is made, 0600, where there is none. Raises UnusableKey.
        """
        if encryption_key.strip():
            return cls([key.strip() for key in encryption_key.split(",")])
        file = data_dir / KEY_FILE
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not file.exists():
                create_file(file, _text([Fernet.generate_key().decode()]))
            file.chmod(0o600)
            box = cls(_read(file), file=file)
        except OSError as error:
            raise UnusableKey(f"{file}: {error.strerror}") from error
        except UnicodeError:
            raise UnusableKey(f"{file} is not a key file") from None
        box._seen = _stamp(file)
        return box

    def _use(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            # Not `from`: the cause may hold the key.
            raise UnusableKey(
                f"{self.file or 'GATEWAY_ENCRYPTION_KEY'}: an encryption key is 32 "
                "bytes in URL-safe base64, as "
                "cryptography.fernet.Fernet.generate_key() makes them"
            ) from None
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"<SecretBox of {len(self._keys)} keys>"

    def encrypt(self, text: str) -> str:
        """Call it inside the transaction that stores the result.

        A rotation then either re-encrypts the row or was over before.
        """
        self._reload()
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Raises UnusableKey when none of the keys encrypted it."""
        self._reload()
        try:
            return self._fernet.decrypt(encrypted.encode()).decode()
        except (InvalidToken, UnicodeError):
            raise UnusableKey(
                "Stored credentials cannot be decrypted with the encryption key in use"
            ) from None

    def reencrypt(self, encrypted: str) -> str:
        """The same content, encrypted with the first key."""
        return self.encrypt(self.decrypt(encrypted))

    def __len__(self) -> int:
        return len(self._keys)

    @contextmanager
    def rotating(self) -> Iterator[None]:
        """One rotation at a time, across processes; a crash ends it too.

        Raises UnusableKey while another runs.
        """
        if self.file is None:
            yield
            return
        lock = os.open(self.file.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UnusableKey("Another key rotation is running") from None
            yield
        finally:
            os.close(lock)

    def add_key(self) -> None:
        """Put a new key first, on disk before it is used; the others stay.

        Raises UnusableKey when the keys come from the environment.
        """
        if self.file is None:
            raise UnusableKey(
                "The encryption keys come from GATEWAY_ENCRYPTION_KEY: put a new one "
                "before them there, and rotate after the restart"
            )
        self._reload()
        self._replace([Fernet.generate_key().decode(), *self._keys])

    def drop_old_keys(self) -> None:
        """Keep the first key only; for when nothing is encrypted with another."""
        if self.file is not None:
            self._replace(self._keys[:1])

    def _replace(self, keys: Sequence[str]) -> None:
        assert self.file is not None
        replace_file(self.file, _text(keys))
        self._use(keys)
        self._seen = _stamp(self.file)

    def _reload(self) -> None:
        if self.file is None:
            return
        try:
            stamp = _stamp(self.file)
            if stamp != self._seen:
                self._use(_read(self.file))
                self._seen = stamp
        except OSError:
            return  # the keys in memory are still right


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_ino, stat.st_mtime_ns


def _read(file: Path) -> list[str]:
    return file.read_text("ascii").split()


def _text(keys: Sequence[str]) -> str:
    return "\n".join(keys) + "\n"
