"""Pictures for training tests, made once."""

from pathlib import Path

import pytest

from tests.train.helpers import make_people


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of people with their list file."""
    return make_people(tmp_path_factory.mktemp("people")).parent
