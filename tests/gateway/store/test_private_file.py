"""Files that are replaced as a whole, or not at all."""

import errno
import os
import resource

import pytest

from gateway.store.private_file import replace_file


@pytest.fixture
def full_disk():
    """As good as full: no file may grow past some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
def test_what_does_not_fit_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("mine")
    with pytest.raises(OSError, match="too large") as caught:
        replace_file(path, "x" * 1000)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert (os.listdir(tmp_path), path.read_text()) == (["config.toml"], "mine")
