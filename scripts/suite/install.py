"""Gets what the checks need into the cache folder: locked Python and npm packages, and a few Debian programs unpacked there.

A folder is named after the contents of its lock files, so a changed lock makes a new one and an unchanged one is reused.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess

from . import places, shell
from .outcome import Failed, Skip


def _digest(*files: pathlib.Path) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def python_with(requirements: pathlib.Path) -> pathlib.Path:
    """The Python of a virtual environment that holds exactly these locked requirements."""
    place = places.CACHE / f"venv-{requirements.stem}-{_digest(requirements)}"
    python = place / "bin" / "python"
    done = place / ".complete"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        shell.run(f"venv-{requirements.stem}", ["python3", "-m", "venv", place], limit=300)
        shell.run(
            f"pip-{requirements.stem}",
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", requirements],
            limit=900,
        )
        done.touch()
    return python


def node_packages(source: pathlib.Path) -> pathlib.Path:
    """A folder that holds exactly the locked npm packages of `source`."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Skip("node or npm is not installed")
    files = [source / "package.json", source / "package-lock.json"]
    place = places.CACHE / f"npm-{_digest(*files)}"
    done = place / ".complete"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for file in files:
            shutil.copy(file, place)
        shell.run("npm", ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=place, limit=900)
        done.touch()
    return place


def node_folder(source: pathlib.Path) -> pathlib.Path:
    """A folder with the locked npm packages and a copy of the client scripts beside them."""
    copy = node_packages(source) / "clients"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("agents", "node_modules", "__pycache__", "*.py"))
    return copy


def debian_program(program: str, packages: list) -> list:
    """The command that runs `program`: the installed one, or one unpacked from Debian's packages without installing anything."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return [found] if found else debian_unpacked(program, packages, "usr/bin", "usr/sbin")


def debian_unpacked(program: str, packages: list, *folders: str) -> list:
    """The command that runs `program` out of these folders of Debian's packages, which are unpacked into the cache folder."""
    place = places.CACHE / "debian" / packages[0]
    complete = place / ".complete"
    # What was unpacked for a shorter list is not complete any more.
    if not complete.exists() or complete.read_text().split() != packages:
        _unpack(program, packages, place)
    inside = next((place / d / program for d in folders if (place / d / program).exists()), None)
    if inside is None:
        raise Skip(f"the package {packages[0]} holds no {program}")
    libraries = ":".join(str(p) for p in place.glob("usr/lib/*") if p.is_dir())
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(inside)]


def _unpack(program: str, packages: list, place: pathlib.Path) -> None:
    """Downloads packages with apt, as whoever runs this, and unpacks them into the cache folder."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Skip(f"{program} is not installed, and there is no apt-get to get it with")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        _download(program, packages, place)
    except Failed:
        if os.geteuid() != 0:
            raise Skip(f"{program} is not installed, and apt-get cannot download it (is its list of packages empty?)") from None
        shell.run("apt-update", ["apt-get", "update", "-qq"], limit=300)
        _download(program, packages, place)
    for file in place.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(file), str(place)], check=True, timeout=120)
        file.unlink()
    (place / ".complete").write_text(" ".join(packages))


def _download(program: str, packages: list, place: pathlib.Path) -> None:
    shell.run(f"apt-{program}", ["apt-get", "download", "-qq", *packages], cwd=place, limit=300)
