"""What importing costs: nothing heavy is loaded before it is used."""

import subprocess
import sys

HEAVY = (
    "numba",
    "llvmlite",
    "pooch",
    "requests",
    "rich",
    "safetensors",
    "matplotlib",
    "PIL",
    "sklearn",
)


def loaded_after(statement):
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import fastmlp") & {*HEAVY, "numpy", "click"}


def test_network_and_numpy_backend_need_no_numba():
    loaded = loaded_after(
        "import fastmlp, numpy as np\n"
        "fastmlp.Network((4, 3)).predict(np.zeros((2, 4)), backend='numpy')"
    )
    assert not loaded & {"numba", "llvmlite"}


def test_every_public_name_is_there():
    import fastmlp

    for name in fastmlp.__all__:
        assert getattr(fastmlp, name) is not None
    assert set(fastmlp.__all__) <= set(dir(fastmlp))
