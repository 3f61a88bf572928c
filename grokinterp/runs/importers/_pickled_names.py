"""Which of the names in a pickle are of what acts when it is called."""

import re

# What runs, reads or writes something when called. Nothing is called here, whatever its name; but a file that names one
# of these is no checkpoint, and its reader should hear so.
_ACTS = re.compile(
    r"builtins\.(?:eval|exec|compile|open|input|getattr|setattr|delattr|breakpoint|globals|locals|vars|__import__)|"
    r"(?:_?io|os|posix|nt|sys|subprocess|shutil|importlib|runpy|ctypes|_?socket|_?pickle|marshal|code|pty|webbrowser|"
    r"urllib|http|multiprocessing|_?operator|torch\.(?:serialization|jit|hub|storage|package))\..+|"
    r"(?:torch|numpy|joblib)\.(?:load|save|fromfile|memmap)",
    re.DOTALL,
)
_OF_TENSORS = ("torch.serialization._get_layout", "torch.storage.TypedStorage", "torch.storage.UntypedStorage")


def acts(name: str) -> bool:
    """Whether `name` is a function or class that acts when it is called.

    >>> acts("builtins.eval"), acts("subprocess.Popen"), acts("argparse.Namespace")
    (True, True, False)
    """
    return name not in _OF_TENSORS and bool(_ACTS.fullmatch(name))
