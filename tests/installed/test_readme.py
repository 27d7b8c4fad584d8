"""Run every fastmlp command and Python block of the READMEs with the installed wheel.

The pages are the README of the package and those of its parts. CORE and WITH_EXTRAS list their
commands; a test compares the lists with the pages, so that none is left out. A slow command runs
in its smallest form: `extra` holds the options that make it small.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageOps

import fastmlp

pytestmark = pytest.mark.install
ROOT = Path(__file__).parents[2]
NAMES = ("", "benchmarks/", "fastmlp/training/", "fastmlp/cli/")
PAGES = "\n".join((ROOT / name / "README.md").read_text() for name in NAMES)
FOLDER = os.environ.get("FASTMLP_DATA")
HAS_MNIST = bool(FOLDER)
# Without MNIST, generated digits replace it, under the name of its model
MNIST = () if HAS_MNIST else ("--dataset", "digits", "--model", "mnist.safetensors")
TESTED = () if HAS_MNIST else ("--dataset", "digits")
ONE_EPOCH = ("--rounds", "1", "--epochs", "1")


@dataclass(frozen=True)
class Command:
    """A command of a page: the options that make it small, what it must print and return.

    accuracy : the lowest test accuracy, in %, that it may print
    """

    extra: tuple[str, ...] = ()
    prints: str = ""
    accuracy: float = 0.0
    status: int = 0


CORE = {
    "fastmlp train": Command(MNIST, "model saved to", 97.5),
    "fastmlp train --hidden-layers 256,64 --validation 0.1 --early-stopping 5 --epochs 30": Command(
        MNIST, "val cost", 97.5
    ),
    "fastmlp train --validation 0.1 --early-stopping 5 --monitor accuracy --target 0.98": Command(
        MNIST, "val cost", 97.0
    ),
    "fastmlp train --optimizer adam --optimizer-setting beta_1=0.8": Command(
        MNIST, "model saved to", 97.0
    ),
    "fastmlp train --dataset digits --learning-rate 8 --schedule halving": Command(
        (), "model saved to", 90
    ),
    "fastmlp train --class-weight balanced --label-smoothing 0.1 --clip-value 1 --l1 1e-5": Command(
        MNIST, "model saved to", 97.5
    ),
    "fastmlp train --input-dropout 0.1 --dropout 0.2 --clip-norm 2": Command(
        MNIST, "model saved to", 96.5
    ),
    "fastmlp train --augment shift=1,rotation=10,elastic=34:4 --epochs 30": Command(
        (*MNIST, "--epochs", "10"), "model saved to", 97.5
    ),
    "fastmlp train --recipe 98.5": Command((*MNIST, "--epochs", "3"), "model saved to", 97.5),
    "fastmlp evaluate mnist.safetensors": Command(TESTED, "accuracy", 97.5),
    "fastmlp train --warmup 1 --schedule cosine --max-seconds 60 --log run.csv": Command(
        MNIST, "model saved to", 97
    ),
    "fastmlp train --rehearse --epochs 30": Command(MNIST, "an epoch will take about"),
    "fastmlp train --from mnist.safetensors --learning-rate 0.05 --strict": Command(
        MNIST, "model saved to", 97.5
    ),
    "fastmlp train --dataset iris.csv --target-column species": Command((), "3 classes", 90),
    "fastmlp evaluate iris.safetensors --dataset iris.csv": Command((), "right", 90),
    "fastmlp predict iris.safetensors new.csv --output answers.csv --probabilities": Command(
        (), "3 answers written"
    ),
    "fastmlp find-learning-rate": Command(TESTED, "starts with it"),
    "fastmlp find-learning-rate --mode halving": Command(TESTED, "starts with it"),
    "fastmlp warmup": Command((), "are ready"),
    "fastmlp verify": Command(("--cases", "300"), "300 cases"),
    "fastmlp info --measure": Command((), "GFLOP/s"),
    "fastmlp info 784-128-10/64": Command((), "columns, then"),
    "fastmlp bench --quick": Command((*ONE_EPOCH, "--dataset", "digits"), "NumPy"),
    "fastmlp bench 784-256-10/64 --against torch,jax": Command(
        (*ONE_EPOCH, "--dataset", "digits"), 'torch, jax; pip install "fastmlp[peers]"', status=1
    ),
    "fastmlp bench 784-128-10/64/adam --against lean": Command(
        (*ONE_EPOCH, "--dataset", "digits"), "lean"
    ),
    "fastmlp bench scaling 784-256-10/64": Command((*ONE_EPOCH, "--dataset", "digits"), "speed-"),
    "fastmlp bench accuracy --target 0.98": Command(
        ("--target", "0.8", "--seeds", "1", "--against", "numpy", "--dataset", "digits"), "numpy"
    ),
}
WITH_EXTRAS = {
    "fastmlp predict mnist.safetensors photo.jpg": Command((), "7"),
    "fastmlp train --dataset photos --image-size 32": Command((), "test images of 32 x 32", 90),
    "fastmlp bench --save run.json --html run.html": Command(
        ("784-16-16-10/10", *ONE_EPOCH, "--dataset", "digits", "--against", "numpy"), "NumPy"
    ),
    "fastmlp bench kernels --roofline roofline.png": Command(("--rounds", "1"), "geometric mean"),
    "fastmlp bench compare old.json run.json": Command((), "784-16-16-10/10"),
}


def commands():
    """Return the fastmlp commands of the pages, without their comments."""
    lines = [line for block in blocks("") for line in block.splitlines()]
    return [re.split(r" +#", line)[0].strip() for line in lines if line.startswith("fastmlp ")]


def blocks(language):
    """Return the fenced blocks of a language."""
    found, inside = [], None
    for line in PAGES.splitlines():
        if line.startswith("```"):
            inside = None if inside is not None else line[3:]
            if inside == language:
                found.append("")
        elif inside == language:
            found[-1] += line + "\n"
    return found


def variables():
    return {"FASTMLP_DATA": str(Path(FOLDER).resolve())} if HAS_MNIST else {}


def keep_own_data(folder):
    """Make the table and the pictures that the pages train on."""
    if (folder / "iris.csv").exists():
        return
    rows = [
        f"{n % 3 + n / 500},{n % 7},{('setosa', 'versicolor', 'virginica')[n % 3]}"
        for n in range(150)
    ]
    (folder / "iris.csv").write_text("\n".join(["petal,sepal,species", *rows]))
    (folder / "new.csv").write_text("sepal,petal\n3,0.1\n4,1.1\n5,2.1\n")
    for kind, shade in (("cat", 40), ("dog", 220)):
        (folder / "photos" / kind).mkdir(parents=True)
        for n in range(20):
            Image.new("RGB", (40, 30), (shade, n, 0)).save(folder / "photos" / kind / f"{n}.png")


def check(environment, line, command):
    keep_own_data(environment.work)
    arguments = line.split()
    done = environment.run(*arguments, *command.extra, seconds=300, **variables())
    said = done.stdout + done.stderr
    assert done.returncode == command.status, said
    assert command.prints in said, said
    assert "Traceback" not in said
    if command.accuracy:
        found = re.search(r"accuracy:? (\d+\.\d+) ?%", said)
        assert found, said
        assert float(found.group(1)) >= command.accuracy, said


def test_every_command_of_the_pages_is_here():
    assert set(commands()) == {*CORE, *WITH_EXTRAS}


@pytest.mark.parametrize("line", CORE)
def test_a_command_with_the_core_dependencies(core, line):
    check(core, line, CORE[line])


def python_blocks(with_extras):
    return [code for code in blocks("python") if ("sklearn" in code) == with_extras]


@pytest.mark.parametrize("code", python_blocks(False))
def test_a_python_block_with_the_core_dependencies(core, code):
    if not HAS_MNIST:
        code = code.replace('load_dataset("mnist")', 'load_dataset("digits")')
    check_python(core, code)


def check_python(environment, code):
    keep_own_data(environment.work)
    done = environment.run("python", "-W", "error", "-c", code, **variables())
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 0.975


@pytest.mark.parametrize("code", python_blocks(True))
def test_a_python_block_with_an_extra(extras, code):
    check_python(extras, code)


@pytest.mark.parametrize("line", WITH_EXTRAS)
def test_without_its_extra_a_command_says_what_to_install(core, line):
    extra = "image" if "photo" in line else "plot"
    if "compare" in line:
        return
    keep_own_data(core.work)
    Image.new("L", (28, 28)).save(core.work / "photo.jpg")
    done = core.run(*line.split(), **variables())
    assert done.returncode == 1
    assert f'pip install "fastmlp[{extra}]"' in done.stderr


@pytest.fixture(scope="module")
def files(extras):
    """Make the files that the commands read: a model and the photo of a seven."""
    data = fastmlp.load_dataset("mnist" if HAS_MNIST else "digits")
    seven = data.test.images[list(data.test.labels).index(7)].reshape(28, 28)
    paper = ImageOps.expand(ImageOps.invert(Image.fromarray(seven)), 20, 255)
    paper.resize((680, 680), Image.Resampling.BICUBIC).save(extras.work / "photo.jpg")
    if not (extras.work / "mnist.safetensors").exists():
        check(extras, "fastmlp train", CORE["fastmlp train"])


@pytest.mark.parametrize("line", WITH_EXTRAS)
def test_a_command_with_an_extra(extras, files, line):
    if "old.json" in line:
        shutil.copy(extras.work / "run.json", extras.work / "old.json")
    check(extras, line, WITH_EXTRAS[line])
    for name in re.findall(r"\S+\.(?:html|png)", line):
        assert (extras.work / name).stat().st_size > 1000
