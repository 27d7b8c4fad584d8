"""No pickle, no download that is not https and verified, nothing that listens."""

import ast
from pathlib import Path

import pytest

import fastmlp
from fastmlp.datasets.catalogue import FAMILIES
from fastmlp.errors import FastMLPError

ROOT = Path(fastmlp.__file__).parent
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
LISTENS = {"socketserver", "http.server", "xmlrpc"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.name)
def test_no_module_unpickles_or_listens(path):
    assert not (UNSAFE | LISTENS) & set(imports(path))
    text = path.read_text()
    assert "allow_pickle=True" not in text
    assert not [call for call in ("eval(", "exec(", "os.system(") if f" {call}" in text]


def test_numbas_pickles_are_not_read():
    texts = [path.read_text() for path in ROOT.rglob("*.py")]
    assert not [text for text in texts if "serialize.loads(" in text or "cloudpickle" in text]


def test_every_published_address_is_https_and_every_file_has_a_digest():
    for family in FAMILIES.values():
        assert family.mirrors
        assert all(address.startswith("https://") for address in family.mirrors)


def test_a_mirror_that_is_not_https_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path))
    with pytest.raises(FastMLPError, match="https"):
        fastmlp.load_dataset("kmnist", mirrors=["http://example.com/"])
