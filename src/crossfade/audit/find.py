"""A class of the user's own, by its dotted path or by the file that it stands in."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from torch import nn

from crossfade.errors import UserError, did_you_mean

GIVE = "Give package.module.Class, or FILE.py:Class, of a fusion."


def find_strategy(path: str) -> type[nn.Module]:
    """The class of `package.module.Class`, `FILE.py:Class`, or of FILE.py where there is one of nn.Module only.

    Packages are looked for from the folder that the command is called in, too. Raises UserError where the file or
    module cannot be read or fails, and where what it holds there is no class of nn.Module.
    """
    if (file := path.partition(":")[0]).endswith(".py"):
        module = _load_file(path, Path(file).expanduser())
        name = path.partition(":")[2] or _only_class(path, module)
    else:
        package, _, name = path.rpartition(".")
        if not package.strip(".") or package.startswith("."):
            raise UserError(f"{path}: is no class. {GIVE}")
        module = _import(path, package)
    found = getattr(module, name, None)
    if found is None:
        near = did_you_mean(name, [n for n in vars(module) if not n.startswith("_")])
        raise UserError(f"{path}: cannot be imported ({module.__file__ or module} has no {name}).{near} {GIVE}")
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"{path}: is no class of a torch.nn.Module, but {found!r}. {GIVE}")
    return found


def where(error: BaseException) -> str:
    """ ", FILE line N": the place that raised it; of a syntax error the message says it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f", {frames[-1].filename} line {frames[-1].lineno}" if frames and not isinstance(error, SyntaxError) else ""


def _import(path: str, package: str) -> ModuleType:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(package)
    except Exception as error:  # a module may fail in any way
        raise UserError(
            f"{path}: cannot be imported ({type(error).__name__}: {error}{_of_theirs(error)}). {GIVE}"
        ) from error
    finally:
        sys.path.remove(here)


def _of_theirs(error: Exception) -> str:
    """The place, unless it is the import itself that found nothing."""
    return "" if isinstance(error, ModuleNotFoundError | ValueError) else where(error)


def _load_file(path: str, file: Path) -> ModuleType:
    if not file.is_file():
        raise UserError(f"{path}: there is no file {file}. {GIVE}")
    # a name of its own: the file may be called like a module that others import
    spec = importlib.util.spec_from_file_location(f"audited_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))  # what it imports from beside it
    sys.modules[spec.name] = module  # where a dataclass looks for its module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise UserError(f"{path}: cannot be imported ({type(error).__name__}: {error}{where(error)}).") from error
    finally:
        sys.path.remove(str(file.resolve().parent))
    return module


def _only_class(path: str, module: ModuleType) -> str:
    """The one class of nn.Module that a file defines itself."""
    own = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        which = (
            f"holds {', '.join(own)}: which? Give {path}:{own[0]}" if own else f"holds no class of nn.Module. {GIVE}"
        )
        raise UserError(f"{path}: {which}")
    return own[0]
